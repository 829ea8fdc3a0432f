"""The voice xtts: a clip's text to speech with whatever voice was asked for, the first sound after eight tokens.

It knows no session. What it keeps between calls are caches: voices as numbers, and rows of requests under way.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from actors.models import ModelMissing, folder
from actors.threads import stepping
from actors.tts.asked import check_text, language_code
from actors.tts.blocks import cuts
from actors.tts.xtts.text import LANGUAGES, pieces
from streaming.stages import BadInput, Spoken, StageError

if TYPE_CHECKING:
    from actors.tts.xtts.speakers import Speaker

log = logging.getLogger(__name__)

MODEL = "xtts-v2"
PULL = f"avatar models pull {MODEL} --accept-licence"
INSTALL = "pip install 'realtime-avatar[xtts]'"
_STEPS = 4
"""Tokens between two looks at who else waits, or has left: 20 to 130 ms."""


class Xtts:
    """XTTS-v2, several clips at once on one device."""

    languages = frozenset(LANGUAGES)
    """What it can be asked for, known before it is loaded."""

    def __init__(
        self, models: str | Path = "", *, device: str = "auto", rows: int = 4, voice: str = "",
        temperature: float = 0.75, top_k: int = 50, top_p: float = 0.85, repetition: float = 5.0,
    ) -> None:  # fmt: skip
        """``models``: the folder with XTTS-v2's files; empty: where `avatar models pull` puts it.

        ``device``: auto, cpu, cuda or mps. ``rows``: clips that are spoken at once, each with 130 MB of cache in
        half precision; more wait. ``voice``: what "default" means, a name of the model's own or the id of one that was
        brought. The others say how freely it speaks (actors/tts/xtts/choosing.py). Raises StageError.
        """
        place = Path(models) if models else _pulled()
        if not place.is_dir():  # before the slow import
            raise StageError(f"there is no XTTS model in {place}; run: {PULL}")
        try:
            from actors.tts.xtts import checkpoint
            from actors.tts.xtts.choosing import Taste
            from actors.tts.xtts.gpt import Gpt
            from actors.tts.xtts.package import coqui
            from actors.tts.xtts.placing import placed
            from actors.tts.xtts.speakers import Speakers
            from actors.tts.xtts.together import Together
            from actors.tts.xtts.vocoder import Vocoder
        except ImportError as error:
            raise StageError(f"the voice xtts needs {error.name}; install it: {INSTALL}") from error
        loaded = checkpoint.load(place, coqui())
        where = placed(loaded.model, device)
        self._gpt = Gpt(
            loaded.model.gpt, rows, Taste(temperature, top_k, top_p, repetition), graph=where.type == "cuda"
        )
        self._together = Together(self._gpt)
        self._vocoder = Vocoder(loaded.model.hifigan_decoder)
        self._vocoder.warm()
        self._speakers = Speakers(loaded, where, voice)
        self._model: Any = loaded.model
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="xtts")

    def learn(self, pcm24k: bytes) -> None:
        """Know a voice by its recording, PCM16 at 24 kHz, that this machine's library does not have."""
        self._speakers.learn(pcm24k)

    def embedding(self, pcm24k: bytes) -> NDArray[np.float32]:
        """(512,) whose voice a sound is, as the model's speaker encoder has it: PCM16 at 24 kHz, 1 s and more.

        Two embeddings are compared by their cosine. The voice itself is conditioned on this encoder. It waits for the
        clip under way.
        """
        return self._executor.submit(self._speakers.embedding, pcm24k).result()

    async def speak(self, text: str, voice: str, language: str, seed: int) -> AsyncIterator[Spoken]:
        """Speech of one clip in blocks of about 200 ms, without phones and words, which the model does not tell.

        The same arguments give the same sound, whatever else is spoken at the same time. Raises BadInput for a text
        without words or over 2,000 characters, a language that the model does not speak and a voice that there is not.
        """
        async with aclosing(stepping(lambda: self._clip(text, voice, language, seed), self._executor)) as steps:  # type: ignore[type-var]
            async for sound in steps:
                if len(sound):
                    yield Spoken(sound.tobytes())

    def _clip(self, text: str, voice: str, language: str, seed: int) -> Iterator[NDArray[np.int16]]:
        """Blocks of sound, and empty ones where others may have their turn."""
        code = self._checked(text, language)
        speaker = self._speakers.find(voice)
        for number, piece in enumerate(pieces(text, lambda piece: self._fits(piece, code))):
            sound = self._piece(piece, code, speaker, (seed * 1_000_003 + number) % (1 << 63))
            yield from _blocks(sound)

    def _piece(self, text: str, code: str, speaker: Speaker, seed: int) -> Iterator[NDArray[np.float32]]:
        """One run of the model. How the chunks are cut depends on the text alone, so that its bits do too."""
        from actors.tts.xtts.together import Request
        from actors.tts.xtts.vocoder import Window, chunks

        request = Request(self._gpt.prompt(speaker.prompt, self._tokens(text, code)), seed)
        window, taken = Window(self._vocoder, speaker.embedding), 0
        self._together.enter(request)
        try:
            for size in chunks():
                while not request.done and len(request.latents) < taken + size:
                    self._together.advance(_STEPS)
                    yield np.zeros(0, np.float32)
                fresh = request.latents[taken : taken + size]
                taken += len(fresh)
                yield window.more(fresh, len(fresh) < size)
                if len(fresh) < size:
                    return
        finally:
            self._together.leave(request)

    def _checked(self, text: str, language: str) -> str:
        """The model's name of the language. Raises BadInput for what this voice cannot do, saying what to do."""
        code = LANGUAGES.get(language_code(language))
        spoken = [name for name, of_model in LANGUAGES.items() if of_model in self._model.config.languages]
        if code not in self._model.config.languages:
            raise BadInput(f"XTTS-v2 does not speak {language!r}; choose one of {', '.join(spoken)}")
        check_text(text)
        assert code is not None
        return code

    def _fits(self, text: str, code: str) -> bool:
        most = self._model.tokenizer.char_limits.get(code.split("-")[0], 200)
        return len(text) <= most and len(self._tokens(text, code)) < self._model.args.gpt_max_text_tokens

    def _tokens(self, text: str, code: str) -> list[int]:
        return self._model.tokenizer.encode(text.strip().lower(), lang=code)


def _pulled() -> Path:
    """The folder of the manifest's model. Raises StageError."""
    try:
        return folder(MODEL)
    except (ModelMissing, KeyError) as error:
        raise StageError(f"there is no XTTS model on this machine; run: {PULL}") from error


def _blocks(parts: Iterator[NDArray[np.float32]]) -> Iterator[NDArray[np.int16]]:
    """Each part in blocks, nothing kept from one part to the next."""
    for part in parts:
        pcm = np.clip(np.rint(part * 32_767), -32_768, 32_767).astype("<i2")
        for start, stop in cuts(len(pcm)):
            yield pcm[start:stop]
