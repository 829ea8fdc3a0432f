/** The stage: the canvas, what the avatar is doing around it, and what must be asked for on top of it. */
import { useEffect, useRef } from "react";
import { MoodIcon } from "./Icons";
import { useWords } from "./language";
import { useAvatar, useMood, usePart } from "./useAvatar";
import { useLevel } from "./useLevel";

export function Face({ canvas }: { canvas: HTMLCanvasElement }) {
  const words = useWords();
  const mood = useMood();
  const frame = useRef<HTMLDivElement>(null);
  const stage = useLevel<HTMLElement>();
  useEffect(() => frame.current?.prepend(canvas), [canvas]);
  useEffect(() => {
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", words.face);
  }, [canvas, words]);
  return (
    <section className="stage" data-mood={mood} aria-label={words.stage} ref={stage}>
      <div className="frame" ref={frame}>
        <p className="badge">
          <MoodIcon mood={mood} />
          <span>{words.states[mood]}</span>
        </p>
        <p className="mark">{words.mark}</p>
        <SoundBlocked />
      </div>
    </section>
  );
}

function SoundBlocked() {
  const words = useWords();
  const avatar = useAvatar();
  if (usePart("sound") !== "blocked") return null;
  return (
    <div className="blocked" role="alert">
      <p>{words.soundBlocked}</p>
      <button type="button" className="primary" onClick={() => void avatar.wake()}>
        {words.soundOn}
      </button>
    </div>
  );
}
