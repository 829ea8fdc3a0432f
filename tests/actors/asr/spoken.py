"""Speech for the tests: questions spoken by the embedded voice, and the human clips where they are at hand."""

from __future__ import annotations

import re
import wave
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

Sound = npt.NDArray[np.int16]

CLIPS = Path(__file__).parents[3] / "../shared/speech"


@cache
def _voice():  # type: ignore[no-untyped-def]  # its package has no types
    from hibari import Hibari

    return Hibari()


@cache
def spoken(text: str) -> Sound:
    """``text`` at 16 kHz in a synthetic voice; the same samples every time."""
    sound = _voice()(text, seed=1)
    length = len(sound) // 3 * 3
    spectrum = np.fft.rfft(sound[:length])[: length // 3 + 1]
    return (np.clip(np.fft.irfft(spectrum, length // 3 * 2) * 2 / 3, -1, 1) * 32767).astype("<i2")


def silence(seconds: float, *, level: float = 8) -> Sound:
    """A quiet room: white noise of ``level`` out of 32,768."""
    return np.random.default_rng(3).normal(0, level, int(seconds * 16_000)).astype("<i2")


def human_clips() -> list[tuple[str, Sound]]:
    """(transcript, sound) of every clip in the folder beside the checkout; skips the test where there is none."""
    if not (CLIPS / "transcripts.tsv").is_file():
        pytest.skip("no folder shared/speech with recorded clips beside this checkout")
    clips: list[tuple[str, Sound]] = []
    for line in (CLIPS / "transcripts.tsv").read_text("utf-8").splitlines():
        name, text = line.split("\t")
        with wave.open(str(CLIPS / name)) as file:
            clips.append((text, np.frombuffer(file.readframes(file.getnframes()), "<i2")))
    return clips


def plain(text: str) -> str:
    """Lower case, without punctuation: what word error rates compare."""
    return " ".join(re.sub(r"[^a-z0-9' ]", "", text.lower().replace("-", " ")).split())
