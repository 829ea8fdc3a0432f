/** How long a person waited, turn by turn: milliseconds from the end of their words to each thing that followed. Pure. */
export const STEPS = ["transcript", "text", "audio", "face"] as const;
export type Step = (typeof STEPS)[number];

export interface TurnTimes {
  turn: number;
  typed: boolean;
  /** Milliseconds after the end of speech (or after the message was sent); missing until it happened. */
  at: Partial<Record<Step, number>>;
}

/** Turns that are kept. */
const KEPT = 100;

export class Timings {
  turns: readonly TurnTimes[] = [];
  private asked: { ms: number; typed: boolean; transcript?: number } | null = null;
  private begun = 0;

  /** The person's words ended at this moment, which may lie in the past. */
  spoke(ms: number, typed = false): void {
    this.asked = { ms, typed };
  }

  understood(ms: number): void {
    if (this.asked && this.asked.transcript === undefined) this.asked.transcript = ms - this.asked.ms;
  }

  /** The reply to it begins. */
  begin(turn: number): void {
    if (!this.asked) return;
    const { ms, typed, transcript } = this.asked;
    this.begun = ms;
    this.asked = null;
    const at = transcript === undefined ? {} : { transcript };
    this.turns = [...this.turns, { turn, typed, at }].slice(-KEPT);
  }

  /** Something of a reply came for the first time; later times are passed over. True if it was news. */
  mark(turn: number, step: Step, ms: number): boolean {
    const last = this.turns.at(-1);
    if (last?.turn !== turn || last.at[step] !== undefined) return false;
    this.turns = [...this.turns.slice(0, -1), { ...last, at: { ...last.at, [step]: ms - this.begun } }];
    return true;
  }
}

/** The value below which this share of them lies; NaN of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? NaN;
}
