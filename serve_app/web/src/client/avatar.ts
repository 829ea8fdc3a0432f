/**
 * One avatar on one canvas: the link, the loudspeaker, the microphone and the face put together.
 *
 * `createAvatar({ url, canvas })` is all that a page needs; the page watches `store` and calls the verbs below.
 */
import * as captions from "./captions";
import { bestCodec, h264, jpeg } from "./decoder";
import { Emitter } from "./emitter";
import type { Session } from "./events";
import { hear } from "./hearing";
import type { Unit } from "./header";
import { IdleLoop } from "./idle";
import { Link } from "./link";
import { recall, remember } from "./memory";
import { Microphone } from "./microphone";
import { Painter } from "./painter";
import { Player } from "./player";
import { clientSecret } from "./secret";
import { Sound } from "./sound";
import { NOBODY, type Report } from "./speaker-queue";
import { type AvatarState, INITIAL, type Problem } from "./state";
import { Store } from "./store";
import { Talking } from "./talking";
import { Timings } from "./timings";
import { Kind, MIC_RATE, RATE, type Word } from "./wire";

export interface AvatarOptions {
  /** The service's address; by default where the page came from. */
  url?: string;
  canvas: HTMLCanvasElement;
  /** A key of the service, which this page may know; or nothing at an open door. */
  key?: string | null;
  /** Or: a client secret for each connection, out of the page's own backend. */
  secret?: () => Promise<string | null>;
}

export interface AvatarSignals {
  /** How loud the microphone is, 0 to 1. */
  level: number;
  spoken: { turn: number };
  over: { turn: number };
  interrupted: { turn: number };
}

/** Reports of the loudspeaker (every 11 ms) between two playheads, and between two looks at the captions. */
const PLAYHEAD_EVERY = 24;
const CAPTIONS_EVERY = 5;

export class Avatar {
  readonly store = new Store<AvatarState>(INITIAL);
  readonly signals = new Emitter<AvatarSignals>();
  readonly timings = new Timings();
  readonly player: Player;
  readonly link: Link;
  readonly microphone: Microphone;
  readonly talking: Talking;
  readonly items = new Map<number, string>();
  words: Word[] = [];
  idleFrame: number | null = null;
  private readonly sound: Sound;
  private readonly idle: IdleLoop;
  private readonly painter: Painter;
  private readonly base: string;
  private codec: "h264" | "jpeg" = "jpeg";
  private dropped = 0;
  private micSent = { samples: 0, ms: 0 };
  private reports = 0;
  private frame = 0;
  private readonly ends: (() => void)[] = [];

  constructor(options: AvatarOptions) {
    this.base = new URL(options.url ?? ".", location.href).href;
    this.idle = new IdleLoop(() => this.tell({ code: "no_idle" }));
    this.painter = new Painter(options.canvas, this.idle);
    this.sound = new Sound(
      (report) => this.reported(report),
      (sound) => this.store.set({ sound }),
    );
    this.player = new Player(this.sound, (...told) => (this.codec === "h264" ? h264 : jpeg)(...told), {
      spoken: (turn) => this.spoken(turn),
      over: (turn, pts) => this.over(turn, pts),
      blind: () => this.tell({ code: "no_face" }),
    });
    this.link = new Link({
      url: new URL("v1/realtime", this.base.replace(/^http/, "ws")).href,
      secret: options.secret ?? (() => clientSecret(this.base, options.key ?? null)),
      progress: () => this.player.progress,
      heard: (event) => hear(this, event),
      unit: (unit) => this.unit(unit),
      status: (link) => this.store.set({ link }),
      lost: () => this.lost(),
      refused: (text, code) => this.tell({ code: code === 401 ? "needs_key" : "service", text }),
    });
    this.microphone = new Microphone({
      block: (pcm) => this.hearMicrophone(pcm),
      level: (level) => this.signals.emit("level", level),
      fault: (code) => this.talking.fault(code),
    });
    this.talking = new Talking(this);
  }

  /** Connect, and draw from now on. */
  async start(): Promise<void> {
    this.codec = await bestCodec();
    const before = recall();
    if (before) {
      this.link.session = before.session;
      this.link.received.restart(before.lastSeq);
      this.store.set({ lines: before.lines });
      this.face(before.session);
    }
    this.listen(window, "online", () => this.link.hurry());
    this.listen(window, "offline", () => this.link.renew());
    this.listen(window, "pagehide", () => this.keep());
    this.listen(document, "visibilitychange", () => this.idle.play());
    const draw = (ms: number) => {
      this.painter.draw(this.player.due(), ms);
      this.frame = requestAnimationFrame(draw);
    };
    this.frame = requestAnimationFrame(draw);
    this.link.start();
  }

  /** Leave; nothing of it can be used afterwards. */
  stop(): void {
    this.keep();
    cancelAnimationFrame(this.frame);
    for (const end of this.ends) end();
    this.link.stop();
    this.player.drop();
    this.painter.forget();
    this.microphone.stop();
    this.sound.stop();
    this.idle.stop();
  }

  /** Let the browser make sound; call it from a gesture. */
  wake(): Promise<void> {
    return this.sound.wake();
  }

  /** A typed message; everything else stops for it. False if nobody is there to read it. */
  type(text: string): boolean {
    void this.wake();
    if (!this.link.isOpen) return false;
    this.cutShort();
    this.timings.spoke(performance.now(), true);
    return this.link.say("avatar.say", { text });
  }

