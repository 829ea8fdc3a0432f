import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FIRST_MS } from "../src/client/backoff";
import type { Heard } from "../src/client/events";
import { unpack } from "../src/client/header";
import { Link, Refused, type Socket, type Status } from "../src/client/link";

/** A socket on a virtual clock: the test says when it opens, what it hears and when it dies. */
class Line {
  readyState = 0;
  binaryType = "" as BinaryType;
  onopen: Socket["onopen"] = null;
  onmessage: Socket["onmessage"] = null;
  onclose: Socket["onclose"] = null;
  closedWith: number | undefined;
  readonly sent: (string | ArrayBuffer)[] = [];
  readonly url: string;
  readonly offered: string[];

  constructor(url: string, offered: string[]) {
    this.url = url;
    this.offered = offered;
  }

  send(data: unknown): void {
    this.sent.push(data as string | ArrayBuffer);
  }

  close(code?: number): void {
    this.closedWith = code;
    this.readyState = 3;
  }

  open(): void {
    this.readyState = 1;
    this.onopen?.call(this as unknown as WebSocket, new Event("open"));
  }

  tell(event: object): void {
    this.onmessage?.call(this as unknown as WebSocket, { data: JSON.stringify(event) } as MessageEvent);
  }

  die(code = 1006, reason = ""): void {
    this.readyState = 3;
    this.onclose?.call(this as unknown as WebSocket, { code, reason } as CloseEvent);
  }

  get said(): unknown[] {
    return this.sent.map((message) => JSON.parse(message as string));
  }
}

let lines: Line[];
let log: string[];
let secret: () => Promise<string | null>;
let link: Link;

const created = (id: string, seq = 1) => ({
  type: "session.created",
  event_id: `evt_${seq}`,
  session: { id, avatar: { id: "default", resume_token: `token of ${id}` } },
});
const caption = (seq: number) => ({ type: "avatar.caption", event_id: `evt_${seq}`, text: "so" });
const line = () => lines.at(-1) as Line;
const settle = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  vi.useFakeTimers();
  lines = [];
  log = [];
  secret = () => Promise.resolve("ek_1");
  link = new Link({
    url: "ws://host/v1/realtime",
    secret: () => secret(),
    progress: () => ({ turn: 3, audio_pts: 4800, video_pts: 3840 }),
    heard: (event: Heard) => log.push(event.type),
    unit: () => log.push("unit"),
    status: (status: Status) => log.push(`is ${status}`),
    lost: () => log.push("lost"),
    refused: (sentence, code) => log.push(`refused ${code}: ${sentence}`),
    open: (url, offered) => {
      lines.push(new Line(url, offered));
      return line() as unknown as Socket;
    },
    random: () => 0.5,
  });
  link.start();
});

afterEach(() => {
  link.stop();
  vi.useRealTimers();
});

test("it offers our subprotocol and the secret, and is open when the session is there", async () => {
  await settle();
  expect(line().offered).toEqual(["realtime-avatar.v1", "openai-insecure-api-key.ek_1"]);
  line().open();
  expect([log, line().sent]).toEqual([["is connecting"], []]);
  line().tell(created("one"));
  expect(log).toEqual(["is connecting", "is open", "session.created"]);
});

test("after a break its first message is a hello, and what was missed comes as if nothing had been", async () => {
  await settle();
  line().open();
  line().tell(created("one"));
  line().tell(caption(2));
  line().die();
  await settle(FIRST_MS);
  line().open();
  expect(line().said).toEqual([
    {
      type: "avatar.hello",
      session_id: "one",
      resume_token: "token of one",
      last_seq: 2,
      turn: 3,
      audio_pts: 4800,
      video_pts: 3840,
    },
  ]);
  log.length = 0;
  line().tell(created("another", 1)); // the service does not know yet who this is
  line().tell({ type: "avatar.resumed", event_id: "evt_3", session_id: "one", last_seq: 2 });
  line().tell(caption(2));
  line().tell(caption(4));
  expect(log).toEqual(["is open", "avatar.resumed", "avatar.caption"]);
  expect(link.session?.id).toBe("one");
});

test("whoever was cut off says so in the address, for there may be no room for others", async () => {
  await settle();
  line().open();
  line().tell(created("one"));
  line().die();
  await settle(FIRST_MS);
  expect(lines.map(({ url }) => url)).toEqual(["ws://host/v1/realtime", "ws://host/v1/realtime?back=1"]);
});

test("a service that is full says when to come again, and is asked again", async () => {
  await settle();
  line().open();
  log.length = 0;
  line().die(1013, "every place is taken; try again in 15 s");
  expect(log).toEqual(["refused 1013: every place is taken; try again in 15 s", "is reconnecting"]);
  await settle(FIRST_MS);
  expect(line().url).toBe("ws://host/v1/realtime");
});

