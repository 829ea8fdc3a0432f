/** The faces there are: looked at, chosen, made of a picture, erased. */
import { useCallback, useState } from "react";
import { useWords } from "../language";
import { sentence, useRest } from "../rest";
import { useAvatar, usePart } from "../useAvatar";
import { useAttempt, useLoaded } from "../useAttempt";
import { AvatarUpload } from "./AvatarUpload";
import { Erase, Fault } from "./parts";

export interface Portrayed {
  id: string;
  name: string;
  built_in: boolean;
  idle: string | null;
  portrait: string | null;
  notes: string[];
}

interface Gallery {
  avatars: Portrayed[];
  shown: string;
  import: { ready: boolean; reason: string };
}

export function Avatars() {
  const words = useWords();
  const rest = useRest();
  const now = usePart("session")?.avatar.id;
  const [chosen, choose] = useState<string | null>(null);
  const { value, fault, again } = useLoaded(useCallback(() => rest.json<Gallery>("/avatars"), [rest]));
  const selected = value?.avatars.find(({ id }) => id === (chosen ?? now)) ?? value?.avatars[0];
  const made = (avatar: Portrayed) => {
    choose(avatar.id);
    void again();
  };
  return (
    <section className="panel">
      <h2>{words.avatars.title}</h2>
      <Fault>{fault}</Fault>
      <ul className="gallery">
        {value?.avatars.map((one) => (
          <li key={one.id}>
            <button type="button" aria-pressed={one === selected} onClick={() => choose(one.id)}>
              <Still avatar={one} />
              <span>{one.name}</span>
              {one.id === now && <small>{words.avatars.now}</small>}
            </button>
          </li>
        ))}
      </ul>
      {value && selected && (
        <Preview key={selected.id} avatar={selected} now={selected.id === now} usual={value.shown} changed={again} />
      )}
      {value && <AvatarUpload {...value.import} made={made} />}
    </section>
  );
}

function Still({ avatar: { portrait, idle } }: { avatar: Portrayed }) {
  const rest = useRest();
  if (portrait) return <img src={rest.at(portrait)} alt="" loading="lazy" />;
  return idle ? <video src={rest.at(idle)} muted playsInline preload="metadata" aria-hidden="true" tabIndex={-1} /> : <i />;
}

interface PreviewProps {
  avatar: Portrayed;
  now: boolean;
  /** The face that the service shows by itself. */
  usual: string;
  changed: () => Promise<void>;
}

/** Its idle loop, and what can be done with it. */
function Preview({ avatar, now, usual, changed }: PreviewProps) {
  const words = useWords();
  const rest = useRest();
  const shown = useAvatar();
  const { busy, fault, attempt } = useAttempt();
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const erase = () =>
    attempt(async () => {
      await rest.erase(`/avatars/${encodeURIComponent(avatar.id)}`);
      if (now) shown.wish({ avatar: "" });
      await changed();
    });
  return (
    <div className="preview">
      {avatar.idle && (
        <video src={rest.at(avatar.idle)} muted loop playsInline autoPlay={!still} controls={still} aria-label={avatar.name} />
      )}
      <div>
        <h3>{avatar.name}</h3>
        {avatar.built_in && <p className="quiet">{words.avatars.builtIn}</p>}
        {avatar.notes.map((note) => (
          <p key={note} className="quiet">
            {sentence(note)}
          </p>
        ))}
        <div className="actions">
          <button
            type="button"
            className="primary"
            disabled={now}
            onClick={() => shown.wish({ avatar: avatar.id === usual ? "" : avatar.id })}
          >
            {now ? words.avatars.now : words.avatars.use}
          </button>
          {!avatar.built_in && <Erase what={avatar.name} erase={erase} busy={busy} />}
        </div>
        {!now && <p className="quiet">{words.drawers.beginsAnew}</p>}
        <Fault>{fault}</Fault>
      </div>
    </div>
  );
}
