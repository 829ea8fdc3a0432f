/**
 * One avatar on one canvas: the link, the face with its loudspeaker, and the microphone put together.
 *
 * `createAvatar({ url, canvas })` is all that a page needs; the page watches `store` and calls the verbs below.
 */
import { type Before, items, linesOf } from "./before";
import type * as captions from "./captions";
import { Emitter } from "./emitter";
import type { Session } from "./events";
import { hear } from "./hearing";
import { Link } from "./link";
import { recall, remember } from "./memory";
import { Microphone } from "./microphone";
import type { Player } from "./player";
import { clientSecret } from "./secret";
import { Showing } from "./showing";
import { type AvatarSignals, type AvatarState, INITIAL, type Problem } from "./state";
import { Store } from "./store";
import { Talking } from "./talking";
import { asked, differing, NO_WISHES, REFUSED_WISHES, type Wishes } from "./wishes";
import { MIC_RATE } from "./wire";

export interface AvatarOptions {
  /** The service's address; by default where the page came from. */
  url?: string;
  canvas: HTMLCanvasElement;
  /** A key of the service, which this page may know; or nothing at an open door. */
  key?: string | null;
  /** Or: a client secret for each connection, out of the page's own backend. */
  secret?: () => Promise<string | null>;
  /** What is wished from the beginning: persona, voice, instructions… */
  wishes?: Partial<Wishes>;
}

export class Avatar {
  readonly store = new Store<AvatarState>(INITIAL);
  readonly signals = new Emitter<AvatarSignals>();
  readonly showing: Showing;
  readonly link: Link;
  readonly microphone: Microphone;
  readonly talking: Talking;
  /** How much of the microphone was sent, and when the last of it. */
  private sent = { samples: 0, ms: 0 };
  /** What the conversation began with. */
  private before: readonly Before[] = [];
  private readonly ends: (() => void)[] = [];

  constructor(options: AvatarOptions) {
    const base = new URL(options.url ?? ".", location.href).href;
    const { store, signals } = this;
    store.set({ wishes: { ...NO_WISHES, ...options.wishes } });
    this.link = new Link({
      url: new URL("v1/realtime", base.replace(/^http/, "ws")).href,
      secret: options.secret ?? (() => clientSecret(base, options.key ?? null)),
      progress: () => this.showing.progress,
      heard: (event) => hear(this, event),
      unit: (unit) => this.showing.unit(unit),
      status: (link) => store.set({ link }),
      lost: () => this.lost(),
      refused: (text, code) => this.tell({ code: code === 401 ? "needs_key" : "service", text }),
    });
    const say = this.link.say.bind(this.link);
    this.showing = new Showing({ canvas: options.canvas, base, store, signals, say });
    this.microphone = new Microphone({
      block: (pcm) => this.send(pcm),
      level: (level) => signals.emit("level", level),
      fault: (code) => this.talking.fault(code),
    });
    this.talking = new Talking(this);
  }

  get player(): Player {
    return this.showing.player;
  }

  /** Connect, and draw from now on. */
  async start(): Promise<void> {
    await this.showing.start();
    const before = recall();
    if (before) {
      this.link.takeUp(before.session, before.lastSeq);
      this.store.set({ lines: before.lines });
      this.showing.takeUp(before.session, before.progress);
    }
    this.listen(window, "online", () => this.link.hurry());
    this.listen(window, "offline", () => this.link.renew());
    this.listen(window, "pagehide", () => this.keep());
    this.listen(document, "visibilitychange", () => this.showing.seenAgain());
    this.link.start();
  }

  /** Leave; nothing of it can be used afterwards. */
  stop(): void {
    this.keep();
    for (const end of this.ends) end();
    this.link.stop();
    this.showing.stop();
    this.microphone.stop();
  }

  /** Let the browser make sound; call it from a gesture. */
  wake(): Promise<void> {
    return this.showing.wake();
  }

  /** A typed message; everything else stops for it. False if nobody is there to read it. */
  type(text: string): boolean {
    void this.wake();
    if (!this.link.isOpen) return false;
    this.showing.cutShort();
    this.showing.timings.spoke(performance.now(), true);
    return this.link.say("avatar.say", { text });
  }

