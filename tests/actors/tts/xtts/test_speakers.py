"""What a recording means to the networks is computed from its samples, kept beside it, and made again if it must be."""

# pyright: reportMissingImports=false
from __future__ import annotations

import tests.actors.tts.xtts.needs  # isort: skip  # noqa: F401  # skips this file where coqui-tts is missing

from pathlib import Path

import numpy as np
import pytest
import torch

from actors.tts import voices
from actors.tts.xtts.checkpoint import Loaded, load
from actors.tts.xtts.package import coqui
from actors.tts.xtts.speakers import Speakers
from streaming.stages import BadInput
from tests.actors.tts.xtts import recordings, tiny

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    return load(tiny.folder(), coqui())


def cached() -> list[Path]:
    return sorted(voices.own_folder().glob("voice-*.safetensors"))


def test_a_voice_is_what_coquis_own_methods_make_of_its_samples(loaded: Loaded) -> None:
    found = Speakers(loaded, CPU).find(recordings.brought(1))
    sound = torch.from_numpy(np.frombuffer(recordings.pcm24k(1), "<i2") / np.float32(32_768))[None]
    assert torch.equal(found.prompt, loaded.model.get_gpt_cond_latents(sound, 24_000, length=30, chunk_length=4))
    assert torch.equal(found.embedding, loaded.model.get_speaker_embedding(sound, 24_000))
    assert (found.prompt.shape, found.embedding.shape) == ((1, 32, 64), (1, 512, 1))


def test_it_is_computed_once_for_a_recording_and_a_model(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = recordings.brought(1)
    first = Speakers(loaded, CPU).find(anna)
    [path] = cached()
    assert path.name.startswith(f"{anna}.xtts-") and path.stat().st_size < 20_000
    monkeypatch.setattr(Speakers, "_heard", None)
    again = Speakers(loaded, CPU).find(anna)
    assert torch.equal(first.prompt, again.prompt) and torch.equal(first.embedding, again.embedding)
    other = Loaded(loaded.model, "00" * 32, loaded.own)
    with pytest.raises(TypeError):
        Speakers(other, CPU).find(anna)


def test_a_cache_that_is_broken_or_cannot_be_written_costs_time_only(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = recordings.brought(1)
    first = Speakers(loaded, CPU).find(anna)
    [path] = cached()
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    assert torch.equal(Speakers(loaded, CPU).find(anna).prompt, first.prompt)
    assert path.read_bytes() == whole

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    path.unlink()
    monkeypatch.setattr("actors.files.os.replace", full)
    assert torch.equal(Speakers(loaded, CPU).find(anna).prompt, first.prompt)
    assert sorted(file.suffix for file in voices.own_folder().iterdir()) == [".json", ".pcm"], (
        "and nothing half-written"
    )


def test_a_recording_that_is_not_here_is_asked_for_and_kept_in_memory(loaded: Loaded) -> None:
    speakers, pcm = Speakers(loaded, CPU), recordings.pcm24k(2)
    name = voices.identity(pcm)
    with pytest.raises(voices.VoiceAbsent):
        speakers.find(name)
    speakers.learn(pcm)
    sent = speakers.find(name)
    assert cached() == []
    assert recordings.brought(2) == name
    assert torch.equal(Speakers(loaded, CPU).find(name).prompt, sent.prompt)


def test_only_the_last_voices_stay_in_memory(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.tts.xtts.speakers._KEPT", 2)
    speakers = Speakers(loaded, CPU)
    for number in (1, 2, 3):
        speakers.learn(recordings.pcm24k(number))
    first, second, third = (voices.identity(recordings.pcm24k(number)) for number in (1, 2, 3))
    with pytest.raises(voices.VoiceAbsent):
        speakers.find(first)
    assert speakers.find(second) is speakers.find(second)
    assert list(speakers._known) == [second]
    speakers.find(third)
    assert list(speakers._known) == [second, third]


def test_without_a_voice_of_its_own_it_asks_for_one(loaded: Loaded) -> None:
    bare = Speakers(Loaded(loaded.model, loaded.identity, {}), CPU)
    with pytest.raises(BadInput, match=r"no voice was chosen, and XTTS-v2 has none of its own here; choose one"):
        bare.find("default")
    anna = recordings.brought(1)
    assert Speakers(Loaded(loaded.model, loaded.identity, {}), CPU, usual=anna).find("default").prompt.any()
