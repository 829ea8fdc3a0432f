/**
 * The socket: opened, numbered, lost and opened again, with a hello that takes the conversation up where it was.
 *
 * It knows when a connection counts as the same conversation, and nothing of what is said in it.
 */
import { Backoff } from "./backoff";
import type { Heard, Session } from "./events";
import { pack, unpack, type Unit } from "./header";
import { Pulse } from "./pulse";
import { Sequence, seqOf } from "./sequence";
import { type ClientEvent, Close, Kind, SECRET_PROTOCOL, SUBPROTOCOL } from "./wire";

export type Status = "connecting" | "open" | "reconnecting" | "ended";

/** How far a reply has come here, so that the service can send what is missing. */
export interface Progress {
  turn: number;
  audio_pts: number;
  video_pts: number;
}

/** The part of a WebSocket that is used. */
export type Socket = Pick<
  WebSocket,
  "readyState" | "binaryType" | "send" | "close" | "onopen" | "onmessage" | "onclose"
>;

export interface LinkOptions {
  url: string;
  /** A client secret for one handshake, or null at an open door. Throws Refused. */
  secret: () => Promise<string | null>;
  progress: () => Progress;
  heard: (event: Heard) => void;
  unit: (unit: Unit) => void;
  status: (status: Status) => void;
  /** The conversation could not be taken up; the next one begins empty. */
  lost: () => void;
  /** A sentence from the service about why it does not go on. */
  refused: (sentence: string, code: number) => void;
  open?: (url: string, protocols: string[]) => Socket;
  random?: () => number;
}

/** The service does not let us in; the message is what it says. `code` is the HTTP status. */
export class Refused extends Error {
  readonly code: number;

  constructor(message: string, code: number) {
    super(message);
    this.code = code;
  }
}

/** Close codes whose reason is a sentence for the person. */
const REFUSALS: number[] = [Close.SPENT, Close.TAKEN, Close.BUSY];

/** The address of a client that was cut off: one that was here a moment ago finds room where a new one does not. */
const back = (url: string) => `${url}${url.includes("?") ? "&" : "?"}back=1`;

const OPEN = 1;
/** Close codes of ours: with the first the conversation is over, with the other it is taken up again. */
const GOODBYE = 1000;
const AGAIN = 4000;

export class Link {
  readonly received = new Sequence();
  session: Session | null = null;
  private socket: Socket | null = null;
  private sent = 0;
  private waiting: ReturnType<typeof setTimeout> | undefined;
  private running = false;
  private attempt = 0;
  private greeting: "none" | "sent" = "none";
  private candidate: Extract<Heard, { type: "session.created" }> | null = null;
  private readonly backoff: Backoff;
  private readonly pulse = new Pulse(
    () => this.say("avatar.ping"),
    () => this.renew(),
  );
  private readonly options: LinkOptions;

  constructor(options: LinkOptions) {
    this.options = options;
    this.backoff = new Backoff(options.random);
  }

  get isOpen(): boolean {
    return this.socket?.readyState === OPEN;
  }

  /** Before the start: the conversation to greet with, as after a reload. */
  takeUp(session: Session, lastSeq: number): void {
    this.session = session;
    this.received.restart(lastSeq);
  }

  start(): void {
    if (this.running) return;
    this.running = true;
    this.options.status("connecting");
    void this.connect();
  }

  stop(): void {
    this.running = false;
    this.drop(GOODBYE);
    this.options.status("ended");
  }

  /** End this conversation; the next connection begins another one. */
  anew(): void {
    this.session = null;
    this.received.restart(0);
    if (!this.running) return;
    this.drop(GOODBYE);
    this.options.status("connecting");
    void this.connect();
  }

  /** Try now: the network is back, the laptop awake, or somebody asks for it. */
  hurry(): void {
    if (!this.running || this.isOpen) return;
    this.drop(); // an attempt that is under way may be one that never ends
    this.backoff.reset();
    void this.connect();
  }

  /** Give this connection up, as after a sleep or without a network; another one is tried. */
  renew(): void {
    if (!this.running) return;
    this.drop();
    this.again();
  }

