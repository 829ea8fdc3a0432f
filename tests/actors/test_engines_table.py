"""Names of engines lead to classes, and a wrong name to the list of right ones."""

from __future__ import annotations

import ast
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from actors.engines import STAGES, UnknownEngine, engines, resolve


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_has_an_engine(stage: str) -> None:
    assert engines(stage)


@pytest.mark.parametrize("stage", STAGES)
def test_every_entry_names_a_class_of_its_own_stage(stage: str) -> None:
    """Looked up in the source, so that it holds also where an engine's library is not installed."""
    for entry in engines(stage).values():
        module, _, wanted = entry.partition(":")
        assert module.startswith(f"actors.{stage}.")
        spec = find_spec(module)
        assert spec is not None and spec.origin is not None
        tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
        assert wanted in [node.name for node in tree.body if isinstance(node, ast.ClassDef)]


def test_a_name_gives_its_class() -> None:
    voice = resolve("tts", "hibari")
    assert voice.__name__ == "Hibari" and hasattr(voice, "speak")


def test_a_table_is_read_without_importing_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "actors.tts.hibari", raising=False)
    assert "hibari" in engines("tts")
    assert "actors.tts.hibari" not in sys.modules


def test_an_unknown_engine_or_stage_names_those_that_there_are() -> None:
    with pytest.raises(UnknownEngine, match=r"tts has no engine 'siri'; choose one of: .*hibari"):
        resolve("tts", "siri")
    with pytest.raises(UnknownEngine, match="no stage 'nose'; the stages are asr, llm, tts, face"):
        resolve("nose", "hibari")
