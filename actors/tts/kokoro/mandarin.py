"""Chinese characters to the speech sounds that Kokoro knows: words by jieba, sounds by misaki, as Kokoro was trained.

Latin words in a Chinese text are left to whoever reads English. This file knows no figures (``mandarin_text``).
"""

from __future__ import annotations

import logging
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

log = logging.getLogger(__name__)

_RUNS = re.compile(
    r"(?P<han>[\u3400-\u4dbf\u4e00-\u9fff]+)|(?P<latin>[A-Za-z][A-Za-z'’\- ]*[A-Za-z]|[A-Za-z])"
    r"|(?P<figure>\d[\d.,:：/-]*\d|\d)|(?P<mark>\S)"
)
_MARKS = {
    "，": ",", "、": ",", "。": ".", "．": ".", "！": "!", "？": "?", "：": ":", "；": ";", "《": "“", "》": "”",
    "「": "“", "」": "”", "『": "“", "』": "”", "【": "“", "】": "”", "（": "(", "）": ")", "…": "…", "—": "—",
}  # fmt: skip


class Mandarin:
    """Reads Chinese. The constructor loads jieba's dictionary: about a second."""

    def __init__(self, english: Callable[[str], str]) -> None:
        """``english`` gives the signs of Latin words. Raises ImportError if a library is not installed."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # jieba's source has escapes that newer Pythons warn of
            import jieba  # pyright: ignore[reportMissingImports]
            from misaki.zh import ZHG2P  # pyright: ignore[reportMissingImports]

        self._sounds: Callable[[str], str] = lru_cache(4096)(ZHG2P.word2ipa)
        self._english = english
        self._words: Any = jieba.Tokenizer()
        jieba.setLogLevel(logging.WARNING)
        with tempfile.TemporaryDirectory(prefix="realtime-avatar-") as own:
            self._words.tmp_dir = own  # its cache would lie where everybody can write, and is read without a check
            self._words.initialize()
        ZHG2P.word2ipa("你好")

    def words(self, text: str) -> list[str]:
        """The written words of a text, without marks."""
        found: list[str] = []
        for run in _RUNS.finditer(text):
            if run["han"]:
                found += self._words.lcut(run["han"])
            elif run["latin"]:
                found += run["latin"].split()
            elif run["figure"]:
                found.append(run["figure"])
        return found

    def tokens(self, text: str) -> Iterator[tuple[str, str, bool]]:
        """The spoken words and marks of a text without figures, each with its signs and whether a space follows."""
        runs = list(_RUNS.finditer(text))
        for run, after in zip(runs, [*runs[1:], None], strict=True):
            closed = after is not None and after["mark"] is not None and after["mark"] not in "“《「（"
            if run["mark"] or run["figure"]:
                yield run[0], _MARKS.get(run[0], run[0]), not closed
            elif run["latin"]:
                yield run["latin"].replace(" ", ""), self._english(run["latin"]), not closed
            else:
                words = self._words.lcut(run["han"])
                for number, word in enumerate(words):
                    yield word, self._said(word), number + 1 < len(words) or not closed

    def _said(self, word: str) -> str:
        """The signs of one word; characters whose reading nobody knows are left out, with a line in the log."""
        try:
            return self._sounds(word).replace("\u032f", "")
        except (ValueError, AssertionError):
            if len(word) > 1:
                return "".join(self._said(character) for character in word)
            log.warning("the Mandarin voice leaves out %r, whose reading is not known", word)
            return ""
