"""What was talked about is listed, read, seen again and erased, through the real application."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient, WebSocketTestSession

from actors.face.video import H264Encoder, JpegEncoder, read_audio, read_video
from serve_app.gateway.app import build_gateway
from serve_app.gateway.house import House
from serve_app.gateway.library import written
from serve_app.gateway.wire import SUBPROTOCOL
from serve_app.keeper import Archive
from serve_app.store import Item, Store, Stored, Summary
from streaming.commands import Audio, Cut, Frames, Show
from streaming.journal import canonical, encode
from streaming.media import FRAME, FramePacket
from streaming.pace import Pace
from streaming.session import Driving, Stages
from streaming.stages import Said
from tests.serve_app.gateway.test_realtime import say, until, write
from tests.serve_app.test_cli import Grey, synthetic
from tests.serve_app.test_store import files_with
from tests.streaming.stories import pcm
from tests.stubs import AVATAR, Ears, Echo, Hum, Mask, Scribe


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"sqlite:///{tmp_path / 'avatar.db'}")


@pytest.fixture
def client(store: Store) -> Iterator[TestClient]:
    stages = Stages(Ears(), Scribe(), Echo(), Hum(), Mask(), AVATAR)
    house = House(stages, Pace(), Driving(), archive=Archive(store, False, "gateway"))
    with TestClient(build_gateway(house, lambda _: None)) as client:
        assert client.portal is not None
        client.portal.call(store.open)
        yield client
        client.portal.call(store.close)


def talk(socket: WebSocketTestSession, text: str = "hi") -> str:
    """One question and its answer, heard to the end; the session's name."""
    [created] = until(socket, "session.created")
    assert isinstance(created, dict)
    write(socket, text)
    until(socket, "response.done")
    say(socket, "avatar.playhead", turn=1, pts=12_000)
    until(socket, "avatar.state")
    return created["session"]["id"]


def test_a_conversation_can_be_read_while_it_lasts_and_afterwards(client: TestClient) -> None:
    with client.websocket_connect("/v1/realtime", subprotocols=[SUBPROTOCOL]) as socket:
        name = talk(socket)
        assert client.get("/conversations").json()["conversations"][0]["ended"] is None
    listed = client.get("/conversations").json()
    while listed["conversations"][0]["ended"] is None:  # its end is stored soon after the socket is closed
        listed = client.get("/conversations").json()
    assert ([row["id"] for row in listed["conversations"]], listed["next"]) == ([name], None)
    one = client.get(f"/conversations/{name}").json()
    assert [(said["role"], said["text"], said["turn"]) for said in one["said"]] == [
        ("user", "hi", 1),
        ("assistant", "You said: hi", 1),
        ("call", "{}", 1),
    ]
    text = client.get(f"/conversations/{name}/transcript.txt")
    assert text.headers["content-type"].startswith("text/plain")
    assert text.text.splitlines()[2:] == ["[00:00] You: hi", "[00:00] Avatar: You said: hi", "[00:00] Avatar calls: {}"]
    assert client.get(f"/conversations/{name}/replies/1.mp4").status_code == 404
    assert "set store.keep to full" in client.get(f"/conversations/{name}/replies/1.mp4").json()["detail"]


def test_a_conversation_that_is_erased_is_gone_and_ends_if_it_lasts(client: TestClient) -> None:
    with client.websocket_connect("/v1/realtime", subprotocols=[SUBPROTOCOL]) as socket:
        name = talk(socket)
        assert client.delete(f"/conversations/{name}").status_code == 204
        message = socket.receive()
        while message["type"] != "websocket.close":
            message = socket.receive()
        assert (message["code"], "taken over or erased" in message["reason"]) == (4009, True)
        socket.close()  # and let the connection end by itself: the test client would cancel it in the middle
        assert client.get("/conversations").json()["conversations"] == []
    for gone in (client.delete(f"/conversations/{name}"), client.get(f"/conversations/{name}")):
        assert (gone.status_code, f"no conversation is called '{name}'" in gone.json()["detail"]) == (404, True)


def test_what_is_erased_is_erased_with_sound_pictures_and_journal(store: Store, tmp_path: Path) -> None:
    stages = Stages(Ears(), Scribe(), Echo(), Hum(), Grey(), AVATAR)
    house = House(stages, Pace(), Driving(), archive=Archive(store, True, "gateway"))
    with TestClient(build_gateway(house, lambda _: None)) as client:
        assert client.portal is not None
        client.portal.call(store.open)
        with client.websocket_connect("/v1/realtime", subprotocols=[SUBPROTOCOL]) as socket:
            name = talk(socket, "My name is Xylophone.")
        while client.get("/conversations").json()["conversations"][0]["ended"] is None:
            pass
        clip = f"/conversations/{name}/replies/1.mp4"
        assert client.get(clip).status_code == 200
        sound = base64.b64encode(pcm(600, 3))[:400]
        for trace in (b"Xylophone", name.encode(), sound):
            assert files_with(trace, tmp_path) != []
        assert client.delete(f"/conversations/{name}").status_code == 204
        assert [client.get(f"/conversations/{name}{path}").status_code for path in ("", "/transcript.txt")] == [
            404,
            404,
        ]
        assert client.get(clip).status_code == 404
        for trace in (b"Xylophone", name.encode(), sound):
            assert files_with(trace, tmp_path) == []
        client.portal.call(store.close)


