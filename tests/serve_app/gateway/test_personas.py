"""A client chooses who speaks to it, is greeted, and asks what that persona knows; through the real application."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse, WebSocketTestSession
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from actors.llm.guide import Guide
from serve_app.gateway.app import build_gateway
from serve_app.gateway.house import House
from serve_app.gateway.wire import SUBPROTOCOL
from serve_app.persona import Cast, Persona
from streaming.driving import UNVOICED
from streaming.media import Unit
from streaming.pace import Pace
from streaming.session import Driving, Stages
from streaming.stages import Avatar, FaceState, History, Span, Spoken, Tool
from tests.serve_app.gateway.live import serving
from tests.serve_app.gateway.test_realtime import say, until, write
from tests.stubs import AVATAR, Ears, Hum, Mask, Scribe

SHOP = Persona(
    "shop",
    "Shop",
    "Welcome to the shop.",
    "Sell something.",
    "bass",
    "en",
    Avatar("keeper", 64, 96, 64, 96),
    "unknown = 'We do not sell that.'\n[[topic]]\nask = ['when do you open']\nsay = 'At nine.'\n",
)
HOST = Persona("host", "Host", "Good evening.")
CAST = Cast(Persona(), {"shop": SHOP, "host": HOST}, frozenset({"default", "bass", "tenor"}))


class Noted(Guide):
    """The guide; notes what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    async def reply(self, history: History, instructions: str, tools: Sequence[Tool]) -> AsyncIterator[Any]:
        self.told.append(instructions)
        async for piece in super().reply(history, instructions, tools):
            yield piece


class Choir(Hum):
    """Notes with which voice it spoke."""

    def __init__(self) -> None:
        self.voices: list[str] = []
        self.languages: list[str] = []
        self.texts: list[str] = []

    async def speak(self, text: str, voice: str, language: str, seed: int) -> AsyncIterator[Spoken]:
        self.voices.append(voice)
        self.languages.append(language)
        self.texts.append(text)
        async for piece in super().speak(text, voice, language, seed):
            yield piece


class Masks(Mask):
    """Notes whose face it drew."""

    def __init__(self) -> None:
        self.faces: list[str] = []

    async def animate(self, span: Span, avatar: Avatar, state: FaceState | None) -> AsyncIterator[Any]:
        self.faces.append(avatar.id)
        async for item in super().animate(span, avatar, state):
            yield item


class Room:
    """A service with three personas."""

    def __init__(self, cast: Cast = CAST) -> None:
        self.guide, self.choir, self.masks = Noted(), Choir(), Masks()
        stages = Stages(Ears(), Scribe(), self.guide, self.choir, self.masks, AVATAR)
        house = House(stages, Pace(), Driving(instructions="Be brief."), cast=cast)
        self.application = build_gateway(house, lambda _: None)
        self.client = TestClient(self.application)

    @contextmanager
    def entered(self, address: str = "/v1/realtime", *, own: bool = True) -> Iterator[WebSocketTestSession]:
        """A socket, and past the session's description."""
        with self.client, self.client.websocket_connect(address, subprotocols=[SUBPROTOCOL] if own else []) as socket:
            yield socket


@pytest.fixture
def room() -> Room:
    return Room()


def session_of(told: Sequence[Any]) -> dict[str, Any]:
    return told[-1]["session"]


def text_of(told: Sequence[Any]) -> str:
    """The words of the replies among these messages."""
    kinds = ("response.output_audio_transcript.delta", "response.output_text.delta")
    return "".join(m["delta"] for m in told if not isinstance(m, Unit) and m["type"] in kinds)


def asked(socket: WebSocketTestSession, text: str) -> str:
    """The answer to a written question for which everything else stops."""
    say(socket, "avatar.say", text=text)
    while True:
        told = until(socket, "response.done")
        if told[-1]["response"]["status"] == "completed":  # type: ignore[index]
            return text_of(told)


def test_everybody_may_ask_who_there_is(room: Room) -> None:
    listed = room.client.get("/personas").json()["personas"]
    assert [row["id"] for row in listed] == ["default", "host", "shop"]
    assert listed[2] == {
        "id": "shop",
        "name": "Shop",
        "greeting": "Welcome to the shop.",
        "language": "en",
        "voice": "bass",
        "avatar": "keeper",
    }


