"""What is written, made ready to be read aloud in Spanish: figures, dates, times, money, units and signs as words.

Numbers become words by the library num2words; what they stand for is told here. Both ways of writing thousands and
decimals are read: 1.234,5 as in Spain, 1,234.5 as in Mexico. This file knows no sound.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

MONTHS = (
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre".split()
)  # fmt: skip

_MONEY = {
    "€": ("euro", "euros"), "EUR": ("euro", "euros"), "$": ("dólar", "dólares"), "US$": ("dólar", "dólares"),
    "USD": ("dólar", "dólares"), "£": ("libra", "libras"), "GBP": ("libra", "libras"), "¥": ("yen", "yenes"),
    "MXN": ("peso", "pesos"),
}  # fmt: skip
_CENTS = {"euro": "céntimo", "dólar": "centavo", "libra": "penique", "peso": "centavo", "yen": "sen"}
_UNITS = {
    "km/h": ("kilómetro por hora", "kilómetros por hora"), "m/s": ("metro por segundo", "metros por segundo"),
    "km²": ("kilómetro cuadrado", "kilómetros cuadrados"), "m²": ("metro cuadrado", "metros cuadrados"),
    "m³": ("metro cúbico", "metros cúbicos"), "kWh": ("kilovatio hora", "kilovatios hora"),
    **{sign: (name, f"{name}s") for sign, name in {
        "km": "kilómetro", "m": "metro", "cm": "centímetro", "mm": "milímetro", "kg": "kilo", "g": "gramo",
        "mg": "miligramo", "l": "litro", "L": "litro", "ml": "mililitro", "°C": "grado", "ºC": "grado", "°": "grado",
        "h": "hora", "min": "minuto", "s": "segundo", "ms": "milisegundo", "kW": "kilovatio", "W": "vatio",
        "V": "voltio", "Hz": "hercio", "GHz": "gigahercio", "kB": "kilobyte", "MB": "megabyte", "GB": "gigabyte",
        "TB": "terabyte",
    }.items()},
}  # fmt: skip
_FEMININE = frozenset({"libra", "hora"})
_SHORT = {
    "Sr.": "señor", "Sra.": "señora", "Srta.": "señorita", "Sres.": "señores", "Dr.": "doctor", "Dra.": "doctora",
    "D.": "don", "Dña.": "doña", "Ud.": "usted", "Uds.": "ustedes", "EE. UU.": "Estados Unidos",
    "EE.UU.": "Estados Unidos", "p. ej.": "por ejemplo", "p.ej.": "por ejemplo", "etc.": "etcétera", "núm.": "número",
    "n.º": "número", "nº": "número", "pág.": "página", "págs.": "páginas", "av.": "avenida", "Av.": "avenida",
    "aprox.": "aproximadamente", "tel.": "teléfono", "Tel.": "teléfono",
}  # fmt: skip
_NUMBER = (
    r"(?:\d{1,3}(?:,\d{3})+\.\d{1,2}(?!\d)"
    r"|(?:\d{1,3}(?:[. \u00a0\u202f]\d{3})+(?!\d)|\d{1,3}(?:,\d{3}){2,}(?!\d)|\d+)(?:[.,]\d+)?)"
)
_BEFORE = r"(?<![\w.,])"


def spoken_form(text: str) -> str:
    """The text in words alone, still in Spanish spelling. Line breaks become spaces."""
    for pattern, told in _RULES:
        text = pattern.sub(told, text)
    return " ".join(text.split())


def cardinal(number: int, feminine: bool = False, before: bool = False) -> str:
    """``21`` -> veintiuno, veintiuna, or veintiún ``before`` a masculine word."""
    from num2words import num2words  # pyright: ignore[reportMissingImports]

    words = num2words(number, lang="es")
    if feminine:
        return re.sub(r"cientos\b", "cientas", re.sub("uno$", "una", words)).replace("quinientos", "quinientas")
    if before:
        return re.sub("veintiuno$", "veintiún", words).removesuffix("o") if words.endswith("uno") else words
    return words


def _value(written: str) -> tuple[int, str]:
    """Whole part, and the figures after the comma or point; "1.234" is a thousand, "1.23" is not."""
    plain = re.sub(r"[ \u00a0\u202f]", "", written)
    if re.fullmatch(r"\d{1,3}(?:\.\d{3})+(?:,\d+)?", plain):
        plain = plain.replace(".", "")
    elif re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", plain) and (plain.count(",") > 1 or "." in plain):
        plain = plain.replace(",", "")
    whole, _, rest = plain.replace(",", ".").partition(".")
    return int(whole), rest


def _said(written: str, feminine: bool = False, before: bool = False) -> str:
    """A number as it is said; figures that are too many for a number, one by one."""
    whole, rest = _value(written)
    if len(str(whole)) > 12 or (written[0] == "0" and len(written) > 1 and not rest):
        return " ".join(cardinal(int(figure)) for figure in re.sub(r"\D", "", written))
    words = cardinal(whole, feminine, before and not rest)
    if not rest:
        return words
    zeros = len(rest) - len(rest.lstrip("0"))
    after = ["cero"] * zeros + ([cardinal(int(rest))] if rest.strip("0") and len(rest) <= 3 else [])
    if len(rest) > 3:
        after = [cardinal(int(figure)) for figure in rest]
    return f"{words} coma {' '.join(after)}"


def _of(written: str, names: tuple[str, str]) -> str:
    """``3,5`` and (euro, euros) -> tres coma cinco euros."""
    one = _value(written) == (1, "")
    head = names[0].split()[0]
    return f"{_said(written, head in _FEMININE, True)} {names[0] if one else names[1]}"


def _money(match: re.Match[str]) -> str:
    written = match["n1"] or match["n2"]
    names = _MONEY[match["s1"] or match["s2"]]
    whole, rest = _value(written)
    if len(rest) != 2:
        return _of(written, names)
    cents = int(rest)
    told = _of(str(whole), names)
    cent = _CENTS[names[0]]
    return f"{told} con {_of(str(cents), (cent, f'{cent}s'))}" if cents else told


def _unit(match: re.Match[str]) -> str:
    told = _of(match["n"], _UNITS[match["unit"]])
    return f"menos {told}" if match["minus"] else told


def _date(day: int, month: int, year: str) -> str:
    first = "primero" if day == 1 else cardinal(day)
    return f"{first} de {MONTHS[month - 1]}" + (f" de {cardinal(int(year))}" if year else "")


def _slashed(match: re.Match[str]) -> str:
    day, month = int(match["d"]), int(match["m"])
    if not (1 <= day <= 31 and 1 <= month <= 12):
        return match[0]
    return _date(day, month, match["y"] or "")


def _time(match: re.Match[str]) -> str:
    hour, minute = int(match["h"]), int(match["min"])
    if hour > 24 or minute > 59:
        return match[0]
    told = cardinal(hour, feminine=True)
    if minute:
        told += " y media" if minute == 30 and hour <= 12 else f" y {cardinal(minute)}"
    half = (match["half"] or "").lower().replace(" ", "").replace(".", "")
    return told + {"am": " de la mañana", "pm": " de la tarde"}.get(half, "")


def _ordinal(match: re.Match[str]) -> str:
    from num2words import num2words  # pyright: ignore[reportMissingImports]

    number = int(match[1])
    if not 0 < number <= 100:
        return cardinal(number)
    words = num2words(number, lang="es", to="ordinal").rstrip("oa")
    ending = match[2].lower()
    if ending in ("er", "ᵉʳ"):
        return words if words.endswith(("primer", "tercer")) else words + "o"
    return words + ("a" if ending in ("ª", "a") else "o")


def _roman(match: re.Match[str]) -> str:
    values = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}
    figures = [values[letter] for letter in match[2]]
    total = sum(-one if one < following else one for one, following in zip(figures, [*figures[1:], 0], strict=True))
    return f"{match[1]} {cardinal(total)}"


def _address(match: re.Match[str]) -> str:
    shown = re.sub(r"^(?:\w+://)?(?:www\.)?", "", match[0]).rstrip("/.,;:!?)")
    for sign, word in (("@", "arroba"), (".", "punto"), ("/", "barra"), ("-", "guion"), ("_", "guion bajo")):
        shown = shown.replace(sign, f" {word} ")
    return shown


def _figures(match: re.Match[str]) -> str:
    """A telephone number, figure by figure, with a breath between its groups."""
    plus = "más " if match[0].startswith("+") else ""
    groups = match[0].removeprefix("+").split()
    return plus + ", ".join(" ".join(cardinal(int(figure)) for figure in group) for group in groups)


def _number(match: re.Match[str]) -> str:
    return ("menos " if match["minus"] else "") + _said(match["n"])


def _alternatives(names: dict[str, Any]) -> str:
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))


_Told = str | Callable[[re.Match[str]], str]

_RULES: tuple[tuple[re.Pattern[str], _Told], ...] = tuple(
    (re.compile(pattern, flags), told)
    for pattern, flags, told in (
        (r"\b(?:https?://|www\.)\S+|\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b", 0, _address),
        (rf"(?<!\w)(?:{_alternatives(_SHORT)})(?!\w)", 0, lambda m: _SHORT[m[0]]),
        (r"\b(siglos?|capítulo|tomo) ([IVXLC]+)\b", 0, _roman),
        (r"(?<![\d/.-])(?P<y>\d{4})-(?P<m>\d{2})-(?P<d>\d{2})(?![\d/-])", 0, _slashed),
        (r"(?<![\d/.-])(?P<d>\d{1,2})[/.-](?P<m>\d{1,2})[/.-](?P<y>\d{4})(?![\d/-])", 0, _slashed),
        (r"\b1 de (?=(?:" + "|".join(MONTHS) + r")\b)", re.IGNORECASE, "primero de "),
        (
            r"(?<![\d:,.])(?P<h>\d{1,2}):(?P<min>\d{2})(?![:\d])(?: ?h\b)?(?P<half> ?[ap]\. ?m\.| ?[ap]m\b)?",
            re.IGNORECASE,
            _time,
        ),
        (rf"{_BEFORE}(\d{{1,3}})\.?(ª|º|ᵉʳ|er(?=\b)|a(?=\b))(?!\w|C)", 0, _ordinal),
        (
            rf"(?:(?P<s1>US\$|[€$£¥])\s?(?P<n1>{_NUMBER})|{_BEFORE}(?P<n2>{_NUMBER})\s?(?P<s2>{_alternatives(_MONEY)}))(?!\w)",
            0,
            _money,
        ),
        (rf"{_BEFORE}(?P<minus>[-−])?(?P<n>{_NUMBER})\s?(?P<unit>{_alternatives(_UNITS)})(?![\w/²³])", 0, _unit),
        (rf"{_BEFORE}(?P<minus>[-−])?(?P<n>{_NUMBER})\s?%", 0, lambda m: f"{_number(m)} por ciento"),
        (r"(?<![\d.,])(?:\+\d{2} )?[6-9]\d\d(?: \d{3}){2}(?![\d.,]\d|\d)", 0, _figures),
        (r"(?<![\d.,])(?:\+\d{2} )?[6-9]\d\d(?: \d{2}){3}(?![\d.,]\d|\d)", 0, _figures),
        (r"(?<![\d.,])\d+(?:\.\d{1,2}){2,}(?![\d.])", 0, lambda m: m[0].replace(".", " punto ")),
        (r"(?<=\d)\s?[-–—]\s?(?=\d)", 0, " a "),
        (r"(?<=\d)\s?[x×*]\s?(?=\d)", 0, " por "),
        (r"\s?=\s?", 0, " igual a "),
        (r"(?<=[\d\s])\+\s?(?=\d)", 0, " más "),
        (r"(?<=\d) ?[/÷] ?(?=\d)", 0, " entre "),
        (r"&", 0, " y "),
        (r"@", 0, " arroba "),
        (rf"(?P<minus>(?<![\w\d])[-−])?(?P<n>{_NUMBER})", 0, _number),
    )
)
