/** How much of the reply's picture is over the idle loop: 0 to 1, moving at most four pictures' time. Pure. */
export const FADE_MS = 160;

export class Fade {
  private mix = 0;
  private goal: 0 | 1 = 0;
  private at = 0;

  get speaking(): boolean {
    return this.goal === 1;
  }

  to(goal: 0 | 1): void {
    this.goal = goal;
  }

  /** The mix at this moment. */
  now(ms: number): number {
    const step = Math.min(Math.max(ms - this.at, 0), FADE_MS) / FADE_MS;
    this.at = ms;
    this.mix = this.goal ? Math.min(1, this.mix + step) : Math.max(0, this.mix - step);
    return this.mix;
  }
}
