/** The loudspeaker's thread: fills blocks out of the queue and reports the clock every second one. */
import { type Order, SpeakerQueue } from "./speaker-queue";

class Speaker extends AudioWorkletProcessor {
  private readonly queue = new SpeakerQueue();
  private odd = false;
  /** When the newest sample that went in has left, by the context's clock; it stands still while nothing goes in. */
  private until = { pts: -1, time: 0 };

  constructor() {
    super();
    this.port.onmessage = ({ data }) => this.queue.take(data as Order);
  }

  process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const out = outputs[0]?.[0];
    if (out) this.queue.fill(out);
    this.odd = !this.odd;
    const { length } = out ?? [];
    if (this.queue.at !== this.until.pts) this.until = { pts: this.queue.at, time: currentTime + (length ?? 0) / sampleRate };
    if (this.odd) this.port.postMessage(this.queue.report(this.until.time));
    return true;
  }
}

registerProcessor("speaker", Speaker);
