/** What is to be seen of an avatar: one value that the page draws. */
import type { Lines } from "./captions";
import type { Session } from "./events";
import type { Status } from "./link";
import type { MicrophoneFault } from "./microphone";
import type { TurnTimes } from "./timings";
import { NO_WISHES, type Wishes } from "./wishes";
import type { State } from "./wire";

/** Something the person should know. `text` is the service's own sentence, where there is one. */
export interface Problem {
  code: MicrophoneFault | "no_webcodecs" | "no_face" | "no_idle" | "needs_key" | "not_resumed" | "notice" | "service";
  text?: string;
}

export interface AvatarState {
  link: Status;
  session: Session | null;
  wishes: Wishes;
  /** What the conversation is doing, as the service tells it. */
  phase: State;
  /** The reply is on the face: its sound has begun and is not over. */
  speaking: boolean;
  lines: Lines;
  /** `asleep` until a gesture; `blocked` if there is something to hear and the browser wants a gesture first. */
  sound: "asleep" | "on" | "blocked";
  /** The one button: touched may become a hold or a tap. */
  talk: "off" | "touched" | "pressed";
  handsFree: boolean;
  problem: Problem | null;
  turns: readonly TurnTimes[];
}

export const INITIAL: AvatarState = {
  link: "connecting",
  session: null,
  wishes: NO_WISHES,
  phase: "idle",
  speaking: false,
  lines: [],
  sound: "asleep",
  talk: "off",
  handsFree: false,
  problem: null,
  turns: [],
};

/** What happens, for whoever does not want to watch a value. */
export interface AvatarSignals {
  /** How loud the microphone is, 0 to 1. */
  level: number;
  /** The first sound of a reply is heard. */
  spoken: { turn: number };
  /** A reply was heard to its end. */
  over: { turn: number };
  interrupted: { turn: number };
}
