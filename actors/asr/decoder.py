"""Whisper's networks in CTranslate2: pieces of sound of one length in, texts with their doubts out, several at once.

All of a batch have the same window, and decoder prompts of the same length: CTranslate2 wants the start token at the
same place in each. Every row is calculated as if it were alone, so a text does not depend on what it is decoded with
(docs/performance.md says how often that was tried). This file knows no callers and no utterance longer than a window.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from actors.asr.phantoms import circles
from actors.asr.repeats import repeated
from streaming.stages import BadInput

log = logging.getLogger(__name__)

RATE = 16_000
HINTS_MOST = 200
"""Tokens of the hints that the decoder is shown, the last ones: its 448 places hold as many, a prompt and a text."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One try at a piece of sound."""

    mel: Floats
    """Shape (bands, frames of 10 ms): what ``Decoder.features`` makes."""
    language: str | None
    """None: it is found out."""
    tokens: int
    """The most that the decoder may write."""
    hints: str = ""
    detect: bool = False
    """Tell what it sounds like, whatever ``language`` is."""
    encoded: bool = False
    """What the encoder made of it is needed afterwards; it is worked on alone then."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of it."""

    text: str
    ids: list[int]
    """Tokens of the text."""
    language: str
    detected: str
    """What it sounds like; empty if nobody asked, or the model knows one language."""
    certainty: float
    """Probability of ``detected`` in [0, 1]."""
    confidence: float
    """Mean log probability of a token."""
    no_speech: float
    """Probability that Whisper's own detector gives to "nobody speaks"."""
    cut_off: bool
    """The decoder did not come to an end by itself."""
    encoded: Any = None
    """What the encoder made of the sound, if the job wanted it."""

    @property
    def nothing(self) -> bool:
        """Nobody spoke: no letter, or both of Whisper's measures say so."""
        unsaid = self.no_speech > 0.6 and self.confidence < -0.8
        return unsaid or not any(letter.isalnum() for letter in self.text)

    @property
    def doubtful(self) -> bool:
        """More room may give a better text."""
        return self.cut_off or self.confidence < -1.0 or repeated(self.text) or circles(self.text)


class Decoder:
    """One model; its caller sees to it that one thread calls."""

    def __init__(self, model: Any, languages: Sequence[str] | None = None) -> None:
        """``model`` is faster-whisper's; ``languages`` are those that are looked for where none is given, None: all.

        Raises BadInput for a language that Whisper does not know.
        """
        self._model = model
        self.multilingual: bool = model.model.is_multilingual
        self._among = None if languages is None else frozenset(languages)
        self._task: Callable[[str], _Task] = lru_cache(maxsize=None)(lambda language: _task(model, language))
        self._hinted: Callable[[str], tuple[int, ...]] = lru_cache(maxsize=64)(self._tokens_of)
        for language in self._among or ():
            self.check(language)

    def check(self, language: str) -> None:
        """Raise BadInput for a language that Whisper does not know."""
        self._task(language)

    def tokenizer(self, language: str) -> Any:
        """faster-whisper's, for this language."""
        return self._task(language).tokenizer

    def features(self, sound: Floats, window: int) -> Floats:
        """Log-mel frames of 10 ms, shape (bands, 100 * window), zero after the sound as faster-whisper does it."""
        long_enough = np.pad(sound, (0, max(0, RATE // 4 - len(sound))))
        mel = self._model.feature_extractor(long_enough)[:, : 100 * window]
        return np.pad(mel, ((0, 0), (0, 100 * window - mel.shape[1])))

    def alike(self, job: Job) -> Hashable:
        """Jobs of which this is equal can be worked on together."""
        return job if job.encoded else (job.mel.shape, len(self._hinted(job.hints)))

    def attempts(self, jobs: Sequence[Job]) -> list[Attempt | Exception]:
        """One result a job, in order. Where a batch fails each is tried alone, so that only its own failure is told."""
        tried: list[Attempt | Exception | None] = [None] * len(jobs)
        if len(jobs) > 1:
            try:
                tried = [*self._together(jobs)]
            except Exception as error:
                log.warning("recognition: %d pieces together failed (%r); each is tried alone", len(jobs), error)
        return [self._alone(job) if one is None else one for job, one in zip(jobs, tried, strict=True)]

    def _alone(self, job: Job) -> Attempt | Exception:
        try:
            (attempt,) = self._together([job])
        except Exception as error:  # belongs to whoever asked
            return error
        assert attempt is not None
        return attempt

    def _together(self, jobs: Sequence[Job]) -> list[Attempt | None]:
        """None for a piece that went on where it would have been stopped alone: its numbers are not the same then."""
        encoded = self._model.encode(np.stack([job.mel for job in jobs]))
        found = self._detected(encoded, jobs)
        languages = [job.language or language or "en" for job, (language, _) in zip(jobs, found, strict=True)]
        tasks = [self._task(language) for language in languages]
        prompts = [[*self._hinted(job.hints), *task.prompt] for job, task in zip(jobs, tasks, strict=True)]
        results = self._model.model.generate(
            encoded,
            prompts,
            beam_size=1,
            max_length=_places(len(prompts[0]), max(job.tokens for job in jobs)),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=tasks[0].never,
        )
        attempts: list[Attempt | None] = []
        for job, task, language, (detected, certainty), result in zip(
            jobs, tasks, languages, found, results, strict=True
        ):
            ids = result.sequences_ids[0]
            if len(ids) > job.tokens or (len(ids) == job.tokens and len(jobs) > 1):
                attempts.append(None)
                continue
            # The end token counts, as Whisper's paper has it.
            confidence = result.scores[0] * len(ids) / (len(ids) + 1)
            text = task.tokenizer.decode(ids).strip()
            cut_off, kept = len(ids) >= job.tokens, encoded if job.encoded else None
            attempts.append(
                Attempt(text, ids, language, detected, certainty, confidence, result.no_speech_prob, cut_off, kept)
            )
        return attempts

    def _detected(self, encoded: Any, jobs: Sequence[Job]) -> list[tuple[str, float]]:
        """What each sounds like, with its probability among the languages that are looked for."""
        if not self.multilingual or not any(job.detect or job.language is None for job in jobs):
            return [("", 0.0)] * len(jobs)
        found: list[tuple[str, float]] = []
        for odds in self._model.model.detect_language(encoded):
            named = [(token[2:-2], probability) for token, probability in odds]
            sought = [one for one in named if self._among is None or one[0] in self._among]
            language, probability = max(sought, key=lambda one: one[1])
            total = sum(one[1] for one in sought)
            found.append((language, probability / total if total else 0.0))
        return found

    def _tokens_of(self, hints: str) -> tuple[int, ...]:
        """The start of a prompt: what stands before the text, as if it had just been said."""
        if not hints.strip():
            return ()
        tokenizer = self.tokenizer("en")
        return tokenizer.sot_prev, *tokenizer.encode(" " + " ".join(hints.split()))[-HINTS_MOST:]


def _places(prompt: int, tokens: int) -> int:
    """The length that CTranslate2 must be told for at most ``tokens`` of text: it keeps half of it for the prompt, or,
    of a longer prompt, all but the last token."""
    return max(2 * tokens, prompt + tokens - 1)


@dataclass(frozen=True, slots=True)
class _Task:
    """What the decoder is told in one language."""

    tokenizer: Any
    prompt: list[int]
    never: list[int]
    """Tokens that are not speech: brackets, notes, and so on; the same in every language."""


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