def test_pages_follow_one_another(client: TestClient, store: Store) -> None:
    assert client.portal is not None
    for k in range(3):
        client.portal.call(store.begin, f"sess_{k}", "gateway", {})
    first = client.get("/conversations", params={"limit": 2}).json()
    second = client.get("/conversations", params={"limit": 2, "before": first["next"]}).json()
    seen = [row["id"] for page in (first, second) for row in page["conversations"]]
    assert (sorted(seen), second["next"]) == (["sess_0", "sess_1", "sess_2"], None)
    assert client.get("/conversations", params={"before": "yesterday"}).status_code == 400


def test_a_reply_is_seen_again_as_far_as_it_was_heard(client: TestClient, store: Store, tmp_path: Path) -> None:
    coder = H264Encoder(64, 96)
    shown: list[Show] = []
    for k in range(10):
        data, key = coder.encode(np.full((96, 64, 3), 20 * k, np.uint8), k * FRAME)
        shown.append(Show(Audio(2, k * FRAME, b"\0\1" * FRAME)))
        shown.append(Show(Frames(2, (FramePacket(k * FRAME, data, key),))))
    shown.append(Show(Cut(2, 6 * FRAME, "Hel")))
    lines = [canonical({"n": n, "event": {}, "commands": [encode(order)]}) for n, order in enumerate(shown)]
    assert client.portal is not None
    client.portal.call(store.begin, "sess_1", "gateway", {"media": True})
    client.portal.call(store.append, "sess_1", 1, ['{"journal":1}', *lines])
    clip = client.get("/conversations/sess_1/replies/2.mp4")
    assert (clip.status_code, clip.headers["content-type"]) == (200, "video/mp4")
    path = tmp_path / "reply.mp4"
    path.write_bytes(clip.content)
    assert [pts for pts, _ in read_video(path)] == [k * FRAME for k in range(6)]
    assert len(read_audio(path)) >= 6 * FRAME
    assert synthetic(path)
    missing = client.get("/conversations/sess_1/replies/3.mp4")
    assert (missing.status_code, "no pictures of a reply 3" in missing.json()["detail"]) == (404, True)


def test_all_replies_are_one_film_each_after_the_one_before(client: TestClient, store: Store, tmp_path: Path) -> None:
    shown: list[Show] = []
    for turn, codec in ((1, H264Encoder(64, 96)), (2, JpegEncoder())):
        for k in range(4):
            data, key = codec.encode(np.full((96, 64, 3), 40 * k, np.uint8), k * FRAME)
            shown.append(Show(Audio(turn, k * FRAME, b"\0\1" * FRAME)))
            shown.append(Show(Frames(turn, (FramePacket(k * FRAME, data, key),))))
        shown.append(Show(Cut(turn, 3 * FRAME - 400, "Hel")))
    shown.append(Show(Audio(3, 0, b"\0\1" * FRAME)))  # without pictures: it is not in the film
    lines = [canonical({"n": n, "event": {}, "commands": [encode(order)]}) for n, order in enumerate(shown)]
    assert client.portal is not None
    for session, header in (("sess_full", {"media": True}), ("sess_text", {})):
        client.portal.call(store.begin, session, "gateway", header)
        client.portal.call(store.append, session, 1, lines)
    film = client.get("/conversations/sess_full/film.mp4")
    assert (film.status_code, film.headers["content-type"]) == (200, "video/mp4")
    path = tmp_path / "film.mp4"
    path.write_bytes(film.content)
    assert [pts for pts, _ in read_video(path)] == [k * FRAME for k in range(6)]
    assert 6 * FRAME - 400 <= len(read_audio(path)) < 9 * FRAME
    assert synthetic(path)
    for session, why in (("sess_text", "set store.keep to full"), ("sess_none", "no conversation is called")):
        refused = client.get(f"/conversations/{session}/film.mp4")
        assert (refused.status_code, why in refused.json()["detail"]) == (404, True)


def test_a_reply_is_found_without_reading_what_came_before_it(client: TestClient, store: Store) -> None:
    """4,000 lines of ten replies; the eighth is found by its place, those of an older journal by reading."""
    assert client.portal is not None
    call = client.portal.call
    for session in ("sess_marked", "sess_old"):
        call(store.begin, session, "gateway", {"media": True})
        for turn in range(1, 11):
            orders = [Show(Audio(turn, k * 240, bytes(480))) for k in range(400)]
            lines = [canonical({"n": 0, "event": {}, "commands": [encode(order)]}) for order in orders]
            call(store.append, session, 1, lines, (turn,) if session == "sess_marked" else ())

    async def read(session: str, turn: int) -> int:
        return sum([len(page) async for page in store.journal(session, turn)])

    assert [call(read, "sess_marked", turn) for turn in (0, 1, 8, 10, 11)] == [4000, 4000, 1200, 400, 400]
    assert call(read, "sess_old", 8) == 4000
    assert client.delete("/conversations/sess_marked").status_code == 204
    assert call(read, "sess_marked", 8) == 0


def test_a_transcript_tells_when_each_thing_was_said_and_what_was_cut() -> None:
    items = (Item(Said("user", "Hello?", 1), 2_500), Item(Said("assistant", "Hel", 1, cut=True), 76_000))
    stored = Stored(Summary("sess_1", 1_000, 76_000, None, 2), {}, "gateway", 1, 0, items)
    assert written(stored) == (
        "Conversation sess_1, 1970-01-01 00:00:01 UTC\n\n[00:01] You: Hello?\n[01:15] Avatar: Hel [interrupted]\n"
    )
