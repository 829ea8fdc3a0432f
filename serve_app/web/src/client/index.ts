/** The client that any page can use: `createAvatar({ url, canvas })`, or `embed(element, { url, secret })`. */
export { Avatar, type AvatarOptions, createAvatar } from "./avatar";
export type { Before } from "./before";
export type { Line, Lines } from "./captions";
export { EMBED_WORDS, type EmbedOptions, type EmbedWords, embed } from "./embed";
export type { Session } from "./events";
export type { Status } from "./link";
export { keyOfAddress, secretFrom } from "./secret";
export type { AvatarSignals, AvatarState, Problem } from "./state";
export { percentile, STEPS, type Step, type TurnTimes } from "./timings";
export type { State } from "./wire";
export { DETECTIONS, type Detection, NO_WISHES, type Wishes } from "./wishes";