def test_a_persona_out_of_the_address_greets_and_answers_with_its_own_voice_face_and_knowledge(room: Room) -> None:
    with room.entered("/v1/realtime?persona=shop") as socket:
        avatar = session_of(until(socket, "session.created"))["avatar"]
        assert (avatar["id"], avatar["persona"], avatar["video"]["width"]) == ("keeper", "shop", 64)
        say(socket, "session.update", session={"type": "realtime"})
        told = until(socket, "response.done")
        assert text_of(told) == "Welcome to the shop."
        assert room.guide.told == [], "nobody was asked what to say"
        assert asked(socket, "When do you open?") == "At nine."
        assert asked(socket, "Who painted the Mona Lisa?") == "We do not sell that."
    assert room.guide.told == ["Sell something."] * 2
    assert set(room.choir.voices) == {"bass"} and set(room.masks.faces) == {"keeper"}


def test_two_sessions_of_one_guide_do_not_know_what_the_other_knows(room: Room) -> None:
    with room.entered("/v1/realtime?persona=shop") as shop:
        with room.client.websocket_connect("/v1/realtime", subprotocols=[SUBPROTOCOL]) as usual:
            assert asked(shop, "When do you open?") == "At nine."
            say(usual, "session.update", session={"output_modalities": ["text"]})
            assert asked(usual, "When do you open?").startswith("I don't know.")


def test_a_persona_is_chosen_before_the_first_word_and_not_after_it(room: Room) -> None:
    with room.entered() as socket:
        assert session_of(until(socket, "session.created"))["avatar"]["persona"] == "default"
        say(socket, "session.update", event_id="mine", session={"avatar": {"persona": "cook"}})
        error = until(socket, "error")[-1]["error"]  # type: ignore[index]
        assert (error["code"], error["event_id"]) == ("unknown_persona", "mine")
        assert error["message"] == "there is no persona 'cook'; there are: default, host, shop"
        say(socket, "session.update", session={"avatar": {"persona": "shop"}})
        assert session_of(until(socket, "session.updated"))["avatar"]["persona"] == "shop"
        assert text_of(until(socket, "response.done")) == "Welcome to the shop."
        say(socket, "session.update", session={"avatar": {"persona": "host"}})
        error = until(socket, "error")[-1]["error"]  # type: ignore[index]
        assert (error["code"], error["message"]) == ("too_late", "choose the persona before the first word")
        say(socket, "session.update", session={"avatar": {"persona": "shop"}})
        assert session_of(until(socket, "session.updated"))["avatar"]["persona"] == "shop", "the same is no change"


def test_a_face_is_chosen_by_itself(room: Room) -> None:
    with room.entered("/v1/realtime?persona=shop") as socket:
        shown = session_of(until(socket, "session.created"))["avatar"]
        say(socket, "session.update", session={"avatar": {"id": shown["id"]}})
        assert session_of(until(socket, "session.updated"))["avatar"]["id"] == "keeper", "as it was shown, said back"
        say(socket, "session.update", event_id="mine", session={"avatar": {"id": "nobody"}})
        error = until(socket, "error")[-1]["error"]  # type: ignore[index]
        assert (error["code"], error["event_id"], error["param"]) == ("unknown_avatar", "mine", "avatar.id")
    with room.entered("/v1/realtime?persona=shop") as socket:
        say(socket, "session.update", session={"avatar": {"id": "default"}})
        avatar = session_of(until(socket, "session.updated"))["avatar"]
        assert (avatar["id"], avatar["persona"], avatar["video"]["width"]) == ("default", "shop", 384)
        say(socket, "session.update", session={"avatar": {"id": "keeper"}})
        assert "there is no avatar" in until(socket, "error")[-1]["error"]["message"]  # type: ignore[index]
        say(socket, "avatar.say", text="hi")
        say(socket, "session.update", session={"avatar": {"id": "story"}})
        error = until(socket, "error")[-1]["error"]  # type: ignore[index]
        assert (error["code"], error["message"]) == ("too_late", "choose the avatar before the first word")


