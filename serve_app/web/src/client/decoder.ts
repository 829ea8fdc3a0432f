/** Encoded pictures to images the canvas can draw: H.264 through WebCodecs, JPEG through createImageBitmap. */
import type { Picture } from "./pictures";
import { FRAME, RATE } from "./wire";

export type Image = VideoFrame | ImageBitmap;
export interface Shown extends Picture {
  image: Image;
}
export interface Encoded {
  key: boolean;
  pts: number;
  payload: Uint8Array;
}

export interface Decoder {
  /** Pictures that were given and have not come out. */
  readonly backlog: number;
  decode(picture: Encoded): void;
  /** Resolves when everything came out. The next picture must be a key. */
  flush(): Promise<void>;
  close(): void;
}

export type MakeDecoder = (out: (shown: Shown) => void, failed: (reason: string) => void) => Decoder;

/** Constrained Baseline 3.1, Annex B: what the service sends. */
const H264: VideoDecoderConfig = { codec: "avc1.42c01f", optimizeForLatency: true };

export const h264: MakeDecoder = (out, failed) => {
  const decoder = new VideoDecoder({
    output: (image) => out({ pts: Math.round((image.timestamp * RATE) / 1e6 / FRAME) * FRAME, image }),
    error: (error) => failed(error.message),
  });
  // Hardware decoders were seen to hold pictures back until the next key, which at this size saves nothing.
  decoder.configure({ ...H264, hardwareAcceleration: "prefer-software" });
  return {
    get backlog() {
      return decoder.decodeQueueSize;
    },
    decode({ key, pts, payload }) {
      const timestamp = Math.round((pts * 1e6) / RATE);
      decoder.decode(new EncodedVideoChunk({ type: key ? "key" : "delta", timestamp, data: payload }));
    },
    flush: () => decoder.flush(),
    close: () => {
      if (decoder.state !== "closed") decoder.close();
    },
  };
};

/** JPEGs decode at different speeds; a chain keeps their order. */
export const jpeg: MakeDecoder = (out, failed) => {
  let chain = Promise.resolve();
  let backlog = 0;
  let closed = false;
  return {
    get backlog() {
      return backlog;
    },
    decode({ pts, payload }) {
      backlog += 1;
      const bitmap = createImageBitmap(new Blob([payload as BlobPart], { type: "image/jpeg" }));
      bitmap.catch(() => undefined); // told below, in its turn
      chain = chain.then(async () => {
        try {
          const image = await bitmap;
          if (closed) image.close();
          else out({ pts, image });
        } catch (error) {
          if (!closed) failed(String(error));
        }
        backlog -= 1;
      });
    },
    flush: () => chain,
    close: () => {
      closed = true;
    },
  };
};

/** What this browser can show; null is never the answer, for every browser reads JPEG. */
export async function bestCodec(): Promise<"h264" | "jpeg"> {
  if (!("VideoDecoder" in globalThis)) return "jpeg";
  const { supported } = await VideoDecoder.isConfigSupported(H264);
  return supported ? "h264" : "jpeg";
}
