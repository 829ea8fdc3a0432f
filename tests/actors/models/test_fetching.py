"""One file over HTTP: broken off, taken up, begun anew, refused, and never more or less than was announced."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.models import fetching
from actors.models.fetching import DiskFull, NoAnswer, Told, fetch
from streaming.stages import StageError
from tests.actors.models.shelf import WEIGHTS, Shelf, serving, sha256

PATH = "/model.bin"
SIZE = len(WEIGHTS)


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    with serving() as shelf:
        shelf.files[PATH] = WEIGHTS
        yield shelf


class Counts:
    """Bytes that were told, and pauses that were asked for instead of slept."""

    def __init__(self) -> None:
        self.come = 0
        self.pauses: list[float] = []

    def arrived(self, count: int) -> None:
        self.come += count


def get(shelf: Shelf, part: Path, counts: Counts | None = None, size: int = SIZE) -> Told:
    counts = counts or Counts()
    return fetch(shelf.url + PATH, part, size, counts.arrived, counts.pauses.append)


def test_a_file_comes_whole(shelf: Shelf, tmp_path: Path) -> None:
    counts = Counts()
    assert get(shelf, tmp_path / "part", counts) == Told()
    assert (tmp_path / "part").read_bytes() == WEIGHTS
    assert (counts.come, counts.pauses, shelf.asked) == (SIZE, [], [(PATH, "")])


def test_a_cut_connection_is_taken_up_where_it_broke(shelf: Shelf, tmp_path: Path) -> None:
    shelf.cuts[PATH] = [300_000, 200_000]
    counts = Counts()
    get(shelf, tmp_path / "part", counts)
    assert (tmp_path / "part").read_bytes() == WEIGHTS
    assert shelf.ranges(PATH) == ["", "bytes=300000-", "bytes=500000-"]
    assert (counts.come, counts.pauses) == (SIZE, [1.0, 1.0])


def test_another_call_goes_on_where_the_last_one_ended(shelf: Shelf, tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.write_bytes(WEIGHTS[:1000])
    get(shelf, part)
    assert (part.read_bytes(), shelf.ranges(PATH)) == (WEIGHTS, ["bytes=1000-"])


def test_a_server_that_ignores_ranges_begins_anew_and_so_do_we(shelf: Shelf, tmp_path: Path) -> None:
    shelf.no_ranges, shelf.cuts[PATH] = True, [300_000]
    counts = Counts()
    get(shelf, tmp_path / "part", counts)
    assert (tmp_path / "part").read_bytes() == WEIGHTS
    assert counts.come == SIZE, "what was thrown away is taken back"


def test_a_part_that_is_whole_already_is_not_fetched_again(shelf: Shelf, tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.write_bytes(WEIGHTS)
    counts = Counts()
    get(shelf, part, counts)
    assert (part.read_bytes(), counts.come) == (WEIGHTS, 0)


def test_a_part_that_is_too_long_is_thrown_away(shelf: Shelf, tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.write_bytes(WEIGHTS + b"more")
    get(shelf, part)
    assert (part.read_bytes(), shelf.ranges(PATH)) == (WEIGHTS, [""])


@pytest.mark.parametrize("size", [SIZE - 1, SIZE + 1])
def test_a_server_with_a_file_of_another_size_is_given_up_before_a_byte(
    size: int, shelf: Shelf, tmp_path: Path
) -> None:
    with pytest.raises(NoAnswer, match=rf"has {SIZE:,} bytes instead of {size:,}: another file"):
        get(shelf, tmp_path / "part", size=size)
    assert (len(shelf.asked), (tmp_path / "part").exists()) == (1, False)


def test_a_server_that_does_not_say_how_long_a_file_is_cannot_send_more_than_it_should(
    shelf: Shelf, tmp_path: Path
) -> None:
    shelf.no_lengths = True
    with pytest.raises(NoAnswer, match=r"sends more than 1,000 bytes: another file"):
        get(shelf, tmp_path / "part", size=1000)
    assert (tmp_path / "part").stat().st_size == 0


def test_a_server_with_less_than_our_part_is_given_up(shelf: Shelf, tmp_path: Path) -> None:
    shelf.no_lengths = True
    with pytest.raises(NoAnswer, match=rf"has at most {SIZE:,} bytes instead of {SIZE + 1:,}: another file"):
        get(shelf, tmp_path / "part", size=SIZE + 1)


def test_a_server_that_is_busy_is_asked_again_with_longer_pauses(shelf: Shelf, tmp_path: Path) -> None:
    shelf.refuses[PATH] = [503, 429, 500]
    counts = Counts()
    get(shelf, tmp_path / "part", counts)
    assert counts.pauses == [1.0, 2.0, 4.0]


def test_a_server_that_never_gets_better_is_given_up(shelf: Shelf, tmp_path: Path) -> None:
    shelf.refuses[PATH] = [503] * 9
    with pytest.raises(NoAnswer, match="it broke off 5 times: it answered 503"):
        get(shelf, tmp_path / "part")
    assert len(shelf.asked) == fetching.TRIES


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_is_final(status: int, shelf: Shelf, tmp_path: Path) -> None:
    shelf.refuses[PATH] = [status]
    with pytest.raises(NoAnswer, match=f"it answered {status}"):
        get(shelf, tmp_path / "part")
    assert len(shelf.asked) == 1


def test_nobody_at_the_address_is_told_at_once(tmp_path: Path) -> None:
    with serving() as shelf:
        gone = shelf.url
    counts = Counts()
    with pytest.raises(NoAnswer, match="connection refused"):
        fetch(gone, tmp_path / "part", SIZE, counts.arrived, counts.pauses.append)
    assert counts.pauses == []


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/x", "model.bin"])
def test_only_http_is_followed(url: str, tmp_path: Path) -> None:
    with pytest.raises(NoAnswer, match="are not followed"):
        fetch(url, tmp_path / "part", 1)


def test_what_the_hub_says_on_the_way_is_handed_on(shelf: Shelf, tmp_path: Path) -> None:
    said = {"X-Linked-Etag": f'"{sha256(WEIGHTS)}"', "X-Repo-Commit": "c0ffee"}
    shelf.moved["/hub"] = (f"{shelf.url}{PATH}", said)
    assert fetch(f"{shelf.url}/hub", tmp_path / "part", SIZE) == Told(sha256(WEIGHTS), "c0ffee")


def test_nobody_is_sent_from_https_to_http() -> None:
    class Asked:
        full_url = "https://hub.example/x"

    with pytest.raises(NoAnswer, match="from https"):
        fetching._Redirects().redirect_request(Asked(), None, 302, "", {}, "http://elsewhere.example/x")


def test_a_disk_that_fills_up_keeps_what_came(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part, real = tmp_path / "part", fetching.write
    room = [3]

    def full(file: Any, block: bytes, path: Path) -> None:
        room[0] -= 1

        class Disk:
            def write(self, block: bytes) -> None:
                if room[0] < 0:
                    raise OSError(errno.ENOSPC, "No space left on device")
                file.write(block)

            def flush(self) -> None:
                file.flush()

        real(Disk(), block, path)

    monkeypatch.setattr(fetching, "write", full)
    with pytest.raises(DiskFull, match="is full; make room and pull again: it goes on where it stopped"):
        get(shelf, part)
    here = part.stat().st_size
    assert 0 < here < SIZE
    monkeypatch.undo()
    get(shelf, part)
    assert (part.read_bytes(), shelf.ranges(PATH)) == (WEIGHTS, ["", f"bytes={here}-"])


def test_a_folder_that_may_not_be_written_is_told(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "part").mkdir()
    with pytest.raises(StageError, match="cannot be written: is a directory"):
        get(shelf, tmp_path / "part")
