"""The voice kokoro: English, Spanish and Mandarin, clause by clause, with the speech sounds and their times.

There is no streaming inside a piece: the network gives its whole sound at once. So a clip is cut where clauses end,
small first. It knows no session and keeps nothing between two calls but loaded voices.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from actors.models import ModelMissing, ModelWrong, folder
from actors.models.kokoro import SHA256
from actors.threads import stepping
from actors.tts.asked import check_text, language_code
from actors.tts.blocks import blocks
from actors.tts.kokoro.reading import Reader, readers
from actors.tts.phones import Label, earlier, labels, loudness, settled
from actors.tts.pieces import Piece, Sizes, pieces
from actors.tts.reading import Reading
from actors.tts.sound import trimmed
from actors.tts.weights import packaged
from streaming.media import RATE
from streaming.stages import BadInput, Spoken, StageError

log = logging.getLogger(__name__)

DEFAULTS = {"en": "af_heart", "es": "ef_dora", "zh": "zf_xiaoxiao"}
"""What "default" means in each language."""
SIZES = Sizes(whole=48, first=32, later=120)
"""Letters of the pieces: a second of speech, about 15, takes the network 0.5 to 1 s of both cores."""
LATE = 1380
"""Samples by which the durations run behind the sound: 57 ms, found by ``align.label_shift``, voices from 49 to 64."""
INSTALL = "pip install 'realtime-avatar[kokoro]'"
PULL = "avatar models pull kokoro"


class Kokoro:
    """Kokoro-82M in int8 on CPU cores.

    ``voices`` can each speak every language; those of another language have its accent.
    """

    voices = frozenset({"default", *SHA256})
    languages = frozenset(DEFAULTS)
    """What it can be asked for, known before it is loaded."""

    def __init__(self, models: str | Path = "", *, threads: int = 2, speed: float = 1.0) -> None:
        """``models``: the folder with Kokoro's files; empty: where `avatar models pull` puts it.

        ``threads`` work inside the network; ``speed`` is how fast it speaks, 0.5 to 2. Raises StageError.
        """
        if not 0.5 <= speed <= 2:
            raise StageError(f"speed is how fast the voice speaks, from 0.5 to 2, not {speed:g}")
        place = Path(models) if models else _pulled()
        if not (place / "kokoro.onnx").is_file():
            raise StageError(f"there is no kokoro.onnx in {place}; run: {PULL}")
        alphabet = _alphabet()
        try:
            from actors.tts.kokoro.network import Network

            self._readers = readers(alphabet)
        except ImportError as error:
            raise StageError(f"the voice kokoro needs {error.name}; install it: {INSTALL}") from error
        self._network = Network(place, alphabet, threads)
        self._speed = speed
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="kokoro")
        self._network.utter("həlˈO.", DEFAULTS["en"], speed)
        log.info("voice: kokoro, %d voices, %d thread(s), from %s", len(SHA256), threads, place)

    def speak(self, text: str, voice: str, language: str, seed: int) -> AsyncIterator[Spoken]:
        """Speech of one clip in blocks of about 200 ms, each with the phones and words that begin in it.

        Phones cover the clip without gap; silence is the phone "". Words are the written ones, in Chinese those that
        the reader finds. The same arguments give the same bytes; ``seed`` changes only the dither, in the last bit.
        Raises BadInput for a text that is empty, too long (over 2,000 characters) or holds nothing that can be said in
        the language, and for an unknown voice; StageError for another language.
        """
        return stepping(lambda: self._blocks(text, voice, language, seed), self._thread)

    def _blocks(self, text: str, voice: str, language: str, seed: int) -> Iterator[Spoken]:
        reader, speaker = self._chosen(text, voice, language)
        at = 0
        for number, piece in enumerate(pieces(text, SIZES)):
            readings = reader.read(piece.text, piece.mark)
            for reading in readings:
                dither = np.random.default_rng((seed % (1 << 63), number, at))
                pcm, found = self._piece(reading, speaker, _pause(piece) if reading is readings[-1] else 0, dither)
                yield from blocks(pcm, found, reading.words, at)
                at += len(pcm)
        if not at:
            raise BadInput(f"nothing in {text[:40]!r} has a sound in {reader.name}; send words")

    def _piece(
        self, reading: Reading, speaker: str, pause: int, dither: np.random.Generator
    ) -> tuple[NDArray[np.int16], list[Label]]:
        """One run of the network: the sound with ``pause`` samples of silence after it, and its labels."""
        uttered = self._network.utter(reading.signs, speaker, self._speed)
        level = loudness(uttered.sound)
        found = settled(earlier(labels(reading.signs, reading.owners, uttered.frames), LATE), level)
        return trimmed(_dithered(uttered.sound, dither), found, level, pause)

    def _chosen(self, text: str, voice: str, language: str) -> tuple[Reader, str]:
        """Who reads and who speaks. Raises BadInput or StageError for what this voice cannot do."""
        code = language_code(language)
        if code not in self._readers:
            raise StageError(f"the voice kokoro does not speak {language!r}; choose one of {', '.join(DEFAULTS)}")
        if voice not in self.voices:
            raise BadInput(f"unknown voice {voice!r}; kokoro has {', '.join(sorted(self.voices))}")
        check_text(text)
        return self._readers[code], DEFAULTS[code] if voice == "default" else voice


def _pause(piece: Piece) -> int:
    return piece.pause_ms * RATE // 1000


def _dithered(sound: NDArray[np.float32], dither: np.random.Generator) -> NDArray[np.float32]:
    """Noise of one step of 16 bits with a triangular density: what rounding takes away becomes noise, not tones.

    (Source: Lipshitz, Wannamaker and Vanderkooy, Quantization and Dither, 1992.)
    """
    noise = dither.random((2, len(sound)), np.float32)
    return sound + (noise[0] - noise[1]) / np.float32(32_768)


def _alphabet() -> dict[str, int]:
    """Kokoro's signs and their numbers. hibari, its student, has the same and is there. Raises StageError."""
    return json.loads(packaged()["vocab.json"])


def _pulled() -> Path:
    """The folder of the manifest's model. Raises StageError."""
    try:
        return folder("kokoro")
    except (ModelMissing, ModelWrong) as error:
        raise StageError(f"the voice kokoro has no weights on this machine: {error}") from error
