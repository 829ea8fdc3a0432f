"""Spoken arithmetic: "what is twelve times seven" -> "That makes 84."

A parser of its own over words and numbers, with exact fractions; nothing is evaluated as code. It knows no
conversation. Grammar: sum = term (± term)*; term = power (× ÷ power)*; power = factor (^ power)?
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

_UNITS = {
    word: n
    for n, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen".split()
    )
}
_TENS = {w: 10 * n for n, w in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_PHRASES = (
    (r"\bmultiply (.+?) (?:by|with|and) (.+)", r"\1 × \2"),
    (r"\bdivide (.+?) by (.+)", r"\1 ÷ \2"),
    (r"\bsubtract (.+?) from (.+)", r"\2 ~ \1"),
    (r"\b(?:add|the sum of) (.+?) (?:and|to) (.+)", r"\1 + \2"),
    (r"\bto the power of\b|\bto the power\b|\braised to\b|\*\*", " ^ "),
    (r"\bmultiplied by\b|\btimes\b|(?<=\d)\s*[x×]\s*(?=\d)|\*", " × "),
    (r"\bdivided by\b|\bover\b|÷|/", " ÷ "),
    (r"\bplus\b|\badded to\b|\+", " + "),
    (r"\bminus\b|\btake away\b|−|(?<=\d)\s+-\s+(?=\d)|(?<!\w)-(?=\d)", " ~ "),  # "9-5" is a span of time
    (r"\b(?:per cent|percent) of\b|% of\b", " %of "),
    (r"\bthe square root of\b|\bsquare root of\b|√", " root "),
    (r"\bsquared\b|²", " ^ 2 "),
    (r"\bcubed\b", " ^ 3 "),
    (r"\ba half of\b|\bhalf of\b|\bhalf\b", " half "),
    (r"\ba (?=hundred|thousand|million|billion)", "one "),
)
_OPERATORS = frozenset("^ × ÷ + ~ %of root half".split())
_LARGEST = 10**15


class _Unreadable(Exception):
    """Not a sum after all."""


class _TooLarge(Exception):
    """Beyond what can be said."""


def answer(text: str) -> str | None:
    """The spoken result of the sum in ``text``; None if there is none."""
    tokens = _longest_sum(_tokens(text))
    if tokens is None:
        return None
    try:
        return f"That makes {_spoken(_Sum(tokens).value())}."
    except ZeroDivisionError:
        return "Nobody can divide by zero. Give me another number."
    except _TooLarge:
        return "That's too large for me. I stop at a thousand million million."
    except _Unreadable:
        return None


def _tokens(text: str) -> list[str | Fraction]:
    plain = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text.lower().replace("’", "'"))
    plain = re.sub(r"(?<=[a-z])-(?=[a-z])", " ", plain)
    for pattern, symbol in _PHRASES:
        plain = re.sub(pattern, symbol, plain)
    found = re.findall(r"\d+(?:\.\d+)?|%of|[a-z']+|[\^×÷+~()]", plain)
    return _numbers(found)


def _numbers(words: list[str]) -> list[str | Fraction]:
    """Join number words into numbers: "two hundred and five point two five" -> 205.25."""
    out: list[str | Fraction] = []
    i = 0
    while i < len(words):
        if re.match(r"\d", words[i]):
            value, i = Fraction(words[i]), i + 1
            while i < len(words) and words[i] in _SCALES:
                value, i = value * _SCALES[words[i]], i + 1
            out.append(value)
        elif words[i] in _UNITS or words[i] in _TENS:
            number, i = _number(words, i)
            out.append(number)
        else:
            out.append(words[i])
            i += 1
    return out


def _number(words: list[str], i: int) -> tuple[Fraction, int]:
    total, part, last = 0, 0, ""
    while i < len(words):
        word = words[i]
        follows = words[i + 1] if i + 1 < len(words) else ""
        if word in _TENS and last in ("", "scale"):
            part, last = part + _TENS[word], "ten"
        elif word in _UNITS and (last in ("", "scale") or (last == "ten" and 0 < _UNITS[word] < 10)):
            part, last = part + _UNITS[word], "unit"
        elif word == "hundred" and last:
            part, last = part * 100, "scale"
        elif word in _SCALES and last:
            total, part, last = total + part * _SCALES[word], 0, "scale"
        elif not (word == "and" and last == "scale" and (follows in _UNITS or follows in _TENS)):
            break
        i += 1
    if words[i : i + 1] == ["point"] and i + 1 < len(words) and _UNITS.get(words[i + 1], 10) < 10:
        digits = ""
        i += 1
        while i < len(words) and _UNITS.get(words[i], 10) < 10:
            digits, i = digits + str(_UNITS[words[i]]), i + 1
        return Fraction(f"{total + part}.{digits}"), i
    return Fraction(total + part), i


def _longest_sum(tokens: list[str | Fraction]) -> list[str | Fraction] | None:
    """The longest run of numbers and operators, if it holds both."""
    best: list[str | Fraction] = []
    run: list[str | Fraction] = []
    for token in [*tokens, "end"]:
        if isinstance(token, Fraction) or token in _OPERATORS or token in ("(", ")"):
            run.append(token)
        else:
            best, run = max(best, run, key=len), []
    operators = any(token in _OPERATORS for token in best if isinstance(token, str))
    return best if operators and any(isinstance(token, Fraction) for token in best) else None


class _Sum:
    """Recursive descent over tokens; each method reads one level of the grammar."""

    def __init__(self, tokens: list[str | Fraction]) -> None:
        self._tokens = tokens
        self._at = 0

    def value(self) -> Fraction:
        result = self._sum()
        if self._at < len(self._tokens):
            raise _Unreadable
        return result

    def _take(self, *symbols: str) -> str:
        token = self._tokens[self._at] if self._at < len(self._tokens) else None
        if isinstance(token, str) and token in symbols:
            self._at += 1
            return token
        return ""

    def _sum(self) -> Fraction:
        result = self._term()
        while sign := self._take("+", "~"):
            result = _bounded(result + self._term() if sign == "+" else result - self._term())
        return result

    def _term(self) -> Fraction:
        result = self._power()
        while sign := self._take("×", "÷", "%of"):
            right = self._power()
            result = _bounded(result / right if sign == "÷" else result * right / (100 if sign == "%of" else 1))
        return result

    def _power(self) -> Fraction:
        base = self._factor()
        while self._take("^"):
            exponent = self._factor()
            if exponent.denominator != 1 or abs(exponent) > 64:
                raise _TooLarge
            base = _bounded(base ** int(exponent))
        return base

    def _factor(self) -> Fraction:
        if self._take("~"):
            return -self._power()
        if self._take("half"):
            return self._power() / 2
        if self._take("root"):
            return _root(self._power())
        if self._take("("):
            inside = self._sum()
            if not self._take(")"):
                raise _Unreadable
            return inside
        token = self._tokens[self._at] if self._at < len(self._tokens) else None
        if not isinstance(token, Fraction):
            raise _Unreadable
        self._at += 1
        return token


def _root(value: Fraction) -> Fraction:
    if value < 0:
        raise _Unreadable
    top, bottom = math.isqrt(value.numerator), math.isqrt(value.denominator)
    exact = top * top == value.numerator and bottom * bottom == value.denominator
    return Fraction(top, bottom) if exact else Fraction(math.sqrt(value))


def _bounded(value: Fraction) -> Fraction:
    if abs(value) > _LARGEST or value.denominator > _LARGEST**4:
        raise _TooLarge
    return value


def _spoken(value: Fraction) -> str:
    """Whole, or with at most two decimals and then "about" unless that is exact."""
    if abs(value) > _LARGEST:
        raise _TooLarge
    sign = "minus " if value < 0 else ""
    size = abs(value)
    if size.denominator == 1:
        return f"{sign}{int(size):,}"
    digits = 2 if size >= Fraction(1, 10) else 6
    short = f"{float(size):,.{digits}f}".rstrip("0").rstrip(".")
    exact = Fraction(short.replace(",", "")) == size
    return f"{sign}{short}" if exact else f"about {sign}{short}"
