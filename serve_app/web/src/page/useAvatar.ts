/** The avatar that this page shows, and one part of its state for whoever draws that part. */
import { createContext, useContext, useSyncExternalStore } from "react";
import type { Avatar, AvatarState } from "../client";

export const Shown = createContext<Avatar | null>(null);

export function useAvatar(): Avatar {
  const avatar = useContext(Shown);
  if (!avatar) throw new Error("no avatar above this component");
  return avatar;
}

/** Draws again only when this part is another one. */
export function usePart<Name extends keyof AvatarState>(name: Name): AvatarState[Name] {
  const { store } = useAvatar();
  return useSyncExternalStore(store.subscribe, () => store.get()[name]);
}

export type Mood = AvatarState["phase"] | Exclude<AvatarState["link"], "open">;

/** What is to be told at a glance: the link first, then the button, then the conversation. */
export function moodOf({ link, talk, phase }: Pick<AvatarState, "link" | "talk" | "phase">): Mood {
  if (link !== "open") return link;
  return talk === "pressed" ? "listening" : phase;
}

export function useMood(): Mood {
  const { store } = useAvatar();
  return useSyncExternalStore(store.subscribe, () => moodOf(store.get()));
}
