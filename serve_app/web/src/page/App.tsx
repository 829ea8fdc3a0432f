/** The page: the face, the conversation beside it, a drawer. */
import { useEffect, useState } from "react";
import type { Avatar } from "../client";
import { Announcer, Captions } from "./Captions";
import { Composer } from "./Composer";
import { Drawer, type Tab } from "./Drawer";
import { Face } from "./Face";
import { captionsChosen, Chosen, keepCaptions, useChoices } from "./choices";
import { Avatars } from "./drawers/Avatars";
import { History } from "./drawers/History";
import { Settings } from "./drawers/Settings";
import { Voices } from "./drawers/Voices";
import { ChartIcon, ClockIcon, GearIcon, MenuIcon, PersonIcon, SoundIcon } from "./Icons";
import { LanguageSwitch } from "./LanguageSwitch";
import { Latency } from "./Latency";
import { firstLanguage, keepLanguage, type Language, Spoken, useWords, WORDS } from "./language";
import { ProblemNote } from "./ProblemNote";
import { Asking, type Rest } from "./rest";
import { Shown, useMood, usePart } from "./useAvatar";
import { useKeys } from "./useKeys";

interface AppProps {
  avatar: Avatar;
  canvas: HTMLCanvasElement;
  rest: Rest;
}

export function App({ avatar, canvas, rest }: AppProps) {
  const [language, setLanguage] = useState(firstLanguage);
  const [captions, setCaptions] = useState(captionsChosen);
  const [open, setOpen] = useState<string | null>(null);
  const words = WORDS[language];
  const tabs: Tab[] = [
    { id: "history", title: words.history.tab, Icon: ClockIcon, Content: History },
    { id: "avatars", title: words.avatars.tab, Icon: PersonIcon, Content: Avatars },
    { id: "voices", title: words.voices.tab, Icon: SoundIcon, Content: Voices },
    { id: "settings", title: words.settings.tab, Icon: GearIcon, Content: Settings },
    { id: "latency", title: words.latency.tab, Icon: ChartIcon, Content: Latency },
  ];
  const choose = (chosen: Language) => {
    keepLanguage(chosen);
    setLanguage(chosen);
  };
  useKeys(avatar);
  useEffect(() => {
    document.documentElement.lang = language;
    document.title = words.title;
  }, [language, words]);
  const choices = {
    language,
    setLanguage: choose,
    captions,
    setCaptions: (shown: boolean) => {
      keepCaptions(shown);
      setCaptions(shown);
    },
  };
  return (
    <Shown value={avatar}>
      <Asking value={rest}>
        <Chosen value={choices}>
          <Spoken value={words}>
            <MoodOfPage />
            <Top open={open} setOpen={setOpen} />
            <main>
              <Face canvas={canvas} />
              <section className="talk" aria-label={words.conversation}>
                {captions && <Captions />}
                <Announcer />
                <ProblemNote />
                <Composer />
              </section>
            </main>
            {open && <Drawer tabs={tabs} shown={open} show={setOpen} close={() => setOpen(null)} />}
          </Spoken>
        </Chosen>
      </Asking>
    </Shown>
  );
}

interface TopProps {
  /** The drawer's tab that is open. */
  open: string | null;
  setOpen: (id: string | null) => void;
}

function Top({ open, setOpen }: TopProps) {
  const words = useWords();
  const { language, setLanguage } = useChoices();
  const buttons = [
    { id: "latency", label: words.measurements, Icon: ChartIcon },
    { id: "history", label: words.drawers.title, Icon: MenuIcon },
  ];
  return (
    <header className="top">
      <h1>{words.title}</h1>
      <LanguageSwitch language={language} choose={setLanguage} />
      {buttons.map(({ id, label, Icon }) => (
        <button
          key={id}
          type="button"
          className="round"
          data-opens={id}
          aria-label={label}
          title={label}
          aria-expanded={open !== null && (open === "latency") === (id === "latency")}
          onClick={() => setOpen(open === null || (open === "latency") !== (id === "latency") ? id : null)}
        >
          <Icon />
        </button>
      ))}
    </header>
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
