/**
 * A talking face in any page: `embed(element, { url, secret })` puts the canvas, the mark, what the face is doing, and
 * the one button into an element. Its style touches nothing else of the page, and the page's touches nothing of it.
 */
import { type Avatar, type AvatarOptions, createAvatar } from "./avatar";
import type { AvatarState } from "./state";

export interface EmbedOptions extends Omit<AvatarOptions, "canvas"> {
  /** What is written in it, in the page's language. */
  words?: Partial<EmbedWords>;
}

export const EMBED_WORDS = {
  face: "A talking face",
  mark: "AI-generated",
  talk: "Hold to talk",
  talking: "Let go to send",
  handsFree: "Hands-free: just talk",
  soundOn: "Turn the sound on",
  connecting: "Connecting…",
};
export type EmbedWords = typeof EMBED_WORDS;

const STYLE = `
  :host { display: block; position: relative; aspect-ratio: 2 / 3; overflow: hidden; border-radius: 1rem; background: #333a44; font: 600 16px/1.3 system-ui, sans-serif; }
  canvas { position: absolute; width: 100%; height: 100%; object-fit: cover; object-position: 50% 20%; }
  p, button { position: absolute; margin: 0; color: #fff; font: inherit; }
  .mark, .state { padding: .15rem .6rem; border-radius: 1rem; background: rgb(14 17 22 / 78%); font-size: .78rem; }
  .mark { top: .6rem; right: .6rem; }
  .state { top: .6rem; left: .6rem; }
  .state:empty, button[hidden] { display: none; }
  button { left: .8rem; right: .8rem; bottom: .8rem; min-height: 3rem; border: 0; border-radius: 1.5rem; background: #0f6e66; cursor: pointer; touch-action: none; user-select: none; -webkit-user-select: none; }
  button.sound { bottom: 4.4rem; background: #4453c9; }
  button:focus-visible { outline: 3px solid #fff; outline-offset: -6px; }
  button[aria-pressed=true] { background: #b3264a; }
`;

/** Show a talking face in this element. `stop()` of what it gives takes the face away from the service again. */
export function embed(element: HTMLElement, options: EmbedOptions): Avatar {
  const words = { ...EMBED_WORDS, ...options.words };
  const root = element.shadowRoot ?? element.attachShadow({ mode: "open" });
  const part = <Tag extends keyof HTMLElementTagNameMap>(tag: Tag, set: Partial<HTMLElementTagNameMap[Tag]>) =>
    root.appendChild(Object.assign(document.createElement(tag), set));
  root.replaceChildren();
  part("style", { textContent: STYLE });
  const canvas = part("canvas", { role: "img", ariaLabel: words.face });
  part("p", { className: "mark", textContent: words.mark });
  const state = part("p", { className: "state" });
  state.setAttribute("role", "status");
  const sound = part("button", { type: "button", className: "sound", textContent: words.soundOn, hidden: true });
  const talk = part("button", { type: "button", className: "talk" });
  const avatar = createAvatar({ ...options, canvas });
  sound.onclick = () => void avatar.wake();
  listen(talk, avatar);
  const draw = () => {
    const now = avatar.store.get();
    state.textContent = said(now, words);
    sound.hidden = now.sound !== "blocked";
    talk.textContent = now.talk === "pressed" ? words.talking : now.handsFree ? words.handsFree : words.talk;
    talk.ariaPressed = String(now.talk === "pressed" || now.handsFree);
    element.dataset["state"] = now.link === "open" ? now.phase : now.link;
    element.dataset["face"] = now.speaking ? "speaking" : "idle";
  };
  avatar.store.subscribe(draw);
  draw();
  return avatar;
}

/** One line about what does not go as it should; empty if all does. */
export function said({ link, problem }: Pick<AvatarState, "link" | "problem">, words: EmbedWords): string {
  if (problem) return problem.text ?? problem.code.replaceAll("_", " ");
  return link === "open" ? "" : words.connecting;
}

/** Held it is push-to-talk, tapped it is hands-free. */
function listen(button: HTMLButtonElement, { talking, store }: Avatar): void {
  button.onpointerdown = ({ button: which }) => {
    if (which !== 0) return;
    talking.button.down();
    addEventListener("pointerup", () => talking.button.up(), { once: true });
    addEventListener("pointercancel", () => talking.button.cancel(), { once: true });
  };
  button.oncontextmenu = (event) => event.preventDefault();
  // Enter, space, and a screen reader click without a pointer: that is a tap.
  button.onclick = ({ detail }) => detail === 0 && void talking.setHandsFree(!store.get().handsFree);
}
