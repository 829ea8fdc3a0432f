"""What can go wrong with a server: tried again or not, one sentence, a spoken apology, and the talk goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from actors.llm.chat import ENDLESS, Chat
from actors.llm.refusals import retry_after
from streaming.commands import Audio, Ended, Failed, Show
from streaming.conversation import Conversation
from streaming.driving import APOLOGIES, Driving
from streaming.events import Left, Typed
from streaming.pace import Pace
from streaming.session import ClientOrder, Session, Stages
from streaming.stages import BadInput, Said, StageError, TextDelta
from tests.actors.llm.server import CUT, DONE, HISTORY, Answer, Server, chunk, event, reply, serving, words
from tests.stubs import AVATAR, Ears, Hum, Scribe

FINE = Answer(parts=(chunk("Good morning."), chunk(finish="stop"), DONE))
BUSY = Answer(429, (b'{"error":{"message":"slow down","code":"rate_limit_exceeded"}}',))
BROKEN = Answer(500, (b"oops",))


async def tried(*answers: Answer, **more: Any) -> tuple[str, list[float], int]:
    """What was said in the end, the pauses before that in seconds, and how often the server was asked."""
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(round(seconds, 3))

    server = Server(answers=answers)
    chat = {"retries": 2, "pause": pause, "dice": lambda: 0.5, **more}
    try:
        return words(await reply(server, chat=chat)), pauses, len(server.asked)
    except StageError as error:
        return str(error).partition(" at ")[2].partition("/v1 ")[2], pauses, len(server.asked)


# ---- again -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "first",
    [
        BROKEN,
        Answer(503),
        BUSY,
        Answer(parts=()),
        Answer(parts=(chunk(""),)),
        Answer(parts=(chunk(""), CUT)),
        Answer(parts=(b"data: <html>\n\n",)),
        Answer(parts=(event({"choices": [None]}),)),
        Answer(parts=(event({"object": "error", "message": "busy"}),)),
    ],
)
async def test_a_request_is_sent_again_before_the_first_word(first: Answer) -> None:
    assert await tried(first, FINE) == ("Good morning.", [0.3], 2)


async def test_pauses_grow_and_then_it_is_given_up() -> None:
    assert await tried(BROKEN) == ("failed with status 500; ask again", [0.3, 0.6], 3)


@pytest.mark.parametrize(("thrown", "pauses"), [(0.0, [0.2, 0.4]), (0.5, [0.3, 0.6]), (1.0, [0.4, 0.8])])
async def test_sessions_do_not_come_back_together(thrown: float, pauses: list[float]) -> None:
    assert (await tried(BROKEN, BROKEN, FINE, dice=lambda: thrown))[1] == pauses


async def test_a_server_that_says_when_is_believed() -> None:
    soon = Answer(429, (b"{}",), headers={"retry-after": "2"})
    assert await tried(soon, FINE) == ("Good morning.", [2.0], 2)


async def test_nobody_waits_longer_than_for_a_first_word() -> None:
    late = Answer(429, (b"{}",), headers={"retry-after": "60"})
    sentence = "takes no more requests at the moment: wait 60 s, or raise the quota"
    assert await tried(late, FINE) == (sentence, [], 1)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Answer(401), "refused the API key: set OPENAI_API_KEY (llm.api_key) to one that it accepts"),
        (
            Answer(429, (b'{"error":{"message":"no","code":"insufficient_quota"}}',)),
            "takes no more requests: the key's quota is used up, raise it",
        ),
        (Answer(parts=(event({"error": {"message": "out of memory"}}),)), "reported an error: out of memory"),
    ],
)
async def test_what_would_fail_again_is_not_sent_again(answer: Answer, sentence: str) -> None:
    assert await tried(answer, FINE) == (sentence, [], 1)


async def test_nothing_is_sent_again_after_the_first_word() -> None:
    cut = Answer(parts=(chunk("Well"), CUT))
    server = Server(answers=(cut, FINE))
    heard: list[object] = []
    with pytest.raises(StageError, match="broke off in the middle of its reply; ask again"):
        async with serving(server) as url:
            async for piece in Chat(url).reply(HISTORY, "", ()):
                heard.append(piece)
    assert (heard, len(server.asked)) == ([TextDelta("Well")], 1)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after-ms": "250", "retry-after": "3"}, 0.25),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
    ],
)
def test_when_to_come_back(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


# ---- without end -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("piece", [chunk("la la "), chunk(calls=[{"index": 0, "function": {"arguments": "1"}}])])
async def test_a_reply_without_end_is_ended(piece: bytes) -> None:
    server = Server(parts=(piece,) * (10 * ENDLESS + 1), stays=True)
    with pytest.raises(StageError, match="does not come to an end; ask for a shorter answer, or use another model"):
        await reply(server, chat={"reply_most": 10})
    assert server.left.is_set()


@pytest.mark.parametrize("sign", [b": keep-alive\n\n", chunk(""), chunk("<think>hm "), event({"choices": []})])
async def test_signs_of_life_are_no_words(sign: bytes) -> None:
    with pytest.raises(StageError, match="wrote nothing for too long; ask again, or use a model that answers"):
        await reply(Server(parts=(sign,), stays=True), wait=0.05)


async def test_a_reply_of_nothing_but_thoughts() -> None:
    for last in (chunk(finish="length"), chunk(finish="stop")):
        with pytest.raises(StageError, match="only thought and said nothing; ask in other words"):
            await reply(Server(parts=(chunk("<think>hm"), last, DONE)))
    with pytest.raises(StageError, match="was stopped by a filter and said nothing"):
        await reply(Server(parts=(chunk(finish="content_filter"), DONE)))


async def test_whoever_waits_is_told_that_a_block_of_code_goes_on() -> None:
    parts = (chunk("Look:\n"), chunk("```py\n"), chunk("x = 1\n"), chunk("```\nDone."), chunk(finish="stop"), DONE)
    pieces = await reply(Server(parts=parts))
    assert pieces == [TextDelta("Look:\n"), TextDelta(""), TextDelta(""), TextDelta("\nDone.")]


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":{"message":"no","code":"content_filter"}}',
        b'{"object":"error","message":"maximum context length is 4096 tokens","code":400}',
        b'{"error":{"code":400,"message":"too much","type":"exceed_context_size_error"}}',
    ],
)
async def test_what_the_person_can_mend_is_bad_input(body: bytes) -> None:
    with pytest.raises(BadInput, match=r"refused the request \(400\)"):
        await reply(Server(400, (body,)))


# ---- heard -------------------------------------------------------------------------------------------------


class Talk:
    """A whole conversation with a server that fails, then answers."""

    def __init__(self, chat: Chat, language: str) -> None:
        self.shown: list[Any] = []
        self.kept: list[Said] = []
        stages = Stages(Ears(), Scribe(), chat, Hum(), None, AVATAR)
        talk = Conversation("talk", Pace.file(), codec=None)
        self.session = Session(talk, stages, self.tell, driving=Driving(language=language), memory=self)
        self.then = [Typed("And now?")]

    async def tell(self, order: ClientOrder) -> None:
        if isinstance(order, Show):
            self.shown.append(order.message)
            if isinstance(order.message, Ended):
                await self.session.happen(self.then.pop() if self.then else Left())

    async def remember(self, item: Said, after: str | None) -> None:
        self.kept.append(item)

    async def forget(self, name: str) -> None:
        raise AssertionError(name)

    async def run(self) -> None:
        await self.session.happen(Typed("Hello"))
        await self.session.run(_once())


async def _once() -> AsyncIterator[int]:
    yield 0


@pytest.mark.parametrize("language", ["en", "es", "zh"])
@pytest.mark.parametrize(
    ("answer", "reason", "before"),
    [
        (Answer(401), "refused the API key", ""),
        (BUSY, "takes no more requests", ""),
        (BROKEN, "failed with status 500", ""),
        (Answer(parts=(chunk("Well, I"),)), "broke off in the middle", "Well, I "),
        (Answer(parts=(chunk("Well, I"), CUT)), "broke off in the middle", "Well, I "),
        (Answer(parts=(b"data: <html>\n\n",)), "sent what is no chat completion", ""),
        (Answer(parts=(chunk("la la "),) * 81, stays=True), "does not come to an end", "la la " * 80),
        (Answer(stays=True), "wrote nothing for too long", ""),
        (Answer(parts=(chunk("Well, I"),), stays=True), "wrote nothing for too long", "Well, I "),
    ],
    ids=["401", "429", "5xx", "ended", "cut", "garbage", "endless", "silent", "stalled"],
)
async def test_every_failure_is_told_and_apologised_for_and_the_conversation_lives(
    answer: Answer, reason: str, before: str, language: str
) -> None:
    server = Server(answers=(answer, FINE))
    async with serving(server) as url:
        wait = 0.5 if answer.stays else 10.0  # only what stays silent is waited for in vain
        chat = Chat(url, retries=0, first_token_s=wait, between_tokens_s=wait, reply_most=60 if "la" in before else 99)
        talk = Talk(chat, language)
        await talk.run()
    (failed,) = [message for message in talk.shown if isinstance(message, Failed)]
    assert (failed.turn, failed.stage) == (1, "llm") and reason in failed.reason
    assert {message.turn for message in talk.shown if isinstance(message, Audio)} == {1, 2}
    apology = talk.kept[1].text
    assert apology.startswith(before) and apology.endswith(APOLOGIES[language])
    assert talk.kept[-1] == Said("assistant", "Good morning.", 2)


async def test_a_person_who_goes_away_while_it_waits_to_try_again() -> None:
    waiting = asyncio.Event()

    async def pause(seconds: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    server = Server(answers=(BROKEN, FINE))
    async with serving(server) as url:
        pieces = Chat(url, pause=pause).reply(HISTORY, "", ())
        call = asyncio.ensure_future(anext(pieces))
        await waiting.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert len(server.asked) == 1
