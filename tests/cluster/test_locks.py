"""The locks are made from the package index, and only when somebody means it."""

from __future__ import annotations

import pytest

from cluster import locks


@pytest.mark.parametrize(("asked", "code"), [("--help", 0), ("--what", 2)])
def test_asking_how_it_is_used_resolves_nothing(
    asked: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(locks, "resolved", lambda image: pytest.fail("pip was asked"))
    with pytest.raises(SystemExit) as end:
        locks.main([asked])
    assert end.value.code == code
    assert "usage: python -m cluster.locks" in "".join(capsys.readouterr())