test("a conversation that cannot be resumed is told to be lost, and a new one begins", async () => {
  await settle();
  line().open();
  line().tell(created("one", 1));
  line().die(1012, "the service restarts");
  await settle(FIRST_MS);
  line().open();
  log.length = 0;
  line().tell(created("two", 1));
  line().tell({ type: "error", event_id: "evt_2", error: { code: "cannot_resume", message: "it is gone" } });
  line().tell(caption(3));
  expect(log).toEqual(["lost", "is open", "session.created", "avatar.caption"]);
  expect(link.session?.id).toBe("two");
});

test("it waits longer each time, and begins anew with the first wait once it worked", async () => {
  await settle();
  const waited: number[] = [];
  for (let attempt = 0; attempt < 8; attempt++) {
    const [count, from] = [lines.length, Date.now()];
    line().die();
    while (lines.length === count) await settle(50);
    waited.push(Date.now() - from);
  }
  expect(waited).toEqual([250, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
  line().open();
  line().tell(created("one"));
  line().die();
  const count = lines.length;
  await settle(FIRST_MS);
  expect(lines.length).toBe(count + 1);
});

test("back on the network it does not wait; off it, it does not hold on to a dead line", async () => {
  await settle();
  line().open();
  line().tell(created("one"));
  log.length = 0;
  link.renew();
  expect(log).toEqual(["is reconnecting"]);
  expect(line().closedWith).toBe(4000); // with 1000 the conversation would be over
  link.hurry();
  await settle();
  expect(lines.length).toBe(2);
});

test("a refusal is told in the service's words, and it goes on trying", async () => {
  secret = () => Promise.reject(new Refused("an unknown key", 401));
  link.stop();
  log.length = 0;
  link.start();
  await settle();
  expect(log).toEqual(["is connecting", "refused 401: an unknown key", "is reconnecting"]);
  secret = () => Promise.resolve("ek_2");
  await settle(FIRST_MS);
  expect(line().offered[1]).toBe("openai-insecure-api-key.ek_2");
});

test("a conversation that somebody took or erased is not asked for again", async () => {
  await settle();
  line().open();
  line().tell(created("one"));
  line().die(4009, "this conversation was erased");
  await settle(FIRST_MS);
  line().open();
  expect(line().sent).toEqual([]);
  expect(log).toContain("refused 4009: this conversation was erased");
});

test("everything that is said is counted, JSON and binary alike", async () => {
  await settle();
  line().open();
  line().tell(created("one"));
  link.say("avatar.press");
  link.hear(new Uint8Array(640), 320);
  const unit = unpack(line().sent[1] as ArrayBuffer);
  expect([unit.seq, unit.pts, unit.payload.length]).toEqual([2, 320, 640]);
});

test("nothing is said to nobody", async () => {
  await settle();
  expect(link.say("avatar.press")).toBe(false);
  expect(line().sent).toEqual([]);
});

const pings = () => line().sent.filter((message) => JSON.parse(message as string).type === "avatar.ping").length;

test("a line that is dead without being closed is noticed by its silence", async () => {
  await settle();
  line().open();
  line().tell(created("one"));
  log.length = 0;
  await settle(2500);
  expect(pings()).toBe(2);
  line().tell({ type: "avatar.pong", event_id: "evt_2" });
  await settle(3900);
  expect(log).toEqual(["avatar.pong"]); // four beats at most without a sign
  await settle(1000);
  expect(log).toEqual(["avatar.pong", "is reconnecting"]);
  expect(lines[0]?.closedWith).toBe(4000);
});

test("a line on which something comes is asked once a second at most, and a new one has longer", async () => {
  await settle();
  await settle(9900);
  expect(lines.length).toBe(1);
  line().open();
  line().tell(created("one"));
  for (let seq = 2; seq < 20; seq++) {
    await settle(500);
    line().tell(caption(seq));
  }
  expect(pings()).toBeLessThanOrEqual(9);
  expect(lines.length).toBe(1);
});

test("a new conversation is begun on purpose: no hello, no word of a loss, and late messages are nobody's", async () => {
  link.start();
  await settle();
  line().open();
  line().tell(created("one"));
  const first = line();
  log = [];
  link.anew();
  expect(first.closedWith).toBe(1000);
  await settle();
  line().open();
  first.tell(caption(2));
  expect(line().sent).toEqual([]);
  line().tell(created("two"));
  line().tell(caption(2));
  expect([log, link.session?.id]).toEqual([["is connecting", "is open", "session.created", "avatar.caption"], "two"]);
});
