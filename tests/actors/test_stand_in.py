"""Engines that only take time: as much as they are told, one after the other, and with what real ones would answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from inspect import signature
from typing import Any

import numpy as np
import pytest

from actors.engines import HEARING_STAND_IN, STAGES, STAND_IN, engines, resolve
from actors.stand_in import WORD_S, WORDS, Drawer, Ears, Hummer, Lane, Scribe, Talker
from streaming.media import FRAME, MIC_RATE, RATE, FramePacket, samples
from streaming.session import Stages
from streaming.stages import (
    Face,
    FaceState,
    HearState,
    Listener,
    Responder,
    Said,
    Span,
    StageError,
    TextDelta,
    Transcriber,
    Voice,
)
from tests.stubs import AVATAR

SECOND = bytes(2 * RATE)


async def every(stream: AsyncIterator[Any]) -> list[Any]:
    return [one async for one in stream]


def span(**others: Any) -> Span:
    given: dict[str, Any] = {"session": "s", "turn": 1, "pts": 0, "pcm24k": SECOND, "want_frames": 25, "phones": ()}
    rest: dict[str, Any] = {"last": False, "seed": 1, "plan": "", "codec": "h264", "slack_ms": 0, "idle_frame": 0}
    return Span(**{**given, **rest, **others})


def test_stand_ins_are_stages() -> None:
    """For the type checker; and a call is made with all that a driver gives."""
    stages = Stages(Ears(), Scribe(), Talker(), Hummer(), Drawer(), AVATAR)
    kinds = {"listener": Listener, "transcriber": Transcriber, "responder": Responder, "voice": Voice, "face": Face}
    for name, kind in kinds.items():
        (method,) = [method for method in vars(kind) if not method.startswith("_")]
        wanted = signature(getattr(kind, method)).parameters.keys()
        assert signature(getattr(type(getattr(stages, name)), method)).parameters.keys() == wanted


@pytest.mark.parametrize("stage", STAGES)
def test_a_stand_in_is_found_in_every_stage_and_listed_in_none(stage: str) -> None:
    assert STAND_IN not in engines(stage)
    assert resolve(stage, STAND_IN).__module__ == "actors.stand_in"


def test_ears_are_found_where_listeners_are_looked_for() -> None:
    assert resolve("asr", HEARING_STAND_IN) is Ears


def test_a_call_costs_its_beginning_once_and_every_step_its_sound() -> None:
    assert list(Lane(0.5, 0.1, 0.0, 1, burn=False).steps(2.0)) == [(2.0, 0.7)]
    steps = list(Lane(0.5, 0.1, 0.8, 1, burn=False).steps(2.0))
    assert [until for until, _ in steps] == pytest.approx([0.8, 1.6, 2.0])
    assert [work for _, work in steps] == pytest.approx([0.58, 0.08, 0.04])
    assert list(Lane(0.5, 0.1, 0.8, 1, burn=False).steps(0.0)) == [(0.0, 0.5)]


async def test_one_lane_takes_calls_one_after_the_other_and_in_their_order() -> None:
    lane = Lane(0, 0, 0, 1, burn=False)
    done: list[str] = []

    async def call(name: str, seconds: float) -> None:
        await lane.work(seconds)
        done.append(name)

    await asyncio.gather(call("long", 0.05), call("short", 0.0))
    assert done == ["long", "short"]
    wide = Lane(0, 0, 0, 2, burn=False)
    done.clear()
    lane = wide
    await asyncio.gather(call("long", 0.05), call("short", 0.0))
    assert done == ["short", "long"]


async def test_whoever_burns_does_not_stop_the_loop() -> None:
    busy = asyncio.create_task(Lane(0, 0, 0, 1, burn=True).work(0.05))
    await asyncio.sleep(0)
    assert not busy.done()
    await busy


@pytest.mark.parametrize("wrong", [(-1.0, 0.0, 0.0, 1), (0.0, 0.0, 0.0, 0)])
def test_what_makes_no_sense_is_refused(wrong: tuple[float, float, float, int]) -> None:
    with pytest.raises(StageError, match="lanes of 1 or more"):
        Lane(*wrong, burn=False)


def test_ears_hear_what_is_loud_and_its_end_after_a_quarter_of_a_second() -> None:
    block = MIC_RATE // 50
    loud = np.full(block, 3000, "<i2").tobytes()
    state, told = HearState(), []
    for sound in [bytes(2 * block)] * 2 + [loud] * 5 + [bytes(2 * block)] * 13 + [loud]:
        news, state = Ears().hear(sound, state)
        told += [(one.speaking, one.at // block) for one in news]
    assert told == [(True, 2), (False, 7), (True, 20)]
    assert Ears().hear(b"", HearState()) == ([], HearState())


async def test_other_sound_is_understood_as_other_words() -> None:
    one, other = [(await every(Scribe().transcribe(sound * 100, None, True)))[0] for sound in (b"\1\0", b"\2\0")]
    assert one.final and one.text != other.text


async def test_an_answer_is_as_long_as_people_say_and_the_same_to_the_same() -> None:
    history = (Said("user", "Tell me.", 1),)
    said = await every(Talker().reply(history, "", ()))
    assert said == await every(Talker().reply(history, "", ()))
    words = "".join(one.text for one in said if isinstance(one, TextDelta)).split()
    assert WORDS[0] <= len(words) <= WORDS[1] and words[-1] == "word."


async def test_a_clip_lasts_as_long_as_its_words_whatever_the_step() -> None:
    for step in (0.0, 0.4):
        pieces = await every(Hummer(step=step).speak("one two three four", "", "en", 1))
        assert sum(samples(piece.pcm24k) for piece in pieces) == round(4 * WORD_S * RATE)
        assert [word.text for piece in pieces for word in piece.words] == ["one", "two", "three", "four"]
        assert len(pieces) == (3 if step else 1)


async def test_every_wanted_picture_comes_once_and_then_the_state() -> None:
    drawn = await every(Drawer(step=0.2).animate(span(pts=960, skip=3), AVATAR, None))
    pictures = [one for one in drawn if isinstance(one, FramePacket)]
    assert [one.pts for one in pictures] == [960 + k * FRAME for k in range(3, 25)]
    assert [one.key for one in pictures] == [True] + [False] * 21
    assert drawn[-1] == FaceState("stand-in", 960 + 25 * FRAME, b"")
