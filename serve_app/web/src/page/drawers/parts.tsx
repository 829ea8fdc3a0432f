/** What several drawers are made of: a fault, a button that asks twice, a field with its label. */
import { type ReactNode, useState } from "react";
import { useWords } from "../language";

/** What went wrong, as the service says it. It is there all the time, so that screen readers hear it change. */
export function Fault({ children }: { children: string }) {
  return (
    <p className="fault" role="alert" hidden={!children}>
      {children}
    </p>
  );
}

/** A button that erases something, after it was asked whether it should. */
export function Erase({ what, erase, busy }: { what: string; erase: () => void; busy: boolean }) {
  const words = useWords().drawers;
  const [asking, ask] = useState<boolean | null>(null);
  if (!asking) {
    return (
      <button
        type="button"
        className="plain danger"
        aria-label={`${words.erase}: ${what}`}
        autoFocus={asking === false} // it was asked, and is kept
        onClick={() => ask(true)}
      >
        {words.erase}
      </button>
    );
  }
  return (
    <span className="sure" role="group" aria-label={words.sure}>
      {words.sure}
      <button type="button" className="plain danger" autoFocus disabled={busy} onClick={erase}>
        {words.erase}
      </button>
      <button type="button" className="plain" onClick={() => ask(false)}>
        {words.keep}
      </button>
    </span>
  );
}

export function Field({ label, hint, children }: { label: string; hint?: string | undefined; children: ReactNode }) {
  return (
    <label className="field">
      <span>{label}</span>
      {children}
      {hint && <small>{hint}</small>}
    </label>
  );
}

/** Whoever is seen or heard in what is sent must have agreed. */
export function Consent({ children }: { children: string }) {
  return (
    <label className="tick">
      <input type="checkbox" name="consent" value="true" required />
      <span>{children}</span>
    </label>
  );
}
