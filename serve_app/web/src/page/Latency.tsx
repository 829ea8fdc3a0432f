/** How long each turn took, as bars on one scale, and how well sound and picture keep together. */
import { useEffect, useState } from "react";
import { percentile, STEPS, type Step, type TurnTimes } from "../client";
import { useWords } from "./language";
import { useAvatar, usePart } from "./useAvatar";

/** Bars that are shown, the newest first. */
const SHOWN = 12;
const REFRESH_MS = 500;

const ms = (value: number | undefined) => (value === undefined || Number.isNaN(value) ? "–" : `${Math.round(value)} ms`);

export function Latency() {
  const words = useWords().latency;
  const turns = usePart("turns");
  const { player } = useAvatar();
  useRefresh();
  const faces = turns.map(({ at }) => at.face).filter((value) => value !== undefined);
  const { skew, stalls } = player.shown;
  const figures: [string, string | number][] = [
    [words.median, ms(percentile(faces, 0.5))],
    [words.p95, ms(percentile(faces, 0.95))],
    [words.skew, ms(percentile(skew, 0.5))],
    [words.skew95, ms(percentile(skew, 0.95))],
    [words.stalls, stalls],
    [words.skipped, player.pictures.skipped],
  ];
  const newest = turns.slice(-SHOWN).reverse();
  const longest = Math.max(1000, ...newest.flatMap(({ at }) => Object.values(at)));
  return (
    <div className="latency">
      <p>{words.intro}</p>
      <dl className="figures">
        {figures.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <ul className="legend">
        {STEPS.map((step) => (
          <li key={step} data-step={step}>
            {words[step]}
          </li>
        ))}
      </ul>
      {newest.length === 0 && <p className="quiet">{words.none}</p>}
      <ol className="bars-of-turns">
        {newest.map((turn, place) => (
          <Bar key={turns.length - place} turn={turn} longest={longest} />
        ))}
      </ol>
    </div>
  );
}

function Bar({ turn, longest }: { turn: TurnTimes; longest: number }) {
  const words = useWords().latency;
  let from = 0;
  const pieces: [Step, number][] = STEPS.flatMap((step) => {
    const at = turn.at[step];
    if (at === undefined) return [];
    const piece: [Step, number] = [step, Math.max(at - from, 0)];
    from = Math.max(at, from);
    return [piece];
  });
  const said = STEPS.map((step) => `${words[step]} ${ms(turn.at[step])}`).join(", ");
  return (
    <li>
      <span>
        {words.turn} {turn.turn}
        {turn.typed && ` · ${words.typed}`}
      </span>
      <span className="bar" role="img" aria-label={said} title={said}>
        {pieces.map(([step, length]) => (
          <i key={step} data-step={step} style={{ width: `${(length / longest) * 100}%` }} />
        ))}
      </span>
      <b>{ms(turn.at.face)}</b>
    </li>
  );
}

/** The player's figures change with every picture; twice a second is enough to read them. */
function useRefresh(): void {
  const [, refresh] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => refresh((count) => count + 1), REFRESH_MS);
    return () => clearInterval(timer);
  }, []);
}
