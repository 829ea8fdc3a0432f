/** A panel at the side with tabs; each tab is a component that is drawn only while it is open. */
import { type ComponentType, type KeyboardEvent, useEffect, useRef } from "react";
import { CloseIcon } from "./Icons";
import { useWords } from "./language";

export interface Tab {
  id: string;
  title: string;
  Icon: ComponentType;
  Content: ComponentType<{ close: () => void }>;
}

interface DrawerProps {
  tabs: readonly Tab[];
  /** The tab that is open. */
  shown: string;
  show: (id: string) => void;
  close: () => void;
}

export function Drawer({ tabs, shown, show, close }: DrawerProps) {
  const words = useWords();
  const panel = useRef<HTMLElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    panel.current?.focus();
    return () => (before as HTMLElement | null)?.focus(); // where the keyboard was
  }, []);
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
    <aside className="drawer" ref={panel} tabIndex={-1} aria-label={words.drawers.title} onKeyDown={keys}>
      <header>
        <div role="tablist">
          {tabs.map(({ id, title, Icon }) => (
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
              <Icon />
              <span>{title}</span>
            </button>
          ))}
        </div>
        <button type="button" className="round" aria-label={words.close} onClick={close}>
          <CloseIcon />
        </button>
      </header>
      {tab && (
        <div id="drawer-content" key={tab.id} role="tabpanel" aria-labelledby={`tab-${tab.id}`} tabIndex={0}>
          <tab.Content close={close} />
        </div>
      )}
    </aside>
  );
}
