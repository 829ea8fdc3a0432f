"""How soon it falls silent when somebody speaks: through the running gateway, at the pace of sound.

Real engines, the gateway and one client at a time in this process, a real socket between them. The client plays what
it is sent and stops at once when it is told to: our own client at ``avatar.hold``, a stock one at ``speech_started``,
which comes with the first words. What a sound card holds is not counted. The overlaps are those of ``barge.py``.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import websockets

from serve_app.bench.barge import BLOCK, REPORTED, Case, cases
from serve_app.bench.room import ECHO_DB, OVER_DB, Loudspeaker, Room, begun, level, spoken
from serve_app.bench.serving import serving
from serve_app.bench.table import Bar, Result, spread
from serve_app.gateway.wire import SUBPROTOCOL
from serve_app.settings import Settings
from serve_app.talk import Echo
from streaming.media import HEADER_BYTES, MIC_RATE, SAMPLE_BYTES, Flag, Kind, Unit, pack
from streaming.session import Stages
from streaming.stages import Hearing, HearState, SharedListener, Voice

Client = Literal["own", "stock"]

BLOCK_S = 0.02
VOICED_DB = -20.0
"""Against the voiced half of the interruption: quieter sound is no voice."""
CROSSINGS = 0.3
"""Most crossings of zero a sample in a voice: an s or f, and breath, have more."""
PATIENCE_S = 3.0
"""After the interruption began; who is not told by then is not told."""
PHRASES = (
    "Wait, I have another question.",
    "No, I meant something else.",
    "Let me ask you another thing.",
    "Your answer is too long for me.",
    "Why do you say that at all?",
)
"""Each begins with a voiced sound."""
REPLY_S = 20.0
"""Longest wait for the reply to begin."""


@dataclass(frozen=True, slots=True)
class Silence:
    """What came of one interruption; milliseconds, or None for what did not happen."""

    silent: float | None
    """From the first voiced sample until the client is told to stop."""
    sent: float | None
    """From the listener's decision to the receipt of the reply's last sound; 0 if none came after it."""
    stopped: float | None
    """From the listener's decision until the client is told to stop."""
    cancelled: float | None
    """From the first voiced sample until the client knows that the reply is over."""


_FIRST = (1).to_bytes(2, "little")
"""The turn in a header: what follows is the answer to the interruption."""


class Noted:
    """A listener that notes when it decides that somebody speaks."""

    def __init__(self, listener: SharedListener) -> None:
        self._listener = listener
        self.decided: list[float] = []

    async def hear(self, pcm16k: bytes, state: HearState) -> Hearing:
        """As the listener does."""
        answer = self._listener.hear(pcm16k, state)
        news, after = await answer if isinstance(answer, Awaitable) else answer
        if any(voicing.speaking for voicing in news):
            self.decided.append(time.monotonic())
        return news, after


@dataclass(slots=True)
class _Player(Loudspeaker):
    """The client's loudspeaker, and when it was told what."""

    told: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])

    def take(self, message: str | bytes, now: float) -> None:
        """A message came."""
        if isinstance(message, bytes):
            if message[0] == Kind.AUDIO and message[2:4] == _FIRST:
                self._sounds(message[HEADER_BYTES:], now)
            return
        event: dict[str, Any] = json.loads(message)
        match event["type"]:
            case "response.output_audio.delta" if event["response_id"] == "resp_1":
                self._sounds(base64.b64decode(event["delta"]), now)
            case "avatar.hold" | "avatar.resume" | "avatar.flush" | "input_audio_buffer.speech_started" as kind:
                self.held = kind != "avatar.resume"
                self.told.append((kind.rpartition(".")[2], now))
            case "error":
                raise RuntimeError(f"the gateway refuses the measurement: {message}")
            case _:
                pass

    def _sounds(self, pcm: bytes, now: float) -> None:
        self.sound += pcm
        self.told.append(("sound", now))

    def first(self, names: Sequence[str], since: float) -> float | None:
        """When it was first told one of these, not before ``since``."""
        return next((at for name, at in self.told if name in names and at >= since), None)

    def last_sound(self, since: float) -> float:
        """When the last sound came that was not sent again on purpose, or ``since`` if none came after that."""
        until = self.first(("resume",), since) or float("inf")
        return max((at for name, at in self.told if name == "sound" and since <= at < until), default=since)


