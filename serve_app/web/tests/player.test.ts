import { beforeEach, expect, test } from "vitest";
import type { Encoded, Shown } from "../src/client/decoder";
import { Player } from "../src/client/player";
import { type Order, type Report, SpeakerQueue } from "../src/client/speaker-queue";
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

test("while the sound stands still, the picture of its next sample waits", () => {
  for (const k of [0, 1, 2]) player.picture(picture(k));
  decodeAll();
  reach(2 * FRAME, { playing: false, stalls: 1 });
  expect(player.due()?.pts).toBe(FRAME);
  reach(2 * FRAME);
  expect(player.due()?.pts).toBe(2 * FRAME);
});

test("no more than twelve pictures are decoded ahead", () => {
  for (let k = 0; k < 30; k++) player.picture(picture(k));
  expect(pending).toHaveLength(12);
  decodeAll();
  reach(4 * FRAME);
  player.due();
  expect(pending.map(({ pts }) => pts / FRAME)).toEqual([12, 13, 14, 15, 16]);
});

test("under a picture that stays the sound runs on, as soon as that one is decoded", () => {
  player.picture(picture(0));
  player.picture(picture(2));
  player.keep(1, 5 * FRAME);
  expect(orders).toEqual([]);
  decodeAll();
  expect(orders).toEqual([FRAME, 3 * FRAME, 5 * FRAME].map((pts) => ({ kind: "limit", turn: 1, pts })));
  player.keep(1, 30 * FRAME);
  expect(orders.at(-1)).toEqual({ kind: "limit", turn: 1, pts: 30 * FRAME });
  expect(player.progress.video_pts).toBe(30 * FRAME);
  player.picture(picture(30, true));
  decodeAll();
  expect(orders.at(-1)).toEqual({ kind: "limit", turn: 1, pts: 31 * FRAME });
});

test("a reply without any picture is heard, and what stays of another reply opens nothing", () => {
  player.keep(1, 25 * FRAME);
  player.keep(1, 25 * FRAME);
  player.keep(2, 50 * FRAME);
  expect(orders).toEqual([{ kind: "limit", turn: 1, pts: 25 * FRAME }]);
  player.begin(2);
  player.keep(1, 50 * FRAME);
  expect(orders.filter(({ kind }) => kind === "limit")).toHaveLength(1);
});

test("at half the frame rate the loudspeaker never waits for what was left out", () => {
  const queue = new SpeakerQueue();
  const out = new Float32Array(FRAME);
  queue.take({ kind: "begin", turn: 1, pts: 0 });
  queue.take({ kind: "sound", turn: 1, samples: new Float32Array(50 * FRAME) });
  player.begin(1);
  orders.length = 0;
  for (let k = 0; k < 50; k++) {
    if (k < 40 && k % 2 === 0) player.picture(picture(k)); // half a second of lead, then a second of half the pictures
    if (k === 40) player.keep(1, 50 * FRAME);
    decodeAll();
    reach(k * FRAME);
    player.due();
    for (const order of orders.splice(0)) queue.take(order);
    if (k >= 12) queue.fill(out);
  }
  expect(queue.report(0)).toMatchObject({ pts: 38 * FRAME, stalls: 0 });
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
