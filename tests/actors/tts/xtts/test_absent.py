"""Where the extra is not installed: what is known of the voice all the same, and the one line that it ends with."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import actors.tts.xtts
from actors.engines import resolve
from serve_app.persona import cast_of
from serve_app.settings import load
from streaming.session import Driving
from streaming.stages import StageError


def test_one_line_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "actors.tts.xtts.checkpoint", raising=False)
    monkeypatch.delattr(actors.tts.xtts, "checkpoint", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    line = r"^the voice xtts needs torch; install it: pip install 'realtime-avatar\[xtts\]'$"
    with pytest.raises(StageError, match=line):
        resolve("tts", "xtts")(tmp_path)


def test_a_session_may_choose_any_voice_that_was_brought_and_any_language_of_the_model() -> None:
    """Told without loading anything: the gateway's machine need not have torch."""
    cast = cast_of(load("cpu", tts={"engine": "xtts"}))
    assert cast.voices is None and cast.languages is not None
    assert {"en", "es", "zh"} < cast.languages
    anna = "voice-0123456789abcdef0123"
    from serve_app.gateway.wishes import Wishes

    assert Wishes(voice=anna).driving(Driving(), cast.voices).voice == anna
