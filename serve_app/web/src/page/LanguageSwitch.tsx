/** Which language the page speaks; what the avatar speaks is another setting. */
import { LANGUAGES, type Language, useWords } from "./language";

export function LanguageSwitch({ language, choose }: { language: Language; choose: (language: Language) => void }) {
  const words = useWords();
  return (
    <select
      className="language"
      aria-label={words.language}
      value={language}
      onChange={({ target }) => choose(target.value as Language)}
    >
      {Object.entries(LANGUAGES).map(([code, name]) => (
        <option key={code} value={code} lang={code}>
          {name}
        </option>
      ))}
    </select>
  );
}
