/** The few drawings of the page: one for each state, each of another shape, and those on buttons. */
import type { ReactNode } from "react";
import type { Mood } from "./useAvatar";

function Drawing({ children }: { children: ReactNode }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      {children}
    </svg>
  );
}

const turning = <path className="turns" d="M12 4a8 8 0 1 1-7 4" />;

const MOODS: Record<Mood, ReactNode> = {
  connecting: turning,
  reconnecting: turning,
  ended: <path d="M6 6l12 12M18 6L6 18" />,
  idle: <circle cx="12" cy="12" r="4" fill="currentColor" />,
  listening: (
    <g className="bars">
      <path d="M6 9v6" />
      <path d="M12 5v14" />
      <path d="M18 9v6" />
    </g>
  ),
  thinking: (
    <g className="dots">
      <circle cx="5" cy="12" r="2" />
      <circle cx="12" cy="12" r="2" />
      <circle cx="19" cy="12" r="2" />
    </g>
  ),
  speaking: (
    <g className="waves">
      <path d="M5 10v4h3l4 3V7l-4 3z" />
      <path d="M15.5 9.5a4 4 0 0 1 0 5" />
      <path d="M18 7a8 8 0 0 1 0 10" />
    </g>
  ),
  held: <path d="M9 6v12M15 6v12" strokeWidth="3" />,
};

export function MoodIcon({ mood }: { mood: Mood }) {
  return <Drawing>{MOODS[mood]}</Drawing>;
}

export const MicrophoneIcon = () => (
  <Drawing>
    <rect x="9" y="3" width="6" height="11" rx="3" />
    <path d="M5 11a7 7 0 0 0 14 0M12 18v3" />
  </Drawing>
);

export const SendIcon = () => (
  <Drawing>
    <path d="M12 19V5M6 11l6-6 6 6" />
  </Drawing>
);

export const StopIcon = () => (
  <Drawing>
    <rect x="7" y="7" width="10" height="10" rx="2" />
  </Drawing>
);

export const ChartIcon = () => (
  <Drawing>
    <path d="M5 19V11M12 19V5M19 19v-6" />
  </Drawing>
);

export const MenuIcon = () => (
  <Drawing>
    <path d="M4 7h16M4 12h16M4 17h16" />
  </Drawing>
);

export const ClockIcon = () => (
  <Drawing>
    <circle cx="12" cy="12" r="8.5" />
    <path d="M12 7v5l3.5 2" />
  </Drawing>
);

export const PersonIcon = () => (
  <Drawing>
    <circle cx="12" cy="8.5" r="4.5" />
    <path d="M4 21a8 6.5 0 0 1 16 0" />
  </Drawing>
);

export const SoundIcon = () => (
  <Drawing>
    <path d="M4 10v4M8 7v10M12 4v16M16 8v8M20 10v4" />
  </Drawing>
);

export const GearIcon = () => (
  <Drawing>
    <path d="M4 7h9M17 7h3M4 17h3M11 17h9" />
    <circle cx="15" cy="7" r="2" />
    <circle cx="9" cy="17" r="2" />
  </Drawing>
);

export const CloseIcon = () => (
  <Drawing>
    <path d="M6 6l12 12M18 6L6 18" />
  </Drawing>
);
