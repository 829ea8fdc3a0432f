"""What a recording must be like to become a voice, and what is kept of it."""

from __future__ import annotations

import io
import json
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from actors.tts import voices
from serve_app.voices import KEPT_LEVEL, KEPT_PEAK, Measures, VoiceRefused, add, measure
from serve_app.wav import wav_of
from tests.actors.asr.spoken import silence, spoken

Sound = npt.NDArray[np.int16]

TEXT = (
    "The rainbow is a division of white light into many beautiful colours. These take the shape of a long round arch, "
    "with its path high above, and its two ends apparently beyond the horizon."
)
GOOD = Measures(seconds=10.0, speech=0.9, level=-20.0, clipped=0.0, snr=40.0)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


@cache
def speech(gain: float = 1.0, noise: float = 8, pause_s: float = 0.5) -> Sound:
    """About ten seconds of one voice in a room with so much noise."""
    said = np.concatenate([silence(0.5, level=0), spoken(TEXT), silence(pause_s, level=0)]).astype(float) * gain
    return np.clip(said + silence(len(said) / 16_000 + 1, level=noise)[: len(said)], -32768, 32767).astype("<i2")


def wav(sound: Sound) -> bytes:
    return wav_of(sound.tobytes(), 16_000)


def test_a_clean_recording_has_no_fault() -> None:
    found = measure(speech().tobytes())
    assert found.faults() == {}
    assert 8 < found.seconds < 14 and found.speech > 0.65 and -35 < found.level < -12 and found.snr > 30


FAULTY = {
    "short": (lambda: speech()[: 5 * 16_000], ["seconds"]),
    "long": (lambda: np.tile(speech(), 4)[: 31 * 16_000], ["seconds"]),
    "pauses": (lambda: speech(pause_s=14), ["speech"]),
    "quiet": (lambda: speech(gain=0.04, noise=1), ["level"]),
    "overdriven": (lambda: speech(gain=12), ["level", "clipped"]),
    "noisy": (lambda: speech(noise=1200), ["snr"]),
    "nobody": (lambda: silence(10, level=300), ["speech", "level"]),
}


@pytest.mark.parametrize("kind", FAULTY)
def test_every_fault_is_heard(kind: str) -> None:
    sound, faults = FAULTY[kind]
    assert list(measure(sound().tobytes()).faults()) == faults


def test_the_noise_ratio_is_that_of_the_powers() -> None:
    quiet, loud = (measure(speech(noise=noise).tobytes()).snr for noise in (100, 400))
    assert abs(quiet - loud - 20 * np.log10(4)) < 1
    level, noise = measure(speech().tobytes()).level, 20 * np.log10(1200 / 32_768)
    assert abs(measure(speech(noise=1200).tobytes()).snr - (level - noise)) < 1, "the noise is not counted as voice"


def test_every_fault_is_a_sentence_that_says_what_to_do() -> None:
    bad = Measures(seconds=3.2, speech=0.2, level=-50, clipped=0.02, snr=3)
    assert list(bad.faults().values()) == [
        "The recording is 3.2 s long without the silence at its ends; 6 to 30 s are needed.",
        "Only 20% of it is speech, 50% are needed; speak on without long pauses.",
        "The voice is too quiet (-50 dBFS); go nearer to the microphone.",
        "The sound is overdriven: 2.00% of it is cut off; turn the microphone down.",
        "There is too much noise beside the voice (3 dB, 15 are needed); record in a quiet room.",
    ]
    assert GOOD.faults() == {}
    assert list(Measures(10, 0.9, -3, 0, 40).faults()) == ["level"]


def test_a_voice_is_kept_as_samples_and_a_page_about_them() -> None:
    voice, new = add(wav(speech()), " Anna\n", "en")
    assert new and voice.id == voices.identity(voice.pcm24k()) and voice.name == "Anna" and voice.consent
    assert abs(len(voice.pcm24k()) / 2 / 24_000 - voice.measures["seconds"]) < 0.01
    folder = voices.own_folder()
    assert sorted(path.name for path in folder.iterdir()) == [f"{voice.id}.json", f"{voice.id}.pcm"]
    assert json.loads((folder / f"{voice.id}.json").read_text())["sha256"].startswith(voice.id.removeprefix("voice-"))
    assert voices.find(voice.id) == voice and list(voices.library()) == [voice.id]
    again, new = add(wav(speech()), "Berta", "es")
    assert (again, new) == (voice, False)
    voices.remove(voice.id)
    assert voices.library() == {} and list(folder.iterdir()) == []
    with pytest.raises(voices.VoiceUnknown, match="erased"):
        voice.pcm24k()


