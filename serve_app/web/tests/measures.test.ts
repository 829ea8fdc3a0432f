import { expect, test } from "vitest";
import { Backoff } from "../src/client/backoff";
import { Blocks, loudness } from "../src/client/blocks";
import { audibleTime, heardAt } from "../src/client/clock";
import { Fade, FADE_MS } from "../src/client/fade";
import { apart } from "../src/client/idle";
import { Pictures } from "../src/client/pictures";
import { Sequence, seqOf } from "../src/client/sequence";
import { Store } from "../src/client/store";
import { percentile, Timings } from "../src/client/timings";

test("the clock counts what was heard: less than was fed, never more, never below the beginning", () => {
  const report = { pts: 24_000, time: 10, playing: true };
  expect(heardAt(report, 9.95)).toBeCloseTo(22_800);
  expect(heardAt(report, 10.5)).toBe(24_000);
  expect(heardAt({ ...report, pts: 100 }, 9)).toBe(0);
  expect(heardAt({ ...report, playing: false }, 9.5)).toBe(24_000);
});

test("a browser without output timestamps is asked for its latency, or for nothing", () => {
  expect(audibleTime({ currentTime: 2, getOutputTimestamp: () => ({ contextTime: 1.9 }) })).toBe(1.9);
  expect(audibleTime({ currentTime: 2, outputLatency: 0.25 })).toBe(1.75);
  expect(audibleTime({ currentTime: 2 })).toBe(2);
});

test("the newest picture that is due is taken, older ones are closed and counted", () => {
  const closed: number[] = [];
  const pictures = new Pictures();
  for (const pts of [0, 960, 1920]) pictures.put({ pts, image: { close: () => closed.push(pts) } });
  expect(pictures.due(1000)?.pts).toBe(960);
  expect([closed, pictures.skipped, pictures.length]).toEqual([[0], 1, 1]);
  pictures.clear();
  expect(closed).toEqual([0, 1920]);
});

test("the fade to speech and back takes no more than four pictures' time", () => {
  expect(FADE_MS).toBeLessThanOrEqual(4 * 40);
  const fade = new Fade();
  expect(fade.now(1000)).toBe(0);
  fade.to(1);
  expect([fade.now(1000 + FADE_MS / 4), fade.now(1000 + FADE_MS / 2), fade.now(1000 + FADE_MS)]).toEqual([0.25, 0.5, 1]);
  fade.to(0);
  expect(fade.now(1000 + FADE_MS * 1.5)).toBe(0.5);
});

test("frames of the loop are near each other over its end, too", () => {
  expect([apart(3, 5), apart(249, 1), apart(0, 125)]).toEqual([2, 2, 125]);
});

test("messages are counted: the next, one that is missing, one that came twice", () => {
  const sequence = new Sequence();
  expect([1, 2, 5, 5, 3, 6].map((seq) => sequence.take(seq))).toEqual(["next", "next", "gap", "old", "old", "next"]);
  expect(sequence.missed).toBe(2);
  expect([seqOf("evt_12"), seqOf("item_12"), seqOf(undefined)]).toEqual([12, null, null]);
});

test("two pages do not come back in the same moment", () => {
  expect([new Backoff(() => 0).next(), new Backoff(() => 1).next()]).toEqual([213, 288]);
});

test("blocks have one length, whatever the browser gives, and loud sound is cut at full scale", () => {
  const blocks = new Blocks(4);
  expect(blocks.take(new Float32Array([0, 0.5, 2]))).toEqual([]);
  expect(blocks.take(new Float32Array([-2, 1])).map((block) => [...block])).toEqual([[0, 16384, 32767, -32767]]);
});

test("silence is 0 loud, full scale 1, and speech in between", () => {
  const level = (value: number) => loudness(new Int16Array(320).fill(value));
  expect([level(0), level(32767)]).toEqual([0, 1]);
  expect(level(1000)).toBeCloseTo(0.6, 1);
});

test("watchers are told what is different and nothing else", () => {
  const store = new Store({ one: 1, two: 2 });
  const seen: unknown[] = [];
  const end = store.subscribe(() => seen.push(store.get()));
  store.set({ one: 1 });
  store.set({ two: 3 });
  end();
  store.set({ two: 4 });
  expect(seen).toEqual([{ one: 1, two: 3 }]);
});

test("a turn's times count from the end of the words, each once, and only of the newest reply", () => {
  const timings = new Timings();
  timings.mark(1, "text", 5);
  timings.spoke(1000);
  timings.understood(1200);
  timings.begin(1);
  timings.mark(1, "text", 1250);
  timings.mark(1, "text", 1300);
  timings.mark(1, "face", 1700);
  timings.mark(2, "face", 1800);
  timings.begin(2); // nobody asked for it
  expect(timings.turns).toEqual([{ turn: 1, typed: false, at: { transcript: 200, text: 250, face: 700 } }]);
});

test("percentiles are values that were measured", () => {
  const values = Array.from({ length: 100 }, (_, k) => 100 - k);
  expect([percentile(values, 0.5), percentile(values, 0.95), percentile([7], 0.95)]).toEqual([51, 96, 7]);
  expect(percentile([], 0.5)).toBeNaN();
});
