/** Whether anybody is still there: a line that died without being closed is noticed by its silence. Knows no socket. */
export const BEAT_MS = 1000;
/** Beats without a sign of life after which the line is given up. They are counted, for a laptop that slept missed none. */
export const PATIENCE = 4;
/** The same while a connection is being made. */
export const FIRST_PATIENCE = 10;

export class Pulse {
  private quiet = 0;
  private patience = FIRST_PATIENCE;
  private timer: ReturnType<typeof setInterval> | undefined;
  private readonly ask: () => void;
  private readonly gone: () => void;

  /** `ask` for a sign of life; `gone` when none came. */
  constructor(ask: () => void, gone: () => void) {
    this.ask = ask;
    this.gone = gone;
  }

  /** A connection is being made. */
  start(): void {
    this.stop();
    this.quiet = 0;
    this.patience = FIRST_PATIENCE;
    this.timer = setInterval(() => this.beat(), BEAT_MS);
  }

  /** Something came. */
  heard(): void {
    this.quiet = 0;
    this.patience = PATIENCE;
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private beat(): void {
    this.quiet += 1;
    if (this.quiet > this.patience) this.gone();
    else this.ask();
  }
}
