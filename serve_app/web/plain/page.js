// The plain page: connects, shows what it is told, sends what the person says or writes.
import { Player } from "./player.js";

const HEADER = 16;
const $ = (id) => document.getElementById(id);
const page = { socket: null, player: null, mic: null, micAt: 0, seq: 0, session: null, lines: new Map(), words: [] };
window.page = page;

function say(type, fields = {}) {
  if (page.socket?.readyState === WebSocket.OPEN) page.socket.send(JSON.stringify({ type, ...fields }));
}

// A key comes as #key=ak_… at the end of the address; it is kept for this tab and taken out of the address at once.
const given = new URLSearchParams(location.hash.slice(1)).get("key");
if (given) {
  sessionStorage.setItem("key", given);
  history.replaceState(null, "", location.pathname + location.search);
}

// What to offer at the handshake. A browser can send no key there: the key buys a secret that lasts a minute.
async function offers() {
  const key = sessionStorage.getItem("key");
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  const answer = await fetch("/v1/realtime/client_secrets", { method: "POST", headers });
  const told = await answer.json();
  if (answer.status === 401 && !key) throw new Error("It asks for a key: add #key=ak_… to the address of this page.");
  if (!answer.ok) throw new Error(told.detail);
  return ["realtime-avatar.v1", `openai-insecure-api-key.${told.value}`];
}

function again() {
  show("reconnecting");
  setTimeout(connect, 1000);
}

