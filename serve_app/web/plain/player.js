// One reply at a time: sound into the speaker, pictures onto the canvas when the speaker reaches them.
// Audio is the master. Nothing is drawn before its sound, and no sound runs past the newest decoded picture.
const RATE = 24000;
const FRAME = 960;
const AHEAD = 10; // decoded pictures kept: hardware decoders have small pools

export class Player {
  constructor(context, speaker, canvas, { onSpoken, onOver }) {
    this.context = context;
    this.speaker = speaker;
    this.canvas = canvas.getContext("2d");
    this.onSpoken = onSpoken;
    this.onOver = onOver;
    this.clock = { turn: 0, pts: 0, time: 0, playing: false };
    this.pictures = [];
    this.encoded = [];
    this.turn = 0;
    this.shown = { drawn: 0, skipped: 0, skew: [] };
    speaker.port.onmessage = ({ data }) => this.heard(data);
    const draw = () => {
      this.draw();
      requestAnimationFrame(draw);
    };
    requestAnimationFrame(draw);
  }

  begin(turn) {
    this.drop();
    this.turn = turn;
    this.total = Infinity;
    this.gated = true;
    this.ended = false;
    this.kept = []; // pictures that stay: until where, and which one must be decoded first
    this.newest = this.decoded = -Infinity;
    this.post({ kind: "begin", turn });
  }

  post(message, transfer = []) {
    this.speaker.port.postMessage(message, transfer);
  }

  sound(unit) {
    if (unit.turn !== this.turn) return;
    const pcm = new Int16Array(unit.payload);
    const samples = Float32Array.from(pcm, (value) => value / 32768);
    this.post({ kind: "sound", turn: unit.turn, samples }, [samples.buffer]);
  }

  picture(unit) {
    if (unit.turn !== this.turn) return;
    this.newest = unit.pts;
    this.encoded.push(unit);
    this.decode();
  }

  decode() {
    while (this.encoded.length && this.pictures.length + (this.decoder?.decodeQueueSize ?? 0) < AHEAD) {
      const unit = this.encoded.shift();
      if (!this.decoder) {
        if (!unit.key) continue;
        this.decoder = this.newDecoder();
      }
      const type = unit.key ? "key" : "delta";
      const timestamp = Math.round((unit.pts * 1e6) / RATE);
      this.decoder.decode(new EncodedVideoChunk({ type, timestamp, data: unit.payload }));
    }
    if (this.ended && !this.encoded.length) this.finish();
  }

  // After a flush a decoder needs a key frame, so this comes once, after the reply's last picture.
  finish() {
    const turn = this.turn;
    this.ended = false;
    const open = () => this.post({ kind: "limit", turn, pts: Number.MAX_SAFE_INTEGER });
    if (this.decoder) this.decoder.flush().then(open, () => {}); // refused: an interruption closed it
    else open();
  }

  newDecoder() {
    const turn = this.turn;
    const decoder = new VideoDecoder({
      output: (frame) => {
        if (turn !== this.turn) return frame.close();
        const pts = Math.round((frame.timestamp * RATE) / 1e6 / FRAME) * FRAME;
        this.pictures.push({ pts, frame });
        this.decoded = pts;
        if (this.gated) this.post({ kind: "limit", turn, pts: pts + FRAME });
        this.open();
      },
      error: (error) => this.withoutPictures(error.message),
    });
    decoder.configure({ codec: "avc1.42c01f", optimizeForLatency: true, hardwareAcceleration: "prefer-software" });
    return decoder;
  }

  withoutPictures() {
    this.gated = false;
    this.post({ kind: "limit", turn: this.turn, pts: Number.MAX_SAFE_INTEGER });
  }

  // No more pictures come that are due before pts: the newest one stays, and the sound does not wait.
  keep(turn, pts) {
    if (turn !== this.turn) return;
    this.kept.push({ pts, after: this.newest });
    this.open();
  }

  open() {
    while (this.kept.length && this.kept[0].after <= this.decoded) {
      const { pts } = this.kept.shift();
      if (this.gated) this.post({ kind: "limit", turn: this.turn, pts });
    }
  }

  end(turn, pts) {
    if (turn !== this.turn) return;
    this.total = pts;
    this.ended = true;
    this.post({ kind: "total", turn, pts });
    this.decode();
  }

  hold(turn) {
    this.post({ kind: "hold", turn });
  }

  resume(turn) {
    this.post({ kind: "resume", turn });
  }

  drop() {
    this.post({ kind: "silence" });
    for (const { frame } of this.pictures) frame.close();
    this.pictures = [];
    this.encoded = [];
    if (this.decoder && this.decoder.state !== "closed") this.decoder.close();
    this.decoder = null;
    this.turn = -1;
  }

  // Samples that have left the loudspeaker, not those that went into it.
  now() {
    if (!this.clock.playing) return this.clock.pts;
    const { contextTime } = this.context.getOutputTimestamp?.() ?? {};
    const audible = contextTime ?? this.context.currentTime - (this.context.outputLatency ?? 0);
    return Math.max(0, Math.min(this.clock.pts, this.clock.pts + (audible - this.clock.time) * RATE));
  }

  heard(report) {
    if (report.turn !== this.turn) return;
    const was = this.clock;
    this.clock = report;
    if (report.playing && !(was.turn === report.turn && was.begun)) {
      this.clock.begun = true;
      this.onSpoken(report.turn);
    } else this.clock.begun = was.turn === report.turn && was.begun;
    if (report.over && !this.overSent) {
      this.overSent = true;
      this.onOver(report.turn);
    } else if (!report.over) this.overSent = false;
  }

  draw() {
    if (this.clock.turn !== this.turn) return;
    const now = this.now();
    let due = null;
    while (this.pictures.length && this.pictures[0].pts <= now) {
      if (due) {
        due.frame.close();
        this.shown.skipped += 1;
      }
      due = this.pictures.shift();
    }
    if (!due) return;
    this.canvas.drawImage(due.frame, 0, 0);
    this.shown.drawn += 1;
    this.shown.skew.push((now - due.pts) / (RATE / 1000));
    due.frame.close();
    this.decode();
  }
}
