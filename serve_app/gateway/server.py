"""How the gateway's web server listens, in a replica or alone. This file knows no Ray and no message."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from uvicorn.loops.auto import auto_loop_factory

from actors.face.avatars import AvatarUnknown, find
from serve_app.errors import UserError
from serve_app.groups import Gateway

BACKLOG = 1024
LARGEST = 2**20
"""Bytes of one message from a client: a second of microphone sound is 32 kB, base64 43 kB."""


def server_config(application: FastAPI) -> uvicorn.Config:
    """The server's settings. Compression is off: media does not get smaller, and it costs ten times the CPU."""
    return uvicorn.Config(
        application,
        ws="websockets-sansio",
        ws_max_size=LARGEST,
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=2,
    )


def event_loop() -> Callable[[], asyncio.AbstractEventLoop]:
    """What makes the loop of a gateway outside of Ray: uvloop's where it is installed, as a replica has it."""
    return auto_loop_factory()


def shared_socket(listening: Gateway) -> socket.socket:
    """A socket on the gateway's port that other replicas may share. Raises OSError if a stranger has the port."""
    family = socket.AF_INET6 if ":" in listening.host else socket.AF_INET
    # asyncio switches Nagle's delay off for sockets that say TCP; without it a picture waits 20 ms for the next packet.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((listening.host, listening.port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


@contextmanager
def port_of_ours(listening: Gateway, folder: Path | None = None) -> Iterator[None]:
    """Hold the port for this service alone. Raises UserError naming the process that has it.

    Replicas share the port by SO_REUSEPORT, so a second service would get half of the first one's clients without
    either noticing; this lock is what they notice.
    """
    if listening.port == 0:
        yield
        return
    path = (folder or Path(tempfile.gettempdir())) / f"realtime-avatar-{os.getuid()}-{listening.port}.lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 32).decode() or "unknown"
            raise UserError(
                f"port {listening.port} is served by another `avatar run` (process {holder}); "
                "stop that one, or choose another with --port"
            ) from None
        _refuse_strangers(listening)
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        yield
    finally:
        os.close(handle)


def _refuse_strangers(listening: Gateway) -> None:
    family = socket.AF_INET6 if ":" in listening.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((listening.host, listening.port))
        except OSError as error:
            raise UserError(
                f"cannot listen on {listening.host} port {listening.port}: {error.strerror}; choose another with --port"
            ) from None


def idle_clip(avatar: str) -> Path | None:
    """The idle loop of an avatar; None if there is none."""
    try:
        return find(avatar).idle_clip
    except AvatarUnknown:
        return None
