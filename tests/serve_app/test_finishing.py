"""An owner dies in mid-reply and nobody comes back: what was heard is stored, and the conversation is over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from serve_app.finishing import RESUME_S, Finisher
from serve_app.store import Lease, Store
from streaming.commands import Remember, Speak
from streaming.conversation import Conversation
from streaming.events import Played, ReplyEnded, ReplyText, Typed
from streaming.journal import canonical
from streaming.recalling import note
from streaming.stages import Word
from tests.streaming.stories import spoken

WINDOW_MS = round(RESUME_S * 1000)


class Clock:
    now = 1_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    store = Store(f"sqlite:///{tmp_path / 'avatar.db'}", clock_ms=clock)
    await store.open()
    yield store
    await store.close()


async def talked(store: Store) -> None:
    """Half of a reply is heard when its owner dies."""
    talk = Conversation("sess_1")
    epoch = await store.begin("sess_1", "gateway", {"conversation": talk.settings()})
    words = (Word("Well", 0, 12_000), Word("then.", 12_000, 12_000))
    sound = spoken(Speak(1, 0, "Well then.", 0), 24_000, words)
    for event in (Typed("hi"), ReplyText(1, "Well then. "), ReplyEnded(1), *sound, Played(1, 12_000)):
        commands = talk.on(event)
        lines = [canonical(noted)] if (noted := note(event, commands)) else []
        change = next((c for c in commands if isinstance(c, Remember)), None)
        await store.append("sess_1", epoch, notes=lines, change=change, at_ms=7)


async def said(store: Store) -> list[tuple[str, str, bool]]:
    stored = await store.conversation("sess_1")
    assert stored is not None
    return [(item.said.role, item.said.text, item.said.cut) for item in stored.items]


async def finished(store: Store, *here: str) -> list[str]:
    """What another gateway ends after two looks, where nobody gives a sign of life in between."""
    finisher = Finisher(store, "other", lambda: here)
    assert await finisher.look() == [], "nothing is ended at first sight"
    return await finisher.look()


async def over(store: Store) -> bool:
    stored = await store.conversation("sess_1")
    assert stored is not None
    return stored.summary.ended_ms is not None


async def test_what_was_heard_is_stored_when_nobody_comes_back(store: Store, clock: Clock) -> None:
    await talked(store)
    clock.now += WINDOW_MS
    assert await finished(store) == [], "its lease has only just run out"
    clock.now += WINDOW_MS
    assert await finished(store) == ["sess_1"]
    assert await said(store) == [("user", "hi", False), ("assistant", "Well", True)]
    stored = await store.conversation("sess_1")
    assert stored is not None
    assert (stored.summary.ended_ms, stored.owner) == (clock.now, "other")
    assert await finished(store) == []


async def test_a_session_without_notes_just_ends(store: Store, clock: Clock) -> None:
    await store.begin("sess_1", "gateway", {})
    clock.now += 2 * WINDOW_MS
    assert await finished(store) == ["sess_1"]
    assert await said(store) == []


async def test_notes_of_another_release_cost_only_what_they_hold(store: Store, clock: Clock) -> None:
    await talked(store)
    await store.append("sess_1", 1, notes=['{"commands":[{"kind":"Sing"}],"event":null}'])
    clock.now += 2 * WINDOW_MS
    assert await finished(store) == ["sess_1"]
    assert await said(store) == [("user", "hi", False)]


async def test_a_client_that_comes_back_at_that_moment_keeps_its_conversation(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await talked(store)
    clock.now += 2 * WINDOW_MS
    claim = store.claim

    async def slower(lease: Lease, owner: str) -> int:
        await store.take_over(lease.session, "the client's")
        return await claim(lease, owner)

    monkeypatch.setattr(store, "claim", slower)
    assert await finished(store) == []
    assert not await over(store)


async def test_after_a_sleep_of_the_machine_those_who_are_here_go_on(store: Store, clock: Clock) -> None:
    await talked(store)
    clock.now += 10 * WINDOW_MS
    assert await finished(store, "sess_1") == [], "its own renewal may come late, too"
    other = Finisher(store, "other")
    assert await other.look() == []
    await store.renew("sess_1", 1)
    clock.now += 3 * WINDOW_MS  # and the clock is put right
    assert await other.look() == []
    assert not await over(store)


async def test_a_gateway_whose_clock_is_far_ahead_ends_nobody_who_is_alive(
    store: Store, tmp_path: Path, clock: Clock
) -> None:
    await talked(store)
    ahead = Store(f"sqlite:///{tmp_path / 'avatar.db'}", clock_ms=lambda: clock.now + 5 * WINDOW_MS)
    finisher = Finisher(ahead, "other")
    for _ in range(5):
        assert await finisher.look() == []
        clock.now += 10_000
        await store.renew("sess_1", 1)
    assert not await over(store)
    assert await finisher.look() == [] and await finisher.look() == ["sess_1"], "until its owner dies"
    await ahead.close()
