/** Which language the page speaks: what was chosen, or what the browser asks for, or English. */
import { createContext, useContext } from "react";
import { en, type Words } from "./words/en";
import { es } from "./words/es";
import { zh } from "./words/zh";

export const LANGUAGES = { en: "English", zh: "中文", es: "Español" } as const;
export type Language = keyof typeof LANGUAGES;
export const WORDS: Record<Language, Words> = { en, zh, es };

const KEPT = "realtime-avatar.language";

const isLanguage = (name: string | null | undefined): name is Language => Object.hasOwn(LANGUAGES, name ?? "");

export function firstLanguage(): Language {
  const chosen = localStorage.getItem(KEPT);
  if (isLanguage(chosen)) return chosen;
  return navigator.languages.map((name) => name.split("-")[0]).find(isLanguage) ?? "en";
}

export function keepLanguage(language: Language): void {
  localStorage.setItem(KEPT, language);
}

export const Spoken = createContext<Words>(en);
export const useWords = (): Words => useContext(Spoken);
