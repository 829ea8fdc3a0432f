// Written by `python -m serve_app.web_types` from what is declared in Python: change that and run it again.

export const RATE = 24000;
export const MIC_RATE = 16000;
export const FPS = 25;
export const FRAME = 960;
export const HEADER_BYTES = 16;
export const SUBPROTOCOL = "realtime-avatar.v1";
export const SECRET_PROTOCOL = "openai-insecure-api-key.";

export const Kind = {
  VIDEO: 1,
  AUDIO: 2,
  END: 3,
  MICROPHONE: 16,
} as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

export const Flag = {
  NONE: 0,
  KEY: 1,
  LAST: 2,
  DISCONTINUITY: 4,
} as const;
export type Flag = (typeof Flag)[keyof typeof Flag];

export const Close = {
  SLOW: 4008,
  TAKEN: 4009,
  BROKEN: 1011,
  SPENT: 4029,
  BUSY: 1013,
} as const;

export type State = "idle" | "listening" | "thinking" | "speaking" | "held";

export interface Word {
  text: string;
  start: number;
  samples: number;
}

export interface AvatarEvents {
  "avatar.state": {
    state: State;
    turn: number;
  };
  "avatar.caption": {
    text: string;
    guess: string;
  };
  "avatar.words": {
    turn: number;
    words: Word[];
  };
  "avatar.kept": {
    turn: number;
    pts: number;
  };
  "avatar.end": {
    turn: number;
    pts: number;
    idle_frame: number;
  };
  "avatar.hold": {
    turn: number;
  };
  "avatar.resume": {
    turn: number;
  };
  "avatar.flush": {
    turn: number;
  };
  "avatar.cut": {
    turn: number;
    pts: number;
    text: string;
  };
  "avatar.notice": {
    turn: number;
    rung: "" | "steps" | "rate" | "still" | "voice" | "text" | "warming";
    reason: string;
  };
}

export type ClientEvent =
  | "avatar.hello"
  | "avatar.keyframe"
  | "avatar.ping"
  | "avatar.playhead"
  | "avatar.press"
  | "avatar.release"
  | "avatar.say"
  | "conversation.item.create"
  | "conversation.item.delete"
  | "conversation.item.retrieve"
  | "conversation.item.truncate"
  | "input_audio_buffer.append"
  | "input_audio_buffer.clear"
  | "input_audio_buffer.commit"
  | "output_audio_buffer.clear"
  | "response.cancel"
  | "response.create"
  | "session.update";

export type ServerEvent =
  | "avatar.caption"
  | "avatar.cut"
  | "avatar.end"
  | "avatar.flush"
  | "avatar.hold"
  | "avatar.kept"
  | "avatar.notice"
  | "avatar.pong"
  | "avatar.resume"
  | "avatar.resumed"
  | "avatar.state"
  | "avatar.video.delta"
  | "avatar.words"
  | "conversation.item.added"
  | "conversation.item.deleted"
  | "conversation.item.done"
  | "conversation.item.input_audio_transcription.completed"
  | "conversation.item.input_audio_transcription.delta"
  | "conversation.item.input_audio_transcription.failed"
  | "conversation.item.retrieved"
  | "conversation.item.truncated"
  | "error"
  | "input_audio_buffer.cleared"
  | "input_audio_buffer.committed"
  | "input_audio_buffer.speech_started"
  | "input_audio_buffer.speech_stopped"
  | "input_audio_buffer.timeout_triggered"
  | "rate_limits.updated"
  | "response.content_part.added"
  | "response.content_part.done"
  | "response.created"
  | "response.done"
  | "response.function_call_arguments.delta"
  | "response.function_call_arguments.done"
  | "response.output_audio.delta"
  | "response.output_audio.done"
  | "response.output_audio_transcript.delta"
  | "response.output_audio_transcript.done"
  | "response.output_item.added"
  | "response.output_item.done"
  | "response.output_text.delta"
  | "response.output_text.done"
  | "session.created"
  | "session.updated";
