/** The count that every message of one direction carries: tells a message that is missing from one that came twice. */
export type Place = "next" | "gap" | "old";

export class Sequence {
  /** The newest message that was taken; 0 before the first. */
  last = 0;
  /** Messages that never came. */
  missed = 0;

  take(seq: number): Place {
    if (seq <= this.last) return "old";
    const gap = seq - this.last - 1;
    this.last = seq;
    this.missed += gap;
    return gap ? "gap" : "next";
  }

  /** Another session counts from the beginning. */
  restart(last = 0): void {
    this.last = last;
  }
}

/** Of a JSON event: the number in `evt_<seq>`, or null where there is none. */
export function seqOf(eventId: unknown): number | null {
  const found = typeof eventId === "string" ? /^evt_(\d+)$/.exec(eventId) : null;
  return found ? Number(found[1]) : null;
}