def test_a_persona_that_there_is_not_opens_no_socket(room: Room) -> None:
    with pytest.raises(WebSocketDenialResponse) as denial, room.entered("/v1/realtime?persona=cook"):
        pass
    assert (denial.value.status_code, "there is no persona 'cook'" in denial.value.json()["detail"]) == (404, True)


def test_what_a_client_chooses_itself_counts_more_than_its_persona(room: Room) -> None:
    with room.entered("/v1/realtime?persona=shop") as socket:
        chosen = {"instructions": "Whisper.", "audio": {"output": {"voice": "tenor"}}, "avatar": {"greeting": False}}
        say(socket, "session.update", session=chosen)
        assert asked(socket, "When do you open?") == "At nine."
    assert (room.guide.told, set(room.choir.voices)) == (["Whisper."], {"tenor"})


def test_a_client_may_choose_what_the_voice_speaks_as_far_as_it_can() -> None:
    room = Room(replace(CAST, languages=frozenset({"en", "es"})))
    with room.entered() as socket:
        for language, sentence in (
            ("zh", "the voice does not speak 'zh'; it speaks en, es"),
            ("Chinese", "two letters"),
        ):
            say(socket, "session.update", session={"avatar": {"language": language}})
            assert sentence in until(socket, "error")[-1]["error"]["message"]  # type: ignore[index]
        say(socket, "session.update", session={"avatar": {"language": "es"}})
        asked(socket, "Hello?")
        say(socket, "session.update", session={"avatar": {"language": ""}})
        asked(socket, "Hello?")
    assert room.choir.languages[0] == "es" and room.choir.languages[-1] == "en"


