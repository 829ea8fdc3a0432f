"""Random walks: whatever happens in whatever order, some things never do."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from streaming.commands import (
    Animate,
    Ask,
    Audio,
    Cancel,
    Command,
    Cut,
    Ended,
    Frames,
    Hold,
    JudgeTurn,
    Kept,
    Notice,
    ReplyDelta,
    Resume,
    Show,
    Speak,
    Transcribe,
)
from streaming.conversation import Conversation
from streaming.events import (
    Added,
    Agreed,
    ClipEnded,
    Dropped,
    Event,
    FaceEnded,
    FramesReady,
    Heard,
    Played,
    Removed,
    ReplyCalled,
    ReplyEnded,
    ReplyText,
    Requested,
    SpeechEnded,
    SpeechReady,
    SpeechStarted,
    StageFailed,
    Stopped,
    TalkPressed,
    TalkReleased,
    Tick,
    Truncated,
    TurnJudged,
    Typed,
    UserSaid,
    UserSaying,
)
from streaming.media import FRAME, RATE, FramePacket
from streaming.pace import PATIENCE, Pace
from streaming.stages import Ahead, FaceLoad, FaceState, Rung, Said, ToolCall
from tests.streaming.stories import pcm

WALKS, EVENTS = 500, 200
SENTENCES = [
    "Yes. ",
    "That is a good question. ",
    "It depends on the weather, ",
    "as far as I know. ",
    "Well ",
]
WORDS = ["", "mhm", "stop", "what is the time", "[coughs]", "no, listen to me"]
HEARS_ITSELF = Pace(echo_left=2.0, echo_left_early=1.0)
"""Takes a person for itself at the beginning of a reply never, later always."""
OfReply = (ReplyText, ReplyCalled, ReplyEnded, SpeechReady, ClipEnded, FramesReady, FaceEnded)


class World:
    """Stages that answer when they like, a client that does what it likes, and what both have seen so far."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        paces = [Pace(), Pace.blind(), Pace.file(), Pace(voice_lead=RATE, send_lead=RATE // 2), HEARS_ITSELF]
        self.pace = self.dice.choice(paces)
        if self.dice.random() < 0.5:
            self.pace = self.pace.with_eagerness(self.dice.choice(list(PATIENCE)))
        planner = self.plan if self.dice.random() < 0.7 else None
        if planner:
            self.pace = self.pace.with_chunks(5, 6863, 4 * RATE)
        live = self.dice.random() < 0.8
        self.talk = Conversation(f"walk {seed}", self.pace, seed=seed, live=live, planner=planner)
        self.mic = 0
        self.now = 0
        self.calls: list[Command] = []
        self.stale: list[Event] = []
        self.cancelled = 0
        self.spoken: dict[int, int] = {}
        self.sent: dict[int, int] = {}
        self.frame: dict[int, int] = {}
        self.ended: set[int] = set()
        self.rung: Rung = ""
        self.playhead = 0

    def plan(self, ahead: Ahead, load: FaceLoad | None) -> str:
        """What would be drawn of all that is known."""
        assert ahead.known >= ahead.pts and ahead.pts == (ahead.state.pts if ahead.state else ahead.pts)
        assert ahead.last or ahead.known >= ahead.pts + ahead.want_frames * FRAME + 6863
        return load.rung if load else "unknown"

    # ---- what may happen -----------------------------------------------------------------------------------

    def next_event(self) -> Event:
        if self.calls and self.dice.random() < 0.6:
            return self.of_stage(self.dice.choice(self.calls))
        if self.stale and self.dice.random() < 0.2:
            return self.stale.pop()
        return self.dice.choice(self.of_client())()

    def of_client(self) -> list[Callable[[], Event]]:
        dice, at = self.dice, self.mic
        return [
            self.microphone,
            self.microphone,
            self.microphone,
            self.clock,
            self.clock,
            self.player,
            self.player,
            lambda: SpeechStarted(max(at - dice.randrange(3200), 0)),
            lambda: SpeechEnded(max(at - dice.randrange(3200, 4800), 0)),
            lambda: TurnJudged(dice.random() < 0.5, at),
            lambda: TalkPressed(at),
            lambda: TalkReleased(at),
            lambda: Typed(dice.choice(WORDS)),
            lambda: UserSaying(dice.choice(WORDS), dice.randrange(at + 1)),
            lambda: self.of_items(),
        ]

    def of_items(self) -> Event:
        """What a client does that keeps the conversation's items itself."""
        dice, turn = self.dice, self.talk.turn
        item = Said(dice.choice(["user", "system", "tool"]), "an item", turn, id=f"item {self.now} {self.mic}")
        return dice.choice(
            [
                Added(item, dice.choice([None, "", "user_1"])),
                Removed(f"user_{turn}"),
                Requested(silent=dice.choice([None, False, True])),
                Requested(),
                Requested(says=dice.choice(SENTENCES)),
                Stopped(),
                Dropped(),
                Truncated(max(turn - dice.randrange(3), 0), dice.randrange(2 * RATE)),
                Agreed(dice.random() < 0.8, dice.random() < 0.8, dice.random() < 0.8, dice.random() < 0.2),
            ]
        )

    def microphone(self) -> Event:
        at, self.mic = self.mic, self.mic + 1600
        return Heard(pcm(1600), at, self.dice.choice([0, 0, 800, 3200]))

    def clock(self) -> Event:
        self.now += self.dice.randrange(400)
        return Tick(self.now)

    def player(self) -> Event:
        turn = self.dice.choice([0, self.talk.turn])
        return Played(turn, self.dice.randrange(12 * RATE))

    def of_stage(self, call: Command) -> Event:
        """The next thing that this call answers; sometimes it breaks, or its replica dies."""
        dice = self.dice
        match call:
            case JudgeTurn(_, at):
                self.calls.remove(call)
                return TurnJudged(dice.random() < 0.5, at)
            case Transcribe(_, until, final):
                self.calls.remove(call)
                if dice.random() < 0.1:
                    return StageFailed(0, "asr", "broke", lost=dice.random() < 0.5)
                text = dice.choice(WORDS)
                return UserSaid(text, "en", until) if final else UserSaying(text, until)
            case Ask(turn):
                if dice.random() < 0.03:
                    self.calls.remove(call)
                    return StageFailed(turn, "llm", "broke", dice.random() < 0.5, dice.choice(["", "Sorry, not now."]))
                if dice.random() < 0.7:
                    return ReplyText(turn, dice.choice(SENTENCES))
                if dice.random() < 0.1:
                    return ReplyCalled(turn, ToolCall("1", "look", "{}"))
                self.calls.remove(call)
                return ReplyEnded(turn)
            case Speak(turn, clip):
                if dice.random() < 0.03:
                    self.calls.remove(call)
                    return StageFailed(turn, "tts", "broke", lost=dice.random() < 0.5)
                if dice.random() < 0.7:
                    return SpeechReady(turn, clip, pcm(dice.randrange(1, 2 * RATE)))
                self.calls.remove(call)
                return ClipEnded(turn, clip)
            case Animate(turn, span):
                self.calls.remove(call)
                if dice.random() < 0.05:
                    return StageFailed(turn, "face", "broke", lost=dice.random() < 0.7)
                end = span.pts + span.want_frames * FRAME
                load = dice.choice([None, *(FaceLoad(1.0, 1.0, 1.0, rung) for rung in ("", "steps", "rate", "still"))])
                self.stale.append(FaceEnded(turn, FaceState("walk", end, b"", load)))
                drawn = range(span.pts + span.skip * FRAME, end, FRAME)[:: dice.choice([1, 1, 2, 1000])]
                return FramesReady(turn, span.pts, tuple(FramePacket(p, b"", p == 0) for p in drawn))
            case _:
                raise AssertionError(call)

    # ---- what must hold ------------------------------------------------------------------------------------

    def step(self) -> None:
        event = self.next_event()
        late_before = sum(self.talk.late.values())
        current, active = self.talk.turn, self.talk._floor.reply is not None
        commands = self.talk.on(event)
        if isinstance(event, SpeechReady) and event.turn == current and active:
            self.spoken[event.turn] = self.spoken.get(event.turn, 0) + len(event.pcm) // 2
        if isinstance(event, OfReply) and (event.turn < current or not active):
            assert sum(self.talk.late.values()) == late_before + 1, f"{event} vanished without a count"
            assert commands == []
        for command in commands:
            self.check(command, current)

    def check(self, command: Command, current: int) -> None:
        turn = getattr(command, "turn", None)
        message = command.message if isinstance(command, Show) else None
        if isinstance(message, Audio | Frames | Kept | Notice | ReplyDelta | Ended):
            turn = message.turn
        if turn is not None and not isinstance(command, Cancel) and not isinstance(message, Cut):
            assert turn > self.cancelled, f"{command} for a cancelled reply"
        match command:
            case Cancel(turn):
                assert turn > self.cancelled
                self.cancelled = turn
                self.calls = [c for c in self.calls if getattr(c, "turn", 0) != turn]
            case Speak(turn, skip=0):
                assert not [c for c in self.calls if isinstance(c, Speak) and c.turn == turn]
                self.calls.append(command)
                self.check_voice_lead(turn)
            case Animate(turn, span):
                assert not [c for c in self.calls if isinstance(c, Animate) and c.turn == turn]
                self.calls.append(command)
                end = span.pts + span.want_frames * FRAME
                assert span.last or end + self.pace.look_ahead <= self.spoken[turn], "drawn without look-ahead"
            case JudgeTurn(sound):
                assert self.pace.judging and len(sound) <= 2 * self.pace.judged_most
                assert not self.talk._ears.pressed, "a button was judged"
                assert self.talk.state != "held", "a held reply waits for a judge"
                self.calls.append(command)
            case Speak() | Ask() | Transcribe():
                self.calls.append(command)
            case Hold(turn) | Resume(turn):
                assert turn in (current, self.talk.turn), "a reply that is over; the next may begin in the same event"
            case Show():
                self.check_shown(message)
            case _:
                pass

    def reply_playhead(self, turn: int) -> int:
        reply = self.talk._floor.reply
        return reply.playhead if reply is not None and reply.turn == turn else self.sent.get(turn, 0)

    def check_voice_lead(self, turn: int) -> None:
        waiting = self.spoken.get(turn, 0) - self.reply_playhead(turn)
        assert waiting < self.pace.voice_lead or self.pace.send_lead is None

    def check_shown(self, message: object) -> None:
        match message:
            case Audio(turn, pts, sound):
                assert pts == self.sent.get(turn, 0), "sound twice, or a gap"
                self.sent[turn] = pts + len(sound) // 2
                if self.pace.send_lead is not None:
                    assert self.sent[turn] <= self.reply_playhead(turn) + self.pace.send_lead
                assert turn not in self.ended
            case Frames(turn, packets):
                for packet in packets:
                    assert packet.pts >= self.frame.get(turn, 0), "a picture twice"
                    self.frame[turn] = packet.pts + FRAME
            case Kept(turn, pts):
                assert pts > self.frame.get(turn, 0), "what was shown is said to stay"
                self.frame[turn] = pts
            case Notice(_, "" | "steps" | "rate" | "still" as rung, _):
                assert rung != self.rung, "the same rung twice"
                self.rung = rung
            case Ended(turn, pts):
                assert turn not in self.ended and pts == self.sent.get(turn, 0) == self.spoken.get(turn, 0)
                self.ended.add(turn)
            case _:
                pass


