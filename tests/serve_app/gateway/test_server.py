"""How the gateway listens: replicas share its port, a second service and strangers do not."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from actors.face.avatars import DEFAULT
from serve_app.errors import UserError
from serve_app.gateway.server import LARGEST, idle_clip, port_of_ours, server_config, shared_socket
from serve_app.groups import Gateway
from serve_app.ports import free_port

HOME = "127.0.0.1"


@pytest.fixture
def listening() -> Gateway:
    """A port that nobody has."""
    return Gateway(host=HOME, port=free_port())


@pytest.fixture
def stranger(listening: Gateway) -> Iterator[socket.socket]:
    """Another program on that port, which shares it with nobody."""
    with socket.socket() as other:
        other.bind((listening.host, listening.port))
        other.listen()
        yield other


def locks(folder: Path) -> list[Path]:
    return list(folder.iterdir())


# ---- the port ----------------------------------------------------------------------------------------------


def test_two_replicas_share_one_port(listening: Gateway) -> None:
    with shared_socket(listening) as first, shared_socket(listening) as second:
        assert first.getsockname() == second.getsockname() == (HOME, listening.port)


def test_a_client_reaches_one_of_the_replicas(listening: Gateway) -> None:
    with shared_socket(listening) as replica, socket.create_connection((HOME, listening.port), 5) as client:
        there, address = replica.accept()
        with there:
            assert address == client.getsockname()


async def test_small_messages_are_not_kept_back_for_bigger_ones(listening: Gateway) -> None:
    """Nagle's delay would let a picture wait for the client's next packet."""
    accepted = asyncio.get_running_loop().create_future()
    with shared_socket(listening) as listener:
        server = await asyncio.start_server(lambda _, writer: accepted.set_result(writer), sock=listener)
        async with server:
            _, here = await asyncio.open_connection(HOME, listening.port)
            there = await accepted
            assert there.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            for writer in (here, there):
                writer.close()
                await writer.wait_closed()


def test_a_port_that_a_stranger_has_is_not_shared(listening: Gateway, stranger: socket.socket) -> None:
    with pytest.raises(OSError, match="in use"):
        shared_socket(listening)


# ---- one service a port --------------------------------------------------------------------------------------


def test_a_second_service_is_refused_and_told_which_process_has_the_port(listening: Gateway, tmp_path: Path) -> None:
    with port_of_ours(listening, tmp_path):
        with pytest.raises(UserError, match=rf"{listening.port}.*process {os.getpid()}\).*--port") as told:
            with port_of_ours(listening, tmp_path):
                pytest.fail("two services have one port")
    assert "\n" not in str(told.value)


def test_the_port_is_free_again_when_the_service_ends(listening: Gateway, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), port_of_ours(listening, tmp_path):
        raise ZeroDivisionError
    with port_of_ours(listening, tmp_path):
        pass


def test_what_a_dead_process_left_behind_is_taken_over(listening: Gateway, tmp_path: Path) -> None:
    with port_of_ours(listening, tmp_path):
        (lock,) = locks(tmp_path)
    lock.write_text("4194304999")
    with port_of_ours(listening, tmp_path):
        assert lock.read_text() == str(os.getpid())


def test_two_services_may_have_two_ports(listening: Gateway, tmp_path: Path) -> None:
    other = Gateway(host=HOME, port=free_port())
    with port_of_ours(listening, tmp_path), port_of_ours(other, tmp_path):
        assert len(locks(tmp_path)) == 2


def test_any_free_port_is_held_by_nobody(tmp_path: Path) -> None:
    any_port = Gateway(host=HOME, port=0)
    with port_of_ours(any_port, tmp_path), port_of_ours(any_port, tmp_path):
        assert locks(tmp_path) == []


def test_a_stranger_on_the_port_is_told_with_what_to_do(
    listening: Gateway, stranger: socket.socket, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=rf"{HOME} port {listening.port}: .*in use; choose another with --port"):
        with port_of_ours(listening, tmp_path):
            pytest.fail("a stranger has the port")
    stranger.close()
    with port_of_ours(listening, tmp_path):
        pass


def test_replicas_listen_while_the_service_holds_the_port(listening: Gateway, tmp_path: Path) -> None:
    with port_of_ours(listening, tmp_path), shared_socket(listening) as replica:
        assert replica.getsockname()[1] == listening.port


# ---- the rest ----------------------------------------------------------------------------------------------


def test_media_is_not_compressed_and_messages_have_a_limit() -> None:
    config = server_config(FastAPI())
    assert config.ws_per_message_deflate is False
    assert config.ws_max_size == LARGEST == 1_048_576
    assert config.access_log is False


def test_a_second_of_microphone_sound_fits_into_a_message() -> None:
    assert 16_000 * 2 * 4 // 3 < LARGEST


def test_an_avatar_has_its_idle_loop_and_an_unknown_one_has_none() -> None:
    loop = idle_clip(DEFAULT)
    assert loop is not None and loop.is_file()
    assert idle_clip("nobody") is None
