/** The person's side: the one button, hands-free, and what happens when there is no microphone. */
import type { Avatar } from "./avatar";
import type { MicrophoneFault } from "./microphone";
import { Talk } from "./talk";

export class Talking {
  /** Give it the button's `down`, `up` and `cancel`. */
  readonly button: Talk;
  private readonly avatar: Avatar;
  /** The service was told that the button is down. */
  private pressed = false;

  constructor(avatar: Avatar) {
    this.avatar = avatar;
    this.button = new Talk({
      touch: () => this.touch(),
      press: () => void this.press(),
      release: () => this.release(),
      tap: () => this.tap(),
      leave: () => this.leave(),
    });
  }

  /** Hands-free on or off: what a tap does, for keyboards and screen readers. */
  async setHandsFree(on: boolean): Promise<void> {
    const { store, microphone } = this.avatar;
    void this.avatar.wake();
    store.set({ handsFree: on });
    if (on && !(await microphone.ask())) store.set({ handsFree: false });
    this.rest();
  }

  /** Ask for the microphone once more, as after it was allowed or plugged in. */
  async retry(): Promise<void> {
    this.avatar.clearProblem();
    await this.avatar.microphone.ask();
  }

  fault(code: MicrophoneFault): void {
    this.avatar.tell({ code });
    this.avatar.store.set({ handsFree: false });
  }

  private touch(): void {
    void this.avatar.wake();
    if (this.avatar.player.playing) this.avatar.player.hold();
    if (!this.avatar.store.get().handsFree) this.avatar.microphone.set("kept");
    this.avatar.store.set({ talk: "touched" });
    void this.avatar.microphone.ask();
  }

  private async press(): Promise<void> {
    const { store, microphone, link } = this.avatar;
    store.set({ talk: "pressed" });
    this.avatar.showing.cutShort();
    const there = await microphone.ask();
    if (store.get().talk !== "pressed" || !there) return this.rest();
    this.pressed = true;
    link.say("avatar.press");
    microphone.set("open");
    this.avatar.clearProblem();
  }

  private release(): void {
    this.avatar.store.set({ talk: "off" });
    this.rest();
    if (!this.pressed) return;
    this.pressed = false;
    this.avatar.showing.timings.spoke(performance.now());
    this.avatar.link.say("avatar.release");
  }

  private tap(): void {
    this.leave();
    void this.setHandsFree(!this.avatar.store.get().handsFree);
  }

  private leave(): void {
    this.avatar.store.set({ talk: "off" });
    this.avatar.player.resume();
    this.rest();
  }

  /** As nobody touches the button. */
  private rest(): void {
    const { handsFree, talk } = this.avatar.store.get();
    if (talk === "off") this.avatar.microphone.set(handsFree ? "open" : "shut");
  }
}
