"""What is said of packages: those of the base, those of an extra, and two libraries that must be loaded."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from serve_app import installed
from serve_app.finding import Finding
from serve_app.settings import load

ROWS = [
    "numpy>=1",
    "colour>=1; extra == 'kokoro'",
    "numpy>=1; extra == 'kokoro'",
    "no-such-thing==1.0; extra == 'xtts'",
    "numpy<1; extra == 'xtts'",
    "tensorrt>=11.2; extra == 'tensorrt'",
    "tensorrt-rtx-cu13-libs>=1; extra == 'tensorrt-rtx'",
    "numpy>=1; extra == 'tensorrt'",
]


def lines(findings: Iterator[Finding]) -> list[str]:
    return [f"{finding.level}: {finding.found}" for finding in findings]


def test_an_extra_is_asked_for_its_own_packages_only() -> None:
    base, own = installed.unmet(ROWS), installed.unmet(ROWS, "xtts")
    assert (base.absent, base.others, base.right) == ((), (), 1)
    assert not base and own
    assert own.absent == ("no-such-thing",)
    [other] = own.others
    assert other.startswith("numpy is ") and other.endswith("needed is <1")


def test_the_extras_of_the_chosen_engines_are_asked_for_with_the_line_that_installs_them() -> None:
    [told] = installed.extras(load("cpu-multilingual"), ROWS)
    assert (told.level, told.what) == ("missing", "extra")
    assert told.found == "kokoro, for the engine polyglot: without colour"
    assert told.mend.endswith("constraints.txt 'realtime-avatar[kokoro]'")
    assert lines(installed.extras(load("cpu-multilingual"), ROWS[2:])) == ["ok: kokoro, for the engine polyglot"]
    assert lines(installed.extras(load("cpu"), ROWS)) == ["ok: none are needed"]


def test_the_store_and_the_traces_have_extras_too() -> None:
    chosen = load(
        "cpu", store={"url": "postgresql://db/avatar"}, tracing={"endpoint": "http://collector:4318/v1/traces"}
    )
    assert installed.extras_of(chosen) == {"postgres": "the store", "otlp": "traces"}
    assert installed.extras_of(load("cpu", tracing={"endpoint": "file:///traces.jsonl"})) == {}


def on(runtime: str):
    return load("cpu", face={"engine": "ditto", "arguments": {"runtime": runtime}})


@pytest.mark.parametrize("runtime", ["tensorrt", "tensorrt-rtx"])
def test_a_library_is_loaded_whatever_the_package_is_called_that_brings_it(
    runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = runtime.replace("-", "_")
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, f"{name}_bindings", None)
    [told] = installed.extras(on(runtime), ROWS)
    assert told.level == "missing" and "is not installed" in told.found
    assert ("NVIDIA's own index" in told.found) == (runtime == "tensorrt")
    library = ModuleType(name)
    library.__version__ = "11.4.0.106"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, f"{name}_bindings", library)
    assert lines(installed.extras(on(runtime), ROWS)) == [f"ok: {runtime}, for the engine ditto"]


def test_an_older_tensorrt_needs_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    library = ModuleType("tensorrt")
    library.__version__ = "10.8.0"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tensorrt", library)
    monkeypatch.setattr(installed, "find_spec", lambda name: None)
    [told] = installed.extras(on("tensorrt"), ROWS)
    assert told.level == "missing" and "tensorrt is 10.8.0, which needs torch beside it" in told.found
    monkeypatch.setattr(installed, "find_spec", lambda name: name)
    assert lines(installed.extras(on("tensorrt"), ROWS)) == ["ok: tensorrt, for the engine ditto"]


def test_whisper_on_a_gpu_opens_a_library_that_no_extra_brings() -> None:
    def gone(name: str) -> object:
        raise OSError(f"{name}: cannot open shared object file")

    [told] = installed.cublas(load("l4"), gone)
    assert told.level == "missing" and told.found.startswith("for whisper on a GPU: libcublas.so.12: cannot open")
    assert "'nvidia-cublas-cu12>=12.4,<12.5'; then set LD_LIBRARY_PATH=" in told.mend
    assert lines(installed.cublas(load("l4"), lambda name: name)) == ["ok: libcublas.so.12, for whisper on a GPU"]
    assert list(installed.cublas(load("cpu"), gone)) == []


def test_pip_is_the_one_beside_the_python_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    monkeypatch.setattr(installed, "checkout", lambda: tmp_path)
    assert installed.pip("a[b]") == ".venv/bin/pip install -c constraints.txt 'a[b]'"
    monkeypatch.setattr(installed, "checkout", lambda: None)
    monkeypatch.setattr(sys, "prefix", "/srv/realtime-avatar")
    assert installed.pip("a", "b<2") == "/srv/realtime-avatar/bin/pip install 'a' 'b<2'"
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    assert installed.pip("a") == "pip install 'a'"
