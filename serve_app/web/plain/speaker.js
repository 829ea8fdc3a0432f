// The loudspeaker, and the clock of everything: counts the samples it has played of one reply.
// It stops, rather than run ahead of the newest decoded picture (the gate).
const RATE = 24000;
const START = 0.1 * RATE;
const RESTART = 0.2 * RATE;

class Speaker extends AudioWorkletProcessor {
  constructor() {
    super();
    this.clear(0);
    this.port.onmessage = ({ data }) => this.take(data);
  }

  clear(turn) {
    this.turn = turn;
    this.blocks = [];
    this.offset = 0;
    this.queued = 0;
    this.pts = 0;
    this.limit = 0;
    this.total = Infinity;
    this.playing = false;
    this.held = false;
    this.wanted = START;
    this.stalls = 0;
    this.quanta = 0;
  }

  take(message) {
    if (message.kind === "begin") this.clear(message.turn);
    else if (message.kind === "silence") this.clear(-1);
    else if (message.turn !== this.turn) return;
    else if (message.kind === "sound") {
      this.blocks.push(message.samples);
      this.queued += message.samples.length;
    } else if (message.kind === "limit") this.limit = Math.max(this.limit, message.pts);
    else if (message.kind === "total") this.total = message.pts;
    else if (message.kind === "hold") this.held = true;
    else if (message.kind === "resume") this.held = false;
  }

  ready() {
    const left = this.total - this.pts;
    const wanted = Math.min(this.wanted, left);
    return this.queued > 0 && this.queued >= wanted && this.limit - this.pts >= wanted;
  }

  process(_inputs, [[out]]) {
    if (!this.playing && !this.held && this.pts < this.total && this.ready()) this.playing = true;
    if (this.playing && !this.held) this.play(out);
    this.quanta += 1;
    if (this.quanta % 2 === 0) this.report();
    return true;
  }

  play(out) {
    let count = Math.min(out.length, this.queued, Math.max(this.limit - this.pts, 0));
    let written = 0;
    while (written < count) {
      const block = this.blocks[0];
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

  report() {
    this.port.postMessage({
      turn: this.turn,
      pts: this.pts,
      time: currentTime,
      playing: this.playing && !this.held,
      over: this.pts >= this.total,
      stalls: this.stalls,
    });
  }
}

registerProcessor("speaker", Speaker);
