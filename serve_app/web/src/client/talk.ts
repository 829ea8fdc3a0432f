/**
 * What a finger on the one button means: held, it is push-to-talk; tapped, it turns hands-free on or off.
 *
 * Pure but for one timer. Until it is known which, the reply is held and the microphone remembers.
 */
export const HOLD_MS = 250;

export interface TalkActions {
  /** It may become either: be silent, remember what is said. */
  touch(): void;
  /** It is held: a turn begins, with what was remembered. */
  press(): void;
  /** It was held and is let go: the turn is complete. */
  release(): void;
  /** It was a tap: go on as before, but for hands-free. */
  tap(): void;
  /** It was neither. */
  leave(): void;
}

export class Talk {
  private state: "up" | "touched" | "held" = "up";
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly actions: TalkActions;

  constructor(actions: TalkActions) {
    this.actions = actions;
  }

  down(): void {
    if (this.state !== "up") return;
    this.state = "touched";
    this.actions.touch();
    this.timer = setTimeout(() => {
      this.state = "held";
      this.actions.press();
    }, HOLD_MS);
  }

  up(): void {
    clearTimeout(this.timer);
    const before = this.state;
    this.state = "up";
    if (before === "held") this.actions.release();
    if (before === "touched") this.actions.tap();
  }

  /** The finger slid away, the window lost the keyboard. */
  cancel(): void {
    clearTimeout(this.timer);
    const before = this.state;
    this.state = "up";
    if (before === "held") this.actions.release();
    if (before === "touched") this.actions.leave();
  }
}