def test_silence_at_the_ends_is_cut_off_and_every_voice_is_as_loud() -> None:
    loud, quiet = (add(wav(speech(gain, noise=2)), "x", "en")[0] for gain in (1.0, 0.3))
    assert loud.measures["level"] - quiet.measures["level"] > 9
    levels = [measure(_at_16k(voice.pcm24k())).level for voice in (loud, quiet)]
    assert all(abs(level - KEPT_LEVEL) < 0.5 for level in levels)
    padded = np.concatenate([silence(4, level=2), speech(noise=2), silence(6, level=2)])
    trimmed = add(wav(padded), "x", "en")[0]
    assert abs(trimmed.measures["seconds"] - loud.measures["seconds"]) < 0.15
    assert len(padded) / 16_000 - trimmed.measures["seconds"] > 9.5
    peaky = speech(noise=2).copy()
    peaky[40_000:40_002] = 32_000
    kept = np.frombuffer(add(wav((peaky * 0.5).astype("<i2")), "x", "en")[0].pcm24k(), "<i2")
    assert np.abs(kept.astype(int)).max() <= 32_768 * 10 ** (KEPT_PEAK / 20) + 1


def _at_16k(pcm24k: bytes) -> bytes:
    sound = np.frombuffer(pcm24k, "<i2").astype(float)
    at = np.arange(0, len(sound) - 1, 1.5)
    return np.interp(at, np.arange(len(sound)), sound).astype("<i2").tobytes()


def packed(sound: Sound, form: str, codec: str) -> bytes:
    """The sound as a file of another kind."""
    file = io.BytesIO()
    with av.open(file, "w", format=form) as container:
        stream: Any = container.add_stream(codec, rate=48_000 if codec == "libopus" else 16_000)
        frame = av.AudioFrame.from_ndarray(sound[None], format="s16", layout="mono")
        frame.sample_rate = 16_000
        resampler = av.AudioResampler(
            format=stream.format, layout="mono", rate=stream.rate, frame_size=stream.frame_size
        )
        for block in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(block))
        container.mux(stream.encode(None))
    return file.getvalue()


@pytest.mark.parametrize(
    ("form", "codec"),
    [("mp3", "libmp3lame"), ("flac", "flac"), ("ogg", "libopus"), ("ipod", "aac"), ("wav", "pcm_s16le")],
)
def test_a_recording_may_be_of_any_usual_kind(form: str, codec: str) -> None:
    voice, new = add(packed(speech(), form, codec), "x", "en")
    assert new and voice.measures["snr"] > 25
    assert abs(voice.measures["seconds"] - add(wav(speech()), "x", "en")[0].measures["seconds"]) < 0.15


@pytest.mark.parametrize("name", ["../voice", "voice-1", "", "default"])
def test_other_names_are_no_voices(name: str) -> None:
    with pytest.raises(voices.VoiceUnknown):
        voices.find(name)


REFUSED = {
    "drawing": (lambda: b"<svg/>", "The recording is not a sound file"),
    "nothing": (lambda: b"", "The recording is empty"),
    "silence": (lambda: wav(silence(8, level=0)), "The recording is silent"),
    "truncated": (lambda: wav(speech())[:20_000], "The recording is truncated"),
    "endless": (lambda: wav(np.tile(silence(41), 3)), r"longer than 120 s"),
    "short and noisy": (lambda: wav(speech(noise=1200)[: 5 * 16_000]), r"3\.9 s long.*too much noise"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_voice_is_refused_and_not_kept(kind: str) -> None:
    recording, sentence = REFUSED[kind]
    with pytest.raises(VoiceRefused, match=sentence):
        add(recording(), "x", "en")
    assert voices.library() == {}
