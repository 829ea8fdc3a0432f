/** What a reload must not lose: which conversation this tab is in, how far it had come, and what was said. */
import type { Lines } from "./captions";
import type { Session } from "./events";
import type { Progress } from "./link";

const KEPT = "realtime-avatar.conversation";

export interface Memory {
  session: Session;
  lastSeq: number;
  /** How far the reply under way was heard. */
  progress: Progress;
  lines: Lines;
}

export function remember(memory: Memory | null): void {
  if (memory?.session.avatar.resume_token) sessionStorage.setItem(KEPT, JSON.stringify(memory));
  else sessionStorage.removeItem(KEPT);
}

/** Null if there is none, or none that can be read. */
export function recall(): Memory | null {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT) ?? "null") as Memory | null;
  } catch {
    return null;
  }
}
