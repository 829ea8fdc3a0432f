"""One listener for many sessions: who waits is judged in one call; a call that breaks or hangs is one error each."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Sequence

import numpy as np
import pytest

from actors.asr.listen import SileroListener
from actors.asr.together import Several, Together, shared
from streaming.stages import Hearing, HearState, StageError, Voicing
from tests.actors.asr.spoken import silence, spoken
from tests.stubs import Ears

WAIT_S = 10.0


class Judge:
    """Counts samples; its calls wait for the gate. A block of one byte is kept, ``b"bug"`` is a bug."""

    def __init__(self) -> None:
        self.calls: list[list[bytes]] = []
        self.begun = threading.Semaphore(0)
        self.gate = threading.Event()
        self.gate.set()

    def kept(self, pcm16k: bytes, state: HearState) -> Hearing | None:
        return ([], HearState(state.at + 1)) if len(pcm16k) == 1 else None

    def hear_all(self, heard: Sequence[tuple[bytes, HearState]]) -> list[Hearing]:
        self.calls.append([pcm for pcm, _ in heard])
        self.begun.release()
        self.gate.wait(WAIT_S)
        if b"bug" in self.calls[-1]:
            raise IndexError("no such frame")
        return [([Voicing(True, state.at)], HearState(state.at + len(pcm))) for pcm, state in heard]


async def answer(listener: Together, pcm: bytes, at: int = 0) -> Hearing:
    told = listener.hear(pcm, HearState(at))
    return await told if isinstance(told, Awaitable) else told


async def begun(judge: Judge) -> None:
    """Wait until one more call has begun."""
    assert await asyncio.to_thread(judge.begun.acquire, timeout=WAIT_S)


def test_what_comes_while_a_call_is_under_way_is_judged_in_the_next_one_call() -> None:
    judge = Judge()
    judge.gate.clear()
    listener = Together(judge, every_s=0)

    async def sessions() -> list[Hearing]:
        first = asyncio.create_task(answer(listener, b"first"))
        await begun(judge)
        rest = [asyncio.create_task(answer(listener, bytes(2 + k), at=k)) for k in range(3)]
        await asyncio.sleep(0)
        judge.gate.set()
        return [await task for task in (first, *rest)]

    told = asyncio.run(sessions())
    assert judge.calls == [[b"first"], [bytes(2), bytes(3), bytes(4)]]
    assert told[1:] == [([Voicing(True, k)], HearState(2 * k + 2)) for k in range(3)]
    assert [size for _, size, _ in listener.measured()] == [1, 3]
    assert listener.measured() == [], "each is told once"


def test_what_needs_no_judgement_is_answered_at_once() -> None:
    assert Together(Judge()).hear(b"x", HearState(5)) == ([], HearState(6))


def test_a_listener_that_breaks_is_an_error_for_those_who_waited_and_serves_the_next(
    caplog: pytest.LogCaptureFixture,
) -> None:
    listener = Together(Judge())

    async def sessions() -> Hearing:
        with pytest.raises(StageError, match=r"the listener broke \(IndexError\); connect again"):
            await answer(listener, b"bug")
        return await answer(listener, b"next")

    assert asyncio.run(sessions())[1] == HearState(4)
    assert [record.message for record in caplog.records] == ["the listener broke with the sound of 1 sessions"]


def test_a_listener_that_hangs_is_an_error_and_another_thread_serves_the_next() -> None:
    judge = Judge()
    judge.gate.clear()
    listener = Together(judge, patience_s=0.0)

    async def sessions() -> None:
        for pcm in (b"one", b"two"):  # the second would wait for ever behind the first
            with pytest.raises(StageError, match="no answer within 0 s; connect again"):
                await answer(listener, pcm)
            await begun(judge)

    asyncio.run(sessions())
    assert judge.calls == [[b"one"], [b"two"]]
    judge.gate.set()


def test_a_session_that_left_takes_nothing_from_the_others() -> None:
    judge = Judge()
    judge.gate.clear()
    listener = Together(judge, every_s=0)

    async def sessions() -> Hearing:
        first = asyncio.create_task(answer(listener, b"first"))
        await begun(judge)
        left, stays = (asyncio.create_task(answer(listener, pcm)) for pcm in (b"left", b"stays"))
        await asyncio.sleep(0)
        left.cancel()
        await asyncio.sleep(0)
        judge.gate.set()
        await first
        return await stays

    assert asyncio.run(sessions())[1] == HearState(5)
    assert judge.calls[1] == [b"left", b"stays"]


def test_another_event_loop_is_served_by_the_same_thread() -> None:
    judge = Judge()
    listener = Together(judge)
    for _ in range(2):
        assert asyncio.run(answer(listener, b"abc"))[1] == HearState(3)


def test_only_a_listener_that_can_judge_several_is_shared(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        ears = Ears()
        assert shared(ears) is ears
        assert isinstance(shared(SileroListener()), Together)
    assert [record.message.split(", because")[0] for record in caplog.records] == [
        "listener: each block on the event loop",
        "listener: sessions are judged together in a thread",
    ]


def test_sessions_that_speak_at_the_same_time_hear_to_the_bit_what_each_hears_alone() -> None:
    alone = SileroListener()
    assert isinstance(alone, Several)
    together = Together(alone)
    sounds = [np.concatenate([silence(0.2 + 0.1 * k), spoken("Who are you?"), silence(0.5)]) for k in range(3)]

    def blocks(sound: np.ndarray) -> list[bytes]:
        return [sound[at : at + 320].tobytes() for at in range(0, len(sound), 320)]

    async def session(sound: np.ndarray) -> list[Hearing]:
        state, told = HearState(), list[Hearing]()
        for block in blocks(sound):
            answered = together.hear(block, state)
            told.append(await answered if isinstance(answered, Awaitable) else answered)
            state = told[-1][1]
        return told

    async def sessions() -> list[list[Hearing]]:
        return await asyncio.gather(*map(session, sounds))

    for sound, told in zip(sounds, asyncio.run(sessions()), strict=True):
        state = HearState()
        for block, one in zip(blocks(sound), told, strict=True):
            assert one == alone.hear(block, state)
            state = one[1]
        assert [news.speaking for one in told for news in one[0]] == [True, False]
