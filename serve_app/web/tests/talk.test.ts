import { beforeEach, expect, test, vi } from "vitest";
import { HOLD_MS, Talk } from "../src/client/talk";

let did: string[];
let talk: Talk;

beforeEach(() => {
  vi.useFakeTimers();
  did = [];
  const note = (name: string) => () => did.push(name);
  talk = new Talk({
    touch: note("touch"),
    press: note("press"),
    release: note("release"),
    tap: note("tap"),
    leave: note("leave"),
  });
  return () => vi.useRealTimers();
});

test("held, it is push-to-talk", () => {
  talk.down();
  vi.advanceTimersByTime(HOLD_MS);
  expect(did).toEqual(["touch", "press"]);
  vi.advanceTimersByTime(3000);
  talk.up();
  expect(did).toEqual(["touch", "press", "release"]);
});

test("tapped, it is hands-free, and nothing is pressed later", () => {
  talk.down();
  vi.advanceTimersByTime(HOLD_MS - 1);
  talk.up();
  vi.advanceTimersByTime(3000);
  expect(did).toEqual(["touch", "tap"]);
});

test("a key that repeats and a second finger change nothing", () => {
  talk.down();
  talk.down();
  vi.advanceTimersByTime(HOLD_MS);
  talk.down();
  talk.up();
  talk.up();
  expect(did).toEqual(["touch", "press", "release"]);
});

test("taken away before it is known what it was, it was nothing; later, it was let go", () => {
  talk.down();
  talk.cancel();
  expect(did).toEqual(["touch", "leave"]);
  talk.down();
  vi.advanceTimersByTime(HOLD_MS);
  talk.cancel();
  expect(did.slice(2)).toEqual(["touch", "press", "release"]);
});
