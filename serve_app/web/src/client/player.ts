/**
 * One reply at a time: sound to the loudspeaker, pictures to the canvas when the loudspeaker reaches them.
 *
 * Sound is the master. Nothing is drawn before its sound, and no sound runs past the newest decoded picture.
 */
import { audibleTime, heardAt, type Output } from "./clock";
import type { Decoder, Encoded, MakeDecoder, Shown } from "./decoder";
import type { Unit } from "./header";
import type { Progress } from "./link";
import { Pictures } from "./pictures";
import { NOBODY, type Order, type Report } from "./speaker-queue";
import { Flag, FRAME, RATE } from "./wire";

/** Decoded pictures that are kept: hardware decoders have small pools. */
const AHEAD = 12;
const UNBOUNDED = Number.MAX_SAFE_INTEGER;
/** Measurements that are kept, for the latency drawer and the tests: 4 minutes of pictures. */
const KEPT = 6000;

export interface Loudspeaker extends Output {
  post(order: Order, transfer?: Transferable[]): void;
}

export interface PlayerEvents {
  /** The reply's first sound leaves the loudspeaker. */
  spoken: (turn: number) => void;
  /** The reply was played to its end. */
  over: (turn: number, pts: number) => void;
  /** It goes on without pictures. */
  blind: (reason: string) => void;
}

export class Player {
  turn = NOBODY;
  /** For measurements: pictures drawn, and how late each was in ms of the sound's clock. */
  readonly shown = { drawn: 0, skew: [] as number[], stalls: 0, stalledMs: 0, stale: 0 };
  readonly pictures = new Pictures<Shown>();
  private report: Report = { turn: NOBODY, pts: 0, time: 0, playing: false, over: false, stalls: 0, stalled: 0 };
  private encoded: Encoded[] = [];
  private decoder: Decoder | null = null;
  private audioEnd = 0;
  private videoEnd = 0;
  /** Pictures that stay: until where, and which one must be decoded first. */
  private kept: { pts: number; after: number }[] = [];
  private newest = -Infinity;
  private decoded = -Infinity;
  private total = Infinity;
  private gated = true;
  private ended = false;
  private said = { spoken: false, over: false };
  private readonly speaker: Loudspeaker;
  private readonly makeDecoder: MakeDecoder;
  private readonly events: PlayerEvents;

  constructor(speaker: Loudspeaker, makeDecoder: MakeDecoder, events: PlayerEvents) {
    this.speaker = speaker;
    this.makeDecoder = makeDecoder;
    this.events = events;
  }

  get playing(): boolean {
    return this.turn !== NOBODY && this.report.turn === this.turn && !this.report.over;
  }

  /** What came of the reply so far. */
  get progress(): Progress {
    if (this.turn === NOBODY) return { turn: 0, audio_pts: 0, video_pts: 0 };
    return { turn: this.turn, audio_pts: this.audioEnd, video_pts: this.videoEnd };
  }

  /** A new reply; whatever is left of the one before is dropped. */
  begin(turn: number, pts = 0): void {
    this.drop();
    this.turn = turn;
    this.audioEnd = this.videoEnd = pts;
    this.kept = [];
    this.newest = this.decoded = -Infinity;
    this.total = Infinity;
    this.gated = true;
    this.ended = false;
    this.said = { spoken: false, over: false };
    this.speaker.post({ kind: "begin", turn, pts });
  }

  sound(unit: Unit): void {
    if (unit.turn !== this.turn) return;
    const { buffer, byteOffset, byteLength } = unit.payload;
    const pcm = new Int16Array(buffer, byteOffset, byteLength >> 1).subarray(Math.max(this.audioEnd - unit.pts, 0));
    if (!pcm.length) return; // it came twice, as after a resumption
    const samples = Float32Array.from(pcm, (value) => value / 32768);
    this.audioEnd = unit.pts + (byteLength >> 1);
    this.speaker.post({ kind: "sound", turn: unit.turn, samples }, [samples.buffer]);
  }

  picture(unit: Unit): void {
    if (unit.turn !== this.turn || unit.pts < this.videoEnd) return;
    this.videoEnd = unit.pts + FRAME;
    this.newest = unit.pts;
    this.encoded.push({ key: (unit.flags & Flag.KEY) !== 0, pts: unit.pts, payload: unit.payload });
    this.decode();
  }