@pytest.mark.parametrize("block", range(10))
def test_random_walks(block: int) -> None:
    """50 walks of 200 events in each of ten blocks: 500 in all."""
    for seed in range(block * WALKS // 10, (block + 1) * WALKS // 10):
        world = World(seed)
        try:
            for _ in range(EVENTS):
                world.step()
        except Exception as error:
            raise AssertionError(f"walk {seed}: {error}") from error


def test_walks_reach_every_part_of_a_conversation() -> None:
    """A walk that never interrupts, speaks or draws would prove nothing."""
    seen: set[str] = set()
    for seed in range(40):
        world = World(seed)
        for _ in range(EVENTS):
            event = world.next_event()
            commands = world.talk.on(event)
            world_calls = [c for c in commands if isinstance(c, Transcribe | JudgeTurn | Ask | Speak | Animate)]
            world.calls += world_calls
            seen |= {type(c.message if isinstance(c, Show) else c).__name__ for c in commands}
    assert seen >= {
        *("Transcribe", "JudgeTurn", "Ask", "Speak", "Animate", "Hold", "Resume", "Cancel", "Remember"),
        *("Audio", "Frames", "Kept", "Ended", "Cut", "Failed", "Notice", "UserCaption", "ReplyDelta", "StateChanged"),
    }
