/** What a page wishes of its conversation, and the `session.update` that asks for it. Pure. */

/** When a turn ends: as the service has it, after a short or a long silence, or when the sentence sounds complete. */
export const DETECTIONS = ["usual", "quick", "patient", "complete"] as const;
export type Detection = (typeof DETECTIONS)[number];

export interface Wishes {
  /** Who speaks; empty: whom the service chooses. Another one begins another conversation. */
  persona: string;
  /** Whose face is shown; empty: the persona's. Another one begins another conversation. */
  avatar: string;
  voice: string;
  /** What the voice speaks, two letters; empty: what the persona speaks. */
  language: string;
  instructions: string;
  detection: Detection;
}

export const NO_WISHES: Wishes = {
  persona: "",
  avatar: "",
  voice: "",
  language: "",
  instructions: "",
  detection: "usual",
};

/** Silences in milliseconds. */
const SHORT = 300;
const LONG = 1200;

/** The part of a session that asks for these wishes; `usual` is the service's own turn detection. */
export function asked(wishes: Partial<Wishes>, usual: unknown): { instructions?: string; audio?: object; avatar?: object } {
  const { persona, avatar, voice, language, instructions, detection } = wishes;
  const input = detection === undefined ? {} : { input: { turn_detection: detected(detection, usual) } };
  const output = voice === undefined ? {} : { output: { voice: voice || "default" } };
  const face = {
    ...(persona === undefined ? {} : { persona }),
    ...(avatar === undefined ? {} : { id: avatar }),
    ...(language === undefined ? {} : { language }),
  };
  return {
    ...(instructions === undefined ? {} : { instructions }),
    ...(detection === undefined && voice === undefined ? {} : { audio: { ...input, ...output } }),
    ...(Object.keys(face).length ? { avatar: face } : {}),
  };
}

function detected(detection: Detection, usual: unknown): unknown {
  if (detection === "complete") return { type: "semantic_vad" };
  if (detection === "quick") return { type: "server_vad", silence_duration_ms: SHORT };
  if (detection === "patient") return { type: "server_vad", silence_duration_ms: LONG };
  return usual;
}

/** Those that differ from what a session has by itself. */
export function differing(wishes: Wishes): Partial<Wishes> {
  const names = Object.keys(NO_WISHES) as (keyof Wishes)[];
  return Object.fromEntries(names.filter((name) => wishes[name] !== NO_WISHES[name]).map((name) => [name, wishes[name]]));
}

/** Errors that say that a wish cannot be met: the wish they are about. */
export const REFUSED_WISHES: Readonly<Record<string, keyof Wishes>> = {
  unknown_persona: "persona",
  unknown_avatar: "avatar",
  unknown_language: "language",
};
