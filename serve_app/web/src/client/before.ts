/** An earlier conversation that a new one begins with: as items for the service and as lines to be read. Pure. */
import type { Line } from "./captions";

/** What was said once, by the user or by the assistant. */
export interface Before {
  role: "user" | "assistant";
  text: string;
  cut?: boolean;
}

/** Items that are taken over, the newest; and the characters that one may have. */
const MOST = 100;
const LONGEST = 4000;

function named(said: readonly Before[]): [string, Before][] {
  return said.slice(-MOST).map((one, place) => [`before_${place}`, one]);
}

export function items(said: readonly Before[]): object[] {
  return named(said).map(([id, { role, text }]) => {
    const type = role === "user" ? "input_text" : "output_text";
    return { id, type: "message", role, content: [{ type, text: text.slice(0, LONGEST) }] };
  });
}

export function linesOf(said: readonly Before[]): Line[] {
  return named(said).map(([id, { role, text, cut }]) => {
    const who = role === "user" ? "you" : "avatar";
    return { id, who, text, partial: false, cut: cut ?? false, heard: text.length, word: text.length };
  });
}
