"""Weights are read as numbers only, once from what was published and from then on from what was made of it."""

# pyright: reportMissingImports=false
from __future__ import annotations

import tests.actors.tts.xtts.needs  # isort: skip  # noqa: F401  # skips this file where coqui-tts is missing

import hashlib
import os
import shutil
from pathlib import Path

import pytest
import torch

from actors.tts.xtts.checkpoint import load
from actors.tts.xtts.package import coqui
from streaming.stages import StageError
from tests.actors.tts.xtts import tiny


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As it is pulled: nothing converted yet."""
    return Path(shutil.copytree(tiny.folder(), tmp_path / "xtts", ignore=shutil.ignore_patterns("*.safetensors")))


class Evil:
    """Unpickled in the usual way it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


def test_what_was_published_is_converted_once_and_is_the_same_model(folder: Path) -> None:
    first = load(folder, coqui())
    assert first.identity == hashlib.sha256((folder / "model.pth").read_bytes()).hexdigest()
    (folder / "model.pth").unlink()
    again = load(folder, coqui())
    assert (again.identity, list(again.own)) == (first.identity, [tiny.OWN])
    theirs = dict(first.model.state_dict())
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in again.model.state_dict().items())
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json", "model.safetensors", "speakers_xtts.pth", "vocab.json",
    ]  # fmt: skip


def test_a_newer_model_is_converted_again(folder: Path) -> None:
    first = load(folder, coqui())
    published = torch.load(folder / "model.pth", weights_only=True)
    published["model"] = {f"xtts.{name}": tensor * 2 for name, tensor in published["model"].items()}
    published["model"]["xtts.dvae.codebook"] = torch.zeros(3)
    torch.save(published, folder / "model.pth")
    assert load(folder, coqui()).identity != first.identity


def test_the_names_that_older_torch_gave_a_normed_weight_are_understood(folder: Path) -> None:
    """XTTS-v2 was saved so, and with the transformer's weights under a second name."""
    first = load(folder, coqui()).model.state_dict()
    (folder / "model.safetensors").unlink()
    published = torch.load(folder / "model.pth", weights_only=True)["model"]
    for name in list(published):
        if ".parametrizations.weight.original" in name:
            older = name.replace(".parametrizations.weight.original0", ".weight_g")
            older = older.replace(".parametrizations.weight.original1", ".weight_v")
            published[older] = published.pop(name)
    published["gpt.gpt.wte.weight"] = published["gpt.mel_embedding.weight"]
    published["gpt.gpt_inference.lm_head.1.weight"] = published["gpt.mel_head.weight"]
    torch.save({"model": published}, folder / "model.pth")
    again = load(folder, coqui()).model.state_dict()
    assert again.keys() == first.keys()
    assert all(torch.equal(tensor, first[name]) for name, tensor in again.items())


@pytest.mark.parametrize("name", ["model.pth", "speakers_xtts.pth"])
def test_code_in_a_file_of_weights_is_not_run(folder: Path, tmp_path: Path, name: str) -> None:
    torch.save({"model": Evil(tmp_path / "ran")}, folder / name)
    with pytest.raises(StageError, match=rf"{name} .*models pull"):
        load(folder, coqui())
    assert not (tmp_path / "ran").exists()


def test_a_folder_that_may_not_be_written_is_read_all_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("actors.tts.xtts.checkpoint.save_file", full)
    assert load(folder, coqui()).own
    assert not (folder / "model.safetensors").exists()
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_what_is_missing_cut_off_or_of_another_model_is_told(folder: Path) -> None:
    whole = (folder / "model.pth").read_bytes()
    (folder / "model.pth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StageError, match=r"no checkpoint that is safe to read"):
        load(folder, coqui())
    torch.save(
        {"model": {"hifigan_decoder.waveform_decoder.conv_pre.weight": torch.zeros(32, 64, 7)}}, folder / "model.pth"
    )
    with pytest.raises(StageError, match=r"not a whole XTTS-v2 .*models pull"):
        load(folder, coqui())
    (folder / "model.safetensors").write_bytes(b"\1" * 40)
    with pytest.raises(StageError, match=r"cannot be read .*remove it"):
        load(folder, coqui())
    for name in ("model.safetensors", "model.pth"):
        (folder / name).unlink()
    with pytest.raises(StageError, match=r"there is no XTTS model in"):
        load(folder, coqui())
