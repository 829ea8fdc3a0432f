/** The loudspeaker: an AudioContext that a browser lets begin only after a gesture. Orders before that are kept. */
import type { Loudspeaker } from "./player";
import type { Order, Report } from "./speaker-queue";
import worklet from "./speaker.worklet.ts?worker&url";
import { RATE } from "./wire";

/** How long a browser may take to start sound before we say that it is blocked. */
const PATIENCE_MS = 400;

export class Sound implements Loudspeaker {
  private context: AudioContext | null = null;
  private node: AudioWorkletNode | null = null;
  private early: [Order, Transferable[]][] = [];
  private starting: Promise<void> | null = null;
  private readonly heard: (report: Report) => void;
  private readonly changed: (sound: "on" | "blocked") => void;

  constructor(heard: (report: Report) => void, changed: (sound: "on" | "blocked") => void) {
    this.heard = heard;
    this.changed = changed;
  }

  get currentTime(): number {
    return this.context?.currentTime ?? 0;
  }

  get outputLatency(): number {
    return this.context?.outputLatency ?? 0;
  }

  readonly getOutputTimestamp = (): { contextTime?: number } => this.context?.getOutputTimestamp?.() ?? {};

  post(order: Order, transfer: Transferable[] = []): void {
    if (this.node) this.node.port.postMessage(order, transfer);
    else if (order.kind === "silence") this.early = [];
    else this.early.push([order, transfer]);
  }

  /** Begin, or go on: call it from a gesture. */
  async wake(): Promise<void> {
    this.starting ??= this.start();
    await this.starting;
    const { context } = this;
    if (!context || context.state === "running") return;
    await Promise.race([context.resume(), new Promise((done) => setTimeout(done, PATIENCE_MS))]);
    if (context.state !== ("running" as AudioContextState)) this.changed("blocked");
  }

  stop(): void {
    void this.context?.close();
    this.context = this.node = this.starting = null;
  }

  private async start(): Promise<void> {
    const context = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
    this.context = context;
    context.onstatechange = () => {
      if (context.state === "running") this.changed("on");
    };
    await context.audioWorklet.addModule(worklet);
    const node = new AudioWorkletNode(context, "speaker", { numberOfInputs: 0, outputChannelCount: [1] });
    node.connect(context.destination);
    node.port.onmessage = ({ data }) => this.heard(data as Report);
    this.node = node;
    for (const [order, transfer] of this.early) this.post(order, transfer);
    this.early = [];
    if (context.state === "running") this.changed("on");
  }
}
