"""What one client says and is told, as messages: OpenAI Realtime names, our own under ``avatar.``, media in binary.

Pure: a message in, events out; an order in, messages out. Replies are told in ladder.py, wishes read in wishes.py.
What a message means for the conversation is decided there, not here. docs/protocol.md describes every name.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any, assert_never

from serve_app.gateway.audio import ToClient
from serve_app.gateway.beta import in_beta
from serve_app.gateway.conduct import Conduct
from serve_app.gateway.items import message
from serve_app.gateway.ladder import Response, Told
from serve_app.gateway.wishes import ClientError
from streaming.commands import (
    AsideBegun,
    Audio,
    Called,
    Cancel,
    Cut,
    Ended,
    Failed,
    Frames,
    HangUp,
    Hold,
    Kept,
    Message,
    Notice,
    Remember,
    ReplyDelta,
    Resume,
    Show,
    StateChanged,
    Trimmed,
    UserCaption,
    Waited,
)
from streaming.media import MIC_RATE, RATE, Flag, Kind, Unit, pack, samples
from streaming.session import ClientOrder
from streaming.stages import Said

SUBPROTOCOL = "realtime-avatar.v1"
"""Offered by clients that take media as binary messages on the same socket."""
STOCK = "realtime"
"""Chosen only where it is offered."""
KEPT = 8
"""Responses of which the client may still speak."""


class Outgoing:
    """Orders of one session as messages, numbered."""

    def __init__(self, conduct: Conduct, *, clock_ms: Callable[[], int], beta: bool = False) -> None:
        self._conduct = conduct
        self._clock_ms = clock_ms
        self._beta = beta
        self.seq = 0
        """Number of the newest message."""
        self._words_until = (0, 0)
        self._speech: str | None = None
        self._silence: str | None = None
        """The item that nobody spoke, until it is stored."""
        self._announced = False
        """True once a reply's interruption told of the speech that the next state tells of."""
        self._to_client: tuple[int, ToClient] | None = None

    def of(self, told: ClientOrder | Told) -> list[str | bytes]:
        """The messages that tell a client of an order, or of an event that was made for it."""
        if isinstance(told, tuple):
            return [*self._event(told)]
        return [out for one in self._ordered(told) for out in ([one] if isinstance(one, bytes) else self._event(one))]

    @property
    def calm(self) -> bool:
        """True while it has told of nothing that something else must follow."""
        return self._speech is None and self._silence is None and not self._announced

    def words_told(self, audio: Message) -> None:
        """The client knows the words of this piece of sound, though perhaps not the sound."""
        if isinstance(audio, Audio):
            self._words_until = audio.turn, audio.pts + samples(audio.pcm)

    def _event(self, told: Told) -> Iterator[str]:
        for kind, fields in in_beta(told) if self._beta else (told,):
            self.seq += 1
            yield json.dumps({"type": kind, "event_id": f"evt_{self.seq}", **fields}, separators=(",", ":"))

    def _unit(self, kind: Kind, flags: Flag, turn: int, pts: int, payload: bytes) -> bytes:
        self.seq += 1
        return pack(Unit(kind, flags, turn, self.seq, pts, self._clock_ms(), payload))

    # ---- orders --------------------------------------------------------------------------------------------

    def _ordered(self, order: ClientOrder) -> Iterator[Told | bytes]:
        match order:
            case Show(shown):
                yield from self._shown(shown)
            case Hold(turn):
                yield from self._own("avatar.hold", turn=turn)
            case Resume(turn):
                yield from self._own("avatar.resume", turn=turn)
            case Cancel(turn):
                if turn > 0:
                    yield from self._own("avatar.flush", turn=turn)
            case HangUp(reason):
                yield from self._own("avatar.state", state="closed", reason=reason)
            case Remember(item):
                yield from self._remembered(item)
            case _:  # pragma: no cover - the type checker refuses a forgotten order
                assert_never(order)

    def _own(self, kind: str, **fields: Any) -> Iterator[Told]:
        """An event of ours, for clients that asked for the avatar; others may not bear names they do not know."""
        if self._conduct.wishes.sees_avatar:
            yield kind, fields

    def _shown(self, shown: Message) -> Iterator[Told | bytes]:
        match shown:
            case StateChanged(state, turn):
                yield from self._state(state, turn)
            case UserCaption(text, final, guess):
                if not final:
                    yield from self._own("avatar.caption", text=text, guess=guess)
            case ReplyDelta(turn, text):
                yield from self._response(turn).wrote(text)
            case Audio():
                yield from self._audio(shown)
            case Frames():
                yield from self._frames(shown)
            case Kept(turn, pts):
                yield from self._own("avatar.kept", turn=turn, pts=pts)
            case Called(turn, name, call):
                yield from self._response(turn).called(name, call)
            case Ended(turn, pts, idle_frame, usage, limited):
                if turn > 0:
                    yield from self._own("avatar.end", turn=turn, pts=pts, idle_frame=idle_frame)
                self._response(turn).samples = max(self._response(turn).samples, pts)
                yield from self._response(turn).ended(usage, limited=limited)
                self._forget(turn)
            case Cut(turn, _, text, usage):
                if turn > 0:
                    yield from self._cut(shown)
                else:
                    yield from self._response(turn).cut(text, "client_cancelled", usage)
                    self._forget(turn)
            case AsideBegun(turn):
                yield from self._response(turn).begun()
            case Waited():
                yield self._waited(shown)
            case Trimmed():
                yield from self._trimmed(shown)
            case Failed():
                yield from self._failed(shown)
            case Notice(turn, rung, reason):
                yield from self._own("avatar.notice", turn=turn, rung=rung, reason=reason)
            case _:  # pragma: no cover - the type checker refuses a forgotten message
                assert_never(shown)

    def _state(self, state: str, turn: int) -> Iterator[Told]:
        conduct = self._conduct
        if state == "thinking" and turn not in conduct.responses:
            yield from self._response(turn).begun()
        if state == "listening" and conduct.wishes.live and not self._announced:
            yield self._speech_started()
        self._announced = False
        if state == "idle" and self._speech:
            yield from self._speech_stopped()
            self._speech = None
        yield from self._own("avatar.state", state=state, turn=turn)

    def _cut(self, cut: Cut) -> Iterator[Told]:
        """Clients stop a reply at the speech that interrupts it; after its end they would take it for a whole one."""
        yield from self._own("avatar.cut", turn=cut.turn, pts=cut.pts, text=cut.text)
        spoken_over = self._conduct.wishes.live and cut.turn != self._conduct.stopped
        if spoken_over:
            self._announced = True
            yield self._speech_started()
        reason = "turn_detected" if spoken_over else "client_cancelled"
        yield from self._response(cut.turn).cut(cut.text, reason, cut.usage)

    def _waited(self, waited: Waited) -> Told:
        """Nobody spoke: the silence is an item like any that was spoken."""
        self._silence = self._conduct.items.fresh()
        start, stop = (at * 1000 // MIC_RATE for at in (waited.start, waited.stop))
        self._conduct.spoke_from, self._conduct.spoke_until = waited.start, waited.stop
        place = {"audio_start_ms": start, "audio_end_ms": stop, "item_id": self._silence}
        return "input_audio_buffer.timeout_triggered", place

    def _speech_started(self) -> Told:
        self._speech = self._speech or self._conduct.items.fresh()
        at = self._conduct.spoke_from * 1000 // MIC_RATE
        return "input_audio_buffer.speech_started", {"audio_start_ms": at, "item_id": self._speech}

    def _speech_stopped(self) -> Iterator[Told]:
        at = self._conduct.spoke_until * 1000 // MIC_RATE
        yield "input_audio_buffer.speech_stopped", {"audio_end_ms": at, "item_id": self._speech}

    def _response(self, turn: int) -> Response:
        conduct = self._conduct
        if turn not in conduct.responses:
            if turn < 0:
                asked = conduct.asides.popleft()
            else:
                asked, conduct.waiting = conduct.waiting or conduct.usual, None
            sound = {"output": {"format": conduct.wishes.spoken.described(), "voice": conduct.wishes.voice}}
            conduct.responses[turn] = Response(turn, asked, conduct.items, sound)
            for old in sorted(turn for turn in conduct.responses if turn > 0)[:-KEPT]:
                del conduct.responses[old]
        return conduct.responses[turn]

    def _forget(self, turn: int) -> None:
        """Nobody can speak any more of what was said beside the conversation, once it is over."""
        if turn < 0:
            del self._conduct.responses[turn]

    def _audio(self, audio: Audio) -> Iterator[Told | bytes]:
        turn, until = self._words_until
        words = [asdict(word) for word in audio.words if audio.turn != turn or word.start >= until]
        if words:
            yield from self._own("avatar.words", turn=audio.turn, words=words)
        response = self._response(audio.turn)
        if self._conduct.own:
            response.samples = max(response.samples, audio.pts + samples(audio.pcm))
            yield self._unit(Kind.AUDIO, Flag.NONE, audio.turn, audio.pts, audio.pcm)
            return
        if self._to_client is None or self._to_client[0] != audio.turn:
            self._to_client = audio.turn, ToClient(self._conduct.wishes.spoken)
        sound = base64.b64encode(self._to_client[1].take(audio.pcm)).decode()
        yield from response.spoke(sound, samples(audio.pcm))

    def _frames(self, frames: Frames) -> Iterator[Told | bytes]:
        response = self._response(frames.turn)
        for p in frames.packets:
            if self._conduct.own:
                yield self._unit(Kind.VIDEO, Flag.KEY if p.key else Flag.NONE, frames.turn, p.pts, p.data)
            else:
                picture = base64.b64encode(p.data).decode()
                place = {"response_id": response.id, "item_id": response.message, "turn": frames.turn}
                yield "avatar.video.delta", {**place, "pts": p.pts, "key": p.key, "delta": picture}

    def _remembered(self, said: Said) -> Iterator[Told]:
        """An item is stored: now it counts, and the client hears of it."""
        conduct = self._conduct
        if said.id in conduct.added:
            conduct.added.discard(said.id)
            item = conduct.items[said.id]
            before = conduct.items.put(item, said.id)
        elif said.role == "user":
            name = self._silence or self._speech or conduct.items.fresh()
            if self._speech:
                yield from self._speech_stopped()
            self._speech = self._silence = None
            item = message(name, "user", [{"type": "input_audio", "transcript": None}])
            before = conduct.items.put(item, said.name)
            yield "input_audio_buffer.committed", {"previous_item_id": before, "item_id": name}
        else:
            return
        yield "conversation.item.added", {"previous_item_id": before, "item": item}
        yield "conversation.item.done", {"previous_item_id": before, "item": item}
        if not said.id or said.id.startswith("heard_"):
            yield from self._transcribed(item, said.text)

    def _transcribed(self, item: dict[str, Any], text: str) -> Iterator[Told]:
        place = {"item_id": item["id"], "content_index": 0}
        item["content"] = [{"type": "input_audio", "transcript": text}]
        seconds = max(self._conduct.spoke_until - self._conduct.spoke_from, 0) / MIC_RATE
        yield "conversation.item.input_audio_transcription.delta", {**place, "delta": text}
        told = {**place, "transcript": text, "usage": {"type": "duration", "seconds": seconds}}
        yield "conversation.item.input_audio_transcription.completed", told

    def _trimmed(self, trimmed: Trimmed) -> Iterator[Told]:
        response = self._conduct.responses.get(trimmed.turn)
        if response is None or response.message is None:
            return
        self._conduct.items.put(response.item(trimmed.text, "incomplete"), f"assistant_{trimmed.turn}")
        at = trimmed.pts * 1000 // RATE
        place = {"item_id": response.message, "content_index": 0, "audio_end_ms": at}
        yield "conversation.item.truncated", place

    def _failed(self, failed: Failed) -> Iterator[Told]:
        error = {"type": "server_error", "code": f"{failed.stage}_failed", "message": failed.reason}
        if failed.turn:
            self._response(failed.turn).failure = {"type": "failed", "error": error}
        elif not self._conduct.wishes.sees_avatar:
            place = {"item_id": self._speech or self._conduct.items.fresh(), "content_index": 0}
            yield "conversation.item.input_audio_transcription.failed", {**place, "error": error}
        # Stock clients end their session at an error that they did not cause; the response tells them.
        if self._conduct.wishes.sees_avatar:
            yield "error", {"error": {**error, "param": None, "event_id": None, "turn": failed.turn}}


def of_error(error: ClientError) -> Told:
    """What the client did wrong."""
    told = {
        "type": "invalid_request_error",
        "code": error.code,
        "message": str(error),
        "param": error.param,
        "event_id": error.event_id,
    }
    return "error", {"error": told}
