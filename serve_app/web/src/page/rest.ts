/** The service's addresses beside the socket, asked as this page may ask. What goes wrong is the service's sentence. */
import { createContext, useContext } from "react";

/** The service answered that it will not; the message is a sentence for people. */
export class Told extends Error {}

export class Rest {
  readonly base: string;
  private readonly key: string | null;

  constructor(base: string, key: string | null) {
    this.base = base;
    this.key = key;
  }

  /** The whole address of a path that begins with a slash. */
  at(path: string): string {
    return new URL(path.replace(/^\//, ""), this.base).href;
  }

  async json<T>(path: string, request: RequestInit = {}): Promise<T> {
    return (await this.ask(path, request)).json() as Promise<T>;
  }

  async blob(path: string, request: RequestInit = {}): Promise<Blob> {
    return (await this.ask(path, request)).blob();
  }

  async erase(path: string): Promise<void> {
    await this.ask(path, { method: "DELETE" });
  }

  /** Throws Told, or a TypeError if nobody answers. */
  private async ask(path: string, request: RequestInit): Promise<Response> {
    const headers = new Headers(request.headers);
    if (this.key) headers.set("Authorization", `Bearer ${this.key}`);
    const answer = await fetch(this.at(path), { ...request, headers });
    if (answer.ok) return answer;
    throw new Told(reason(await answer.json().catch(() => null)) ?? `the service answers ${answer.status}`);
  }
}

/** The sentence in an answer: `{"detail": "…"}`, or as OpenAI's. */
export function reason(told: unknown): string | null {
  const { detail, error } = (told ?? {}) as { detail?: unknown; error?: { message?: unknown } };
  const said = error?.message ?? detail;
  return typeof said === "string" && said ? said : null;
}

/** As it is shown to people: with a capital letter and a full stop. */
export function sentence(text: string): string {
  const said = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?。]$/.test(said) ? said : `${said}.`;
}

/** Let the browser keep this as a file. */
export function save(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

export const Asking = createContext<Rest | null>(null);

export function useRest(): Rest {
  const rest = useContext(Asking);
  if (!rest) throw new Error("no service above this component");
  return rest;
}
