/** The keyboard: space is the button, Esc interrupts. Whoever writes, or has another button, keeps the keys. */
import { useEffect } from "react";
import type { Avatar } from "../client";

const OWN = "input, textarea, select, a[href], button:not(#talk), [role=tab]";

export function useKeys(avatar: Avatar): void {
  useEffect(() => {
    const { button } = avatar.talking;
    const isTalk = (event: KeyboardEvent) => event.code === "Space" && !(event.target as Element).closest?.(OWN);
    const down = (event: KeyboardEvent) => {
      if (event.code === "Escape" && !event.defaultPrevented) avatar.interrupt();
      if (!isTalk(event)) return;
      event.preventDefault();
      if (!event.repeat) button.down();
    };
    const up = (event: KeyboardEvent) => {
      if (!isTalk(event)) return;
      event.preventDefault(); // or the button would be clicked as well
      button.up();
    };
    const leave = () => button.cancel();
    addEventListener("keydown", down);
    addEventListener("keyup", up);
    addEventListener("blur", leave);
    return () => {
      removeEventListener("keydown", down);
      removeEventListener("keyup", up);
      removeEventListener("blur", leave);
    };
  }, [avatar]);
}