def test_an_answer_in_a_language_without_a_voice_is_read_and_not_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client gets the words; the voice says once, in a language that it has, that they are to be read."""
    text = "Das ist ein Laden. Er öffnet um neun, und ich weiß nicht, warum das so ist."
    room = Room(replace(CAST, languages=frozenset({"en"})))
    monkeypatch.setattr(room.guide, "answer", lambda history: text)
    with room.entered() as socket:
        assert asked(socket, "Wann?") == text
    assert room.choir.texts == [UNVOICED["en"]] and set(room.choir.languages) == {"en"}


@pytest.mark.parametrize("voice", ["marin", "default", "unheard-of"])
def test_a_voice_that_is_not_ours_is_the_personas(voice: str, room: Room) -> None:
    with room.entered("/v1/realtime?persona=shop") as socket:
        say(socket, "session.update", session={"voice": voice})
        asked(socket, "When do you open?")
    assert set(room.choir.voices) == {"bass"}


def test_a_greeting_is_spoken_once_and_is_cut_by_whoever_speaks_over_it() -> None:
    talker = replace(SHOP, greeting="Welcome to the shop. We have everything. Look around. Take your time. Ask me.")
    with Room(Cast(talker)).entered() as socket:
        say(socket, "session.update", session={"type": "realtime"})
        until(socket, "response.output_audio_transcript.delta")
        say(socket, "avatar.press")
        told = until(socket, "response.done")
        assert told[-1]["response"]["status"] == "cancelled"  # type: ignore[index]
        say(socket, "session.update", session={"type": "realtime"})
        assert text_of(until(socket, "session.updated")) == ""
        assert asked(socket, "When do you open?") == "At nine."


@pytest.mark.parametrize(
    ("address", "greeting", "greeted"),
    [
        ("/v1/realtime", None, False),
        ("/v1/realtime", True, True),
        ("/v1/realtime?persona=host", None, True),
        ("/v1/realtime?persona=host", False, False),
    ],
)
def test_a_stock_client_is_greeted_if_it_asks_for_somebody(address: str, greeting: Any, greeted: bool) -> None:
    with Room(Cast(HOST, {"host": HOST})).entered(address, own=False) as socket:
        avatar = {} if greeting is None else {"avatar": {"greeting": greeting}}
        say(socket, "session.update", session={"output_modalities": ["text"], **avatar})
        until(socket, "session.updated")
        if greeted:
            assert text_of(until(socket, "response.done")) == "Good evening."
        write(socket, "Who are you?")
        assert text_of(until(socket, "response.done")).startswith("I'm the guide.")


@pytest.mark.parametrize(
    ("avatar", "sentence"),
    [
        ({"id": 3}, "an avatar's id is a text, not 3"),
        ({"persona": 3}, "persona is a name, not 3"),
        ({"greeting": "loud"}, "greeting is true or false, not 'loud'"),
    ],
)
def test_what_is_no_persona_and_no_greeting_is_told_so(avatar: Any, sentence: str, room: Room) -> None:
    with room.entered() as socket:
        say(socket, "session.update", session={"avatar": avatar})
        assert until(socket, "error")[-1]["error"]["message"] == sentence  # type: ignore[index]


def test_plain_http_speaks_with_the_usual_persona() -> None:
    room = Room(Cast(SHOP, {"shop": SHOP}))
    with room.client as client:
        answer = client.post("/chat", json={"text": "When do you open?"})
        assert '{"text":"At nine."}' in answer.text
        client.post("/v1/audio/speech", json={"input": "Hello.", "voice": "alloy", "model": "any"})
    assert (room.guide.told, room.choir.voices) == (["Sell something."], ["bass"])


# ---- client secrets ----------------------------------------------------------------------------------------


def secret(room: Room, session: Any) -> list[str]:
    """What is offered at the handshake with a secret for this session."""
    answer = room.client.post("/v1/realtime/client_secrets", json={"session": session})
    assert answer.status_code == 200, answer.text
    return ["realtime", f"openai-insecure-api-key.{answer.json()['value']}"]


def test_the_session_of_a_secret_is_that_of_whoever_uses_it(room: Room) -> None:
    wanted = {"instructions": "Whisper.", "output_modalities": ["text"], "avatar": {"persona": "shop"}}
    offers = secret(room, wanted)
    with room.client, room.client.websocket_connect("/v1/realtime", subprotocols=offers) as socket:
        shown = session_of(until(socket, "session.created"))
        assert (shown["instructions"], shown["avatar"]["persona"]) == ("Whisper.", "shop")
        assert shown["output_modalities"] == ["text"]
        write(socket, "When do you open?")
        assert text_of(until(socket, "response.done")) == "Welcome to the shop."
        write(socket, "When do you open?")
        assert text_of(until(socket, "response.done")) == "At nine."
    assert (set(room.guide.told), room.choir.voices) == ({"Whisper."}, [])


@pytest.mark.parametrize(
    ("session", "sentence"),
    [
        ({"avatar": {"persona": "cook"}}, "there is no persona 'cook'"),
        ({"output_modalities": ["smell"]}, 'modalities are ["audio"] or ["text"]'),
        ({"audio": {"input": 3}}, "session.update: "),
    ],
)
def test_a_session_that_is_wrong_makes_no_secret(session: Any, sentence: str, room: Room) -> None:
    answer = room.client.post("/v1/realtime/client_secrets", json={"session": session})
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(f"the session of this secret is wrong: {sentence}")


def test_a_session_that_fits_into_no_header_makes_no_secret(room: Room) -> None:
    words = " ".join(json.dumps([k * k, k**3, f"{k:x}{k * 7919:x}"]) for k in range(900))
    answer = room.client.post("/v1/realtime/client_secrets", json={"session": {"instructions": words[:30_000]}})
    assert (answer.status_code, "6,000 fit into a header" in answer.text) == (400, True)


def test_a_secret_for_somebody_who_has_left_the_house_says_so(room: Room) -> None:
    offers = secret(room, {"avatar": {"persona": "shop"}})
    room = Room(Cast())
    with room.client, room.client.websocket_connect("/v1/realtime", subprotocols=offers) as socket:
        assert session_of(until(socket, "session.created"))["avatar"]["persona"] == "default"
        assert "there is no persona 'shop'" in until(socket, "error")[-1]["error"]["message"]  # type: ignore[index]
        write(socket, "Thanks.")
        until(socket, "response.created")


async def test_the_largest_session_that_makes_a_secret_comes_through_a_real_server(room: Room) -> None:
    dice = random.Random(1)
    words = "".join(dice.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(6_200))
    async with serving(room.application) as url:
        offers = secret(room, {"instructions": words})
        assert len(offers[1]) > 5_500
        async with connect(f"{url}/v1/realtime", subprotocols=[Subprotocol(offer) for offer in offers]) as socket:
            assert json.loads(await socket.recv())["session"]["instructions"] == words
