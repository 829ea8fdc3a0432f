"""A model's text as it is streamed -> words that can be said: no Markdown, addresses, emoji, code or thinking.

It does for everybody who reads along what ``streaming/clips.py`` does once more for the voice, and what can only be
done before a text is cut into clips: blocks of code, tables, links and thoughts are left out or put into words. Figures
stay figures: each voice reads numbers, dates and units in its own language. The result does not depend on the pieces
in which the text came. This file knows no server.
"""

from __future__ import annotations

import re

LONGEST = 2_000
"""Characters after which something that is never closed (a link, a row of a table) is taken for plain text."""

_URL = r"(?:https?://|www\.)[^\s<>\"'，。；！？、）」』]+"
_FENCE = r"[ \t]*(?:`{3}|~{3})"
_BEGINS = re.compile(rf"(?P<think><think>)|^(?P<code>{_FENCE})", re.MULTILINE)
"""What is left out whole begins here."""
_ENDS = {"think": re.compile(r"</think>"), "code": re.compile(rf"\n{_FENCE}[`~]*")}
_LINK = r"!?\[([^\[\]\n]{0,300})\]\([^()\n]{0,1000}\)"
_AUTOLINK = r"<((?:https?://|www\.)[^<>\s]{1,1000})>"
_TAG = r"</?[A-Za-z][^<>\n]{0,200}>"
_EMOJI = re.compile(r"[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\u200d\u20e3\ufe0f]+")
_RULES = (
    (re.compile(r"^[ \t]*(?:[-*_][ \t]*){3,}$", re.MULTILINE), ""),
    (re.compile(r"^[ \t]*\|[^\n]*", re.MULTILINE), lambda found: _row(found[0])),
    (re.compile(r"^[ \t]*(?:(?:#{1,6}|[-*+•>])[ \t]+)+", re.MULTILINE), ""),
    (re.compile(_LINK), r"\1"),
    (re.compile(_AUTOLINK), r"\1"),
    (re.compile(_URL), lambda found: _host(found[0])),
    (re.compile(_TAG), ""),
    (_EMOJI, ""),
    (re.compile(r"\*{2,}|~{2,}|`+|(?<![\d\s])\*|\*(?![\s\d])|(?<!\w)_+|_+(?!\w)"), ""),
)
_OPEN = re.compile(
    rf"""{_LINK} | {_AUTOLINK} | {_TAG}                      # whole: nothing in them is open
    | (?P<open> (?<!\w)(?:https?://|www\.)[^\s]*                       # an address
    | (?<!\w)(?:h|ht|htt|https?:?/?|w{{1,3}})                # what may become one
    | !?\[[^\[\]\n]{{0,300}}(?:\](?:\([^()\n]{{0,1000}})?)? | !   # a link
    | <(?:(?:https?://|www\.)[^<>\s]{{0,1000}} | /?[A-Za-z][^<>\n]{{0,200}} | /)?   # a tag
    | ^[ \t]*\|[^\n]*                                        # a row of a table
    | ^[ \t]*(?:[-*_+•>#~`|][ \t]*)+                         # the mark that a line begins with
    | ^[ \t]+
    | [*_~`]+                                                # what the next character tells the meaning of
    )\Z""",
    re.MULTILINE | re.VERBOSE,
)
"""The end of a text that the next piece may make something else of."""


class Prose:
    """One reply's text, made sayable piece by piece.

    A reply that begins with ``{`` is data that somebody asked for, and stays as it is.
    """

    def __init__(self) -> None:
        self._text = ""
        """What came and is not given out yet."""
        self._before = "\n"
        """The character before it."""
        self._inside = ""
        """What is being left out: think, code, or nothing."""
        self._data: bool | None = None
        self._trims = True
        """Spaces that begin a reply, or follow a thought, say nothing."""

    @property
    def silent(self) -> bool:
        """True while what comes is left out."""
        return bool(self._inside)

    def add(self, delta: str) -> str:
        """What can be said of the text so far and was not given out before; may be empty."""
        self._text += delta
        if self._trims and not self._inside:
            self._text = self._text.lstrip()
            self._trims = not self._text
        if self._data is None and (begin := self._text.lstrip()):
            self._data = begin.startswith("{")
        if self._data:
            return self._all()
        said = ""
        while (more := self._step()) is not None:
            said += more
        return said + self._sayable(self._closed())

    def end(self) -> str:
        """What is left, once no more text comes."""
        if self._data:
            return self._all()
        return "" if self._inside else self._sayable(len(self._text))

    def _all(self) -> str:
        text, self._text = self._text, ""
        return text

    def _step(self) -> str | None:
        """Leave out what begins or ends in the text; None if nothing does."""
        if self._inside:
            # A block of code ends with a line of its own.
            found = _ENDS[self._inside].search(self._text)
            if found is None:
                self._text = self._text[-LONGEST:]
                return None
            self._text = self._text[found.end() :]
            if self._inside == "think":
                self._text = self._text.lstrip()
                self._trims = not self._text
            self._inside = ""
            self._before = "\n"
            return ""
        shown = self._before + self._text
        found = _BEGINS.search(shown, 1)
        if found is None:
            return None
        said = self._sayable(found.start() - 1)
        self._inside = found.lastgroup or ""
        self._text = self._text[found.end() - found.start() :]
        return said

    def _closed(self) -> int:
        """How much of the text nothing that comes can change."""
        if self._inside:
            return 0
        for found in _OPEN.finditer(self._before + self._text, 1):
            if found["open"] is not None and len(found["open"]) <= LONGEST:
                return found.start() - 1
        return len(self._text)

    def _sayable(self, count: int) -> str:
        """Take ``count`` characters off the text and give what can be said of them."""
        raw, self._text = self._text[:count], self._text[count:]
        if not raw:
            return ""
        known = "\n" if self._before == "\n" else f"\0{self._before}"  # so that no line seems to begin there
        text = known + raw
        for pattern, said in _RULES:
            text = pattern.sub(said, text)
        text = text[len(known) :]
        if self._before.isspace():
            text = text.lstrip(" \t")
        text = re.sub(r"[ \t]{2,}", " ", text)
        self._before = "\n" if raw.endswith("\n") else (text[-1:] or self._before)
        return text


def _host(address: str) -> str:
    """Of an address only the name of the place is said: ``https://www.example.org/a?b`` -> ``example.org``."""
    bare = address.rstrip(".,;:!?)]}*_`")
    place = re.sub(r"^(?:https?://)?(?:www\.)?", "", bare)
    return re.split(r"[/?#:]", place)[0] + address[len(bare) :]


def _row(line: str) -> str:
    """A row of a table as a list of its cells; the line under its head says nothing."""
    cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
    if all(re.fullmatch(r":?-*:?", cell) for cell in cells):
        return ""
    return ", ".join(cell for cell in cells if cell) + "."
