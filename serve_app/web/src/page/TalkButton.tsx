/** One button: held it is push-to-talk, tapped it is hands-free. */
import { type MouseEvent, type PointerEvent, useCallback } from "react";
import { MicrophoneIcon } from "./Icons";
import { useWords } from "./language";
import { useAvatar, usePart } from "./useAvatar";
import { useLevel } from "./useLevel";

export function TalkButton() {
  const words = useWords();
  const { talking } = useAvatar();
  const talk = usePart("talk");
  const handsFree = usePart("handsFree");
  const button = useLevel<HTMLButtonElement>();
  const down = useCallback(
    ({ button: which }: PointerEvent) => {
      if (which !== 0) return;
      talking.button.down();
      // The finger may leave the button before it is lifted.
      addEventListener("pointerup", () => talking.button.up(), { once: true });
      addEventListener("pointercancel", () => talking.button.cancel(), { once: true });
    },
    [talking],
  );
  // Enter, and a screen reader, click without a pointer: that is a tap.
  const click = ({ detail }: MouseEvent) => detail === 0 && void talking.setHandsFree(!handsFree);
  const label = talk === "pressed" ? words.talking : handsFree ? words.handsFree : words.talk;
  return (
    <button
      id="talk"
      ref={button}
      type="button"
      data-talk={talk}
      data-hands-free={handsFree}
      aria-pressed={talk === "pressed" || handsFree}
      aria-describedby="talk-hint"
      onPointerDown={down}
      onClick={click}
      onContextMenu={(event) => event.preventDefault()}
    >
      <MicrophoneIcon />
      <span>{label}</span>
    </button>
  );
}