  /** No more pictures come that are due before `pts`: the newest one stays, and the sound does not wait. */
  keep(turn: number, pts: number): void {
    if (turn !== this.turn || pts <= this.videoEnd) return;
    this.videoEnd = pts;
    this.kept.push({ pts, after: this.newest });
    this.open();
  }

  /** Everything was sent. */
  end(turn: number, pts: number): void {
    if (turn !== this.turn) return;
    this.total = pts;
    this.ended = true;
    this.speaker.post({ kind: "total", turn, pts });
    this.decode();
  }

  hold(turn = this.turn): void {
    this.speaker.post({ kind: "hold", turn });
  }

  resume(turn = this.turn): void {
    this.speaker.post({ kind: "resume", turn });
  }

  /** Silence, at once; nothing of this reply is drawn any more. */
  drop(): void {
    this.speaker.post({ kind: "silence" });
    this.turn = NOBODY;
    this.pictures.clear();
    this.encoded = [];
    this.decoder?.close();
    this.decoder = null;
  }

  /** The sound goes on; the face keeps its last picture. */
  withoutPictures(): void {
    this.gated = false;
    this.speaker.post({ kind: "limit", turn: this.turn, pts: UNBOUNDED });
  }

  /** Samples of the reply that have left the loudspeaker. */
  now(): number {
    return heardAt(this.report, audibleTime(this.speaker));
  }

  /** What the loudspeaker tells. */
  heard(report: Report): void {
    if (report.turn !== this.turn) return;
    this.shown.stalls += Math.max(report.stalls - (this.report.turn === report.turn ? this.report.stalls : 0), 0);
    this.shown.stalledMs = (report.stalled / RATE) * 1000;
    this.report = report;
    if (report.playing && !this.said.spoken) {
      this.said.spoken = true;
      this.events.spoken(report.turn);
    }
    if (report.over && !this.said.over && this.now() >= this.total) {
      this.said.over = true;
      this.events.over(report.turn, this.total);
    }
  }

  /** The picture that is due, for the caller to draw and close; null if the last one still holds. */
  due(): Shown | null {
    if (this.report.turn !== this.turn) return null;
    const now = this.now();
    // While the sound stands still, the picture of the sample that comes next waits with it.
    const due = this.pictures.due(this.report.playing ? now : now - 1);
    if (!due) return null;
    this.shown.drawn += 1;
    this.shown.skew.push(((now - due.pts) / RATE) * 1000);
    if (this.shown.skew.length > KEPT) this.shown.skew.splice(0, KEPT / 2);
    this.decode();
    return due;
  }

  private decode(): void {
    while (this.encoded.length && this.pictures.length + (this.decoder?.backlog ?? 0) < AHEAD) {
      const picture = this.encoded.shift() as Encoded;
      if (!this.decoder && !picture.key) continue;
      this.decoder ??= this.newDecoder();
      this.decoder.decode(picture);
    }
    if (this.ended && !this.encoded.length) this.finish();
  }

  /** A decoder that was flushed wants a key next, so this comes once, after the reply's last picture. */
  private finish(): void {
    const { turn } = this;
    this.ended = false;
    const open = () => this.speaker.post({ kind: "limit", turn, pts: UNBOUNDED });
    if (this.decoder) this.decoder.flush().then(open, () => undefined); // refused: an interruption closed it
    else open();
  }

  /** Sound may run on under a picture that stays, once that is decoded. */
  private open(): void {
    while (this.kept[0] && this.kept[0].after <= this.decoded) {
      const { pts } = this.kept.shift() as { pts: number };
      if (this.gated) this.speaker.post({ kind: "limit", turn: this.turn, pts });
    }
  }

  private newDecoder(): Decoder {
    const { turn } = this;
    return this.makeDecoder(
      (shown) => {
        if (turn !== this.turn) return shown.image.close();
        this.pictures.put(shown);
        this.decoded = shown.pts;
        if (this.gated) this.speaker.post({ kind: "limit", turn, pts: shown.pts + FRAME });
        this.open();
      },
      (reason) => {
        if (turn !== this.turn) return;
        this.withoutPictures();
        this.events.blind(reason);
      },
    );
  }
}
