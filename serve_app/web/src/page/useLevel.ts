/** The microphone's level as the style property `--level` of one element; fifty times a second is too often to draw. */
import { type RefObject, useEffect, useRef } from "react";
import { useAvatar } from "./useAvatar";

/** How quickly it falls: a level that jumps with every block looks nervous. */
const FALL = 0.8;

export function useLevel<Kind extends HTMLElement>(): RefObject<Kind | null> {
  const { signals } = useAvatar();
  const element = useRef<Kind>(null);
  useEffect(() => {
    let shown = 0;
    return signals.on("level", (level) => {
      shown = Math.max(level, shown * FALL);
      element.current?.style.setProperty("--level", shown.toFixed(3));
    });
  }, [signals]);
  return element;
}
