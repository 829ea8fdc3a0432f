"""Without its packages or its weights, the voice says what to install and what to pull."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from actors.models import places
from actors.tts.kokoro.engine import Kokoro
from streaming.stages import StageError


def test_without_weights_it_says_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVATAR_MODELS", str(tmp_path))
    places.forget()
    with pytest.raises(StageError, match="avatar models pull kokoro"):
        Kokoro()


def test_without_its_packages_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "num2words", None)
    (tmp_path / "kokoro.onnx").write_bytes(b"")
    with pytest.raises(StageError, match=r"needs num2words; install it: pip install 'realtime-avatar\[kokoro\]'"):
        Kokoro(tmp_path)
