/** What each event of the service does here: a table, one line of thought an event. */
import type { Avatar } from "./avatar";
import * as captions from "./captions";
import { type Heard, type ServerEvents, turnOf } from "./events";

type Table = { [Name in keyof ServerEvents]: (avatar: Avatar, event: ServerEvents[Name]) => void };

/** Answers to orders of ours that came too late or twice; nobody needs to read them. */
const LATE = new Set(["response_cancel_not_active", "item_truncate_invalid_item_id", "item_create_duplicate_item_id"]);

export function hear(avatar: Avatar, event: Heard): void {
  const does = HEARD[event.type] as ((avatar: Avatar, event: Heard) => void) | undefined;
  does?.(avatar, event); // names that we do not know are passed over
}

const HEARD: Table = {
  "session.created": (avatar, { session }) => avatar.welcome(session),
  "session.updated": (avatar, { session }) => {
    avatar.store.set({ session });
    avatar.showing.face(session);
  },
  "avatar.resumed": (avatar, { session }) => avatar.resumed(session),
  "avatar.pong": (avatar) => avatar.orders.caughtUp(),
  "avatar.state": (avatar, { state, turn }) => {
    avatar.store.set({ phase: state });
    if (state !== "thinking") return;
    avatar.orders.stopped(turn - 1);
    avatar.showing.expect(turn);
  },
  "avatar.caption": (avatar, { text, guess }) => avatar.write((lines) => captions.saying(lines, text, guess)),
  "input_audio_buffer.speech_started": () => undefined,
  "input_audio_buffer.speech_stopped": (avatar, { audio_end_ms }) => avatar.spokeUntil(audio_end_ms),
  "conversation.item.input_audio_transcription.completed": (avatar, { item_id, transcript }) => {
    avatar.showing.timings.understood(performance.now());
    avatar.write((lines) => captions.said(lines, item_id, transcript));
  },
  "conversation.item.added": (avatar, { item }) => {
    avatar.orders.added(item.id);
    const written = item.role === "user" && item.content?.find(({ type }) => type === "input_text")?.text;
    if (written) avatar.write((lines) => captions.said(lines, item.id, written));
  },
  "response.output_item.added": (avatar, { response_id, item }) => {
    if (item.role === "assistant") avatar.showing.items.set(turnOf(response_id), item.id);
  },
  "response.output_audio_transcript.delta": (avatar, { response_id, delta }) => avatar.showing.text(turnOf(response_id), delta),
  "response.output_text.delta": (avatar, { response_id, delta }) => avatar.showing.text(turnOf(response_id), delta),
  "response.output_audio_transcript.done": (avatar, { response_id }) =>
    avatar.write((lines) => captions.replied(lines, turnOf(response_id))),
  "response.done": (avatar, { response }) => avatar.write((lines) => captions.replied(lines, turnOf(response.id))),
  "avatar.words": (avatar, { turn, words }) => avatar.showing.spokenWords(turn, words),
  "avatar.kept": (avatar, { turn, pts }) => avatar.player.keep(turn, pts),
  "avatar.end": (avatar, { turn, pts, idle_frame }) => avatar.showing.end(turn, pts, idle_frame),
  "avatar.hold": (avatar, { turn }) => avatar.showing.hold(turn),
  "avatar.resume": (avatar, { turn }) => avatar.player.resume(turn),
  "avatar.flush": (avatar, { turn }) => {
    avatar.orders.stopped(turn);
    if (turn >= avatar.player.turn) avatar.showing.silence();
  },
  "avatar.cut": (avatar, { turn, text }) => avatar.write((lines) => captions.cut(lines, turn, text)),
  "avatar.notice": (avatar, { rung, reason }) => {
    if (rung === "voice") avatar.player.withoutPictures();
    if (rung === "") avatar.clearProblem("notice");
    else avatar.tell({ code: "notice", text: reason });
  },
  error: (avatar, { error }) => {
    if (LATE.has(error.code ?? "")) return;
    avatar.giveUp(error.code);
    avatar.tell({ code: "service", text: error.message });
  },
};
