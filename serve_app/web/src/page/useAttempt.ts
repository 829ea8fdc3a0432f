/** Something that is asked of the service: under way, done, or refused with a sentence. */
import { useCallback, useEffect, useState } from "react";
import { useWords } from "./language";
import { sentence, Told } from "./rest";

export interface Attempt {
  busy: boolean;
  /** What went wrong, for people; empty if nothing did. */
  fault: string;
  attempt: (what: () => Promise<void>) => Promise<void>;
}

export function useAttempt(): Attempt {
  const { unreachable } = useWords().drawers;
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState("");
  const attempt = useCallback(
    async (what: () => Promise<void>) => {
      setBusy(true);
      setFault("");
      try {
        await what();
      } catch (error) {
        setFault(error instanceof Told ? sentence(error.message) : unreachable);
        if (!(error instanceof Told) && !(error instanceof TypeError)) throw error; // ours
      } finally {
        setBusy(false);
      }
    },
    [unreachable],
  );
  return { busy, fault, attempt };
}

/** What the service has, once it came; `again` asks anew. `load` must stay the same function. */
export function useLoaded<T>(load: () => Promise<T>): { value: T | null; fault: string; again: () => Promise<void> } {
  const [value, setValue] = useState<T | null>(null);
  const { fault, attempt } = useAttempt();
  const again = useCallback(() => attempt(async () => setValue(await load())), [attempt, load]);
  useEffect(() => void again(), [again]);
  return { value, fault, again };
}
