/**
 * The clock of everything: counts the samples of one reply that went into the loudspeaker.
 *
 * It stops, rather than run ahead of the newest decoded picture (the gate), and starts again only when both sound
 * and pictures hold enough. Pure: the worklet gives it the blocks to fill.
 */
import { RATE } from "./wire";

/** Samples of sound and of decoded pictures that must be there before the first is heard: 100 ms. */
export const START = 0.1 * RATE;
/** The same after a stall: 200 ms, so that a slow generator stalls seldom instead of often. */
export const RESTART = 0.2 * RATE;

/** To the loudspeaker. */
export type Order =
  | { kind: "begin"; turn: number; pts: number }
  | { kind: "silence" }
  | { kind: "sound"; turn: number; samples: Float32Array }
  | { kind: "limit"; turn: number; pts: number }
  | { kind: "total"; turn: number; pts: number }
  | { kind: "hold"; turn: number }
  | { kind: "resume"; turn: number };

/** From the loudspeaker, every 256 samples. */
export interface Report {
  turn: number;
  /** Samples of the reply that went in. */
  pts: number;
  /** The context's time at which they had. */
  time: number;
  playing: boolean;
  over: boolean;
  stalls: number;
  /** Samples that were silent because of stalls. */
  stalled: number;
}

export const NOBODY = -1;

export class SpeakerQueue {
  private turn = NOBODY;
  private blocks: Float32Array[] = [];
  private offset = 0;
  private queued = 0;
  private pts = 0;
  private limit = 0;
  private total = Infinity;
  private playing = false;
  private held = false;
  private wanted = START;
  private stalls = 0;
  private stalled = 0;

  take(order: Order): void {
    if (order.kind === "begin") this.clear(order.turn, order.pts);
    else if (order.kind === "silence") this.clear(NOBODY, 0);
    else if (order.turn !== this.turn) return;
    else if (order.kind === "sound") {
      this.blocks.push(order.samples);
      this.queued += order.samples.length;
    } else if (order.kind === "limit") this.limit = Math.max(this.limit, order.pts);
    else if (order.kind === "total") this.total = order.pts;
    else this.held = order.kind === "hold";
  }

  /** The next block for the loudspeaker; what is not filled stays silent. */
  fill(out: Float32Array): void {
    if (!this.playing && !this.held && this.pts < this.total && this.ready()) this.playing = true;
    if (this.playing && !this.held) this.play(out);
    else if (this.stalls && !this.held && this.pts < this.total) this.stalled += out.length;
  }

  report(time: number): Report {
    const { turn, pts, stalls, stalled } = this;
    return { turn, pts, time, playing: this.playing && !this.held, over: pts >= this.total, stalls, stalled };
  }

  private clear(turn: number, pts: number): void {
    this.turn = turn;
    this.blocks = [];
    this.offset = this.queued = 0;
    this.pts = this.limit = pts;
    this.total = Infinity;
    this.playing = this.held = false;
    this.wanted = START;
    this.stalls = this.stalled = 0;
  }

  private ready(): boolean {
    const wanted = Math.min(this.wanted, this.total - this.pts);
    return this.queued > 0 && this.queued >= wanted && this.limit - this.pts >= wanted;
  }

  private play(out: Float32Array): void {
    const count = Math.min(out.length, this.queued, Math.max(this.limit - this.pts, 0));
    let written = 0;
    while (written < count) {
      const block = this.blocks[0] as Float32Array;
      const step = Math.min(count - written, block.length - this.offset);
      out.set(block.subarray(this.offset, this.offset + step), written);
      written += step;
      this.offset += step;
      if (this.offset === block.length) {
        this.blocks.shift();
        this.offset = 0;
      }
    }
    this.pts += written;
    this.queued -= written;
    if (this.pts >= this.total) this.playing = false;
    else if (written < out.length) {
      this.playing = false;
      this.wanted = RESTART;
      this.stalls += 1;
    }
  }
}
