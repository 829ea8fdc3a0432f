"""The one clock of a reply: which sample belongs to which clip, word and sound, and what was heard so far.

All positions are samples at 24 kHz from the reply's first. This file does not know how sound is made or sent.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from streaming.media import SAMPLE_BYTES, samples
from streaming.stages import Phone, Word

CONTEXT = 12_000
"""Samples of phones kept before a span: a mouth closes on a sound that began half a second ago at most."""


@dataclass(slots=True)
class _Clip:
    text: str
    start: int
    samples: int = 0
    words: list[Word] = field(default_factory=list[Word])
    ended: bool = False


class Timeline:
    """What was spoken of one reply."""

    def __init__(self) -> None:
        self._sound = bytearray()
        self._clips: list[_Clip] = []
        self._phones: list[Phone] = []
        self._words: list[Word] = []

    @property
    def total(self) -> int:
        """Samples spoken so far."""
        return len(self._sound) // SAMPLE_BYTES

    @property
    def timed(self) -> bool:
        """True if it is known when words begin."""
        return bool(self._words)

    def begin(self, text: str) -> None:
        """A clip with this text follows what was spoken so far."""
        self._clips.append(_Clip(text, self.total))

    def spoken_of_clip(self) -> int:
        """Samples of the newest clip that are there."""
        return self._clips[-1].samples

    def add(self, pcm: bytes, phones: tuple[Phone, ...], words: tuple[Word, ...]) -> None:
        """Append a piece of the newest clip; starts of phones and words count from the clip's first sample."""
        clip = self._clips[-1]
        self._sound += pcm
        clip.samples += samples(pcm)
        clip.words += words
        self._phones += [Phone(p.symbol, clip.start + p.start, p.samples, p.stress) for p in phones]
        self._words += [Word(w.text, clip.start + w.start, w.samples) for w in words]

    def end_clip(self) -> None:
        """The newest clip was spoken to its end."""
        self._clips[-1].ended = True

    def reopen(self, pts: int) -> tuple[int, list[str]]:
        """Forget the clip that sounds at ``pts`` and all after it; the number of the first and their texts.

        Their sound is to be made again. Past the end only a clip counts that was not spoken to its end.
        """
        number = next(
            (n for n, clip in enumerate(self._clips) if not clip.ended or pts < clip.start + clip.samples),
            len(self._clips),
        )
        texts = [clip.text for clip in self._clips[number:]]
        if texts:
            start = self._clips[number].start
            del self._sound[start * SAMPLE_BYTES :]
            self._phones = [phone for phone in self._phones if phone.start < start]
            self._words = [word for word in self._words if word.start < start]
            del self._clips[number:]
        return number, texts

    def forget_sound(self) -> None:
        """Keep only what was said when: enough to tell what was heard."""
        self._sound.clear()
        self._phones.clear()

    def sound(self, start: int, stop: int) -> bytes:
        """PCM16 from sample ``start`` up to ``stop``, as far as it is there."""
        return bytes(self._sound[start * SAMPLE_BYTES : stop * SAMPLE_BYTES])

    def phones(self, start: int, stop: int) -> tuple[Phone, ...]:
        """Phones that end after ``start`` and begin before ``stop``; what has no phones gives none."""
        first = bisect_right(self._phones, start, key=lambda phone: phone.start + phone.samples)
        after = bisect_right(self._phones, stop - 1, key=lambda phone: phone.start)
        return tuple(self._phones[first:after])

    def words(self, start: int, stop: int) -> tuple[Word, ...]:
        """Words that begin in ``start`` up to ``stop``."""
        first = bisect_right(self._words, start - 1, key=lambda word: word.start)
        after = bisect_right(self._words, stop - 1, key=lambda word: word.start)
        return tuple(self._words[first:after])

    def heard(self, pts: int) -> str:
        """The text that had left the loudspeaker at ``pts``: whole words, those at least half heard."""
        parts = [_heard_of(clip, pts - clip.start) for clip in self._clips if pts > clip.start]
        return " ".join(part for part in parts if part)


def _heard_of(clip: _Clip, pts: int) -> str:
    if clip.ended and pts >= clip.samples:
        return clip.text
    if not clip.words:
        return _by_length(clip, pts)
    end = 0
    for word in clip.words:
        if word.start + word.samples // 2 > pts:
            break
        found = clip.text.find(word.text, end)
        end = found + len(word.text) if found >= 0 else end
    return _with_punctuation(clip.text, end)


def _by_length(clip: _Clip, pts: int) -> str:
    """Without word times: as much of the text as of the sound, down to a whole word (source: proportion)."""
    characters = len(clip.text) * pts // max(clip.samples, 1)
    if characters >= len(clip.text):
        return clip.text
    return clip.text[:characters].rpartition(" ")[0]


def _with_punctuation(text: str, end: int) -> str:
    """Text up to ``end`` and the punctuation that follows it at once."""
    while end and end < len(text) and not text[end].isalnum() and not text[end].isspace():
        end += 1
    return text[:end]
