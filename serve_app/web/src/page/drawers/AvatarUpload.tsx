/** A picture that becomes a face. What is wrong with it the service says. */
import { type FormEvent, useRef } from "react";
import { useWords } from "../language";
import { sentence, useRest } from "../rest";
import { useAttempt } from "../useAttempt";
import type { Portrayed } from "./Avatars";
import { Consent, Fault, Field } from "./parts";

interface UploadProps {
  ready: boolean;
  /** Why no picture can be taken in. */
  reason: string;
  made: (avatar: Portrayed) => void;
}

export function AvatarUpload({ ready, reason, made }: UploadProps) {
  const words = useWords();
  const rest = useRest();
  const { busy, fault, attempt } = useAttempt();
  const form = useRef<HTMLFormElement>(null);
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const body = new FormData(event.currentTarget);
    void attempt(async () => {
      made(await rest.json<Portrayed>("/avatars", { method: "POST", body }));
      form.current?.reset();
    });
  };
  return (
    <form className="upload" ref={form} onSubmit={send} aria-busy={busy}>
      <h3>{words.avatars.own}</h3>
      {!ready && <p className="quiet">{sentence(reason)}</p>}
      {ready && (
        <>
          <Field label={words.avatars.picture} hint={words.avatars.pictureHint}>
            <input type="file" name="file" accept="image/png,image/jpeg,image/webp" required />
          </Field>
          <Field label={words.drawers.name}>
            <input type="text" name="name" maxLength={60} autoComplete="off" />
          </Field>
          <Consent>{words.avatars.consent}</Consent>
          <button type="submit" className="primary" disabled={busy}>
            {busy ? words.avatars.making : words.avatars.make}
          </button>
        </>
      )}
      <Fault>{fault}</Fault>
    </form>
  );
}
