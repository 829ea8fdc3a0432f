/** The loudspeaker's thread: fills blocks out of the queue and reports the clock every second one. */
import { type Order, SpeakerQueue } from "./speaker-queue";

class Speaker extends AudioWorkletProcessor {
  private readonly queue = new SpeakerQueue();
  private odd = false;

  constructor() {
    super();
    this.port.onmessage = ({ data }) => this.queue.take(data as Order);
  }

  process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const out = outputs[0]?.[0];
    if (out) this.queue.fill(out);
    this.odd = !this.odd;
    if (this.odd) this.port.postMessage(this.queue.report(currentTime));
    return true;
  }
}

registerProcessor("speaker", Speaker);