  say(type: ClientEvent, fields: object = {}): boolean {
    if (!this.isOpen) return false;
    this.sent += 1;
    this.socket?.send(JSON.stringify({ type, ...fields }));
    return true;
  }

  /** Microphone sound; `pts` counts its samples from the session's first. */
  hear(payload: Uint8Array, pts: number): boolean {
    if (!this.isOpen) return false;
    this.sent += 1;
    const senderMs = Math.round(performance.now());
    this.socket?.send(pack({ kind: Kind.MICROPHONE, flags: 0, turn: 0, seq: this.sent, pts, senderMs, payload }));
    return true;
  }

  // ---- opening and losing it ---------------------------------------------------------------------------------

  private async connect(): Promise<void> {
    const attempt = ++this.attempt;
    this.pulse.start();
    let secret: string | null;
    try {
      secret = await this.options.secret();
    } catch (error) {
      if (error instanceof Refused) this.options.refused(error.message, error.code);
      if (attempt === this.attempt && this.running) this.again();
      return;
    }
    if (attempt !== this.attempt || !this.running) return;
    const protocols = [SUBPROTOCOL, ...(secret ? [SECRET_PROTOCOL + secret] : [])];
    const open = this.options.open ?? ((url, offered) => new WebSocket(url, offered));
    const socket = open(this.session ? back(this.options.url) : this.options.url, protocols);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.greet();
    socket.onmessage = ({ data }) => this.take(data);
    socket.onclose = ({ code, reason }) => this.closed(code, reason);
    this.socket = socket;
  }

  private greet(): void {
    this.sent = 0;
    this.candidate = null;
    const known = this.session;
    const token = known?.avatar.resume_token;
    this.greeting = known && token ? "sent" : "none";
    if (!known || !token) return;
    const last_seq = this.received.last;
    this.say("avatar.hello", { session_id: known.id, resume_token: token, last_seq, ...this.options.progress() });
  }

  private closed(code: number, reason: string): void {
    this.drop();
    if (code === Close.TAKEN) this.forget();
    if (REFUSALS.includes(code)) this.options.refused(reason, code);
    this.again();
  }

  private again(): void {
    this.options.status("reconnecting");
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => void this.connect(), this.backoff.next());
  }

  private drop(code = AGAIN): void {
    this.attempt += 1;
    this.pulse.stop();
    clearTimeout(this.waiting);
    const { socket } = this;
    this.socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(code);
  }

  private forget(): void {
    this.session = null;
    this.options.lost();
  }

  // ---- what comes ----------------------------------------------------------------------------------------------

  private take(data: string | ArrayBuffer): void {
    this.pulse.heard();
    if (typeof data !== "string") {
      const unit = unpack(data);
      if (this.received.take(unit.seq) !== "old") this.options.unit(unit);
      return;
    }
    const event = JSON.parse(data) as Heard & { event_id?: string };
    if (this.greeting === "sent" && this.answered(event)) return;
    if (event.type === "session.created") return this.adopt(event);
    const seq = seqOf(event.event_id);
    if (seq === null || this.received.take(seq) !== "old") this.options.heard(event);
  }

  /** True if the event belongs to the hello and not to the conversation. */
  private answered(event: Heard): boolean {
    if (event.type === "session.created") {
      this.candidate = event;
      return true;
    }
    if (event.type === "avatar.resumed") {
      this.greeting = "none";
      this.welcome();
      this.options.heard(event);
      return true;
    }
    if (event.type !== "error") return true; // of the session that the hello replaces
    this.greeting = "none";
    this.forget();
    if (this.candidate) this.adopt(this.candidate);
    return true;
  }

  private adopt(event: Extract<Heard, { type: "session.created" }> & { event_id?: string }): void {
    this.session = event.session;
    this.received.restart(seqOf(event.event_id) ?? 0);
    this.welcome();
    this.options.heard(event);
  }

  private welcome(): void {
    this.backoff.reset();
    this.options.status("open");
  }
}
