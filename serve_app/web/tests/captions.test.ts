import { expect, test } from "vitest";
import * as captions from "../src/client/captions";
import type { Lines } from "../src/client/captions";

const WORDS = ["A", "face", "and", "a", "face."].map((text, k) => ({ text, start: k * 4800, samples: 4800 }));
const reply = (text: string): Lines => captions.replying([], 1, text);
const shown = (lines: Lines) => lines.map(({ id, who, text, partial }) => [id, who, text, partial]);

test("what is understood so far is one line that changes, until it is understood", () => {
  let lines: Lines = [];
  lines = captions.saying(lines, "what is");
  lines = captions.saying(lines, "what is twelve");
  expect(shown(lines)).toEqual([["you", "you", "what is twelve", true]]);
  lines = captions.said(lines, "item_1", "What is twelve?");
  expect(shown(lines)).toEqual([["item_1", "you", "What is twelve?", false]]);
});

test("what may still change of it is told apart", () => {
  const lines = captions.saying([], "what is", " twelve");
  expect(lines.map(({ text, heard }) => [text.slice(0, heard), text.slice(heard)])).toEqual([["what is", " twelve"]]);
});

test("a cough is understood as nothing, and its line goes away", () => {
  expect(captions.said(captions.saying([], "hm"), "item_1", "")).toEqual([]);
});

test("a reply grows where it stands, whatever is said meanwhile", () => {
  let lines = reply("A face");
  lines = captions.saying(lines, "stop");
  lines = captions.replying(lines, 1, " and");
  lines = captions.replied(lines, 1);
  expect(shown(lines)).toEqual([
    ["reply_1", "avatar", "A face and", false],
    ["you", "you", "stop", true],
  ]);
});

test("the newest word that has begun is lit, also where a word comes twice", () => {
  const text = "A face and a face.";
  const at = (pts: number) => {
    const { word, heard } = captions.litUpTo(text, WORDS, pts);
    return [text.slice(0, word), text.slice(word, heard)];
  };
  expect(at(-1)).toEqual(["", ""]);
  expect(at(4800)).toEqual(["A ", "face"]);
  expect(at(4 * 4800)).toEqual(["A face and a ", "face."]);
});

test("a word that is not in the text is passed over", () => {
  expect(captions.litUpTo("12 faces", [{ text: "twelve", start: 0, samples: 1 }, { text: "faces", start: 9, samples: 1 }], 9)).toEqual(
    { word: 3, heard: 8 },
  );
});

test("nothing is drawn again while no other word begins", () => {
  const lines = captions.lit(reply("A face and"), 1, WORDS, 4800);
  expect(captions.lit(lines, 1, WORDS, 4801)).toBe(lines);
  expect(captions.lit(lines, 2, WORDS, 9999)).toBe(lines);
});

test("a reply that is cut keeps what was not heard, and says where it stopped", () => {
  const [line] = captions.cut(captions.lit(reply("A face and a face."), 1, WORDS, 4800), 1, "A face");
  expect(line).toMatchObject({ text: "A face and a face.", heard: 6, cut: true, partial: false });
});

test("a reply that was heard to its end has no word lit", () => {
  const [line] = captions.finished(reply("A face"), 1);
  expect(line).toMatchObject({ word: 6, heard: 6 });
});
