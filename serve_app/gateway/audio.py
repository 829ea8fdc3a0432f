"""Sound as clients send and want it: PCM16 at 16 or 24 kHz, and G.711, to and from the conversation's own rates.

A stream keeps its place between two blocks, so that blocks join without a click. It knows no message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from streaming.media import MIC_RATE, RATE, samples

TELEPHONE_RATE = 8_000


class FormatUnknown(ValueError):
    """A format that we do not have; the message lists those we do."""


@dataclass(frozen=True, slots=True)
class Format:
    """How sound travels."""

    kind: str
    """``audio/pcm`` (PCM16 mono, little-endian), ``audio/pcmu`` or ``audio/pcma`` (G.711)."""
    rate: int
    """Samples a second."""

    def described(self) -> dict[str, Any]:
        """As a session shows it."""
        return {"type": self.kind, "rate": self.rate} if self.kind == "audio/pcm" else {"type": self.kind}


PCM16K = Format("audio/pcm", MIC_RATE)
PCM24K = Format("audio/pcm", RATE)
PCMU = Format("audio/pcmu", TELEPHONE_RATE)
PCMA = Format("audio/pcma", TELEPHONE_RATE)
BETA = {"pcm16": PCM24K, "g711_ulaw": PCMU, "g711_alaw": PCMA}
"""Names of the beta API."""


def format_of(wanted: Any) -> Format:
    """The format that a session asks for. Raises FormatUnknown."""
    if isinstance(wanted, str) and wanted in BETA:
        return BETA[wanted]
    if isinstance(wanted, dict):
        for known in (PCM24K, PCM16K, PCMU, PCMA):
            if wanted.get("type") == known.kind and wanted.get("rate", known.rate) == known.rate:
                return known
    raise FormatUnknown(
        "sound comes as audio/pcm (rate 24000 or 16000), audio/pcmu or audio/pcma (rate 8000), not as " + repr(wanted)
    )


class FromClient:
    """Microphone sound of one client as PCM16 mono at 16 kHz."""

    def __init__(self, form: Format) -> None:
        self._form = form
        self._resampler = _resampler(form.rate, MIC_RATE)
        self._odd = b""

    def take(self, data: bytes) -> bytes:
        """The next block; PCM16 may be cut in mid-sample, the rest is kept for the next one."""
        if self._form.kind == "audio/pcm":
            data = self._odd + data
            whole = len(data) & ~1
            data, self._odd = data[:whole], data[whole:]
        else:
            data = EXPANDED[self._form.kind][np.frombuffer(data, np.uint8)].tobytes()
        return _resampled(self._resampler, data, self._form.rate)


class ToClient:
    """The reply's sound, PCM16 mono at 24 kHz, as the client wants it."""

    def __init__(self, form: Format) -> None:
        self._form = form
        self._resampler = _resampler(RATE, form.rate)

    def take(self, pcm24k: bytes) -> bytes:
        """The next block."""
        data = _resampled(self._resampler, pcm24k, RATE)
        if self._form.kind == "audio/pcm":
            return data
        return _compressed(np.frombuffer(data, "<i2"), self._form.kind)


def _resampler(given: int, wanted: int) -> av.AudioResampler | None:
    return None if given == wanted else av.AudioResampler(format="s16", layout="mono", rate=wanted)


def _resampled(resampler: av.AudioResampler | None, pcm: bytes, rate: int) -> bytes:
    if resampler is None or not samples(pcm):
        return pcm
    frame = av.AudioFrame.from_ndarray(np.frombuffer(pcm, "<i2").reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = rate
    return b"".join(block.to_ndarray()[0].astype("<i2").tobytes() for block in resampler.resample(frame))


# ---- G.711 (ITU-T G.711, 11/1988) ----------------------------------------------------------------------------


def _mu_law() -> NDArray[np.int16]:
    """What each byte of mu-law means."""
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    size = (((code & 0x0F) << 3) + 132 << ((code >> 4) & 7)) - 132
    return np.where(code & 0x80, -size, size).astype("<i2")


def _a_law() -> NDArray[np.int16]:
    """What each byte of A-law means."""
    code = np.arange(256, dtype=np.int32) ^ 0x55
    step, place = (code >> 4) & 7, (code & 0x0F) << 4
    size = np.where(step == 0, place + 8, (place + 0x108) << np.maximum(step - 1, 0))
    return np.where(code & 0x80, size, -size).astype("<i2")


EXPANDED = {"audio/pcmu": _mu_law(), "audio/pcma": _a_law()}
"""(256,) the sample that each byte stands for."""
_ORDER = {kind: np.argsort(values, kind="stable") for kind, values in EXPANDED.items()}


def _compressed(sound: NDArray[np.int16], kind: str) -> bytes:
    """The byte whose meaning is nearest to each sample."""
    values = EXPANDED[kind][_ORDER[kind]].astype(np.int32)
    middles = (values[1:] + values[:-1]) / 2
    return _ORDER[kind][np.searchsorted(middles, sound)].astype(np.uint8).tobytes()
