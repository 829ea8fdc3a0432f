/** Who we are: a key out of the page's address buys a secret for each connection; a browser can send no key there. */
import { Refused } from "./link";

const KEPT = "realtime-avatar.key";

/** Takes `#key=ak_…` out of the address and keeps it for this tab. */
export function keyOfAddress(): string | null {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (given) {
    sessionStorage.setItem(KEPT, given);
    history.replaceState(null, "", location.pathname + location.search);
  }
  return sessionStorage.getItem(KEPT);
}

/** A secret for one handshake. Throws Refused with the service's sentence; a TypeError if nobody is there. */
export async function clientSecret(base: string, key: string | null): Promise<string> {
  const headers: HeadersInit = key ? { Authorization: `Bearer ${key}` } : {};
  return minted(await fetch(new URL("v1/realtime/client_secrets", base), { method: "POST", headers }));
}

/** Secrets out of the page's own backend, which passes the service's answer on. */
export function secretFrom(address: string): () => Promise<string> {
  return async () => minted(await fetch(address, { method: "POST" }));
}

async function minted(answer: Response): Promise<string> {
  const told = (await answer.json().catch(() => ({}))) as { value?: string; detail?: string };
  if (answer.ok && told.value) return told.value;
  throw new Refused(told.detail ?? `the service answers ${answer.status}`, answer.status);
}
