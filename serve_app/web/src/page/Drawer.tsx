/** A panel at the side with tabs; each tab is a component that is drawn only while it is open. */
import { type ComponentType, type KeyboardEvent, useEffect, useRef, useState } from "react";
import { CloseIcon } from "./Icons";
import { useWords } from "./language";

export interface Tab {
  id: string;
  title: string;
  Content: ComponentType;
}

export function Drawer({ tabs, close }: { tabs: readonly Tab[]; close: () => void }) {
  const words = useWords();
  const [shown, show] = useState(tabs[0]?.id);
  const panel = useRef<HTMLElement>(null);
  useEffect(() => panel.current?.focus(), []);
  const tab = tabs.find(({ id }) => id === shown) ?? tabs[0];
  const keys = (event: KeyboardEvent) => {
    if (event.key === "Escape") {
      event.preventDefault(); // else it would interrupt the reply, too
      close();
    }
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step || !tab || !(event.target as Element).matches("[role=tab]")) return;
    const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
    if (next) {
      show(next.id);
      document.getElementById(`tab-${next.id}`)?.focus();
    }
  };
  return (
    <aside className="drawer" ref={panel} tabIndex={-1} aria-label={words.measurements} onKeyDown={keys}>
      <header>
        <div role="tablist">
          {tabs.map(({ id, title }) => (
            <button
              key={id}
              id={`tab-${id}`}
              type="button"
              role="tab"
              aria-selected={id === tab?.id}
              aria-controls="drawer-content"
              tabIndex={id === tab?.id ? 0 : -1}
              onClick={() => show(id)}
            >
              {title}
            </button>
          ))}
        </div>
        <button type="button" className="round" aria-label={words.close} onClick={close}>
          <CloseIcon />
        </button>
      </header>
      {tab && (
        <div id="drawer-content" role="tabpanel" aria-labelledby={`tab-${tab.id}`} tabIndex={0}>
          <tab.Content />
        </div>
      )}
    </aside>
  );
}
