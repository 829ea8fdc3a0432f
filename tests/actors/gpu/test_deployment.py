"""Several stages in one replica: each answers as in a process of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from ray import serve  # before ours, which would choose a mode that other tests cannot use in one process

from actors.gpu import deployment
from actors.gpu.deployment import Shared
from actors.replica import Hung
from streaming.calls import Envelope


class Stage:
    """Answers with what it is, where it came from and what it was asked."""

    ill = False

    def __init__(self, engine: str, arguments: dict[str, Any]) -> None:
        self._name = f"{engine}{arguments}"

    async def answer(self, *asked: Any, call: Envelope) -> AsyncIterator[Any]:
        yield (self._name, *asked, call.turn)

    transcribe = speak = animate = answer

    async def check_health(self) -> None:
        if self.ill:
            raise Hung("ill")

    def record_autoscaling_stats(self) -> dict[str, float]:
        return {"load": 2.0, "wait_s": 0.1 if "x" in self._name else 0.5, "late_s": -1.0}


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployment, "STAGES", dict.fromkeys(("asr", "tts", "face"), Stage))


async def made(engines: dict[str, tuple[str, dict[str, Any]]]) -> Shared:
    replica = Shared.__new__(Shared)
    await replica.__init__(engines)  # type: ignore[misc]  # as Serve does
    return replica


def test_the_gateway_finds_it_by_its_name() -> None:
    assert isinstance(deployment.deployment, serve.Deployment)
    assert deployment.deployment.name == "gpu"


async def test_each_stage_answers_for_itself(stages: None) -> None:
    replica = await made({"asr": ("x", {}), "tts": ("y", {"a": 1}), "face": ("z", {})})
    span: Any = "span"
    assert [item async for item in replica.speak("Hi.", "v", "en", 3, call=Envelope(turn=7))] == [
        ("y{'a': 1}", "Hi.", "v", "en", 3, None, 7)
    ]
    assert [item async for item in replica.transcribe(b"", "en", True)] == [("x{}", b"", "en", True, False, "", 0)]
    assert [item async for item in replica.animate(span, span, None)] == [("z{}", "span", "span", None, 0)]


async def test_it_is_as_ill_as_its_illest_stage_and_as_late_as_its_latest(stages: None) -> None:
    replica = await made({"asr": ("x", {}), "tts": ("y", {})})
    await replica.check_health()
    assert replica.record_autoscaling_stats() == {"load": 4.0, "wait_s": 0.5, "late_s": -1.0}
    replica._stages["tts"].ill = True
    with pytest.raises(Hung):
        await replica.check_health()
