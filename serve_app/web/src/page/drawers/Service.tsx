/** How the service is set up, as it says itself. */
import { useWords } from "../language";

export interface About {
  version: string;
  profile: string;
  engines: { asr: string | null; turn: string | null; llm: string | null; tts: string | null; face: string | null };
  kept: { keep: "none" | "text" | "full"; days: number };
  /** What the voice speaks; null if the engine does not tell. */
  languages: string[] | null;
}

export function Service({ about: { version, profile, engines, kept } }: { about: About }) {
  const words = useWords().settings;
  const rows: [string, string][] = [
    [words.profile, profile],
    [words.asr, engines.asr ?? "–"],
    [words.llm, engines.llm ?? "–"],
    [words.tts, engines.tts ?? "–"],
    [words.face, engines.face ?? "–"],
    [words.version, version],
  ];
  return (
    <div className="service">
      <h3>{words.service}</h3>
      <dl>
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <p className="quiet">{words.kept[kept.keep].replace("#", String(kept.days))}</p>
    </div>
  );
}
