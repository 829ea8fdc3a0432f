/** What a person chose on this page and finds again the next time. */
import { createContext, useContext } from "react";
import { type Avatar, NO_WISHES, type Wishes } from "../client";
import type { Language } from "./language";

const WISHES = "realtime-avatar.wishes";
const CAPTIONS = "realtime-avatar.captions";

export interface Choices {
  language: Language;
  setLanguage: (language: Language) => void;
  captions: boolean;
  setCaptions: (shown: boolean) => void;
}

export const Chosen = createContext<Choices | null>(null);

export function useChoices(): Choices {
  const choices = useContext(Chosen);
  if (!choices) throw new Error("no choices above this component");
  return choices;
}

export const captionsChosen = (): boolean => localStorage.getItem(CAPTIONS) !== "off";
export const keepCaptions = (shown: boolean): void => localStorage.setItem(CAPTIONS, shown ? "on" : "off");

/** What was wished the last time, as far as it can still be wished. */
export function wishesOf(kept: string | null): Partial<Wishes> {
  try {
    const given = Object.entries((JSON.parse(kept ?? "{}") ?? {}) as Record<string, unknown>);
    return Object.fromEntries(given.filter(([name, value]) => name in NO_WISHES && typeof value === "string"));
  } catch {
    return {};
  }
}

export const recallWishes = (): Partial<Wishes> => wishesOf(localStorage.getItem(WISHES));

/** Keep the wishes of this avatar from now on. */
export function keepWishes({ store }: Avatar): void {
  let kept = store.get().wishes;
  store.subscribe(() => {
    const { wishes } = store.get();
    if (wishes === kept) return;
    kept = wishes;
    localStorage.setItem(WISHES, JSON.stringify(wishes));
  });
}
