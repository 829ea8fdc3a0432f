/** One conversation: what was said, and what one can do with it. */
import { useCallback, useEffect, useRef } from "react";
import type { Before } from "../../client";
import { useWords } from "../language";
import { save, useRest } from "../rest";
import { useAvatar, usePart } from "../useAvatar";
import { useAttempt, useLoaded } from "../useAttempt";
import { type Listed, moment } from "./History";
import { Erase, Fault } from "./parts";

interface Said {
  role: "user" | "assistant" | "system" | "call" | "tool";
  text: string;
  turn: number;
  cut: boolean;
}

interface Conversation extends Listed {
  settings: { persona?: string; media?: boolean };
  said: Said[];
}

const wasSaid = (one: Said): one is Said & Before => (one.role === "user" || one.role === "assistant") && one.text !== "";

export function Talk({ id, back, close }: { id: string; back: () => void; close: () => void }) {
  const words = useWords();
  const rest = useRest();
  const avatar = useAvatar();
  const goesOn = usePart("session")?.id === id;
  const path = `/conversations/${encodeURIComponent(id)}`;
  const { value, fault } = useLoaded(useCallback(() => rest.json<Conversation>(path), [rest, path]));
  const { busy, fault: failed, attempt } = useAttempt();
  const top = useRef<HTMLButtonElement>(null);
  useEffect(() => top.current?.focus(), []);
  const keep = (from: string, name: string) => attempt(async () => save(await rest.blob(from), name));
  const goOn = (talk: Conversation) => {
    const part = talk.settings.persona === undefined ? {} : { persona: talk.settings.persona };
    avatar.begin(talk.said.filter(wasSaid), part);
    close();
  };
  const erase = () =>
    attempt(async () => {
      await rest.erase(path);
      back();
    });
  return (
    <section className="panel">
      <button type="button" className="plain" ref={top} onClick={back}>
        ← {words.history.all}
      </button>
      <Fault>{fault || failed}</Fault>
      {value && (
        <>
          <h2>{moment(value.created, words.code)}</h2>
          <div className="actions">
            <button type="button" className="primary" onClick={() => (goesOn ? close() : goOn(value))}>
              {goesOn ? words.history.backToIt : words.history.goOn}
            </button>
            <button type="button" className="plain" disabled={busy} onClick={() => keep(`${path}/transcript.txt`, `${id}.txt`)}>
              {words.history.asText}
            </button>
            <button type="button" className="plain" disabled={busy} onClick={() => keep(path, `${id}.json`)}>
              JSON
            </button>
            {value.settings.media && (
              <button type="button" className="plain" disabled={busy} onClick={() => keep(`${path}/film.mp4`, `${id}.mp4`)}>
                {words.history.film}
              </button>
            )}
            <Erase what={moment(value.created, words.code)} erase={erase} busy={busy} />
          </div>
          {!value.settings.media && <p className="quiet">{words.history.noMedia}</p>}
          <ol className="transcript">
            {value.said.filter(wasSaid).map((one, place) => (
              <li key={place} data-who={one.role === "user" ? "you" : "avatar"}>
                <span className="who">{one.role === "user" ? words.you : words.avatar}</span>
                {one.text}
                {one.cut && <em className="note">{words.interrupted}</em>}
                {value.settings.media && one.role === "assistant" && (
                  <button
                    type="button"
                    className="plain small"
                    disabled={busy}
                    onClick={() => keep(`${path}/replies/${one.turn}.mp4`, `${id}-${one.turn}.mp4`)}
                  >
                    MP4
                    <span className="unseen">
                      : {words.history.reply} {one.turn}
                    </span>
                  </button>
                )}
              </li>
            ))}
          </ol>
        </>
      )}
    </section>
  );
}
