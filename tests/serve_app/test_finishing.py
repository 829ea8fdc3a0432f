"""An owner dies in mid-reply and nobody comes back: what was heard is stored, and the conversation is over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from serve_app.finishing import RESUME_S, finish_abandoned
from serve_app.store import Store
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


async def test_what_was_heard_is_stored_when_nobody_comes_back(store: Store, clock: Clock) -> None:
    await talked(store)
    clock.now += WINDOW_MS
    assert await finish_abandoned(store, "other") == [], "its lease has only just run out"
    clock.now += WINDOW_MS
    assert await finish_abandoned(store, "other") == ["sess_1"]
    assert await said(store) == [("user", "hi", False), ("assistant", "Well", True)]
    stored = await store.conversation("sess_1")
    assert stored is not None
    assert (stored.summary.ended_ms, stored.owner) == (clock.now, "other")
    assert await finish_abandoned(store, "other") == []


async def test_a_session_without_notes_just_ends(store: Store, clock: Clock) -> None:
    await store.begin("sess_1", "gateway", {})
    clock.now += 2 * WINDOW_MS
    assert await finish_abandoned(store, "other") == ["sess_1"]
    assert await said(store) == []


async def test_notes_of_another_release_cost_only_what_they_hold(store: Store, clock: Clock) -> None:
    await talked(store)
    await store.append("sess_1", 1, notes=['{"commands":[{"kind":"Sing"}],"event":null}'])
    clock.now += 2 * WINDOW_MS
    assert await finish_abandoned(store, "other") == ["sess_1"]
    assert await said(store) == [("user", "hi", False)]


async def test_a_client_that_comes_back_at_that_moment_keeps_its_conversation(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await talked(store)
    clock.now += 2 * WINDOW_MS
    taken = store.take_over

    async def faster(session: str, owner: str) -> int:
        await taken(session, "the client's")
        return await taken(session, owner) - 1  # the epoch that was read before the other one's

    monkeypatch.setattr(store, "take_over", faster)
    assert await finish_abandoned(store, "other") == []
    stored = await store.conversation("sess_1")
    assert stored is not None
    assert stored.summary.ended_ms is None