  /** Stop the reply. Silent at once; then the service is told how much was heard. */
  interrupt(): void {
    const item = this.showing.items.get(this.player.turn);
    const heard = this.showing.cutShort();
    this.link.say("response.cancel"); // a truncation alone is taken for late news
    if (item) this.link.say("conversation.item.truncate", { item_id: item, content_index: 0, audio_end_ms: heard });
  }

  /** Wish something else; another persona or face begins another conversation. */
  wish(part: Partial<Wishes>): void {
    const before = this.store.get().wishes;
    this.store.set({ wishes: { ...before, ...part } });
    const { persona = before.persona, avatar = before.avatar } = part;
    if (persona !== before.persona || avatar !== before.avatar) return this.begin();
    this.link.say("session.update", { session: { type: "realtime", ...asked(part, this.usualDetection) } });
  }

  /** Another conversation; it may go on with what was said in an earlier one. */
  begin(before: readonly Before[] = [], part: Partial<Wishes> = {}): void {
    this.showing.silence();
    this.before = before;
    remember(null);
    const wishes = { ...this.store.get().wishes, ...part };
    this.store.set({ wishes, lines: linesOf(before), session: null, phase: "idle", problem: null });
    this.link.anew();
  }

  /** The service cannot meet a wish: it is given up. True if `code` says so. */
  giveUp(code: string | null): boolean {
    const wish = REFUSED_WISHES[code ?? ""];
    if (!wish || !this.store.get().wishes[wish]) return false;
    this.store.set({ wishes: { ...this.store.get().wishes, [wish]: "" } });
    this.link.anew(); // what came with that wish was not heard either
    return true;
  }

  tell(problem: Problem): void {
    this.store.set({ problem });
  }

  /** The problem is over; only if it is this one, if one is named. */
  clearProblem(code?: Problem["code"]): void {
    if (!code || this.store.get().problem?.code === code) this.store.set({ problem: null });
  }

  write(change: (lines: captions.Lines) => captions.Lines): void {
    this.store.set({ lines: change(this.store.get().lines) });
  }

  // ---- what the service begins ---------------------------------------------------------------------------------

  welcome(session: Session): void {
    this.sent = { samples: 0, ms: 0 };
    this.showing.restart();
    this.showing.face(session);
    this.store.set({ session, phase: "idle" });
    this.clearProblem("needs_key");
    const video = { codec: this.showing.codec };
    const wished = asked(differing(this.store.get().wishes), this.usualDetection);
    const greeting = this.before.length ? { greeting: false } : {};
    const avatar = { ...wished.avatar, ...greeting, video };
    this.link.say("session.update", { session: { type: "realtime", ...wished, avatar } });
    for (const item of items(this.before)) this.link.say("conversation.item.create", { item });
    if (video.codec === "jpeg") this.tell({ code: "no_webcodecs" });
  }

  /** Speech ended at this moment of the microphone's own clock. */
  spokeUntil(audioEndMs: number): void {
    const { samples, ms } = this.sent;
    this.showing.timings.spoke(ms - Math.max((samples * 1000) / MIC_RATE - audioEndMs, 0));
  }

  /** The service's own, before anything was wished. */
  private get usualDetection(): unknown {
    return this.link.session?.audio?.input?.turn_detection;
  }

  // ---- inside --------------------------------------------------------------------------------------------------

  private send(pcm: Int16Array): void {
    const bytes = new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength);
    if (!this.link.hear(bytes, this.sent.samples)) return;
    this.sent = { samples: this.sent.samples + pcm.length, ms: performance.now() };
  }

  private lost(): void {
    this.showing.silence();
    this.before = [];
    remember(null);
    if (this.store.get().lines.length) this.tell({ code: "not_resumed" });
  }

  private keep(): void {
    const { session, received } = this.link;
    const { lines } = this.store.get();
    remember(session && { session, lastSeq: received.last, progress: this.showing.heard, lines });
  }

  private listen(target: EventTarget, name: string, listener: () => void): void {
    target.addEventListener(name, listener);
    this.ends.push(() => target.removeEventListener(name, listener));
  }
}

/** An avatar on this canvas, connected. */
export function createAvatar(options: AvatarOptions): Avatar {
  const avatar = new Avatar(options);
  void avatar.start();
  return avatar;
}
