"""Speech to text with Whisper in CTranslate2 (the package faster-whisper).

Whisper's encoder is made for 30 s and costs the same whatever was said. CTranslate2 accepts fewer frames, and
then a question costs a quarter; but too short a window makes the decoder say a sentence twice. So the window is
the utterance with three seconds of room, at least ten, and whatever looks repeated or unsure is decoded again
with more room. What several callers ask at the same time is worked on together (gather.py, decoder.py). When each word
was said is worked out only where it is asked for. This file knows no turns and no sessions: one call, one utterance.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from actors.asr.decoder import Attempt, Decoder, Job
from actors.asr.gather import Gather, Wanted
from actors.asr.loading import loaded
from actors.asr.phantoms import VOICE, phantom
from actors.asr.pieces import pieces
from actors.asr.repeats import repeated, without_repeats
from actors.asr.silero import FRAME, Silero
from actors.asr.words import Spot, spots
from streaming.stages import BadInput, StageError, Transcript, Word

log = logging.getLogger(__name__)

RATE = 16_000
WINDOWS = (10, 12, 15, 20, 30)
"""Seconds that the encoder is run on."""
ROOM = 3
"""Seconds of emptiness that a window must have after the utterance."""
LONGEST = 15 * 60
"""Seconds of sound that one call takes."""
FINAL, PARTIAL = 0, 1
"""Urgency: a final goes before every partial that waits."""
TOGETHER = {"cuda": 8, "cpu": 4}
"""Most utterances of one batch: a CPU's caches hold no more, and eight cost as much as two fours there."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """An utterance, and what was asked of it."""

    sound: npt.NDArray[np.int16]
    language: str | None
    final: bool
    words: bool
    hints: str


@dataclass(frozen=True, slots=True)
class _Piece:
    """A piece of an utterance."""

    sound: npt.NDArray[np.float32]
    voice: int
    """Samples that hold a voice without doubt."""


@dataclass(frozen=True, slots=True)
class _Heard:
    """What was understood of a piece."""

    text: str
    language: str
    spots: list[Spot]
    detected: str
    certainty: float


