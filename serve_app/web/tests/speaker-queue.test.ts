import { beforeEach, expect, test } from "vitest";
import { RESTART, type Order, SpeakerQueue, START } from "../src/client/speaker-queue";
import { FRAME } from "../src/client/wire";

const QUANTUM = 128;
const ALL = Number.MAX_SAFE_INTEGER;
let queue: SpeakerQueue;

const take = (...orders: Order[]) => orders.forEach((order) => queue.take(order));
const sound = (length: number, turn = 1): Order => ({ kind: "sound", turn, samples: new Float32Array(length).fill(0.5) });
const limit = (pts: number): Order => ({ kind: "limit", turn: 1, pts });

/** Plays so many samples' time; gives how many of them were sound. */
function play(samples: number): number {
  let heard = 0;
  for (let at = 0; at < samples; at += QUANTUM) {
    const out = new Float32Array(QUANTUM);
    queue.fill(out);
    heard += out.filter((value) => value !== 0).length;
  }
  return heard;
}

beforeEach(() => {
  queue = new SpeakerQueue();
  take({ kind: "begin", turn: 1, pts: 0 });
});

test("it begins with 100 ms of sound and of pictures, not with one of them", () => {
  take(sound(START));
  expect(play(1280)).toBe(0);
  take(limit(START - 1));
  expect(play(1280)).toBe(0);
  take(limit(START));
  expect(play(1280)).toBe(1280);
});

test("a reply shorter than that begins when it is complete", () => {
  take(sound(500), limit(ALL));
  expect(play(1280)).toBe(0);
  take({ kind: "total", turn: 1, pts: 500 });
  expect(play(1280)).toBe(500);
  expect(queue.report(0)).toMatchObject({ pts: 500, over: true, stalls: 0 });
});

test("it never runs past the newest picture: both stand, and go on together", () => {
  take(sound(24_000), limit(3 * FRAME));
  expect(play(6400)).toBe(3 * FRAME);
  expect(queue.report(0)).toMatchObject({ pts: 3 * FRAME, playing: false, stalls: 1 });
  take(limit(3 * FRAME + RESTART - 1));
  expect(play(1280)).toBe(0);
  take(limit(3 * FRAME + RESTART));
  expect(play(1280)).toBe(1280);
  expect(queue.report(0).stalled).toBeGreaterThan(0);
});

test("out of sound is a stall as well, and the rest after it is played without waiting for more", () => {
  take(sound(2560), limit(ALL));
  expect(play(3840)).toBe(2560);
  take(sound(640));
  expect(play(1280)).toBe(0);
  take({ kind: "total", turn: 1, pts: 3200 });
  expect(play(1280)).toBe(640);
});

test("held, it keeps what it has; silenced, it keeps nothing", () => {
  take(sound(4800), limit(ALL));
  play(256);
  take({ kind: "hold", turn: 1 });
  expect(play(1280)).toBe(0);
  expect(queue.report(0)).toMatchObject({ pts: 256, playing: false });
  take({ kind: "resume", turn: 1 });
  expect(play(256)).toBe(256);
  take({ kind: "silence" }, sound(4800));
  expect(play(1280)).toBe(0);
});

test("what belongs to another reply is not played", () => {
  take(sound(4800, 2), limit(ALL));
  expect(play(1280)).toBe(0);
});

test("a reply that is taken up in its midst counts from there", () => {
  take({ kind: "begin", turn: 2, pts: 9600 }, sound(4800, 2), { kind: "limit", turn: 2, pts: 9600 + START });
  play(256);
  expect(queue.report(1.5)).toMatchObject({ turn: 2, pts: 9856, time: 1.5 });
});
