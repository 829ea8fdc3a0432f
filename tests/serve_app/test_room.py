"""How many are let in: what the replicas carry that run, shared among the gateways, whatever else they would take."""

from __future__ import annotations

import os
from typing import Any

import pytest

from serve_app import placement, room
from serve_app.placing.growing import Growing, fault
from serve_app.settings import Settings, SettingsError, load


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("AVATAR_", "OPENAI_")):
            monkeypatch.delenv(name)


def house(gateways: int = 1, own: int = 0, **shares: dict[str, Any]) -> Settings:
    ray = {"gateway": {"replicas": gateways}, **shares}
    return load("cpu", gateway={"sessions": own}, store={"url": "postgresql://here/avatar"}, ray=ray)


def counted(**replicas: int) -> Any:
    return lambda name: replicas.get(name, 1)


def test_the_stage_with_the_least_room_decides() -> None:
    settings = house(face={"sessions": 2}, tts={"sessions": 5})
    assert room.room(settings, counted()) == 2
    assert room.room(settings, counted(face=3)) == 5
    assert room.room(settings, counted(face=3, tts=2)) == 6


def test_where_no_stage_says_what_it_carries_there_is_no_limit_but_the_gateways_own() -> None:
    assert room.part(house(), counted()) == 0
    assert room.part(house(own=7), counted()) == 7
    assert room.part(house(own=7, face={"sessions": 9}), counted()) == 7


def test_a_stage_that_sleeps_counts_as_one_for_somebody_must_come_to_wake_it() -> None:
    assert room.room(house(face={"replicas": 0, "most": 4, "sessions": 2}), counted(face=0)) == 2


def test_gateways_share_and_each_takes_one_at_least() -> None:
    settings = house(face={"sessions": 7})
    assert [room.part(settings, counted(gateway=count)) for count in (1, 2, 3, 9)] == [7, 3, 2, 1]


def test_a_stage_that_is_not_served_turns_nobody_away() -> None:
    assert room.room(load("l4", face={"engine": "none"}), counted()) == 2, "voice and recognition still do"
    assert room.alone(load("two-l4-one-process")) == 2, "one of each in one process"


async def test_the_room_follows_what_runs_and_stays_while_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "EVERY_S", 0.0)
    told: list[int] = []
    looks = [{"face": 1, "gateway": 1}, None, {"face": 3, "gateway": 1}, {"face": 3, "gateway": 2}]
    settings = house(face={"replicas": 1, "most": 4, "sessions": 2})
    with pytest.raises(IndexError):
        await room.Room(settings, told.append, lambda: looks.pop(0)).watch()
    assert told == [2, 2, 6, 3]


async def test_nobody_looks_again_where_nothing_changes() -> None:
    told: list[int] = []

    def never() -> None:
        raise AssertionError

    await room.Room(house(face={"replicas": 3, "sessions": 2}), told.append, never).watch()
    assert told == [6]


def test_the_gateways_own_number_of_conversations_is_not_that_of_a_stage() -> None:
    with pytest.raises(SettingsError, match=r"ray\.gateway\.sessions limits nothing; write gateway\.sessions"):
        house(gateway={"sessions": 3})


# ---- whether it grows before it is full --------------------------------------------------------------------


def test_what_the_policy_is_told_is_what_people_are_let_in_by() -> None:
    settings = house(face={"most": 3, "sessions": 5}, tts={"most": 3}, own=12)
    policies = {name: placement.options(settings, name)["autoscaling_config"] for name in ("face", "tts", "gateway")}
    told = {name: one["policy"]["policy_kwargs"] for name, one in policies.items()}
    assert told == {
        "face": {"kind": "face", "each": 5, "conversations": True},
        "tts": {"kind": "tts", "each": 8},
        "gateway": {"kind": "gateway", "each": 12},
    }
    assert (policies["gateway"]["min_replicas"], policies["gateway"]["max_replicas"]) == (1, 1), "it only tells"


DOOR = Growing(1, 1, each=30.0)
FACE = Growing(1, 4, sessions=2, each=2.0, conversations=True)


@pytest.mark.parametrize(
    ("served", "name", "own", "told"),
    [
        ({"face": FACE, "gateway": DOOR}, "face", 0, None),
        ({"face": FACE, "gateway": DOOR}, "face", 1, "with 1 it grows at 2 conversations, and the gateways let"),
        ({"face": Growing(1, 4, 2, 4.0, True), "gateway": DOOR}, "face", 0, "it grows by 4 conversations a replica"),
        ({"face": FACE, "gateway": Growing(2, 2)}, "face", 0, "nobody tells it how many people there are"),
        ({"face": Growing(1, 4, each=4.0), "gateway": Growing(1, 1)}, "face", 2, "with 1 it grows at 4 calls, and the"),
        ({"face": Growing(1, 4, each=4.0), "gateway": Growing(1, 1)}, "face", 16, None),
        ({"gpu": Growing(1, 2, each=24.0), "gateway": Growing(1, 1)}, "gpu", 7, None),
        ({"gpu": Growing(1, 2, each=24.0), "gateway": Growing(1, 1)}, "gpu", 6, "at 20 calls, and the gateways let in"),
        ({"face": FACE, "asr": Growing(1, 1, 2), "gateway": DOOR}, "face", 0, "with 2 it grows at 4 conversations"),
        ({"face": FACE, "asr": Growing(1, 1, 9), "gateway": DOOR}, "face", 0, None),
        ({"gateway": Growing(1, 4, each=30.0)}, "gateway", 20, "it grows at 25 sockets and lets in 20"),
        ({"gateway": Growing(1, 4, each=20.0)}, "gateway", 20, None),
        ({"face": Growing(2, 2, 2), "gateway": Growing(1, 1)}, "face", 2, None),
    ],
)  # fmt: skip
def test_a_load_that_cannot_come_is_found(served: dict[str, Growing], name: str, own: int, told: str | None) -> None:
    found = fault(served, name, own)
    assert found is None if told is None else told in (found or "")
