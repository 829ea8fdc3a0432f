/** Earlier conversations: a list, and one of them to read, go on with, take along or erase. */
import { useCallback, useState } from "react";
import { useWords } from "../language";
import { useRest } from "../rest";
import { usePart } from "../useAvatar";
import { useAttempt, useLoaded } from "../useAttempt";
import { Fault } from "./parts";
import { Talk } from "./Talk";

export interface Listed {
  id: string;
  created: string;
  ended: string | null;
  items: number;
}

interface Page {
  conversations: Listed[];
  next: string | null;
}

const PAGE = 20;

export function History({ close }: { close: () => void }) {
  const words = useWords();
  const rest = useRest();
  const now = usePart("session")?.id;
  const [open, setOpen] = useState<string | null>(null);
  const [older, setOlder] = useState<Page[]>([]);
  const first = useCallback(() => rest.json<Page>(`/conversations?limit=${PAGE}`), [rest]);
  const { value, fault, again } = useLoaded(first);
  const { busy, fault: later, attempt } = useAttempt();
  const pages = value ? [value, ...older] : [];
  const rows = pages.flatMap(({ conversations }) => conversations);
  const next = pages.at(-1)?.next;
  const more = () =>
    attempt(async () => {
      const page = await rest.json<Page>(`/conversations?limit=${PAGE}&before=${encodeURIComponent(next ?? "")}`);
      setOlder([...older, page]);
    });
  const back = () => {
    setOpen(null);
    setOlder([]);
    void again();
  };
  if (open) return <Talk id={open} back={back} close={close} />;
  return (
    <section className="panel">
      <h2>{words.history.title}</h2>
      <Fault>{fault || later}</Fault>
      {value && rows.length === 0 && <p className="quiet">{words.history.none}</p>}
      <ul className="rows">
        {rows.map(({ id, created, items }) => (
          <li key={id}>
            <button type="button" className="row" data-conversation={id} onClick={() => setOpen(id)}>
              <b>{moment(created, words.code)}</b>
              <span>
                {words.history.entries.replace("#", String(items))}
                {id === now && ` · ${words.history.now}`}
              </span>
            </button>
          </li>
        ))}
      </ul>
      {next && (
        <button type="button" className="plain" disabled={busy} onClick={more}>
          {words.history.older}
        </button>
      )}
    </section>
  );
}

/** A moment as people of that language write it where this browser is at home. */
export function moment(iso: string, language: string): string {
  const local = navigator.languages.find((name) => name.startsWith(language)) ?? language;
  return new Intl.DateTimeFormat(local, { dateStyle: "medium", timeStyle: "short" }).format(new Date(iso));
}
