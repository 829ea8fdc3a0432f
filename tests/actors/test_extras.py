"""An engine's extras are told without loading it, and they are those that pyproject.toml has."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from actors import extras
from actors.face.ditto.runtime import RUNTIMES

DECLARED = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text("utf-8"))["project"]


@pytest.mark.parametrize(
    ("engine", "arguments", "wanted"),
    [
        ("whisper", {"device": "cuda"}, ()),
        ("xtts", {}, ("xtts",)),
        ("polyglot", {}, ("kokoro",)),
        ("polyglot", {"engines": "hibari, kokoro,xtts"}, ("kokoro", "xtts")),
        ("ditto", {}, ("ditto",)),
        ("ditto", {"runtime": "onnx"}, ()),
        ("ditto", {"runtime": "tensorrt-rtx"}, ("tensorrt-rtx",)),
        ("ditto", {"runtime": "abacus"}, ()),
    ],
)
def test_an_engine_names_its_extras(engine: str, arguments: dict[str, str], wanted: tuple[str, ...]) -> None:
    assert extras.needed(engine, arguments) == wanted


def test_every_extra_is_declared_and_every_runtime_is_known() -> None:
    named = {name for names in (*extras.ENGINES.values(), *extras.RUNTIMES.values()) for name in names}
    assert named <= set(DECLARED["optional-dependencies"])
    assert extras.RUNTIMES.keys() == RUNTIMES.keys()


def test_some_engines_run_on_nvidias_gpus_alone() -> None:
    assert extras.on_gpu("ditto", {"runtime": "tensorrt"}) and extras.on_gpu("whisper", {"device": "cuda:1"})
    assert not extras.on_gpu("ditto", {"runtime": "onnx"}) and not extras.on_gpu("whisper", {"device": "auto"})
