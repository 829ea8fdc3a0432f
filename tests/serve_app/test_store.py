"""Conversations are stored: by their owner alone, in order, for a while, and erased to the last byte.

The same stories run on SQLite and, if Debian's package is there, on a PostgreSQL that is started for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from serve_app.store import Lease, StaleEpoch, Store, StoreError
from streaming.commands import Remember
from streaming.stages import Said
from tests.serve_app.databases import postgres

__all__ = ["postgres"]

NAME = "sess_1"


class Clock:
    now = 1_000_000

    def __call__(self) -> int:
        self.now += 1
        return self.now


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'deep' / 'avatar.db'}" if sqlite else request.getfixturevalue("postgres")
    store = Store(url, lease_s=30, clock_ms=Clock())
    await store.open()
    yield store
    for summary in await store.conversations(1000):
        await store.delete(summary.session)
    await store.close()


def said(text: str, turn: int = 1) -> Said:
    return Said("user", text, turn)


class TestStore:
    async def test_what_was_said_is_there_in_order_with_its_times(self, store: Store) -> None:
        epoch = await store.begin(NAME, "gateway 1", {"voice": "default"})
        reply = Said("assistant", "Hel", 1, cut=True)
        await store.append(NAME, epoch, change=Remember(said("hi")), at_ms=5)
        await store.append(NAME, epoch, change=Remember(reply), at_ms=7)
        stored = await store.conversation(NAME)
        assert stored is not None
        assert [(item.said, item.at_ms) for item in stored.items] == [(said("hi"), 5), (reply, 7)]
        assert (stored.header, stored.owner, stored.epoch) == ({"voice": "default"}, "gateway 1", 1)
        assert (stored.summary.items, stored.summary.ended_ms) == (2, None)
        assert stored.lease_until_ms == stored.summary.updated_ms + 30_000

    async def test_a_stale_owner_writes_nothing_more(self, store: Store) -> None:
        old = await store.begin(NAME, "gateway 1", {})
        await store.append(NAME, old, ["{}"])
        new = await store.take_over(NAME, "gateway 2")
        assert (old, new) == (1, 2)
        for write in (
            store.append(NAME, old, change=Remember(said("late"))),
            store.append(NAME, old, ["late"]),
            store.renew(NAME, old),
            store.end(NAME, old),
        ):
            with pytest.raises(StaleEpoch, match="taken over by another replica or erased; epoch 1 is over"):
                await write
        await store.append(NAME, new, ["on"])
        assert [line async for page in store.journal(NAME) for line in page] == ["{}", "on"]
        stored = await store.conversation(NAME)
        assert stored is not None
        assert (stored.owner, stored.items) == ("gateway 2", ())

    async def test_of_many_who_take_over_each_epoch_has_one_owner(self, store: Store) -> None:
        await store.begin(NAME, "gateway 0", {})
        tries = (store.take_over(NAME, f"gateway {k}") for k in range(1, 9))
        outcomes = await asyncio.gather(*tries, return_exceptions=True)
        won = [outcome for outcome in outcomes if isinstance(outcome, int)]
        assert sorted(won) == list(range(2, 2 + len(won)))
        assert all(isinstance(outcome, int | StaleEpoch) for outcome in outcomes)
        stored = await store.conversation(NAME)
        assert stored is not None
        assert stored.epoch == 1 + len(won)
        assert stored.owner == f"gateway {1 + outcomes.index(stored.epoch)}"

    async def test_a_session_begins_once_and_nobody_takes_what_is_not_there(self, store: Store) -> None:
        await store.begin(NAME, "gateway 1", {})
        with pytest.raises(StaleEpoch, match="stored already"):
            await store.begin(NAME, "gateway 2", {})
        with pytest.raises(StaleEpoch, match="no session nobody"):
            await store.take_over("nobody", "gateway 2")

    async def test_what_is_over_is_not_taken_over_and_stays_over(self, store: Store) -> None:
        await store.end(NAME, await store.begin(NAME, "gateway 1", {}))
        with pytest.raises(StaleEpoch, match="it is over"):
            await store.take_over(NAME, "gateway 2")
        stored = await store.conversation(NAME)
        assert stored is not None
        assert stored.summary.ended_ms is not None and stored.owner == "gateway 1"

    async def test_a_lease_that_ran_out_is_claimed_as_it_was_seen_or_not_at_all(self, store: Store) -> None:
        epoch = await store.begin(NAME, "gateway 1", {})
        assert await store.abandoned(store.now_ms) == []
        (seen,) = await store.abandoned(store.now_ms + 60_000)
        assert (seen.session, seen.epoch) == (NAME, epoch)
        await store.renew(NAME, epoch)
        with pytest.raises(StaleEpoch, match="is not as it was seen"):
            await store.claim(seen, "gateway 2")
        (renewed,) = await store.abandoned(store.now_ms + 60_000)
        newer = await store.take_over(NAME, "gateway 1")
        with pytest.raises(StaleEpoch):
            await store.claim(Lease(NAME, epoch, renewed.until_ms), "gateway 2")
        (again,) = await store.abandoned(store.now_ms + 60_000)
        assert await store.claim(again, "gateway 2") == newer + 1
        await store.end(NAME, newer + 1)
        with pytest.raises(StaleEpoch):
            await store.claim(again, "gateway 3")
        assert await store.abandoned(store.now_ms + 60_000) == []

    async def test_a_long_journal_is_read_in_pages(self, store: Store) -> None:
        epoch = await store.begin(NAME, "gateway", {})
        lines = [f"line {k}" for k in range(1201)]
        for start in range(0, len(lines), 400):
            await store.append(NAME, epoch, lines[start : start + 400])
        await store.append(NAME, epoch, [])
        pages = [page async for page in store.journal(NAME)]
        assert [len(page) for page in pages] == [500, 500, 201]
        assert [line for page in pages for line in page] == lines

    async def test_the_newest_come_first_page_by_page(self, store: Store) -> None:
        for k in range(5):
            await store.begin(f"sess_{k}", "gateway", {})
        first = await store.conversations(2)
        assert [summary.session for summary in first] == ["sess_4", "sess_3"]
        rest = await store.conversations(9, before=(first[-1].created_ms, first[-1].session))
        assert [summary.session for summary in rest] == ["sess_2", "sess_1", "sess_0"]

    async def test_what_is_erased_is_gone_and_its_owner_learns_of_it(self, store: Store) -> None:
        epoch = await store.begin(NAME, "gateway", {})
        await store.append(NAME, epoch, change=Remember(said("hi")), at_ms=0)
        await store.append(NAME, epoch, ["{}"])
        assert await store.delete(NAME)
        assert await store.conversation(NAME) is None
        assert [page async for page in store.journal(NAME)] == []
        assert not await store.delete(NAME)
        with pytest.raises(StaleEpoch):
            await store.append(NAME, epoch, change=Remember(said("still here")), at_ms=0)

    async def test_what_is_old_expires_unless_somebody_is_talking_in_it(self, store: Store) -> None:
        for name in ("old", "held", "new"):
            epoch = await store.begin(name, "gateway", {})
            if name == "old":
                await store.end(name, epoch)
        assert await store.expire(store.now_ms + 60_000, keep_ms=120_000) == 0
        assert await store.expire(store.now_ms + 10_000, keep_ms=5_000) == 1
        assert [summary.session for summary in await store.conversations()] == ["new", "held"]
        assert await store.expire(store.now_ms + 60_000, keep_ms=5_000) == 2


def files_with(word: bytes, folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if word in path.read_bytes()]


async def test_the_files_of_sqlite_are_the_users_alone_and_keep_no_byte_of_what_is_erased(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'avatar.db'}")
    await store.open()
    assert (tmp_path / "avatar.db").stat().st_mode & 0o077 == 0
    epoch = await store.begin(NAME, "gateway", {})
    await store.append(NAME, epoch, change=Remember(said("the secret word is xylophone")), at_ms=0)
    await store.append(NAME, epoch, ["xylophone" * 1000])
    assert files_with(b"xylophone", tmp_path) != []
    await store.delete(NAME)
    assert files_with(b"xylophone", tmp_path) == []
    await store.close()


async def test_a_store_that_does_not_answer_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"begins with sqlite:/// or postgresql://"):
        Store("mysql://somewhere/avatar")
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"file cannot be made: .*; choose another store\.url"):
        await Store(f"sqlite:///{tmp_path / 'file' / 'deep' / 'avatar.db'}").open()
    (tmp_path / "broken.db").write_bytes(b"no database at all" * 100)
    broken = Store(f"sqlite:///{tmp_path / 'broken.db'}")
    with pytest.raises(StoreError, match=r"does not answer \(file is not a database\); look at store\.url"):
        await broken.open()
    await broken.close()
