/** The page: the face, the conversation beside it, a drawer. */
import { useEffect, useState } from "react";
import type { Avatar } from "../client";
import { Announcer, Captions } from "./Captions";
import { Composer } from "./Composer";
import { Drawer, type Tab } from "./Drawer";
import { Face } from "./Face";
import { ChartIcon } from "./Icons";
import { LanguageSwitch } from "./LanguageSwitch";
import { Latency } from "./Latency";
import { firstLanguage, keepLanguage, type Language, Spoken, WORDS } from "./language";
import { ProblemNote } from "./ProblemNote";
import { Shown, useMood, usePart } from "./useAvatar";
import { useKeys } from "./useKeys";

export function App({ avatar, canvas }: { avatar: Avatar; canvas: HTMLCanvasElement }) {
  const [language, setLanguage] = useState(firstLanguage);
  const [open, setOpen] = useState(false);
  const words = WORDS[language];
  const tabs: Tab[] = [{ id: "latency", title: words.latency.tab, Content: Latency }];
  const choose = (chosen: Language) => {
    keepLanguage(chosen);
    setLanguage(chosen);
  };
  useKeys(avatar);
  useEffect(() => {
    document.documentElement.lang = language;
    document.title = words.title;
  }, [language, words]);
  return (
    <Shown value={avatar}>
      <Spoken value={words}>
        <MoodOfPage />
        <header className="top">
          <h1>{words.title}</h1>
          <LanguageSwitch language={language} choose={choose} />
          <button
            type="button"
            className="round"
            aria-label={words.measurements}
            title={words.measurements}
            aria-expanded={open}
            onClick={() => setOpen(!open)}
          >
            <ChartIcon />
          </button>
        </header>
        <main>
          <Face canvas={canvas} />
          <section className="talk" aria-label={words.conversation}>
            <Captions />
            <Announcer />
            <ProblemNote />
            <Composer />
          </section>
        </main>
        {open && <Drawer tabs={tabs} close={() => setOpen(false)} />}
      </Spoken>
    </Shown>
  );
}

/** The whole page may take the colour of what the avatar is doing. */
function MoodOfPage() {
  const mood = useMood();
  const speaking = usePart("speaking");
  useEffect(() => {
    document.body.dataset.state = mood;
    document.body.dataset.face = speaking ? "speaking" : "idle";
  }, [mood, speaking]);
  return null;
}
