/** What a person can do: talk, write, stop the reply. */
import { type FormEvent, useRef } from "react";
import { SendIcon, StopIcon } from "./Icons";
import { useWords } from "./language";
import { TalkButton } from "./TalkButton";
import { useAvatar, useMood } from "./useAvatar";

/** Characters that the service takes in one message. */
const MOST = 4000;

export function Composer() {
  const words = useWords();
  const avatar = useAvatar();
  const mood = useMood();
  const text = useRef<HTMLInputElement>(null);
  const send = (event: FormEvent) => {
    event.preventDefault();
    const written = text.current?.value.trim();
    if (!written || !avatar.type(written) || !text.current) return;
    text.current.value = "";
  };
  const busy = mood === "thinking" || mood === "speaking" || mood === "held";
  return (
    <div className="composer">
      <form id="typed" onSubmit={send}>
        <input
          id="text"
          ref={text}
          type="text"
          maxLength={MOST}
          autoComplete="off"
          enterKeyHint="send"
          placeholder={words.write}
          aria-label={words.write}
        />
        <button type="submit" className="round" aria-label={words.send} title={words.send}>
          <SendIcon />
        </button>
      </form>
      <div className="talk-row">
        <TalkButton />
        <button
          type="button"
          className="round stop"
          aria-label={words.stop}
          title={`${words.stop} (Esc)`}
          disabled={!busy}
          onClick={() => avatar.interrupt()}
        >
          <StopIcon />
        </button>
      </div>
      <p id="talk-hint">{words.talkHint}</p>
    </div>
  );
}
