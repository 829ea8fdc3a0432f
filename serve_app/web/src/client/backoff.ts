/** How long to wait before the next attempt: twice as long each time, up to a bound, never quite the same. */
export const FIRST_MS = 250;
export const LAST_MS = 8000;
/** A service that comes back is not to be met by everybody in the same moment. */
const SPREAD = 0.3;

export class Backoff {
  private attempts = 0;

  private readonly random: () => number;

  constructor(random: () => number = Math.random) {
    this.random = random;
  }

  /** Milliseconds until the next attempt. */
  next(): number {
    const wait = Math.min(FIRST_MS * 2 ** this.attempts, LAST_MS);
    this.attempts += 1;
    return Math.round(wait * (1 + SPREAD * (this.random() - 0.5)));
  }

  /** It worked: the next failure is a first one again. */
  reset(): void {
    this.attempts = 0;
  }
}
