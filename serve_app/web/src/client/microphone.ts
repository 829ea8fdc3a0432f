/**
 * The microphone: asked for at the first wish to speak, shut whenever nobody is to be heard.
 *
 * While it is `kept` it remembers what was said, for it is not yet known whether that is meant for the service.
 */
import { loudness } from "./blocks";
import { MIC_RATE } from "./wire";
import worklet from "./microphone.worklet.ts?worker&url";

export type Ear = "shut" | "kept" | "open";
export type MicrophoneFault = "microphone_refused" | "no_microphone" | "microphone_lost";

/** 20 ms blocks that are remembered at most: 2 s. */
const KEPT = 100;

export interface MicrophoneOptions {
  /** PCM16 mono at 16 kHz, 20 ms. */
  block: (pcm: Int16Array) => void;
  /** 0 to 1, with every block while it is not shut. */
  level: (level: number) => void;
  fault: (fault: MicrophoneFault) => void;
}

export class Microphone {
  private ear: Ear = "shut";
  private kept: Int16Array[] = [];
  private stream: MediaStream | null = null;
  private context: AudioContext | null = null;
  private asking: Promise<boolean> | null = null;
  private readonly options: MicrophoneOptions;

  constructor(options: MicrophoneOptions) {
    this.options = options;
  }

  get isThere(): boolean {
    return this.stream !== null;
  }

  /** Ask the person for it, once. False if it is not to be had; the fault was told. */
  ask(): Promise<boolean> {
    this.asking ??= this.start().catch((error: unknown) => {
      this.asking = null;
      this.options.fault(faultOf(error));
      return false;
    });
    return this.asking;
  }

  /** Listen, remember, or neither. Opening after keeping gives what was remembered first. */
  set(ear: Ear): void {
    const kept = this.kept;
    this.kept = [];
    this.ear = ear;
    for (const track of this.stream?.getAudioTracks() ?? []) track.enabled = ear !== "shut";
    if (ear === "open") for (const block of kept) this.options.block(block);
    if (ear === "shut") this.options.level(0);
  }

  stop(): void {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    void this.context?.close();
    this.stream = this.context = this.asking = null;
  }

  private async start(): Promise<boolean> {
    if (!navigator.mediaDevices) throw new DOMException("no secure context", "NotAllowedError");
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: true, noiseSuppression: true, channelCount: 1 },
    });
    const context = new AudioContext({ sampleRate: MIC_RATE });
    await context.audioWorklet.addModule(worklet);
    const node = new AudioWorkletNode(context, "microphone", { numberOfOutputs: 0 });
    context.createMediaStreamSource(stream).connect(node);
    node.port.onmessage = ({ data }) => this.take(new Int16Array(data as ArrayBuffer));
    for (const track of stream.getTracks()) track.onended = () => this.lost();
    this.stream = stream;
    this.context = context;
    this.set(this.ear);
    return true;
  }

  private take(block: Int16Array): void {
    if (this.ear === "shut") return;
    this.options.level(loudness(block));
    if (this.ear === "open") return this.options.block(block);
    this.kept.push(block);
    if (this.kept.length > KEPT) this.kept.shift();
  }

  private lost(): void {
    this.stop();
    this.options.fault("microphone_lost");
  }
}

function faultOf(error: unknown): MicrophoneFault {
  const name = error instanceof DOMException ? error.name : "";
  return name === "NotFoundError" || name === "OverconstrainedError" ? "no_microphone" : "microphone_refused";
}
