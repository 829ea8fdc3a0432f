/** What both sides said, line by line, and how far the line that is being spoken was heard. Pure. */
import type { Word } from "./wire";

export interface Line {
  id: string;
  who: "you" | "avatar";
  text: string;
  /** It may still change. */
  partial: boolean;
  /** It was interrupted. */
  cut: boolean;
  /** Characters that were heard, or of what you are saying those that stay; the word that ends there is being spoken while the reply plays. */
  heard: number;
  /** Where the word that is being spoken begins. */
  word: number;
}

/** Lines that are kept. */
const KEPT = 200;
const PARTIAL = "you";

export type Lines = readonly Line[];

function put(lines: Lines, id: string, who: Line["who"], change: (line: Line) => Line): Lines {
  const known = lines.findIndex((line) => line.id === id);
  const before = lines[known] ?? { id, who, text: "", partial: true, cut: false, heard: 0, word: 0 };
  const after = change(before);
  return known < 0 ? [...lines, after].slice(-KEPT) : lines.with(known, after);
}

/** What is understood so far, and what seems to follow. */
export function saying(lines: Lines, text: string, guess = ""): Lines {
  return put(lines, PARTIAL, "you", (line) => ({ ...line, text: text + guess, heard: text.length }));
}

/** What was understood, or written. `id` is the item's. */
export function said(lines: Lines, id: string, text: string): Lines {
  const without = lines.filter((line) => line.id !== PARTIAL);
  return text ? put(without, id, "you", (line) => ({ ...line, text, partial: false, heard: text.length })) : without;
}

export function replying(lines: Lines, turn: number, delta: string): Lines {
  return put(lines, `reply_${turn}`, "avatar", (line) => ({ ...line, text: line.text + delta }));
}

/** Its text is complete; a reply that was cut keeps what was not heard, so that one sees where it stopped. */
export function replied(lines: Lines, turn: number): Lines {
  return change(lines, turn, (line) => ({ ...line, partial: false }));
}

export function cut(lines: Lines, turn: number, heardText: string): Lines {
  return change(lines, turn, (line) => {
    const heard = Math.max(Math.min(heardText.length, line.text.length), line.heard);
    return { ...line, partial: false, cut: true, heard, word: heard };
  });
}

/** Nothing of it is being spoken any more: it was heard to its end. */
export function finished(lines: Lines, turn: number): Lines {
  return change(lines, turn, (line) => ({ ...line, heard: line.text.length, word: line.text.length }));
}

/** Light the words that have begun by `pts`. The same lines if that changes nothing. */
export function lit(lines: Lines, turn: number, words: readonly Word[], pts: number): Lines {
  const line = lines.find((one) => one.id === `reply_${turn}`);
  if (!line) return lines;
  const place = litUpTo(line.text, words, pts);
  return place.heard === line.heard && place.word === line.word ? lines : change(lines, turn, (one) => ({ ...one, ...place }));
}

/** Where the newest word that has begun stands in the text. */
export function litUpTo(text: string, words: readonly Word[], pts: number): { word: number; heard: number } {
  let place = { word: 0, heard: 0 };
  for (const { text: spoken, start } of words) {
    if (start > pts) break;
    const found = text.indexOf(spoken, place.heard);
    if (found >= 0) place = { word: found, heard: found + spoken.length };
  }
  return place;
}

function change(lines: Lines, turn: number, how: (line: Line) => Line): Lines {
  const known = lines.findIndex((line) => line.id === `reply_${turn}`);
  return known < 0 ? lines : lines.with(known, how(lines[known] as Line));
}