async function connect() {
  let offered;
  try {
    offered = await offers();
  } catch (error) {
    if (!(error instanceof TypeError)) problem(error.message); // a TypeError: nobody is there yet
    return again();
  }
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/v1/realtime`, offered);
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => (typeof data === "string" ? hear(JSON.parse(data)) : unit(data));
  socket.onclose = ({ code, reason }) => {
    if (code === 4029) problem(reason);
    page.player?.drop();
    document.body.dataset.face = "idle";
    again();
  };
  page.socket = socket;
  page.micAt = 0;
}

function unit(buffer) {
  const view = new DataView(buffer);
  const [kind, flags, turn] = [view.getUint8(0), view.getUint8(1), view.getUint16(2, true)];
  const media = { key: (flags & 1) !== 0, turn, pts: view.getUint32(8, true), payload: buffer.slice(HEADER) };
  if (kind === 1) page.player?.picture(media);
  if (kind === 2) page.player?.sound(media);
}

function hear(event) {
  const seen = HEARD[event.type];
  if (seen) seen(event);
}

const HEARD = {
  "session.created": ({ session }) => {
    page.session = session;
    $("idle").src ||= `/avatars/${session.avatar.id}/idle.mp4`;
    $("face").width = session.avatar.video.width;
    $("face").height = session.avatar.video.height;
    const codec = "VideoDecoder" in window ? "h264" : null;
    say("session.update", { session: { type: "realtime", avatar: { video: { codec } } } });
    if (!codec) problem("This browser has no WebCodecs: you hear the avatar, but the face stays still.");
  },
  "session.updated": () => show("idle"),
  "avatar.state": ({ state, turn }) => {
    show(state);
    if (state === "thinking") page.player?.begin(turn);
  },
  "avatar.caption": ({ text }) => text && line("you", "you", text, true),
  "conversation.item.input_audio_transcription.completed": ({ transcript }) => said(transcript),
  "conversation.item.added": ({ item }) => {
    const written = item.role === "user" && item.content.find(({ type }) => type === "input_text");
    if (written) said(written.text);
  },
  "response.output_audio_transcript.delta": ({ response_id, delta }) => {
    const known = page.lines.get(response_id)?.textContent ?? "";
    line(response_id, "avatar", known + delta, false);
  },
  "avatar.words": ({ words }) => page.words.push(...words),
  "avatar.kept": ({ turn, pts }) => page.player?.keep(turn, pts),
  "avatar.end": ({ turn, pts, idle_frame }) => {
    page.idleFrame = idle_frame;
    page.player?.end(turn, pts);
  },
  "avatar.hold": ({ turn }) => {
    page.player?.hold(turn);
    say("avatar.playhead", { turn, pts: Math.round(page.player?.now() ?? 0) });
  },
  "avatar.resume": ({ turn }) => page.player?.resume(turn),
  "avatar.flush": () => {
    page.player?.drop();
    page.words = [];
    document.body.dataset.face = "idle";
  },
  "avatar.cut": ({ turn }) => page.lines.get(`resp_${turn}`)?.classList.add("cut"),
  "avatar.notice": ({ rung, reason }) => {
    if (rung === "voice") page.player?.withoutPictures();
    problem(rung === "" ? "" : reason);
  },
  error: ({ error }) => problem(error.message),
};

function said(text) {
  line("you", "you", text, false);
  page.lines.delete("you");
  page.asked = performance.now();
}

function show(state) {
  document.body.dataset.state = state;
  $("state").textContent = state;
}

// The words that were heard so far, lit: the text up to the newest word that has begun.
function light() {
  const { player, words } = page;
  const item = page.lines.get(`resp_${player.turn}`);
  if (!item || !words.length) return;
  const now = player.now();
  const text = item.textContent;
  let end = 0;
  for (const word of words) {
    if (word.start > now) break;
    const found = text.indexOf(word.text, end);
    if (found >= 0) end = found + word.text.length;
  }
  const lit = document.createElement("span");
  lit.className = "spoken";
  lit.textContent = text.slice(0, end);
  item.replaceChildren(lit, text.slice(end));
}

function problem(text) {
  $("problem").textContent = text;
  $("problem").hidden = !text;
}

function line(key, who, text, partial) {
  let item = page.lines.get(key);
  if (!item) {
    item = document.createElement("li");
    item.dataset.who = who;
    page.lines.set(key, item);
    $("captions").append(item);
  }
  item.textContent = text;
  item.classList.toggle("partial", partial);
  $("captions").scrollTop = $("captions").scrollHeight;
}

// A browser gives sound only after a gesture; everything that needs it waits for the first one.
let starting = null;
function wake() {
  starting ??= (async () => {
    const context = new AudioContext({ sampleRate: 24000 });
    await context.audioWorklet.addModule("speaker.js");
    const speaker = new AudioWorkletNode(context, "speaker", { outputChannelCount: [1] });
    speaker.connect(context.destination);
    page.context = context;
    page.player = new Player(context, speaker, $("face"), {
      onSpoken: () => {
        problem("");
        document.body.dataset.face = "speaking";
        const waited = Math.round(performance.now() - (page.asked ?? performance.now()));
        $("numbers").textContent = `Heard ${waited} ms after your words were understood.`;
      },
      onOver: (turn) => {
        say("avatar.playhead", { turn, pts: page.player.total });
        joinIdle();
        page.words = [];
      },
    });
    setInterval(playhead, 250);
    setInterval(light, 60);
  })();
  return starting;
}

function joinIdle() {
  const idle = $("idle");
  if (page.idleFrame !== undefined) idle.currentTime = page.idleFrame / page.session.avatar.video.fps;
  idle.play().catch(() => {}); // a browser that refuses shows the still picture
  document.body.dataset.face = "idle";
}

function playhead() {
  const { player } = page;
  if (player.turn > 0 && player.clock.turn === player.turn) {
    say("avatar.playhead", { turn: player.turn, pts: Math.round(player.now()) });
  } else {
    say("avatar.playhead", { turn: 0, pts: Math.round($("idle").currentTime * 24000) });
  }
}

async function microphone() {
  await wake();
  if (page.mic) return true;
  try {
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: true, noiseSuppression: true, channelCount: 1 },
    });
    const context = new AudioContext({ sampleRate: 16000 });
    await context.audioWorklet.addModule("microphone.js");
    const node = new AudioWorkletNode(context, "microphone");
    context.createMediaStreamSource(stream).connect(node);
    node.port.onmessage = ({ data }) => send(data);
    page.mic = { stream, context, open: false };
    return true;
  } catch (error) {
    problem(`The microphone cannot be used (${error.message}). Allow it in the browser, or write instead.`);
    return false;
  }
}

function send(buffer) {
  const pcm = new Int16Array(buffer);
  let sum = 0;
  for (const value of pcm) sum += value * value;
  $("level").value = Math.min(1, Math.sqrt(sum / pcm.length) / 6000);
  if (!page.mic.open || page.socket?.readyState !== WebSocket.OPEN) return;
  const message = new ArrayBuffer(HEADER + buffer.byteLength);
  const view = new DataView(message);
  view.setUint8(0, 16);
  view.setUint32(4, page.seq++, true);
  view.setUint32(8, page.micAt, true);
  view.setUint32(12, performance.now(), true);
  new Uint8Array(message, HEADER).set(new Uint8Array(buffer));
  page.micAt += pcm.length;
  page.socket.send(message);
}

async function press() {
  if ($("hands").checked || page.pressed) return;
  page.pressed = true;
  $("talk").setAttribute("aria-pressed", "true");
  if (!(await microphone())) return release();
  if (!page.pressed) return;
  say("avatar.press");
  page.mic.open = true;
}

function release() {
  if (!page.pressed) return;
  page.pressed = false;
  $("talk").setAttribute("aria-pressed", "false");
  if (!page.mic?.open) return;
  page.mic.open = false;
  say("avatar.release");
}

$("talk").addEventListener("pointerdown", press);
addEventListener("pointerup", release);
const writing = (event) => ["INPUT", "BUTTON"].includes(event.target.tagName) && event.target.id !== "talk";
addEventListener("keydown", (event) => {
  if (event.code !== "Space" || event.repeat || writing(event)) return;
  event.preventDefault();
  press();
});
addEventListener("keyup", (event) => event.code === "Space" && release());
$("hands").addEventListener("change", async ({ target }) => {
  if (target.checked && !(await microphone())) target.checked = false;
  if (page.mic) page.mic.open = target.checked;
  $("talk").disabled = target.checked;
});
$("typed").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text) return;
  await wake();
  $("text").value = "";
  say("avatar.say", { text });
});
$("idle").addEventListener("error", () => problem("The idle loop could not be loaded."));
connect();
