"""How much of a GPU's memory a process takes is told by its environment."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from actors import caps


def torch(available: bool, said: list[float]) -> Any:
    cuda = SimpleNamespace(is_available=lambda: available, set_per_process_memory_fraction=said.append)
    return lambda: SimpleNamespace(cuda=cuda)


def test_what_is_written_is_what_is_read() -> None:
    written = caps.variables({"torch": 0.25, "tensorrt_mb": 2048, "vllm": 0})
    assert written == {"GPU_CAP_TORCH_FRACTION": "0.25", "GPU_CAP_TENSORRT_WORKSPACE_MB": "2048"}
    assert [caps.cap(name, written) for name in caps.VARIABLES] == [0.25, 2048, 0]


def test_torch_is_held_to_its_share_and_it_is_said(caplog: pytest.LogCaptureFixture) -> None:
    said: list[float] = []
    with caplog.at_level(logging.INFO):
        caps.limit_torch({"GPU_CAP_TORCH_FRACTION": "0.25"}, torch(True, said))
    assert said == [0.25]
    assert caplog.messages == ["torch: 25 % of the GPU's memory, because GPU_CAP_TORCH_FRACTION says so"]


def test_without_a_cap_torch_is_not_even_imported() -> None:
    caps.limit_torch({}, lambda: pytest.fail("it was imported"))


def test_without_a_gpu_or_without_torch_it_is_said_that_there_is_no_limit(caplog: pytest.LogCaptureFixture) -> None:
    def absent() -> Any:
        raise ImportError("no torch")

    said: list[float] = []
    with caplog.at_level(logging.INFO):
        caps.limit_torch({"GPU_CAP_TORCH_FRACTION": "0.25"}, torch(False, said))
        caps.limit_torch({"GPU_CAP_TORCH_FRACTION": "0.25"}, absent)
    assert said == []
    assert [message.split(", because ")[1] for message in caplog.messages] == [
        "it sees no GPU",
        "torch is not installed here",
    ]


def test_a_cap_that_is_no_number_is_told() -> None:
    with pytest.raises(ValueError, match="GPU_CAP_VLLM_UTILISATION is 'much'; make it a number"):
        caps.cap("vllm", {"GPU_CAP_VLLM_UTILISATION": "much"})
