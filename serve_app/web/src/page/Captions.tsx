/** What both sides say, as it is said; the word that is being spoken is lit, and one sees where a reply was cut. */
import { memo, useEffect, useRef } from "react";
import type { Line } from "../client";
import { useWords } from "./language";
import { usePart } from "./useAvatar";

export function Captions() {
  const words = useWords();
  const lines = usePart("lines");
  const list = useRef<HTMLOListElement>(null);
  useEffect(() => {
    const { current } = list;
    if (!current) return;
    const toTheEnd = () => current.scrollTo({ top: current.scrollHeight });
    toTheEnd();
    const watch = new ResizeObserver(toTheEnd); // a drawer or a keyboard takes room
    watch.observe(current);
    return () => watch.disconnect();
  }, [lines]);
  return (
    <ol id="captions" ref={list} tabIndex={0} aria-label={words.conversation}>
      {lines.map((line) => (
        <CaptionLine key={line.id} line={line} who={words[line.who]} interrupted={words.interrupted} />
      ))}
      {lines.length === 0 && <li className="empty">{words.empty}</li>}
    </ol>
  );
}

interface CaptionLineProps {
  line: Line;
  who: string;
  interrupted: string;
}

const CaptionLine = memo(function CaptionLine({ line, who, interrupted }: CaptionLineProps) {
  const { text, word, heard, cut, partial } = line;
  const mine = line.who === "you";
  return (
    <li data-who={line.who} className={[partial && "partial", cut && "cut"].filter(Boolean).join(" ")}>
      <span className="who">{who}</span>
      {mine ? (
        <>
          {text.slice(0, heard)}
          <span className="coming">{text.slice(heard)}</span>
        </>
      ) : (
        <>
          <span className="heard">{text.slice(0, word)}</span>
          {heard > word && <mark>{text.slice(word, heard)}</mark>}
          <span className="coming">{text.slice(heard)}</span>
        </>
      )}
      {cut && <em className="note">{interrupted}</em>}
    </li>
  );
});

/** The same for screen readers, which are told only what will not change any more. */
export function Announcer() {
  const words = useWords();
  const lines = usePart("lines");
  const last = lines.findLast(({ partial }) => !partial);
  return (
    <p className="unseen" aria-live="polite">
      {last && `${words[last.who]}: ${last.text}`}
    </p>
  );
}
