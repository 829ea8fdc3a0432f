"""Speech to text with Whisper in CTranslate2 (the package faster-whisper).

Whisper's encoder is made for 30 s and costs the same whatever was said. CTranslate2 accepts fewer frames, and
then a question costs a quarter; but too short a window makes the decoder say a sentence twice. So the window is
the utterance with three seconds of room, at least ten, and whatever looks repeated or unsure is decoded again
with more room. When each word was said is worked out only where it is asked for. This file knows no turns and no
sessions: one call, one utterance.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from actors import models
from actors.asr.line import Line
from actors.asr.pieces import pieces
from actors.asr.repeats import repeated, without_repeats
from actors.asr.silero import Silero
from actors.asr.words import Spot, spots
from actors.models import needs
from actors.threads import stepping
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


@dataclass(frozen=True, slots=True)
class _Attempt:
    text: str
    ids: list[int]
    """Tokens of the text."""
    encoded: Any
    """What the encoder made of the sound."""
    confidence: float
    """Mean log probability of a token."""
    no_speech: float
    """Probability that Whisper's own detector gives to "nobody speaks"."""
    cut_off: bool
    """The decoder did not come to an end by itself."""

    @property
    def nothing(self) -> bool:
        """Nobody spoke: no letter, or both of Whisper's measures say so."""
        unsaid = self.no_speech > 0.6 and self.confidence < -0.8
        return unsaid or not any(letter.isalnum() for letter in self.text)

    @property
    def doubtful(self) -> bool:
        """More room may give a better text."""
        return self.cut_off or self.confidence < -1.0 or repeated(self.text)


