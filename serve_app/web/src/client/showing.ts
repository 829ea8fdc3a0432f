/** The avatar's side: its replies on the loudspeaker and on the canvas, the idle loop between them, how long they took. */
import * as captions from "./captions";
import { bestCodec, h264, jpeg } from "./decoder";
import type { Emitter } from "./emitter";
import type { Session } from "./events";
import type { Unit } from "./header";
import { IdleLoop } from "./idle";
import type { Progress } from "./link";
import { Painter } from "./painter";
import { Player } from "./player";
import { Sound } from "./sound";
import { NOBODY, type Report } from "./speaker-queue";
import type { AvatarSignals, AvatarState, Problem } from "./state";
import type { Store } from "./store";
import { type Step, Timings } from "./timings";
import { type ClientEvent, FRAME, Kind, RATE, type Word } from "./wire";

/** Reports of the loudspeaker (every 11 ms) between two playheads, and between two looks at the captions. */
const PLAYHEAD_EVERY = 24;
const CAPTIONS_EVERY = 5;

export interface ShowingOptions {
  canvas: HTMLCanvasElement;
  /** The service's address. */
  base: string;
  store: Store<AvatarState>;
  signals: Emitter<AvatarSignals>;
  say: (type: ClientEvent, fields: object) => void;
}

export class Showing {
  readonly timings = new Timings();
  readonly player: Player;
  /** What this browser can decode. */
  codec: "h264" | "jpeg" = "jpeg";
  /** Of each reply, the item that a truncation names. */
  readonly items = new Map<number, string>();
  private words: Word[] = [];
  private idleFrame: number | null = null;
  private dropped = 0;
  /** Before a reload: how far its reply had been heard. */
  private before: Progress | null = null;
  private reports = 0;
  private frame = 0;
  private readonly sound: Sound;
  private readonly idle: IdleLoop;
  private readonly painter: Painter;
  private readonly options: ShowingOptions;

  constructor(options: ShowingOptions) {
    this.options = options;
    this.idle = new IdleLoop(() => this.tell({ code: "no_idle" }));
    this.painter = new Painter(options.canvas, this.idle);
    this.sound = new Sound(
      (report) => this.reported(report),
      (sound) => options.store.set({ sound }),
    );
    this.player = new Player(this.sound, (...told) => (this.codec === "h264" ? h264 : jpeg)(...told), {
      spoken: (turn) => this.spoken(turn),
      over: (turn, pts) => this.over(turn, pts),
      blind: () => this.tell({ code: "no_face" }),
    });
  }

  async start(): Promise<void> {
    this.codec = await bestCodec();
    const draw = (ms: number) => {
      this.painter.draw(this.player.due(), ms);
      this.frame = requestAnimationFrame(draw);
    };
    this.frame = requestAnimationFrame(draw);
  }

  stop(): void {
    cancelAnimationFrame(this.frame);
    this.player.drop();
    this.painter.forget();
    this.sound.stop();
    this.idle.stop();
  }

  /** Let the browser make sound; call it from a gesture. */
  wake(): Promise<void> {
    return this.sound.wake();
  }

  /** A hidden tab stops the loop. */
  seenAgain(): void {
    this.idle.play();
  }

  face({ avatar }: Session): void {
    this.painter.size(avatar.video.width, avatar.video.height);
    this.idle.load(new URL(`avatars/${encodeURIComponent(avatar.id)}/idle.mp4`, this.options.base).href);
  }

  /** After a reload: the reply under way goes on where it was heard. */
  takeUp(session: Session, before: Progress): void {
    this.before = before;
    this.face(session);
  }

  /** What came of the newest reply, for the service to go on from. */
  get progress(): Progress {
    return this.player.turn === NOBODY && this.before ? this.before : this.player.progress;
  }

  /** How far it was heard, in whole pictures. */
  get heard(): Progress {
    const { playing, turn } = this.player;
    const pts = playing ? Math.floor(this.player.now() / FRAME) * FRAME : 0;
    return { turn: playing ? turn : 0, audio_pts: pts, video_pts: pts };
  }

  /** Another conversation counts its turns from the beginning. */
  restart(): void {
    this.silence();
    this.dropped = 0;
    this.items.clear();
  }

  // ---- one reply -----------------------------------------------------------------------------------------------

  /** A reply is coming. `pts` is more than 0 where it is taken up in its midst. */
  expect(turn: number, pts = 0): void {
    if (turn <= Math.max(this.player.turn, this.dropped)) return;
    this.words = [];
    this.idleFrame = this.before = null;
    this.player.begin(turn, pts);
    this.timings.begin(turn);
    void this.wake();
  }

  unit(unit: Unit): void {
    this.expect(unit.turn, unit.pts);
    if (unit.kind === Kind.VIDEO) this.player.picture(unit);
    if (unit.kind !== Kind.AUDIO) return;
    this.mark(unit.turn, "audio");
    this.player.sound(unit);
  }

  text(turn: number, delta: string): void {
    this.mark(turn, "text");
    this.write((lines) => captions.replying(lines, turn, delta));
  }

  spokenWords(turn: number, words: readonly Word[]): void {
    if (turn === this.player.turn) this.words.push(...words);
  }

  /** Everything of it was sent; `idleFrame` of the loop follows its last picture. */
  end(turn: number, pts: number, idleFrame: number): void {
    this.idleFrame = idleFrame;
    this.player.end(turn, pts);
  }

  hold(turn: number): void {
    this.player.hold(turn);
    this.reportPlayhead();
  }

  /** Nothing of the reply is heard or seen any more, and nothing of it that is still on its way. */
  silence(): void {
    const { turn } = this.player;
    if (turn !== NOBODY) this.dropped = turn;
    this.before = null;
    this.player.drop();
    this.painter.fade.to(0);
    this.words = [];
    if (this.options.store.get().speaking) this.options.signals.emit("interrupted", { turn });
    this.options.store.set({ speaking: false });
  }

  /** Fall silent and tell the service where, before it is told why. Gives the ms that were heard. */
  cutShort(): number {
    const { turn, playing } = this.player;
    const pts = Math.round(this.player.now());
    this.silence();
    if (playing) this.options.say("avatar.playhead", { turn, pts });
    return Math.floor((pts * 1000) / RATE);
  }

  reportPlayhead(): void {
    const { playing, turn } = this.player;
    const pts = playing ? Math.round(this.player.now()) : this.idle.pts;
    this.options.say("avatar.playhead", { turn: playing ? turn : 0, pts });
  }

  // ---- what the loudspeaker tells --------------------------------------------------------------------------------

  private spoken(turn: number): void {
    this.mark(turn, "face");
    this.painter.fade.to(1);
    this.options.store.set({ speaking: true, problem: null });
    this.options.signals.emit("spoken", { turn });
  }

  private over(turn: number, pts: number): void {
    this.options.say("avatar.playhead", { turn, pts });
    if (this.idleFrame !== null) this.idle.join(this.idleFrame);
    this.painter.fade.to(0);
    this.write((lines) => captions.finished(lines, turn));
    this.options.store.set({ speaking: false });
    this.options.signals.emit("over", { turn });
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

  private mark(turn: number, step: Step): void {
    const news = this.timings.mark(turn, step, performance.now());
    if (news) this.options.store.set({ turns: this.timings.turns });
  }

  private write(change: (lines: captions.Lines) => captions.Lines): void {
    const { store } = this.options;
    store.set({ lines: change(store.get().lines) });
  }

  private tell(problem: Problem): void {
    this.options.store.set({ problem });
  }
}
