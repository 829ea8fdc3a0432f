import { expect, test } from "vitest";
import { type Before, items, linesOf } from "../src/client/before";
import { said } from "../src/client/captions";

const talk: Before[] = [
  { role: "user", text: "Hello?" },
  { role: "assistant", text: "Hel", cut: true },
];

test("an earlier conversation becomes items in its order, each with the text of its side", () => {
  expect(items(talk)).toEqual([
    { id: "before_0", type: "message", role: "user", content: [{ type: "input_text", text: "Hello?" }] },
    { id: "before_1", type: "message", role: "assistant", content: [{ type: "output_text", text: "Hel" }] },
  ]);
});

test("its lines are complete, and what was cut stays cut", () => {
  const lines = linesOf(talk);
  expect(lines.map(({ who, text, partial, cut, heard }) => [who, text, partial, cut, heard])).toEqual([
    ["you", "Hello?", false, false, 6],
    ["avatar", "Hel", false, true, 3],
  ]);
});

test("an item that the service tells of again is the line that is there already", () => {
  const lines = linesOf(talk);
  expect(said(lines, "before_0", "Hello?")).toHaveLength(2);
});

test("of a long conversation the newest hundred are taken, and no more of each than the service reads", () => {
  const long = Array.from({ length: 150 }, (_, k): Before => ({ role: "user", text: `${k} ${"x".repeat(5000)}` }));
  const taken = items(long) as { content: { text: string }[] }[];
  expect(taken).toHaveLength(100);
  expect(taken[0]?.content[0]?.text.slice(0, 4)).toBe("50 x");
  expect(taken[0]?.content[0]?.text).toHaveLength(4000);
});