class Whisper:
    """The Transcriber of one process: one model, one thread that takes finals before partials."""

    def __init__(
        self,
        model: Path | str | None = None,
        threads: int = 1,
        *,
        device: str = "cpu",
        compute_type: str | None = None,
        windows: tuple[int, ...] = WINDOWS,
    ) -> None:
        """Load a CTranslate2 Whisper: ``tiny.en`` (the default), ``base``, ``turbo`` or ``large-v3`` of the manifest,
        or a folder. ``windows`` are the encoder's lengths in seconds; ``(30,)`` is Whisper as it was trained.

        Raises ModelMissing or ModelWrong if a model of the manifest is not as that says, StageError if a folder
        does not load.
        """
        from faster_whisper import WhisperModel

        source = str(_folder(model))
        kind = compute_type or ("int8_float16" if device == "cuda" else "int8")
        try:
            self._model = WhisperModel(source, device=device, compute_type=kind, cpu_threads=threads)
        except (OSError, RuntimeError, ValueError) as error:
            raise StageError(f"recognition cannot load the Whisper model {source!r}: {error}") from error
        self._tasks: dict[str, _Task] = {}
        self._windows = windows
        self._silero = Silero()
        self._line = Line("whisper")
        self._attempt(np.zeros(RATE, np.float32), "en", windows[0], 4)  # the first run is slow: let nobody wait for it
        log.info("recognition: Whisper from %s, %s as %s, %d threads", source, device, kind, threads)

    async def transcribe(
        self, pcm16k: bytes, language: str | None, final: bool, words: bool = False
    ) -> AsyncIterator[Transcript]:
        """Recognise one utterance, PCM16 mono at 16 kHz, at most 15 minutes.

        Up to 17 s of speech give one Transcript. Longer ones grow: a Transcript for every piece, each with the
        text so far, and only the last is final. Silence and noise give the text ``""``. ``language`` is a hint
        that an English-only model cannot follow. With ``words`` every Transcript has the words so far and when they
        are heard, counted from the first sample of the sound. Raises BadInput on half a sample or too much sound.
        """
        if len(pcm16k) % 2:
            raise BadInput(f"recognition was given {len(pcm16k)} bytes; PCM16 has 2 for each sample: send whole ones")
        seconds = len(pcm16k) / 2 / RATE
        if seconds > LONGEST:
            raise BadInput(f"recognition takes at most {LONGEST // 60} minutes at once, not {seconds / 60:.1f}: cut it")
        place = self._line.at(FINAL if final else PARTIAL)
        steps = stepping(lambda: self._steps(np.frombuffer(pcm16k, "<i2"), language, final, words), place)
        try:
            async for transcript in steps:
                yield transcript
        finally:
            await steps.aclose()  # type: ignore[attr-defined]  # stepping is a generator

    def _steps(
        self, sound: npt.NDArray[np.int16], language: str | None, final: bool, words: bool
    ) -> Iterator[Transcript]:
        spoken = language if self._model.model.is_multilingual else "en"
        cut = pieces(self._silero.track(sound), len(sound))
        said: list[str] = []
        heard: list[Word] = []
        for number, piece in enumerate(cut, 1):
            part = sound[piece.start : piece.end].astype(np.float32) / np.float32(32768)
            text, spoken, found = self._recognise(part, spoken, words)
            said.extend([text] if text else [])
            heard += [Word(spot.text, piece.start + spot.start, spot.end - spot.start) for spot in found]
            yield Transcript(" ".join(said), tuple(heard), spoken, final and number == len(cut))
        if not cut:
            yield Transcript("", (), spoken or "en", final)

    def _recognise(
        self, sound: npt.NDArray[np.float32], language: str | None, words: bool
    ) -> tuple[str, str, list[Spot]]:
        """Text and language of one piece, and its words if wanted.

        The first attempt that is not doubtful counts, else the best of all.
        """
        seconds = len(sound) / RATE
        enough = next((w for w in self._windows if w >= seconds + ROOM), self._windows[-1])
        ladder = [enough, *(w for w in self._windows if w > enough and w >= 20)]
        attempts: list[_Attempt] = []
        for window in ladder:
            tokens = 224 if window == ladder[-1] else int(8 + 8 * seconds)  # fast speech has 5 tokens a second
            language = language or self._language(sound, window)
            attempt = self._attempt(sound, language, window, tokens)
            if attempt.nothing:
                return "", language, []
            attempts.append(attempt)
            if not attempt.doubtful:
                break
        best = attempts[-1]
        if best.doubtful:
            best = max(attempts, key=lambda a: (not a.cut_off, not repeated(a.text), a.confidence))
        # Real repetition ("no, no, no") was heard the same with all the room there is; a runaway was cut off.
        text = without_repeats(best.text) if best.cut_off else best.text
        language = language or "en"
        found = spots(self._model, self._task(language).tokenizer, best.ids, best.encoded, sound) if words else []
        return text, language, found if text == best.text else found[: len(text.split())]

    def _attempt(self, sound: npt.NDArray[np.float32], language: str, window: int, tokens: int) -> _Attempt:
        task = self._task(language)
        encoded = self._model.encode(self._features(sound, window))
        result = self._model.model.generate(
            encoded,
            [task.prompt],
            beam_size=1,
            max_length=len(task.prompt) + tokens,
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=task.never,
        )[0]
        ids = result.sequences_ids[0]
        confidence = result.scores[0] * len(ids) / (len(ids) + 1)  # the end token counts, as Whisper's paper has it
        text = task.tokenizer.decode(ids).strip()
        return _Attempt(text, ids, encoded, confidence, result.no_speech_prob, len(ids) >= tokens)

    def _features(self, sound: npt.NDArray[np.float32], window: int) -> npt.NDArray[np.float32]:
        """Log-mel frames of 10 ms, shape (mels, 100 * window), zero after the sound as faster-whisper does it."""
        long_enough = np.pad(sound, (0, max(0, RATE // 4 - len(sound))))
        mel = self._model.feature_extractor(long_enough)[:, : 100 * window]
        return np.pad(mel, ((0, 0), (0, 100 * window - mel.shape[1])))

    def _language(self, sound: npt.NDArray[np.float32], window: int) -> str:
        encoded = self._model.encode(self._features(sound, window))
        token, _ = self._model.model.detect_language(encoded)[0][0]
        return token[2:-2]

    def _task(self, language: str) -> _Task:
        if language not in self._tasks:
            self._tasks[language] = _task(self._model, language)
        return self._tasks[language]


def _folder(model: Path | str | None) -> Path:
    """Nothing is downloaded while a program runs: a name is one of the manifest, all else a folder."""
    name = needs.WHISPER.get(str(model or "tiny.en"))
    if name:
        return models.folder(name)
    if not Path(str(model)).is_dir():
        known = ", ".join(needs.WHISPER)
        raise StageError(f"recognition cannot load the Whisper model {str(model)!r}; name one of {known}, or a folder")
    return Path(str(model))


@dataclass(frozen=True, slots=True)
class _Task:
    """What the decoder is told in one language."""

    tokenizer: Any
    prompt: list[int]
    never: list[int]
    """Tokens that are not speech: brackets, notes, and so on."""


def _task(model: Any, language: str) -> _Task:
    from faster_whisper.tokenizer import Tokenizer
    from faster_whisper.transcribe import get_suppressed_tokens

    multilingual = model.model.is_multilingual
    try:
        tokenizer = Tokenizer(model.hf_tokenizer, multilingual, task="transcribe", language=language)
    except ValueError:
        raise BadInput(f"Whisper does not know the language {language!r}; give an ISO 639-1 code or none") from None
    prompt = model.get_prompt(tokenizer, [], without_timestamps=True)
    never = get_suppressed_tokens(tokenizer, (-1,)) or ()
    return _Task(tokenizer, prompt, list(never))
