"""What is written, made ready to be read aloud in English: only what hibari's own reader gets wrong.

hibari reads numbers, money, dates, clock times, most units, titles and abbreviations itself. Added here are web
addresses, version numbers, file names, rates, arithmetic, markup, very long numbers, and dropping what no English
voice can say. This file knows no model and no time.
"""

from __future__ import annotations

import re
import unicodedata

_EXTENSIONS = "csv css exe gz html jpeg jpg js json md mp3 mp4 onnx pdf png py sh toml ts txt wav xml yaml yml zip"
_DOMAINS = "ai app co com de dev edu eu fr gov info io me net org uk us"

_RATES = {
    "bit": "bits", "kbit": "kilobits", "Mbit": "megabits", "Gbit": "gigabits",
    "B": "bytes", "kB": "kilobytes", "KB": "kilobytes", "MB": "megabytes", "GB": "gigabytes",
    "m": "meters", "km": "kilometers", "req": "requests", "tok": "tokens",
}  # fmt: skip
_NUMBER = r"(?<![\w.$£€])(-?\d+(?:,\d{3})*(?:\.\d+)?)"
_UNITS = {"s": "second", "h": "hour", "m": "meter", "µs": "microsecond", "kbit": "kilobit"}
_WHOLE = {"README": "read me", "ctrl": "control", "Ctrl": "control", "C#": "C sharp", "F#": "F sharp"}


def _spelled(address: str) -> str:
    """``jane@example.com/a`` -> ``jane at example dot com slash a``."""
    for sign, word in (("@", "at"), (".", "dot"), ("/", "slash"), ("-", "dash"), ("_", "underscore"), (":", "colon")):
        address = address.replace(sign, f" {word} ")
    return address


def _address(match: re.Match[str]) -> str:
    """A web address is read without its scheme, "www", query and fragment, which nobody says."""
    shown = re.sub(r"^(?:\w+://)?(?:www\.)?", "", match[0])
    address = shown.rstrip(".,;:!?)]}'\"")
    return _spelled(re.split(r"[?#]", address)[0].rstrip("/")) + shown[len(address) :]


def _unit(match: re.Match[str]) -> str:
    name = _UNITS[match[2]]
    return f"{match[1]} {name}" if match[1] in ("1", "-1") else f"{match[1]} {name}s"


def _digits(match: re.Match[str]) -> str:
    """Figure by figure, with a breath after every third."""
    figures = re.sub(r"\D", "", match[0])
    return ", ".join(" ".join(figures[i : i + 3]) for i in range(0, len(figures), 3)) + " "


def _telephone(match: re.Match[str]) -> str:
    return ", ".join(" ".join(part) for part in match[0].split("-"))