class Whisper:
    """The Transcriber of one process: one model, one thread that takes finals before partials."""

    def __init__(
        self,
        model: Path | str | None = None,
        threads: int = 1,
        *,
        device: str = "cpu",
        compute_type: str | None = None,
        windows: Sequence[int] = WINDOWS,
        languages: Sequence[str] | None = None,
        together: int | None = None,
        wait_ms: float = 20,
    ) -> None:
        """Load a CTranslate2 Whisper: ``large-v3``, ``turbo``, ``base`` or ``tiny.en`` out of the manifest, or a
        folder; None is tiny.en.

        ``device`` is ``cpu``, ``cuda`` or ``auto``; ``compute_type`` None takes the best that it can. ``windows`` are
        the encoder's lengths in seconds; ``(30,)`` is Whisper as it was trained. ``languages``: codes of those that
        are looked for where nobody says which is spoken; one of them alone is taken for granted. ``together``: most
        utterances of one batch, which is held open for ``wait_ms`` where several ask.

        Raises ModelMissing or ModelWrong if a model of the manifest is not as that says, StageError if it does not
        load or the device cannot do what was asked, BadInput for a language that Whisper does not know.
        """
        whisper = loaded(model, device, compute_type, threads)
        self._model = whisper
        self._windows = tuple(sorted(windows)) or WINDOWS
        self._silero = Silero()
        self._decoder = Decoder(whisper, languages)
        self._only = languages[0] if languages and len(languages) == 1 else None
        most = together or TOGETHER[whisper.model.device]
        # The first run is slow: let nobody wait for it.
        first = Job(self._decoder.features(np.zeros(RATE, np.float32), self._windows[0]), "en", 4)
        if isinstance(problem := self._decoder.attempts([first])[0], Exception):
            lacking = "; pip install nvidia-cublas-cu12 brings what CTranslate2 needs of CUDA 12"
            hint = lacking if "cublas" in str(problem) else ""
            raise StageError(f"recognition cannot run on this {whisper.model.device}: {problem}{hint}") from problem
        decoder = self._decoder
        self._gather: Gather[Job] = Gather("whisper", decoder.attempts, decoder.alike, most=most, wait_s=wait_ms / 1000)
        log.info("recognition: %d threads, up to %d utterances at once", threads, most)

    async def transcribe(
        self, pcm16k: bytes, language: str | None, final: bool, words: bool = False, hints: str = ""
    ) -> AsyncIterator[Transcript]:
        """Recognise one utterance, PCM16 mono at 16 kHz, at most 15 minutes.

        Up to 17 s of speech give one Transcript. Longer ones grow: a Transcript for every piece, each with the
        text so far, and only the last is final. Silence and noise give the text ``""``. ``language`` is what the
        text is written in, which an English-only model cannot follow; a final tells what it sounds like besides. With
        ``words`` every Transcript has the words so far and when they are heard, counted from the first sample of the
        sound. Of ``hints`` the last 200 tokens count. Raises BadInput on half a sample, too much sound, or a language
        that Whisper does not know.
        """
        if len(pcm16k) % 2:
            raise BadInput(f"recognition was given {len(pcm16k)} bytes; PCM16 has 2 for each sample: send whole ones")
        seconds = len(pcm16k) / 2 / RATE
        if seconds > LONGEST:
            raise BadInput(f"recognition takes at most {LONGEST // 60} minutes at once, not {seconds / 60:.1f}: cut it")
        language = (language or self._only) if self._decoder.multilingual else "en"
        self._decoder.check(language or "en")
        asked = _Asked(np.frombuffer(pcm16k, "<i2"), language, final, words, hints)
        async with aclosing(self._gather.run(FINAL if final else PARTIAL, lambda: self._steps(asked))) as transcripts:
            async for transcript in transcripts:
                yield transcript

    def _steps(self, asked: _Asked) -> Generator[Wanted[Job] | Transcript, Any, None]:
        sound, spoken = asked.sound, asked.language
        odds = self._silero.track(sound)
        cut = pieces(odds, len(sound))
        said: list[str] = []
        times: list[Word] = []
        detected, certainty = "", 0.0
        for number, piece in enumerate(cut, 1):
            part = sound[piece.start : piece.end].astype(np.float32) / np.float32(32768)
            voice = int(np.count_nonzero(odds[piece.start // FRAME : -(-piece.end // FRAME)] >= VOICE)) * FRAME
            found = yield from self._recognise(_Piece(part, voice), spoken, asked, detect=asked.final and number == 1)
            spoken = found.language
            if number == 1 and asked.final:
                detected, certainty = found.detected, found.certainty
            said.extend([found.text] if found.text else [])
            times += [Word(spot.text, piece.start + spot.start, spot.end - spot.start) for spot in found.spots]
            last = asked.final and number == len(cut)
            yield Transcript(" ".join(said), tuple(times), spoken, last, detected, certainty)
        if not cut:
            yield Transcript("", (), spoken or "en", asked.final)

    def _recognise(
        self, piece: _Piece, language: str | None, asked: _Asked, *, detect: bool
    ) -> Generator[Wanted[Job], Any, _Heard]:
        """The first attempt that is not doubtful counts, else the best of all; hints help only the first."""
        seconds = len(piece.sound) / RATE
        enough = next((w for w in self._windows if w >= seconds + ROOM), self._windows[-1])
        ladder = [enough, *(w for w in self._windows if w > enough and w >= 20)]
        ladder += [ladder[-1]] if asked.hints and len(ladder) == 1 else []
        attempts: list[Attempt] = []
        for step, window in enumerate(ladder):
            tokens = 224 if window == ladder[-1] else int(8 + 8 * seconds)  # fast speech has 5 tokens a second
            mel = self._decoder.features(piece.sound, window)
            hints = "" if step else asked.hints
            job = Job(mel, language, tokens, hints, detect=detect and not step, encoded=asked.words)
            attempt: Attempt = yield Wanted(job)
            language = attempt.language
            if attempt.nothing or phantom(attempt.text, attempt.confidence, attempt.no_speech, piece.voice):
                return _Heard("", language, [], "", 0.0)
            attempts.append(attempt)
            if not attempt.doubtful:
                break
        best = attempts[-1]
        if best.doubtful:
            best = max(attempts, key=lambda a: (not a.cut_off, not repeated(a.text), a.confidence))
        # Real repetition ("no, no, no") was heard the same with all the room there is; a runaway was cut off.
        text = without_repeats(best.text) if best.cut_off else best.text
        found: list[Spot] = []
        if asked.words:
            tokenizer = self._decoder.tokenizer(best.language)
            found = spots(self._model, tokenizer, best.ids, best.encoded, piece.sound)
        found = found if text == best.text else found[: len(text.split())]
        return _Heard(text, best.language, found, attempts[0].detected, attempts[0].certainty)
