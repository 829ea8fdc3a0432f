"""A port to listen at: the wished one if nobody has it."""

from __future__ import annotations

import socket

import pytest

from serve_app.errors import UserError
from serve_app.ports import free_port


def test_a_port_that_is_taken_is_not_taken_again() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        wanted = taken.getsockname()[1]
        other = free_port(wanted)
    assert other not in (wanted, 0)
    assert free_port(wanted) == wanted


def test_a_machine_without_any_port_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_is_free(*_: object) -> None:
        raise OSError(98, "Address already in use")

    monkeypatch.setattr(socket.socket, "bind", none_is_free)
    with pytest.raises(UserError, match="no port is free"):
        free_port()