def voiced_from(sound: np.ndarray) -> int:
    """The first voiced sample of an interruption at 16 kHz, to 10 ms: 20 ms from it on are loud and no hiss."""
    pieces = np.lib.stride_tricks.sliding_window_view(sound, 320)[::160]
    loud = (pieces**2).mean(axis=1) >= level(sound) ** 2 * 10 ** (VOICED_DB / 10)
    crossings = (np.diff(np.signbit(pieces), axis=1) != 0).mean(axis=1)
    return int((loud & (crossings <= CROSSINGS)).argmax()) * 160


def outcome(player: _Player, decided: Sequence[float], voiced: float, client: Client) -> Silence:
    """What a client that heard all this knows; ``voiced`` is when the first voiced sample was spoken."""
    stop = player.first(("hold",) if client == "own" else ("speech_started",), voiced)
    over = player.first(("flush",) if client == "own" else ("speech_started",), voiced)
    decision = next((at for at in decided if voiced <= at <= (stop or voiced)), None)
    return Silence(
        _ms(voiced, stop),
        None if decision is None else _ms(decision, player.last_sound(decision)),
        None if decision is None else _ms(decision, stop),
        _ms(voiced, over),
    )


def _ms(since: float, at: float | None) -> float | None:
    return None if at is None else (at - since) * 1000


# ---- one interruption --------------------------------------------------------------------------------------


async def silence_of(case: Case, client: Client, url: str, noted: Noted, own_level: float) -> Silence:
    """Let the reply be spoken, interrupt it, and see when the client falls silent."""
    assert case.over is not None
    dice = np.random.default_rng(case.seed)
    gain = 10 ** (ECHO_DB / 20)
    room = Room(int(dice.uniform(0.15, 0.3) * MIC_RATE), gain if case.echo else 0.0, dice)
    since = int(dice.uniform(1.0, 3.0) / BLOCK_S)
    over = case.over * own_level * gain * 10 ** (OVER_DB / 20) / level(case.over)
    over = np.pad(over, (0, -len(over) % BLOCK))
    player = _Player()
    protocols = [websockets.Subprotocol(SUBPROTOCOL)] if client == "own" else None
    async with websockets.connect(url, subprotocols=protocols, compression=None, close_timeout=0.2) as socket:
        for event in _opening(case.text, client):
            await socket.send(json.dumps(event))
        listening = asyncio.create_task(_listen(socket, player))
        try:
            voiced = await _talk(socket, player, room, over, since, client, case.voiced)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
    return outcome(player, noted.decided, voiced, client)


def _opening(text: str, client: Client) -> list[dict[str, Any]]:
    if client == "own":
        return [{"type": "avatar.say", "text": text}]
    sound = {"input": {"format": {"type": "audio/pcm", "rate": MIC_RATE}}}
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    return [
        {"type": "session.update", "session": {"type": "realtime", "audio": sound}},
        {"type": "conversation.item.create", "item": item},
        {"type": "response.create"},
    ]


async def _listen(socket: websockets.ClientConnection, player: _Player) -> None:
    async for message in socket:
        player.take(message, time.monotonic())