_RULES: tuple[tuple[re.Pattern[str], object], ...] = tuple(
    (re.compile(pattern, re.MULTILINE), told)
    for pattern, told in (
        # markup
        (r"^\s{0,3}(?:#{1,6}|[-*+•>])\s+", ""),
        (r"!?\[([^\[\]]*)\]\([^()\s]*\)", r"\1"),
        (r"</?[A-Za-z][^<>]*>", " "),
        (r"[`*~]{2,}|`", ""),
        # addresses
        (r"\b(?:https?|wss?|ftp)://\S+|\bwww\.\S+", _address),
        (r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b", lambda m: _spelled(m[0])),
        (rf"\b(?:[\w-]+\.)+(?:{'|'.join(_DOMAINS.split())})\b(?:/[\w./-]*\w)?", lambda m: _spelled(m[0])),
        (rf"(?<=\w)\.(?=(?:{'|'.join(_EXTENSIONS.split())})\b)", " dot "),
        (r"(?<![\w.])\.(?=[A-Z])", " dot "),
        (r"(?<=[A-Za-z]):(?=\d{2,5}\b)", " port "),
        # numbers
        (r"(?<![\w.\-])(?:\d{3}-)?\d{3}-\d{4}(?![\w\-])", _telephone),
        (r"\d[\d,]{15,}", _digits),
        (r"(?<![\d.])\d+(?:\.\d+){2,}(?!\d)", lambda m: m[0].replace(".", " point ")),
        (r"\b24/7\b", "24 7"),
        (r"(?<=\d) ?[x×] ?(?=\d)", " by "),
        (r"(?<=\d)[x×](?![\w])", " times"),
        (r"(?<=\d) [*·⋅] (?=\d)", " times "),
        (r"(?<=\d) [/÷] (?=\d)", " divided by "),
        (r"(?<=\d) [-–] (?=\d+(?:\.\d+)?\s*=)", " minus "),
        (r"\s*−\s*(?=\d)", " minus "),
        (rf"{_NUMBER}k\b", r"\1 thousand"),
        (rf"{_NUMBER}M\b", r"\1 million"),
        (rf"{_NUMBER}\s?({'|'.join(_RATES)})/s\b", lambda m: f"{m[1]} {_RATES[m[2]]} per second"),
        (rf"{_NUMBER} ?(h|µs|kbit)(?![\w/'’])", _unit),
        (rf"{_NUMBER} (s|m)(?![\w/'’])", _unit),
        # signs
        (r"\s*(?:->|=>|→|⇒|➜)\s*", " to "),
        (r"\s*(?:≤|<=)\s*", " at most "),
        (r"\s*(?:≥|>=)\s*", " at least "),
        (r"\s*(?:≈|~(?=\d))\s*", " about "),
        (r"\s*≠\s*", " is not "),
        (r"∞", " infinity "),
        (r"√", " root of "),
    )
)


def spoken_form(text: str) -> str:
    """The text as it should be given to hibari's reader, still in English spelling. Line breaks become spaces."""
    for pattern, told in _RULES:
        text = pattern.sub(told, text)  # type: ignore[arg-type]  # a template or a function, both of which sub takes
    text = re.sub(r"(?<![\w#])(?:README|[Cc]trl|[CF]#)(?![\w#])", lambda m: _WHOLE[m[0]], text)
    return " ".join(text.split())


def speakable(text: str) -> tuple[str, str]:
    """``(what an English voice can read, what it cannot)``, both in the order of the text.

    Kept are Latin letters, digits of any script (as 0-9), Greek letters that stand alone (by name), marks and
    signs. Left out are other scripts, emoji and control characters; the second text holds those that say something.
    """
    kept: list[str] = []
    lost: list[str] = []
    text = re.sub(r"μ(?=[sgmA]\b)", "µ", text)  # a micro sign typed as the Greek letter
    for sign in unicodedata.normalize("NFC", _GREEK.sub(_greek, text)):
        told = _told(sign)
        if told is None:
            lost.append(sign)
        kept.append(" " if told is None else told)
    return "".join(kept), "".join(lost)


def has_words(kept: str) -> bool:
    """True if there is a letter or a figure to be said."""
    return any(sign.isalnum() for sign in kept)


_GREEK = re.compile(r"(?<![\u0370-\u03ff\u1f00-\u1fff])[Α-Ωα-ω](?![\u0370-\u03ff\u1f00-\u1fff])")


def _greek(match: re.Match[str]) -> str:
    return f" {unicodedata.name(match[0]).split()[-1].lower()} "


def _told(sign: str) -> str | None:
    """What stands for the sign: "" if it says nothing, None if it says something that the voice cannot."""
    kind = unicodedata.category(sign)
    if kind == "Cc" or kind[0] == "Z":
        return "\n" if sign == "\n" else " "
    if sign.isascii() or sign in "°©®™§¶²³½¼¾µ":
        return sign
    if kind in ("Cf", "Mn", "Me"):
        return ""
    if kind[0] == "N" or "\uff00" <= sign <= "\uffef":
        plain = str(unicodedata.decimal(sign)) if kind == "Nd" else unicodedata.normalize("NFKC", sign)
        return plain if plain.isascii() else None
    if kind[0] == "L":
        return sign if unicodedata.name(sign, "").startswith("LATIN") else None
    return sign if kind[0] == "P" or kind in ("Sc", "Sm") else None
