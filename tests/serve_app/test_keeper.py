"""A session is kept: items before what follows them, the journal whole and in order, nothing after it was lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from serve_app.groups import Storage
from serve_app.keeper import Archive, Keeper, archive
from serve_app.store import Lease, StaleEpoch, Store, StoreError
from streaming.commands import Remember, ReplyDelta, Show, StateChanged
from streaming.events import Heard, Joined, Typed
from streaming.journal import read
from streaming.stages import Said

SAID = Said("user", "hi", 1)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(f"sqlite:///{tmp_path / 'avatar.db'}")
    await store.open()
    yield store
    await store.close()


def keeper(store: Store, *, media: bool = False) -> Keeper:
    return Archive(store, media, "gateway").keeper("sess_1", {"voice": "default"})


async def lines(store: Store) -> list[str]:
    return [line async for page in store.journal("sess_1") for line in page]


async def notes(store: Store) -> list[str]:
    return [line async for page in store.notes("sess_1") for line in page]


async def test_when_an_item_is_stored_all_that_led_to_it_is(store: Store) -> None:
    kept = keeper(store, media=True)
    kept.journal(Joined(), [])
    kept.note("a note")
    kept.journal(Typed("hi"), [Remember(SAID)])
    await kept.remember(SAID)
    assert await notes(store) == ["a note"]
    _, entries = read(await lines(store))
    assert [entry.event for entry in entries] == [Joined(), Typed("hi")]
    kept.journal(Typed("more"), [])
    await kept.end()
    stored = await store.conversation("sess_1")
    assert stored is not None
    assert ([item.said for item in stored.items], stored.owner) == ([SAID], "gateway")
    assert stored.header == {"voice": "default", "media": True}
    assert stored.summary.ended_ms is not None
    assert await notes(store) == [], "it is over: nobody takes it up any more"
    assert len(await lines(store)) == 4


async def test_what_somebody_else_is_writing_is_not_stored_yet(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = keeper(store)
    await kept.remember(SAID)
    slow, writing = asyncio.Event(), asyncio.Event()
    append = store.append

    async def appended(*given: object, **named: object) -> None:
        writing.set()
        await slow.wait()
        await append(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "append", appended)
    kept.note("heard so far")
    first = asyncio.create_task(kept.settled())
    await writing.wait()
    second = asyncio.create_task(kept.settled())
    await asyncio.sleep(0)
    assert not second.done(), "its effect would be sent, and forgotten if this process died now"
    slow.set()
    await asyncio.gather(first, second)
    assert await notes(store) == ["heard so far"]
    await kept.end()


async def test_a_reply_can_be_read_from_where_it_was_first_shown(store: Store) -> None:
    kept = keeper(store, media=True)
    for turn in (1, 2, 3):
        kept.journal(Typed(f"question {turn}"), [Remember(replace(SAID, turn=turn))])
        kept.journal(Joined(), [Show(ReplyDelta(turn, "Well, ")), Show(StateChanged("speaking", turn))])
        await kept.remember(replace(SAID, turn=turn))
    await kept.end()

    async def first(turn: int) -> str:
        pages = [page async for page in store.journal("sess_1", turn)]
        return pages[0][0]

    assert "question 2" in await first(2) and "question 3" in await first(3)
    assert '"journal"' in await first(1), "what was stored together is read together"


async def test_an_archive_knows_which_sessions_go_on_here(store: Store) -> None:
    here = Archive(store, False, "gateway")
    kept = here.keeper("sess_1", {})
    await kept.remember(SAID)
    assert here.here() == {"sess_1"}
    again = here.keeper("sess_1", {}, await store.take_over("sess_1", "gateway"))
    await kept.end()
    assert here.here() == {"sess_1"}, "its client came back on another socket before the first was given up"
    await again.end(over=False)
    assert here.here() == set()


async def test_lines_are_stored_by_themselves_soon(store: Store) -> None:
    kept = keeper(store, media=True)
    kept.journal(Joined(), [])
    async with asyncio.timeout(10):
        while not await lines(store):  # noqa: ASYNC110 - a database tells nobody
            await asyncio.sleep(0)
    await kept.end()


async def test_sound_is_kept_only_if_the_settings_say_so(store: Store) -> None:
    kept = keeper(store)
    kept.journal(Heard(b"\1\0", 0), [])
    await kept.end()
    assert await lines(store) == []
    await store.delete("sess_1")
    full = keeper(store, media=True)
    full.journal(Heard(b"\1\0", 0), [])
    await full.end()
    assert [entry.event for entry in read(await lines(store))[1]] == [Heard(b"\1\0", 0)]


async def test_a_session_that_was_taken_over_or_erased_is_told_at_the_next_event(store: Store) -> None:
    kept = keeper(store)
    await kept.remember(SAID)
    await store.delete("sess_1")
    kept.journal(Typed("still here"), [])
    with pytest.raises(StaleEpoch):
        await kept.remember(SAID)
    with pytest.raises(StaleEpoch):
        kept.journal(Typed("and now"), [])
    await kept.end()
    assert await store.conversation("sess_1") is None


async def test_a_store_that_is_too_slow_is_not_waited_for_for_ever(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve_app.keeper.MOST", 10)
    kept = keeper(store, media=True)
    with pytest.raises(StoreError, match="too slow"):
        kept.journal(Joined(), [])
    await kept.end()


async def test_an_archive_that_closes_lets_a_statement_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def slow(*_: object) -> list[Lease]:
        begun.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        ended.set()
        return []

    monkeypatch.setattr(Store, "abandoned", slow)
    async with archive(Storage.model_validate({"url": f"sqlite:///{tmp_path / 'avatar.db'}"}), "gateway"):
        await begun.wait()
    assert ended.is_set(), "one that is cut short leaves the thread of its connection behind"


async def test_an_archive_keeps_what_the_settings_say(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'avatar.db'}"
    async with archive(Storage(keep="none"), "gateway") as nothing:
        assert nothing is None
    async with archive(Storage.model_validate({"keep": "full", "url": url}), "gateway") as full:
        assert full is not None
        assert (full.media, full.owner) == (True, "gateway")
        await full.store.begin("sess_1", "gateway", {})
    async with archive(Storage.model_validate({"url": url}), "gateway") as text:
        assert text is not None
        assert not text.media
        assert [summary.session for summary in await text.store.conversations()] == ["sess_1"]


async def test_after_a_text_that_the_database_cannot_hold_nothing_is_stored(store: Store) -> None:
    """Lines that come later would be taken up without it."""
    kept = keeper(store)
    kept.note("heard so far")
    with pytest.raises(StoreError, match="did not take a line"):
        await kept.remember(Said("user", "\ud800", 1))
    with pytest.raises(StoreError, match="did not take a line"):
        kept.note("and more")
    await kept.end()
    assert await notes(store) == []