async def _talk(
    socket: websockets.ClientConnection,
    player: _Player,
    room: Room,
    over: np.ndarray,
    since: int,
    client: Client,
    voiced: int | None,
) -> float:
    """Send what the microphone hears, until the reply is over; when the first voiced sample was spoken.

    The interruption begins ``since`` blocks after the reply is first heard; ``voiced`` is that sample, if it is known.
    """
    begun = time.monotonic()
    begins: int | None = None
    ends = len(over) // BLOCK + round(PATIENCE_S / BLOCK_S)
    k = 0
    while begins is None or k < begins + ends:
        if begins is None and player.played:
            begins = k + since
        at = k - begins if begins is not None else -1
        block = over[at * BLOCK : (at + 1) * BLOCK] if at >= 0 else np.zeros(0)
        pcm = room.hears(player.plays(), np.pad(block, (0, BLOCK - len(block))))
        await asyncio.sleep(max(begun + (k + 1) * BLOCK_S - time.monotonic(), 0))
        await socket.send(_packet(pcm, k, client))
        k += 1
        if client == "own" and k % REPORTED == 0 and player.played:
            await socket.send(json.dumps({"type": "avatar.playhead", "turn": 1, "pts": player.played // SAMPLE_BYTES}))
        if begins is None and k * BLOCK_S > REPLY_S:
            raise TimeoutError(f"the reply did not begin within {REPLY_S:g} s")
        if begins is not None and player.first(("flush", "speech_started"), begun + begins * BLOCK_S):
            break
    assert begins is not None
    return begun + begins * BLOCK_S + (voiced_from(over) if voiced is None else voiced) / MIC_RATE


def _packet(pcm: bytes, k: int, client: Client) -> str | bytes:
    if client == "own":
        return pack(Unit(Kind.MICROPHONE, Flag.NONE, 0, k, k * BLOCK, 0, pcm))
    return json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode()})


# ---- the table ---------------------------------------------------------------------------------------------


async def silence(stages: Stages, settings: Settings, folder: Path, *, quick: bool = False) -> Result:
    """The table: our own client with headphones and with a loudspeaker, and a stock client with headphones."""
    count = 4 if quick else 20
    noted = Noted(stages.listener)
    made = [case for case in await cases(stages, folder, count) if "speech" in case.kind]
    over, alone = made[:count], made[count:]
    kinds: tuple[tuple[str, list[Case], Client], ...] = (
        ("our own client, headphones, known beginning", await phrases(stages.voice, alone), "own"),
        ("our own client, headphones", alone, "own"),
        ("our own client, loudspeaker", over[: count // 3], "own"),
        ("a stock client, headphones", alone[: count // 3], "stock"),
    )
    found: dict[str, list[Silence]] = {}
    async with serving(replace(stages, responder=Echo(), listener=noted), settings) as port:
        url = f"ws://127.0.0.1:{port}/v1/realtime"
        for name, some, client in kinds:
            for case in some:
                loud = level(await spoken(stages.voice, case.text, case.seed))
                found.setdefault(name, []).append(await silence_of(case, client, url, noted, loud))
    own = found["our own client, headphones, known beginning"]
    bars = (
        Bar("our own client, first voiced sample to silence, p95", _p95(one.silent for one in own), 300, "ms"),
        Bar("the listener's decision to the last sound sent, p95", _p95(one.sent for one in own), 50, "ms"),
    )
    who = over[0].kind.split()[0]
    rows = tuple(row for name, some in found.items() for row in rows_of(name, some))
    notes = (
        f"{who} speech that begins 1-3 s after the reply is first heard; the loudspeaker's echo is "
        f"{ECHO_DB:g} dB, the speech {OVER_DB:g} dB above it",
        "known beginning: phrases of the built-in voice at another pitch, which begin with a voiced sound; their first "
        "voiced sample is known from the voice's own phones, and the first bar is for these",
        f"first voiced sample of a recording: the first 20 ms above {VOICED_DB:g} dB of its level that are no hiss; "
        "with a loudspeaker the listener may have decided before, for our own voice",
    )
    return Result("silence", ("ms", "of", "p50", "p95", "max"), rows, bars, notes)


async def phrases(voice: Voice, like: Sequence[Case]) -> list[Case]:
    """The same replies, interrupted by phrases of which the first voiced sample is known."""
    made: list[Case] = []
    for k, case in enumerate(like):
        over, voiced = await begun(voice, PHRASES[k % len(PHRASES)], case.seed, 0.8 if k % 2 else 1.25)
        made.append(replace(case, over=over, voiced=voiced))
    return made


def _p95(values: Any) -> float:
    """Whoever is never told counts as the longest wait."""
    return float(np.percentile([PATIENCE_S * 1000 if value is None else value for value in values], 95))


def rows_of(name: str, some: Sequence[Silence]) -> list[tuple[str, ...]]:
    """One row for each moment: how many of the interruptions it came in, and when."""
    moments = {
        "first voiced sample to silence": [one.silent for one in some],
        "listener's decision to the last sound": [one.sent for one in some],
        "listener's decision to being told": [one.stopped for one in some],
        "first voiced sample to the reply's end": [one.cancelled for one in some],
    }
    rows: list[tuple[str, ...]] = []
    for moment, values in moments.items():
        there = [value for value in values if value is not None]
        figures = spread(there) if there else ("-", "-", "-")
        rows.append((f"{name}: {moment}", f"{len(there)} of {len(some)}", *figures))
    return rows
