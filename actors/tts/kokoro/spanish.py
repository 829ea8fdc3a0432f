"""Spanish spelling to the speech sounds that Kokoro knows, by rule: as it is spoken in Castile.

The spelling tells the sounds and the stress of nearly every word (source: the Ortografía of the Real Academia
Española; the sounds: Hualde, The Sounds of Spanish, 2005). What it does not tell are words from elsewhere; a few are
listed. Which sign stands for a sound is Kokoro's choice (IPA, a sign each). This file knows no sentence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_PLAIN = {"á": "a", "é": "e", "í": "i", "ó": "o", "ú": "u", "ü": "u", "à": "a", "è": "e", "ò": "o", "â": "a", "ê": "e"}
_VOWELS = "aeiou"
_STRONG = frozenset("aeoáéóíú")
"""Vowels that are a syllable of their own; í and ú are, because they are accented."""
_FIXED = {
    "f": "f", "k": "k", "l": "l", "m": "m", "n": "n", "p": "p", "s": "s", "t": "t",
    "z": "θ", "ç": "s", "j": "x", "ñ": "ɲ", "w": "w",
}  # fmt: skip
_PAIRS = {"ch": "ʧ", "ll": "ʎ", "rr": "r", "qu": "k", "sh": "ʃ", "ph": "f", "th": "t", "tz": "ʦ"}
_SOFT = {"b": "β", "d": "ð", "ɡ": "ɣ"}
"""What stops become after anything but a pause or a nasal sound; d at the end of a word stays."""
_UNSTRESSED = frozenset(  # those of two syllables keep a weak stress
    "el la los las lo le les me te se nos os mi mis tu tus su sus de del a al en con por para sin"
    " y e o u ni que si pero porque como cuando donde mientras pues sobre hasta desde entre".split()
)
_IRREGULAR = {
    "méxico": "mˈɛxiko", "mexicano": "mˌexikˈano", "mexicana": "mˌexikˈana", "mexicanos": "mˌexikˈanos",
    "texas": "tˈexas", "oaxaca": "oaxˈaka", "y": "i", "muy": "mˈuj", "software": "sˈoftweɾ", "hardware": "xˈaɾweɾ",
    "web": "wˈeb", "online": "onlˈajn", "internet": "ˌinteɾnˈet", "google": "ɡˈuɡel", "whatsapp": "wˈasap",
    "email": "imˈejl", "ok": "okˈej", "okay": "okˈej", "youtube": "ʝutˈub", "wifi": "wˈifi", "hobby": "xˈobi",
    "show": "ʃˈow", "marketing": "mˈaɾketin", "jazz": "ʝˈas", "pizza": "pˈitsa",
}  # fmt: skip
_LETTERS = {
    "a": "a", "b": "be", "c": "ce", "d": "de", "e": "e", "f": "efe", "g": "ge", "h": "hache", "i": "i", "j": "jota",
    "k": "ka", "l": "ele", "m": "eme", "n": "ene", "ñ": "eñe", "o": "o", "p": "pe", "q": "cu", "r": "erre", "s": "ese",
    "t": "te", "u": "u", "v": "uve", "w": "uve doble", "x": "equis", "y": "ye", "z": "zeta",
}  # fmt: skip


@dataclass(slots=True)
class _Sound:
    sign: str
    vowel: bool
    """The heart of a syllable."""
    accent: bool = False


def signs(word: str) -> str:
    """The signs of one word of letters, with its stress; empty for what holds no letter.

    Stops are given as after a pause; ``joined`` softens them within a phrase.
    """
    lower = word.lower().removeprefix("p") if word.lower().startswith("ps") else word.lower()
    if lower in _IRREGULAR:
        return _IRREGULAR[lower]
    letters = "".join(letter for letter in lower if letter in _LETTERS or letter in _PLAIN)
    if not letters:
        return ""
    if len(letters) > 1 and (not re.search("[aeiouyáéíóúü]", letters) or (word.isupper() and len(letters) <= 3)):
        return " ".join(_named(part) for letter in letters for part in _LETTERS.get(letter, letter).split())
    if lower.endswith("mente") and len(lower) > 7:
        return signs(lower[:-5]) + "mˈente"
    sounds = _sounds(letters)
    hearts = [at for at, sound in enumerate(sounds) if sound.vowel]
    if not hearts or (lower in _UNSTRESSED and len(hearts) == 1):
        return "".join(sound.sign for sound in sounds)
    stressed = _stressed(letters, sounds, hearts)
    if lower in _UNSTRESSED:
        return "".join("ˌ" * (at == hearts[stressed]) + sound.sign for at, sound in enumerate(sounds))
    if _open_e(sounds, hearts[stressed]):
        sounds[hearts[stressed]].sign = "ɛ"
    marks = {hearts[stressed]: "ˈ"}
    if stressed >= 2:
        marks[hearts[0]] = "ˌ"
    return "".join(marks.get(at, "") + sound.sign for at, sound in enumerate(sounds))


def _named(letter: str) -> str:
    """The name of a letter; it has a stress, also where it is a word that has none ("de")."""
    sounds = signs(letter)
    return sounds if "ˈ" in sounds else re.sub("(?=[aeiou])", "ˈ", sounds, count=1)


def joined(before: str, word: str, after: str = "") -> str:
    """``word`` (signs) as it sounds between two others, which are empty where there is a pause."""
    last, told = before.rstrip("ˈˌ")[-1:], list[str]()
    for at, sign in enumerate(word):
        later = word[at + 1 :].lstrip("ˈˌ")
        ahead = (later or after.lstrip("ˈˌ"))[:1]
        if sign in _SOFT and last and last not in "mnɲŋ" and (later or sign != "d"):
            sign = _SOFT[sign]
        elif sign == "n" and ahead and ahead in "ɡɣx":
            sign = "ŋ"
        elif sign == "n" and ahead and ahead in "bβpm":
            sign = "m"
        told.append(sign)
        last = last if sign in "ˈˌ" else sign
    return "".join(told)


def _stressed(letters: str, sounds: list[_Sound], hearts: list[int]) -> int:
    """Which syllable, from 0: the accented one, else the last but one after a vowel, n or s, else the last."""
    for number, at in enumerate(hearts):
        if sounds[at].accent:
            return number
    early = letters[-1] in _VOWELS or letters[-1] in "ns"
    return max(0, len(hearts) - (2 if early else 1))


def _open_e(sounds: list[_Sound], at: int) -> bool:
    """A stressed e is open before x, and before n with another consonant."""
    after = [sound.sign for sound in sounds[at + 1 : at + 3]]
    if sounds[at].sign != "e" or not after:
        return False
    return after[0] == "x" or (after[0] == "n" and len(after) > 1 and not sounds[at + 2].vowel and after[1] not in "jw")


def _sounds(letters: str) -> list[_Sound]:
    """One for each sign; vowels that are no syllable of their own are glides."""
    found: list[_Sound] = []
    at = 0
    while at < len(letters):
        at += _take(letters, at, found)
    return found


def _take(letters: str, at: int, found: list[_Sound]) -> int:
    """Add what stands at ``at``; how many letters that was."""
    letter, ahead = letters[at], letters[at + 1 : at + 2]
    plain, soft = _PLAIN.get(letter, letter), _PLAIN.get(ahead, ahead) in ("e", "i") and ahead != "ü"

    def add(text: str, taken: int = 1) -> int:
        found.extend(_Sound(sign, False) for sign in text)
        return taken

    pair = letter + ahead
    if plain in _VOWELS:
        return _vowel(letters, at, found)
    if pair == "qu" and _PLAIN.get(letters[at + 2 : at + 3], letters[at + 2 : at + 3]) not in ("e", "i"):
        return add("kw", 2)
    if pair == "gu" and letters[at + 2 : at + 3] in tuple("eiéí"):
        return add("ɡ", 2)
    if pair in _PAIRS:
        return add(_PAIRS[pair], 2)
    if letter in _FIXED:
        return add("" if ahead == letter and letter not in "n" else _FIXED[letter])
    if letter == "c":
        return add("θ" if soft else "k")
    if letter == "g":
        return add("x" if soft else "ɡ")
    if letter in "bv":
        return add("b")
    if letter == "d":
        return add("d")
    if letter == "r":
        return add("r" if at == 0 or letters[at - 1] in "lns" else "ɾ")
    if letter == "x":
        return add("s" if at == 0 else "ks")
    if letter == "y":
        return _vowel(letters, at, found) if not ahead or ahead not in "aeiouáéíóú" else add("ʝ")
    return add("")  # h, and q alone


def _vowel(letters: str, at: int, found: list[_Sound]) -> int:
    """A vowel, or the glide that it is beside another; h between two does not part them."""
    letter = letters[at]
    plain = "i" if letter == "y" else _PLAIN.get(letter, letter)
    accent = letter in "áéíóúàèò"
    after = letters[at + 1 : at + 3].lstrip("h")[:1]
    follows = bool(after) and (_PLAIN.get(after, after) in _VOWELS)
    weak = plain in "iu" and not accent
    before = next((sound for sound in reversed(found)), None)
    close = before is not None and before.vowel and _touches(letters, at)
    if weak and follows and not close and (after in _STRONG or _PLAIN.get(after, after) != plain):
        found.append(_Sound("j" if plain == "i" else "w", False))
    elif weak and close and before is not None and not (before.sign == plain):
        found.append(_Sound("ɪ" if plain == "i" else "ʊ", False))
    else:
        found.append(_Sound(plain, True, accent))
    return 1


def _touches(letters: str, at: int) -> bool:
    """Whether the letter before is a vowel, an h between them not counted."""
    left = letters[:at].removesuffix("h")
    return bool(left) and _PLAIN.get(left[-1], left[-1]) in _VOWELS
