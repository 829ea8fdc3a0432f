"""A torchaudio that cannot load is helped, one that can is left alone, and what is not installed is named."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from actors.tts.xtts import package
from streaming.stages import StageError

HELP = "torchaudio._extension"


class Imports:
    """Stands for importlib and sys: torchaudio fails with ``error`` while its real extension would be loaded."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error
        self.modules: dict[str, Any] = {"torch": 1, "torchaudio._internal": 1}
        self.asked: list[str] = []

    def import_module(self, name: str) -> Any:
        self.asked.append(name)
        if name == "torchaudio" and self.error and HELP not in self.modules:
            raise self.error
        return SimpleNamespace(Xtts=1, XttsConfig=2, HifiDecoder=3, VoiceBpeTokenizer=4, _legacy_safe_globals=5)


def imports(error: Exception | None, monkeypatch: pytest.MonkeyPatch) -> Imports:
    made = Imports(error)
    monkeypatch.setattr(package, "importlib", made)
    monkeypatch.setattr(package, "sys", made)
    return made


def test_a_torchaudio_that_works_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    made = imports(None, monkeypatch)
    assert package.coqui() == package.Coqui(1, 2, 3, 4, 5)  # type: ignore[arg-type]
    assert HELP not in made.modules and made.asked.count("torchaudio") == 1


@pytest.mark.parametrize(
    "error", [OSError("libcudart.so.13: cannot open shared object"), RuntimeError("CUDA 12, not 13")]
)
def test_one_that_cannot_load_its_library_is_imported_without_it(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = imports(error, monkeypatch)
    package.coqui()
    stub = made.modules[HELP]
    assert isinstance(stub, ModuleType) and stub.fail_if_no_align("as it is") == "as it is"
    assert made.modules.keys() == {"torch", HELP}, "nothing of the failed import is left"


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    imports(ImportError("No module named 'torchaudio'"), monkeypatch)
    line = r"needs its extra \(No module named 'torchaudio'\); install it: pip install 'realtime-avatar\[xtts\]'$"
    with pytest.raises(StageError, match=line):
        package.coqui()
