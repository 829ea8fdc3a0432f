"""The voice library: a recording that somebody brings is measured, and kept if it is good enough to be copied.

Before that the silence at its ends is cut off, but for 0.2 s; what is kept is as loud as every other voice: the frames
with a voice have an RMS of -23 dBFS, or less where its peaks would pass -1 dBFS.

What is measured, in frames of 32 ms that Silero judges: ``seconds`` of the recording; ``speech``, the share of frames
with a voice (probability 0.5 and more); ``level``, the RMS of these frames in dBFS; ``clipped``, the share of samples
at the end of the scale; ``snr`` in dB, the mean power of the frames with a voice, less the noise, over the noise. The
noise is the median power of the frames without a voice (probability below 0.2); where there are fewer than five of
them, the tenth percentile of all. Whether it is one person who speaks is not measured: no model here could say.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from actors.asr.silero import FRAME, Silero
from actors.tts import voices
from serve_app.errors import UserError
from serve_app.wav import AudioFileError, read_question
from streaming.media import MIC_RATE, RATE

SHORTEST_S, LONGEST_S = 6.0, 30.0
LEAST_SPEECH = 0.5
LEAST_LEVEL, MOST_LEVEL = -38.0, -8.0
"""dBFS."""
MOST_CLIPPED = 0.001
LEAST_SNR = 15.0
"""dB."""
KEPT_LEVEL, KEPT_PEAK = -23.0, -1.0
"""dBFS, of what is kept."""
MARGIN_S = 0.2
"""Left of the silence at either end."""
LANGUAGES = ("en", "zh", "es")
LONGEST_NAME = 80

_FULL = 32_768.0
_END = 32_700  # a sample from here on counts as clipped
_FLOOR = 1e-9  # power of what counts as no noise at all: -90 dBFS


class VoiceRefused(UserError):
    """A recording that no voice can be made of. The message has one sentence for everything that is wrong."""

    def __init__(self, faults: dict[str, str]) -> None:
        super().__init__(" ".join(faults.values()))
        self.faults = faults
        """Name of the measure -> the sentence."""


@dataclass(frozen=True, slots=True)
class Measures:
    """What was measured of a recording; this file's first lines say how."""

    seconds: float
    speech: float
    level: float
    clipped: float
    snr: float

    def faults(self) -> dict[str, str]:
        """What is not good enough, a sentence each; empty if it will do."""
        found: dict[str, str] = {}
        if not SHORTEST_S <= self.seconds <= LONGEST_S:
            found["seconds"] = (
                f"The recording is {self.seconds:.1f} s long without the silence at its ends; "
                f"{SHORTEST_S:g} to {LONGEST_S:g} s are needed."
            )
        if self.speech < LEAST_SPEECH:
            found["speech"] = (
                f"Only {self.speech:.0%} of it is speech, {LEAST_SPEECH:.0%} are needed; speak on without long pauses."
            )
        if self.level < LEAST_LEVEL:
            found["level"] = f"The voice is too quiet ({self.level:.0f} dBFS); go nearer to the microphone."
        elif self.level > MOST_LEVEL:
            found["level"] = f"The voice is too loud ({self.level:.0f} dBFS); turn the microphone down."
        if self.clipped > MOST_CLIPPED:
            found["clipped"] = (
                f"The sound is overdriven: {self.clipped:.2%} of it is cut off; turn the microphone down."
            )
        if self.speech > 0 and self.snr < LEAST_SNR:
            found["snr"] = (
                f"There is too much noise beside the voice ({self.snr:.0f} dB, {LEAST_SNR:g} are needed); "
                "record in a quiet room."
            )
        return found


