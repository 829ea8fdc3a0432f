/** The voices there are: heard, chosen, brought by a recording, erased. */
import { type FormEvent, useCallback, useEffect, useRef, useState } from "react";
import { LANGUAGES, type Language, useWords } from "../language";
import { sentence, useRest } from "../rest";
import { useAvatar, usePart } from "../useAvatar";
import { useAttempt, useLoaded } from "../useAttempt";
import { Consent, Erase, Fault, Field } from "./parts";

interface Voice {
  id: string;
  name: string;
  language: string;
  own: boolean;
  usable: boolean;
  seconds: number | null;
}

interface Voiced {
  clones: boolean;
  /** Why no voice can be brought. */
  reason: string;
  languages: string[];
  voices: Voice[];
}

const named = (language: string): string => LANGUAGES[language as Language] ?? language;

export function Voices() {
  const words = useWords();
  const rest = useRest();
  const avatar = useAvatar();
  const { voice: wished } = usePart("wishes");
  const { value, fault, again } = useLoaded(useCallback(() => rest.json<Voiced>("/voices"), [rest]));
  return (
    <section className="panel">
      <h2>{words.voices.title}</h2>
      <Fault>{fault}</Fault>
      {value && !value.clones && <p className="told">{sentence(value.reason)}</p>}
      <ul className="rows">
        {value?.voices.map((voice) => (
          <Row key={voice.id} voice={voice} chosen={voice.id === wished} changed={again} />
        ))}
      </ul>
      {wished && (
        <button type="button" className="plain" onClick={() => avatar.wish({ voice: "" })}>
          {words.voices.usual}
        </button>
      )}
      {value?.clones && <VoiceUpload languages={value.languages} kept={again} />}
    </section>
  );
}

function Row({ voice, chosen, changed }: { voice: Voice; chosen: boolean; changed: () => Promise<void> }) {
  const words = useWords();
  const rest = useRest();
  const avatar = useAvatar();
  const { busy, fault, attempt } = useAttempt();
  const [sound, setSound] = useState<string | null>(null);
  const path = `/voices/${encodeURIComponent(voice.id)}`;
  useEffect(() => () => (sound ? URL.revokeObjectURL(sound) : undefined), [sound]);
  const listen = () => attempt(async () => setSound(URL.createObjectURL(await rest.blob(`${path}/test`, { method: "POST" }))));
  const erase = () =>
    attempt(async () => {
      await rest.erase(path);
      if (chosen) avatar.wish({ voice: "" });
      await changed();
    });
  return (
    <li className="voice" data-voice={voice.id}>
      <b>{voice.name}</b>
      <span className="quiet">
        {named(voice.language)}
        {voice.seconds !== null && ` · ${voice.seconds.toFixed(0)} s`}
        {!voice.own && ` · ${words.voices.engines}`}
      </span>
      <div className="actions">
        <button type="button" className="plain" disabled={busy || !voice.usable} onClick={listen}>
          {busy ? words.voices.speaking : words.voices.listen}
          <span className="unseen">: {voice.name}</span>
        </button>
        <button
          type="button"
          className="plain"
          aria-pressed={chosen}
          disabled={!voice.usable}
          onClick={() => avatar.wish({ voice: voice.id })}
        >
          {chosen ? words.voices.chosen : words.voices.use}
          <span className="unseen">: {voice.name}</span>
        </button>
        {voice.own && <Erase what={voice.name} erase={erase} busy={busy} />}
      </div>
      {sound && <audio src={sound} controls autoPlay aria-label={voice.name} />}
      <Fault>{fault}</Fault>
    </li>
  );
}

function VoiceUpload({ languages, kept }: { languages: string[]; kept: () => Promise<void> }) {
  const words = useWords();
  const rest = useRest();
  const { busy, fault, attempt } = useAttempt();
  const form = useRef<HTMLFormElement>(null);
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const body = new FormData(event.currentTarget);
    void attempt(async () => {
      await rest.json("/voices", { method: "POST", body });
      form.current?.reset();
      await kept();
    });
  };
  return (
    <form className="upload" ref={form} onSubmit={send} aria-busy={busy}>
      <h3>{words.voices.own}</h3>
      <Field label={words.voices.recording} hint={words.voices.recordingHint}>
        <input type="file" name="file" accept="audio/*" required />
      </Field>
      <Field label={words.drawers.name}>
        <input type="text" name="name" maxLength={60} autoComplete="off" />
      </Field>
      <Field label={words.voices.language}>
        <select name="language" defaultValue={languages.includes(words.code) ? words.code : undefined}>
          {languages.map((language) => (
            <option key={language} value={language}>
              {named(language)}
            </option>
          ))}
        </select>
      </Field>
      <Consent>{words.voices.consent}</Consent>
      <button type="submit" className="primary" disabled={busy}>
        {busy ? words.voices.checking : words.voices.keep}
      </button>
      <Fault>{fault}</Fault>
    </form>
  );
}
