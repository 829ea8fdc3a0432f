"""Which language a text is written in, as far as it tells: by its script, else by the small words that it is full of.

A voice speaks one language at a time and a reply may be in any, so the conversation says with each clip what it is.
A clip alone often does not tell ("No.", "Claro."): what the reply said before counts too, and the language that the
person speaks. This file knows no voice and no sound.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

from streaming.commands import Speak

_SMALL = {
    "en": "the a an is are am i you he she it we they what how why who when where and or but of to in on for with do"
    " does did can could would please hello hi thanks yes my your this that there have has not at be was will if so no"
    " me him her them us our their",
    "es": "el la los las un una unos de del al que qué y o pero en con por para es son está están soy eres hay no sí"
    " se lo le me te mi tu su muy más como cómo cuando gracias hola también esto eso puedo puedes tengo he ha"
    " claro bien bueno vale",
    "fr": "le la les un une des de du et ou mais en dans avec pour par est sont suis êtes je tu il elle nous vous ils"
    " ne pas que qui ce cette c'est j'ai mon votre plus très bonjour merci oui non aussi au aux sur",
    "de": "der die das ein eine einen dem den des und oder aber in im mit für von zu ist sind bin bist ich du er sie"
    " wir ihr es nicht kein was wie warum wer wann wo bitte danke ja nein auch sehr mein dein ihre auf aus hat haben",
    "it": "il lo la i gli le un una di del della e o ma in con per è sono sei io tu lui lei noi voi non che chi come"
    " cosa perché quando dove mi ti si più molto grazie ciao anche questo questa ho hai ha",
    "pt": "o a os as um uma de do da dos e ou mas em no na com por para é são sou você eu ele ela nós não que quem como"
    " quando onde me te se mais muito obrigado obrigada olá também isto isso tenho tem está seu minha",
}
"""Words that hardly any sentence of the language does without."""
_WORDS = {language: frozenset(words.split()) for language, words in _SMALL.items()}
_SHARES = {word: 1 / sum(word in small for small in _WORDS.values()) for small in _WORDS.values() for word in small}
_OWN = {"es": "¿¡ñ", "de": "ß", "pt": "ãõ"}
"""Letters and marks of one of these languages alone."""
_SCRIPTS = {
    "HIRAGANA": "ja", "KATAKANA": "ja", "HANGUL": "ko", "CJK": "zh", "CYRILLIC": "ru", "ARABIC": "ar", "HEBREW": "he",
    "GREEK": "el", "THAI": "th", "DEVANAGARI": "hi",
}  # fmt: skip
"""First word of a letter's name -> the language that is most often written with it."""
SURE = 1.5
"""Small words that tell a language; one that several have counts as a part of one. For the language that the person
speaks the least is enough."""
LEAD = 1.5
"""How many times as many as of any other language there must be."""
UNKNOWN_FROM = 5
"""Words without a single small one of a known language, from which on the person's own language is believed."""


def written_in(text: str, likely: str = "") -> str:
    """ISO 639-1 of the text; empty if it does not tell. ``likely`` is what the person speaks, empty if not known."""
    lower = text.lower().replace("’", "'")
    words = [word for word in _WORD.findall(lower) if not _script(word[0])]
    letters = [language for letter in text if (language := _script(letter))]
    if letters and len(letters) >= len(words):
        return "ja" if "ja" in letters else max(sorted(set(letters)), key=letters.count)
    scores = {
        language: sum(_SHARES[word] for word in words if word in small)
        + SURE * sum(map(lower.count, _OWN.get(language, "")))
        for language, small in _WORDS.items()
    }
    first, second = sorted(scores, key=lambda language: -scores[language])[:2]
    best = scores[first]
    if not best:
        return likely if likely not in _WORDS and len(words) >= UNKNOWN_FROM else ""
    if scores.get(likely) == best:
        return likely
    return first if best >= max(SURE, LEAD * scores[second]) else ""


_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


def _script(letter: str) -> str:
    """The language of a letter that is not Latin; empty for Latin ones and for what is no letter."""
    if letter.isascii() or not letter.isalpha():
        return ""
    return _SCRIPTS.get(unicodedata.name(letter, "").split(" ")[0].split("-")[0], "")


class Written:
    """The language of one reply, clip by clip; a clip that is asked for again is what it was."""

    def __init__(self, likely: str) -> None:
        """``likely`` is what the person speaks, empty if not known."""
        self._likely = likely
        self._clips: list[str] = []

    def order(self, clip: Speak) -> Speak:
        """The order to speak the next clip, or one before, with what is known of its language."""
        if clip.clip == len(self._clips):
            before = self._clips[-1] if self._clips else ""
            self._clips.append(written_in(clip.text, self._likely) or before)
        language = self._clips[clip.clip]
        turned = clip.clip == 0 or language != self._clips[clip.clip - 1]
        return replace(clip, language=language, likely=self._likely, turned=turned)
