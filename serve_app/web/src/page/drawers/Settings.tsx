/** Who speaks and how, what this page shows, and how the service is set up. */
import { type FormEvent, useCallback } from "react";
import { DETECTIONS, type Detection } from "../../client";
import { useChoices } from "../choices";
import { LANGUAGES, type Language, useWords } from "../language";
import { useRest } from "../rest";
import { useAvatar, usePart } from "../useAvatar";
import { useLoaded } from "../useAttempt";
import { Fault, Field } from "./parts";
import { type About, Service } from "./Service";

interface Persona {
  id: string;
  name: string;
  language: string;
}

const INSTRUCTIONS_MOST = 32_000;

export function Settings() {
  const words = useWords();
  const rest = useRest();
  const load = useCallback(async () => {
    const [about, { personas }] = await Promise.all([
      rest.json<About>("/v1/service"),
      rest.json<{ personas: Persona[] }>("/personas"),
    ]);
    return { about, personas };
  }, [rest]);
  const { value, fault } = useLoaded(load);
  return (
    <section className="panel">
      <h2>{words.settings.title}</h2>
      <Fault>{fault}</Fault>
      {value && <Talking {...value} />}
      <Shown />
      {value && <Service about={value.about} />}
    </section>
  );
}

function Talking({ about, personas }: { about: About; personas: Persona[] }) {
  const words = useWords().settings;
  const avatar = useAvatar();
  const wishes = usePart("wishes");
  const usual = personas[0];
  const persona = personas.find(({ id }) => id === wishes.persona) ?? usual;
  const instruct = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    avatar.wish({ instructions: String(new FormData(event.currentTarget).get("instructions")).trim() });
  };
  const guide = about.engines.llm === "guide";
  return (
    <>
      <Field label={words.persona} hint={words.personaHint}>
        <select
          value={persona?.id}
          onChange={({ target }) => avatar.wish({ persona: target.value === usual?.id ? "" : target.value })}
        >
          {personas.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      </Field>
      <Speech about={about} usual={persona?.language ?? "en"} />
      <Field label={words.detection} hint={about.engines.turn ? undefined : words.noJudge}>
        <select
          value={wishes.detection}
          onChange={({ target }) => avatar.wish({ detection: target.value as Detection })}
        >
          {DETECTIONS.map((detection) => (
            <option key={detection} value={detection} disabled={detection === "complete" && !about.engines.turn}>
              {words.detections[detection]}
            </option>
          ))}
        </select>
      </Field>
      <form className="instruct" onSubmit={instruct}>
        <Field label={words.instructions} hint={guide ? words.guide : words.instructionsHint}>
          <textarea name="instructions" rows={4} maxLength={INSTRUCTIONS_MOST} defaultValue={wishes.instructions} />
        </Field>
        <button type="submit" className="plain">
          {words.apply}
        </button>
      </form>
    </>
  );
}

/** What the voice speaks. */
function Speech({ about, usual }: { about: About; usual: string }) {
  const words = useWords().settings;
  const avatar = useAvatar();
  const { language } = usePart("wishes");
  const there = about.languages ?? Object.keys(LANGUAGES);
  const name = (code: string) => LANGUAGES[code as Language] ?? code;
  const only = there.length === 1 ? words.onlyLanguage.replace("#", name(there[0] ?? "")) : undefined;
  return (
    <Field label={words.speaks} hint={only}>
      <select
        value={language || usual}
        disabled={only !== undefined}
        onChange={({ target }) => avatar.wish({ language: target.value === usual ? "" : target.value })}
      >
        {there.map((code) => (
          <option key={code} value={code} lang={code}>
            {name(code)}
          </option>
        ))}
      </select>
    </Field>
  );
}

/** What only this page knows of. */
function Shown() {
  const words = useWords().settings;
  const { language, setLanguage, captions, setCaptions } = useChoices();
  return (
    <>
      <Field label={words.page}>
        <select value={language} onChange={({ target }) => setLanguage(target.value as Language)}>
          {Object.entries(LANGUAGES).map(([code, name]) => (
            <option key={code} value={code} lang={code}>
              {name}
            </option>
          ))}
        </select>
      </Field>
      <label className="tick">
        <input type="checkbox" checked={captions} onChange={({ target }) => setCaptions(target.checked)} />
        <span>{words.captions}</span>
      </label>
    </>
  );
}
