"""Who may begin: a gateway that is full, or late, says so before a conversation begins, and when to come again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from serve_app.client import AvatarError, connect
from serve_app.gateway.admission import Admission, Busy, Limits
from serve_app.gateway.app import build_gateway
from serve_app.gateway.house import House
from serve_app.gateway.wire import SUBPROTOCOL
from serve_app.instruments import Instruments
from streaming.pace import Pace
from streaming.session import Driving, Stages
from tests.serve_app.gateway.live import serving
from tests.serve_app.gateway.test_realtime import until, write
from tests.stubs import AVATAR, Ears, Echo, Hum, Mask, Scribe

FULL = "every conversation that this service can hold is taken; try again in 15 s"


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def admission(sessions: int = 0, speaking: int = 0, clock: Clock | None = None) -> Admission:
    return Admission(Instruments(), Limits(sessions, speaking), clock or Clock())


# ---- the rule ----------------------------------------------------------------------------------------------


def test_without_limits_everybody_who_is_not_late_is_let_in() -> None:
    door = admission()
    door.record("avatar_sessions_active", 1000, {})
    assert door.refusal() is None


def test_the_last_place_is_given_and_none_after_it() -> None:
    door = admission(sessions=2)
    door.record("avatar_sessions_active", 1, {})
    assert door.refusal() is None
    door.record("avatar_sessions_active", 1, {})
    assert door.refusal() == Busy("every conversation that this service can hold is taken", 15)
    door.record("avatar_sessions_active", -1, {})
    assert door.refusal() is None


def test_avatars_that_speak_count_by_themselves() -> None:
    door = admission(sessions=10, speaking=1)
    door.record("avatar_sessions_active", 5, {})
    door.record("avatar_sessions_speaking", 1, {})
    refusal = door.refusal()
    assert refusal and refusal.sentence == "as many avatars speak as this service can draw; try again in 10 s"


def talks(door: Admission, client: str, *, back: bool = False) -> bool:
    """Let in a client that begins a conversation; False if it was turned away."""
    if door.enter(client, back=back):
        return False
    door.record("avatar_sessions_active", 1, {})
    door.begun(client)
    return True


def test_whoever_connects_has_a_place_before_saying_anything() -> None:
    door = admission(sessions=2)
    assert door.enter("one") is None and door.enter("two") is None
    assert door.enter("three") and (door.conversations, door.taken) == (0, 2)
    door.left("two")
    assert door.enter("three") is None


def test_a_conversation_takes_the_place_of_its_socket_and_no_second_one() -> None:
    door = admission(sessions=2)
    assert talks(door, "one") and (door.conversations, door.taken) == (1, 1)
    assert talks(door, "two") and not talks(door, "three")
    door.record("avatar_sessions_active", -1, {})
    door.left("two")
    assert (door.conversations, door.taken) == (1, 1) and talks(door, "three")


def test_whoever_was_cut_off_finds_a_place_where_a_new_one_does_not() -> None:
    door = admission(sessions=10)
    assert all(talks(door, f"client {k}") for k in range(10))
    assert door.refusal() and talks(door, "cut off", back=True) and talks(door, "cut off too", back=True)
    assert door.refusal(back=True), "a fifth over the limit is the end"


def test_of_all_whom_another_gateway_lost_a_fifth_over_the_limit_is_let_in_though_they_come_at_once() -> None:
    door = admission(sessions=10)
    assert all(talks(door, f"client {k}") for k in range(10))
    waiting = [f"cut off {k}" for k in range(10)]
    assert [client for client in waiting if door.enter(client, back=True) is None] == waiting[:2]
    assert (door.conversations, door.taken) == (10, 12)


def test_those_who_are_waited_for_find_their_places_and_a_new_one_does_not() -> None:
    door = admission(sessions=10)
    clients = [f"client {k}" for k in range(10)]
    assert all(talks(door, client) for client in clients)
    for client in clients:
        door.left(client)  # their conversations go on without them
    assert door.refusal()
    assert all(door.enter(f"{client} again", back=True) is None for client in clients)


def test_knocks_in_vain_are_counted_for_a_minute_and_questions_are_not() -> None:
    clock = Clock()
    door = admission(sessions=1, clock=clock)
    assert door.knock() is None and door.turned_away == 0
    door.record("avatar_sessions_active", 1, {})
    assert door.refusal() and door.turned_away == 0
    assert door.knock() and door.knock(back=True) is None
    clock.now += 59
    assert door.knock() and door.turned_away == 2
    clock.now += 2
    assert door.turned_away == 1


def test_a_limit_may_change_and_nobody_is_sent_away() -> None:
    door = admission(sessions=1)
    door.record("avatar_sessions_active", 1, {})
    door.limit(2)
    assert door.refusal() is None
    door.limit(1)
    assert door.refusal() and door.conversations == 1


def test_late_pictures_close_the_door_until_they_are_forgotten() -> None:
    clock = Clock()
    door = admission(clock=clock)
    door.record("avatar_sessions_active", 1, {})
    for number in range(100):
        door.record("avatar_deadline_slack_seconds", -0.01 if number < 3 else 0.3, {})
        clock.now += 0.05
    refusal = door.refusal()
    assert refusal and refusal.sentence == "this service cannot keep up at the moment; try again in 10 s"
    assert door.refusal(back=True) is None, "those who talk already are not sent away for it"
    clock.now += 10
    assert door.refusal() is None


def test_a_gateway_may_be_told_to_let_people_in_all_the_same() -> None:
    door = Admission(Instruments(), Limits(late=1))
    door.record("avatar_sessions_active", 1, {})
    for _ in range(100):
        door.record("avatar_deadline_slack_seconds", -0.01, {})
    assert door.refusal() is None


def test_where_nobody_is_left_nobody_notices() -> None:
    door = admission()
    for _ in range(100):
        door.record("avatar_deadline_slack_seconds", -0.01, {})
    assert door.refusal() is None


@pytest.mark.parametrize(("late", "sent"), [(2, 100), (10, 40)])
def test_a_few_late_pictures_close_nothing(late: int, sent: int) -> None:
    door = admission()
    door.record("avatar_sessions_active", 1, {})
    for number in range(sent):
        door.record("avatar_deadline_slack_seconds", -0.01 if number < late else 0.3, {})
    assert door.refusal() is None


# ---- at the gateway ----------------------------------------------------------------------------------------


def house(door: Admission) -> House:
    return House(Stages(Ears(), Scribe(), Echo(), Hum(), Mask(), AVATAR), Pace(), Driving(), door)


@contextmanager
def full() -> Iterator[tuple[TestClient, Admission]]:
    door = admission(sessions=1)
    door.record("avatar_sessions_active", 1, {})
    with TestClient(build_gateway(house(door), lambda _: None), base_url="http://127.0.0.1:8080") as client:
        yield client, door


def opened(client: TestClient, offers: list[str], query: str = "") -> Any:
    return client.websocket_connect(f"/v1/realtime{query}", offers, headers={"host": "127.0.0.1:8080"})


def test_a_program_reads_the_status_and_when_to_try_again() -> None:
    with full() as (client, door):
        with pytest.raises(WebSocketDenialResponse) as denied, opened(client, ["realtime"]):
            pass
        assert (denied.value.status_code, denied.value.headers["Retry-After"]) == (503, "15")
        assert denied.value.json() == {"detail": FULL}
        assert b'avatar_sessions_rejected_total{reason="busy"} 1.0' in door.text()
        assert b'reason="other"' not in door.text()


def test_a_page_cannot_read_a_status_and_is_told_with_the_close_code() -> None:
    with full() as (client, door):
        with opened(client, [SUBPROTOCOL]) as socket, pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
        assert (closed.value.code, closed.value.reason) == (1013, FULL)
        assert b'avatar_sessions_rejected_total{reason="busy"} 1.0' in door.text()


def test_a_client_that_was_cut_off_says_so_and_is_let_in() -> None:
    door = admission(sessions=10)
    door.record("avatar_sessions_active", 10, {})
    with TestClient(build_gateway(house(door), lambda _: None), base_url="http://127.0.0.1:8080") as client:
        with opened(client, [SUBPROTOCOL], "?back=1") as socket:
            assert socket.receive_json()["type"] == "session.created"


def test_who_waits_in_silence_keeps_its_place_and_who_talks_has_one_and_not_two() -> None:
    stock = ["realtime"]
    door = admission(sessions=2)
    with TestClient(build_gateway(house(door), lambda _: None), base_url="http://127.0.0.1:8080") as client:
        with opened(client, stock) as silent, opened(client, stock) as talking:
            write(talking, "hi")
            until(talking, "response.done")
            assert (door.conversations, door.taken) == (1, 2)
            with pytest.raises(WebSocketDenialResponse), opened(client, stock):
                pass
            write(silent, "I am still here")
            until(silent, "response.done")
            assert (door.conversations, door.taken) == (2, 2)
        assert any(client.get("/healthz") and not door.taken for _ in range(1000)), "a conversation ends by and by"


async def test_the_sdk_tells_it_in_one_sentence() -> None:
    door = admission(sessions=1)
    door.record("avatar_sessions_active", 1, {})
    async with serving(build_gateway(house(door), lambda _: None)) as url:
        told = re.escape("the service is full; try again in a while (close code 1013: every conversation that")
        with pytest.raises(AvatarError, match=told):
            async with connect(f"{url}/v1/realtime"):
                pass