  /** Stop the reply. Silent at once; then the service is told how much was heard. */
  interrupt(): void {
    const item = this.items.get(this.player.turn);
    const heard = this.cutShort();
    if (item) this.link.say("conversation.item.truncate", { item_id: item, content_index: 0, audio_end_ms: heard });
    else this.link.say("response.cancel");
  }

  /** Fall silent and tell the service where, before it is told why. Gives the ms that were heard. */
  cutShort(): number {
    const { turn, playing } = this.player;
    const pts = Math.round(this.player.now());
    this.silence();
    if (playing) this.link.say("avatar.playhead", { turn, pts });
    return Math.floor((pts * 1000) / RATE);
  }

  reportPlayhead(): void {
    const { playing, turn } = this.player;
    if (playing) this.link.say("avatar.playhead", { turn, pts: Math.round(this.player.now()) });
    else this.link.say("avatar.playhead", { turn: 0, pts: this.idle.pts });
  }

  clearProblem(code?: Problem["code"]): void {
    if (!code || this.store.get().problem?.code === code) this.store.set({ problem: null });
  }

  tell(problem: Problem): void {
    this.store.set({ problem });
  }

  write(change: (lines: captions.Lines) => captions.Lines): void {
    this.store.set({ lines: change(this.store.get().lines) });
  }

  // ---- what the service begins ---------------------------------------------------------------------------------

  welcome(session: Session): void {
    this.silence();
    this.dropped = 0;
    this.items.clear();
    this.micSent = { samples: 0, ms: 0 };
    this.store.set({ session, phase: "idle" });
    if (this.store.get().problem?.code === "needs_key") this.clearProblem();
    this.face(session);
    this.link.say("session.update", { session: { type: "realtime", avatar: { video: { codec: this.codec } } } });
  }

  /** A reply is coming. */
  expect(turn: number): void {
    if (turn <= Math.max(this.player.turn, this.dropped)) return;
    this.words = [];
    this.idleFrame = null;
    this.player.begin(turn);
    this.timings.begin(turn);
    void this.wake();
  }

  text(turn: number, delta: string): void {
    this.mark(turn, "text");
    this.write((lines) => captions.replying(lines, turn, delta));
  }

  /** Speech ended at this moment of the microphone's own clock. */
  spokeUntil(audioEndMs: number): void {
    const { samples, ms } = this.micSent;
    this.timings.spoke(ms - Math.max((samples * 1000) / MIC_RATE - audioEndMs, 0));
  }

  /** Nothing of the reply is heard or seen any more, and nothing of it that is still on its way. */
  silence(): void {
    const { turn } = this.player;
    if (turn !== NOBODY) this.dropped = turn;
    this.player.drop();
    this.painter.fade.to(0);
    this.words = [];
    if (this.store.get().speaking) this.signals.emit("interrupted", { turn });
    this.store.set({ speaking: false });
  }

  // ---- inside --------------------------------------------------------------------------------------------------

  private face({ avatar }: Session): void {
    this.painter.size(avatar.video.width, avatar.video.height);
    this.idle.load(new URL(`avatars/${encodeURIComponent(avatar.id)}/idle.mp4`, this.base).href);
  }

  private unit(unit: Unit): void {
    if (unit.turn > this.player.turn && unit.turn > this.dropped) {
      this.expect(unit.turn); // taken up in the midst of a reply
      this.player.begin(unit.turn, unit.pts);
    }
    if (unit.kind === Kind.VIDEO) this.player.picture(unit);
    if (unit.kind !== Kind.AUDIO) return;
    this.mark(unit.turn, "audio");
    this.player.sound(unit);
  }

  private mark(turn: number, step: "text" | "audio" | "face"): void {
    if (this.timings.mark(turn, step, performance.now())) this.store.set({ turns: this.timings.turns });
  }

  private spoken(turn: number): void {
    this.mark(turn, "face");
    this.painter.fade.to(1);
    this.store.set({ speaking: true, problem: null });
    this.signals.emit("spoken", { turn });
  }

  private over(turn: number, pts: number): void {
    this.link.say("avatar.playhead", { turn, pts });
    if (this.idleFrame !== null) this.idle.join(this.idleFrame);
    this.painter.fade.to(0);
    this.write((lines) => captions.finished(lines, turn));
    this.store.set({ speaking: false });
    this.signals.emit("over", { turn });
  }

  /** Also the heartbeat of a hidden tab, in which nothing is drawn and timers sleep. */
  private reported(report: Report): void {
    this.player.heard(report);
    if (document.hidden) this.player.due()?.image.close();
    this.reports += 1;
    if (this.reports % PLAYHEAD_EVERY === 0) this.reportPlayhead();
    if (this.reports % CAPTIONS_EVERY || !this.player.playing) return;
    this.write((lines) => captions.lit(lines, this.player.turn, this.words, this.player.now()));
  }

  private hearMicrophone(pcm: Int16Array): void {
    const bytes = new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength);
    if (!this.link.hear(bytes, this.micSent.samples)) return;
    this.micSent = { samples: this.micSent.samples + pcm.length, ms: performance.now() };
  }

  private lost(): void {
    this.silence();
    remember(null);
    if (this.store.get().lines.length) this.tell({ code: "not_resumed" });
  }

  private keep(): void {
    const { session, received } = this.link;
    remember(session && { session, lastSeq: received.last, lines: this.store.get().lines });
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
