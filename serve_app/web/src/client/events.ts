/** What the service says, as far as the client reads it. Names and the avatar's own shapes come from wire.ts. */
import type { AvatarEvents, ServerEvent } from "./wire";

export interface Session {
  id: string;
  instructions?: string;
  audio?: { input?: { turn_detection?: unknown }; output?: { voice?: unknown } };
  avatar: {
    id: string;
    persona?: string;
    resume_token?: string;
    video: { codec: "h264" | "jpeg" | null; width: number; height: number; coded_height: number; fps: number };
  };
}

export interface Item {
  id: string;
  role: "user" | "assistant" | "system";
  content?: { type: string; text?: string; transcript?: string | null }[];
}

/** What is read of events that bear OpenAI's names. */
export interface StockEvents {
  "session.created": { session: Session };
  "session.updated": { session: Session };
  "avatar.resumed": { session_id: string; last_seq: number; session: Session };
  "conversation.item.added": { item: Item };
  "conversation.item.input_audio_transcription.completed": { item_id: string; transcript: string };
  "input_audio_buffer.speech_started": { audio_start_ms: number };
  "input_audio_buffer.speech_stopped": { audio_end_ms: number };
  "response.output_item.added": { response_id: string; item: Item };
  "response.output_audio_transcript.delta": { response_id: string; delta: string };
  "response.output_audio_transcript.done": { response_id: string; transcript: string };
  "response.output_text.delta": { response_id: string; delta: string };
  "response.done": { response: { id: string; status: string } };
  error: { error: { type: string; code: string | null; message: string } };
}

export type ServerEvents = AvatarEvents & StockEvents;
export type Heard = { [Name in keyof ServerEvents]: { type: Name } & ServerEvents[Name] }[keyof ServerEvents];

/** Every name that is read must be one that the service uses. */
type Unknown = Exclude<keyof StockEvents, ServerEvent>;
export const noneUnknown: [Unknown] extends [never] ? true : Unknown = true;

/** The reply that a response is; `resp_<turn>`. */
export function turnOf(responseId: string): number {
  return Number(responseId.replace(/^resp_/, ""));
}