def measure(pcm16k: bytes) -> Measures:
    """Measure a recording, PCM16 mono at 16 kHz; about 5 ms of one core for each second of it."""
    sound = np.frombuffer(pcm16k, "<i2").astype(np.int16)
    odds = _silero().track(sound)
    whole = len(sound) // FRAME
    power = ((sound[: whole * FRAME].reshape(whole, FRAME) / _FULL) ** 2).mean(axis=1)
    odds = odds[:whole]
    voiced = power[odds >= 0.5]
    loud = float(voiced.mean()) if voiced.size else 0.0
    noise = _noise(power, odds)
    return Measures(
        seconds=round(len(sound) / MIC_RATE, 2),
        speech=round(voiced.size / max(whole, 1), 3),
        level=_decibels(loud),
        clipped=round(float((np.abs(sound.astype(np.int32)) >= _END).mean()), 5) if len(sound) else 0.0,
        snr=_decibels(max(loud - noise, _FLOOR) / noise),
    )


def _noise(power: NDArray[np.float64], odds: NDArray[np.float32]) -> float:
    without = power[odds < 0.2]
    if without.size >= 5:
        return max(float(np.median(without)), _FLOOR)
    return max(float(np.percentile(power, 10)), _FLOOR) if power.size else _FLOOR


def _decibels(ratio: float) -> float:
    return round(10 * float(np.log10(max(ratio, _FLOOR))), 1)


@cache
def _silero() -> Silero:
    return Silero()


def add(recording: bytes, name: str, language: str) -> tuple[voices.Brought, bool]:
    """Keep a recording, a sound file's bytes, as a voice; also whether it is new. The consent has been given.

    The same samples are the same voice; it keeps its first name. Raises VoiceRefused, OSError.
    """
    pcm24k, pcm16k = _trimmed(_samples(recording, RATE), _samples(recording, MIC_RATE))
    measures = measure(pcm16k)
    if faults := measures.faults():
        raise VoiceRefused(faults)
    pcm24k = _levelled(pcm24k, measures.level)
    voice_id = voices.identity(pcm24k)
    try:
        return voices.find(voice_id), False
    except voices.VoiceUnknown:
        pass
    voice = voices.Brought(
        id=voice_id,
        name="".join(sign for sign in name if sign.isprintable()).strip()[:LONGEST_NAME] or "Voice",
        language=language,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        sha256=hashlib.sha256(pcm24k).hexdigest(),
        consent=True,
        measures=asdict(measures),
    )
    voices.store(voice, pcm24k)
    return voice, True


def _trimmed(pcm24k: bytes, pcm16k: bytes) -> tuple[bytes, bytes]:
    """The same recording at two rates, from shortly before its first voice to shortly after its last."""
    sound = np.frombuffer(pcm16k, "<i2")
    voiced = np.flatnonzero(_silero().track(sound.astype(np.int16)) >= 0.5)
    if not voiced.size:
        return pcm24k, pcm16k
    begin = max(0.0, voiced[0] * FRAME / MIC_RATE - MARGIN_S)
    end = (voiced[-1] + 1) * FRAME / MIC_RATE + MARGIN_S
    edges = [slice(2 * round(begin * rate), 2 * round(end * rate)) for rate in (RATE, MIC_RATE)]
    return pcm24k[edges[0]], pcm16k[edges[1]]


def _levelled(pcm24k: bytes, level: float) -> bytes:
    """As loud as every voice that is kept; ``level`` is what it measures, in dBFS."""
    sound = np.frombuffer(pcm24k, "<i2").astype(np.float64)
    gain = min(KEPT_LEVEL - level, KEPT_PEAK - 20 * float(np.log10(max(np.abs(sound).max(), 1) / _FULL)))
    return np.rint(sound * 10 ** (gain / 20)).astype("<i2").tobytes()


def _samples(recording: bytes, rate: int) -> bytes:
    """PCM16 mono at a rate. Raises VoiceRefused on what is no sound, or far too long."""
    with tempfile.TemporaryDirectory(prefix="realtime-avatar-") as folder:
        path = Path(folder) / "the recording"
        path.write_bytes(recording)
        try:
            return read_question(path, 4 * LONGEST_S, rate)
        except AudioFileError as error:
            sentence = str(error)
            raise VoiceRefused({"sound": sentence[:1].upper() + sentence[1:] + "."}) from None
