import { beforeEach, expect, test } from "vitest";
import type { Encoded, Shown } from "../src/client/decoder";
import { Player } from "../src/client/player";
import type { Order, Report } from "../src/client/speaker-queue";
import { Flag, FRAME, Kind, RATE } from "../src/client/wire";

/** A loudspeaker that only remembers, and a decoder that decodes when it is told. */
let orders: Order[];
let pending: Encoded[];
let out: (shown: Shown) => void;
let closed: number[];
let told: string[];
let player: Player;
const speaker = { currentTime: 0, post: (order: Order) => orders.push(order) };

beforeEach(() => {
  orders = [];
  pending = [];
  closed = [];
  told = [];
  speaker.currentTime = 0;
  player = new Player(
    speaker,
    (give) => {
      out = give;
      return {
        get backlog() {
          return pending.length;
        },
        decode: (picture) => pending.push(picture),
        flush: () => Promise.resolve(),
        close: () => undefined,
      };
    },
    {
      spoken: (turn) => told.push(`spoken ${turn}`),
      over: (turn, pts) => told.push(`over ${turn} at ${pts}`),
      blind: (reason) => told.push(reason),
    },
  );
  player.begin(1);
  orders.length = 0;
});

const unit = (kind: Kind, pts: number, payload = new Uint8Array(1920), turn = 1, flags = 0) => {
  return { kind, flags, turn, seq: 0, pts, senderMs: 0, payload };
};
const picture = (k: number, key = k === 0) => unit(Kind.VIDEO, k * FRAME, undefined, 1, key ? Flag.KEY : 0);
const decodeAll = () => {
  for (const { pts } of pending.splice(0)) out({ pts, image: { close: () => closed.push(pts) } as unknown as VideoFrame });
};
const reach = (pts: number, more: Partial<Report> = {}) => {
  player.heard({ turn: 1, pts, time: 0, playing: true, over: false, stalls: 0, stalled: 0, ...more });
};

test("each decoded picture moves the gate to its end", () => {
  player.picture(picture(0));
  player.picture(picture(1));
  decodeAll();
  expect(orders).toEqual([
    { kind: "limit", turn: 1, pts: FRAME },
    { kind: "limit", turn: 1, pts: 2 * FRAME },
  ]);
});

test("nothing is drawn before its sound, and late pictures are closed undrawn", () => {
  for (const k of [1, 2, 3, 4]) player.picture(picture(k, k === 1));
  decodeAll();
  reach(FRAME - 1);
  expect(player.due()).toBeNull();
  reach(3 * FRAME + 240);
  expect(player.due()?.pts).toBe(3 * FRAME);
  expect(closed).toEqual([FRAME, 2 * FRAME]);
  expect(player.shown).toMatchObject({ drawn: 1, skew: [10] });
  expect(player.due()).toBeNull();
});

test("no more than ten pictures are decoded ahead", () => {
  for (let k = 0; k < 30; k++) player.picture(picture(k));
  expect(pending).toHaveLength(10);
  decodeAll();
  reach(4 * FRAME);
  player.due();
  expect(pending.map(({ pts }) => pts / FRAME)).toEqual([10, 11, 12, 13, 14]);
});

test("decoding begins with a key", () => {
  player.picture(picture(0, false));
  player.picture(picture(1, true));
  expect(pending.map(({ pts }) => pts)).toEqual([FRAME]);
});

test("what comes twice after a resumption is played once", () => {
  player.sound(unit(Kind.AUDIO, 0));
  player.sound(unit(Kind.AUDIO, 0));
  player.sound(unit(Kind.AUDIO, 480));
  player.picture(picture(0));
  player.picture(picture(0));
  const played = orders.flatMap((order) => (order.kind === "sound" ? order.samples.length : []));
  expect(played).toEqual([960, 480]);
  expect(pending).toHaveLength(1);
  expect(player.progress).toEqual({ turn: 1, audio_pts: 1440, video_pts: FRAME });
});

test("dropped, everything of the reply is gone, also what is still being decoded", () => {
  player.picture(picture(0));
  player.picture(picture(1));
  player.drop();
  decodeAll();
  player.sound(unit(Kind.AUDIO, 0));
  reach(5 * FRAME);
  expect(player.due()).toBeNull();
  expect(closed).toEqual([0, FRAME]);
  expect(orders).toEqual([{ kind: "silence" }]);
  expect(player.progress).toEqual({ turn: 0, audio_pts: 0, video_pts: 0 });
});

test("its beginning and its end are told once, the end when it was heard", () => {
  player.end(1, 4800);
  reach(128);
  reach(256);
  speaker.currentTime = -0.03; // 30 ms are still on their way to the ear
  reach(4800, { over: true });
  expect(told).toEqual(["spoken 1"]);
  speaker.currentTime = 0.01;
  reach(4800, { over: true });
  reach(4800, { over: true });
  expect(told).toEqual(["spoken 1", "over 1 at 4800"]);
});

test("without pictures the sound is not held back", () => {
  player.withoutPictures();
  expect(orders).toEqual([{ kind: "limit", turn: 1, pts: Number.MAX_SAFE_INTEGER }]);
});

test("what is heard is behind what was fed by the output's latency", () => {
  speaker.currentTime = -0.05;
  reach(RATE);
  expect(player.now()).toBeCloseTo(RATE * 0.95);
});
