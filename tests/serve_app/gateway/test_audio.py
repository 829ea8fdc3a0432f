"""Sound as clients send and want it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from serve_app.gateway.audio import (
    EXPANDED,
    PCM16K,
    PCM24K,
    PCMA,
    PCMU,
    Format,
    FormatUnknown,
    FromClient,
    ToClient,
    format_of,
)


def tone(rate: int, seconds: float = 1.0, hertz: float = 440) -> np.ndarray:
    return (np.sin(np.arange(round(rate * seconds)) * 2 * np.pi * hertz / rate) * 12_000).astype("<i2")


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def frequency(sound: np.ndarray, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(sound.astype(float) * np.hanning(len(sound))))
    return float(np.argmax(spectrum) * rate / len(sound))


@pytest.mark.parametrize(
    ("wanted", "form"),
    [
        ({"type": "audio/pcm", "rate": 24000}, PCM24K),
        ({"type": "audio/pcm"}, PCM24K),
        ({"type": "audio/pcm", "rate": 16000}, PCM16K),
        ({"type": "audio/pcmu"}, PCMU),
        ("g711_alaw", PCMA),
        ("pcm16", PCM24K),
    ],
)
def test_formats_have_the_names_of_both_apis(wanted: Any, form: Format) -> None:
    assert format_of(wanted) == form


@pytest.mark.parametrize("wanted", ["mp3", {"type": "audio/pcm", "rate": 44100}, {"type": "opus"}, None, 7])
def test_a_format_that_we_do_not_have_is_refused_with_those_that_we_have(wanted: Any) -> None:
    with pytest.raises(FormatUnknown, match="24000 or 16000"):
        format_of(wanted)


def test_what_is_in_our_own_format_passes_untouched() -> None:
    assert FromClient(PCM16K).take(b"\1\2") == b"\1\2"
    assert ToClient(PCM24K).take(b"\1\2") == b"\1\2"


@pytest.mark.parametrize("size", [960, 961, 77])
def test_sound_at_24_khz_keeps_its_pitch_and_length_however_it_is_cut(size: int) -> None:
    stream = FromClient(PCM24K)
    heard = b"".join(stream.take(piece) for piece in pieces(tone(24_000).tobytes(), size))
    sound = np.frombuffer(heard, "<i2")
    assert 15_900 <= len(sound) <= 16_000
    assert frequency(sound, 16_000) == pytest.approx(440, abs=2)


def test_g711_means_what_the_standard_says() -> None:
    """Reference points of ITU-T G.711, scaled to 16 bits: full scale, the smallest steps, and zero."""
    mu_law, a_law = EXPANDED["audio/pcmu"], EXPANDED["audio/pcma"]
    assert [int(mu_law[code]) for code in (0xFF, 0x7F, 0x80, 0x00, 0xFE)] == [0, 0, 32124, -32124, 8]
    assert [int(a_law[code]) for code in (0xD5, 0x55, 0xAA, 0x2A)] == [8, -8, 32256, -32256]


@pytest.mark.parametrize("form", [PCMU, PCMA], ids=lambda form: form.kind)
def test_telephone_sound_comes_back_as_it_went(form: Format) -> None:
    sent = ToClient(form)
    data = b"".join(sent.take(piece) for piece in pieces(tone(24_000).tobytes(), 4800))
    assert 7_900 <= len(data) <= 8_000
    back = FromClient(form)
    sound = np.frombuffer(b"".join(back.take(piece) for piece in pieces(data, 160)), "<i2")
    assert frequency(sound, 16_000) == pytest.approx(440, abs=2)
    assert 0.9 < sound[2000:-2000].astype(float).std() / tone(16_000).std() < 1.1
