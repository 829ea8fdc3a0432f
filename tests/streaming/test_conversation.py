"""Conversations told as events and the orders they lead to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streaming.commands import (
    Animate,
    Ask,
    Audio,
    Cancel,
    Command,
    Cut,
    Ended,
    Failed,
    Frames,
    HangUp,
    Hold,
    JudgeTurn,
    Notice,
    Remember,
    ReplyDelta,
    Resume,
    Show,
    Speak,
    StateChanged,
    Transcribe,
    UserCaption,
)
from streaming.conversation import Conversation
from streaming.events import (
    Agreed,
    ClipEnded,
    FaceEnded,
    FramesReady,
    Heard,
    Joined,
    Left,
    Played,
    ReplyEnded,
    ReplyText,
    SpeechEnded,
    SpeechReady,
    SpeechStarted,
    StageFailed,
    TalkPressed,
    TalkReleased,
    Tick,
    TurnJudged,
    Typed,
    UserSaid,
    UserSaying,
)
from streaming.floor import Floor
from streaming.journal import decode, encode
from streaming.media import FRAME, RATE, FramePacket
from streaming.pace import Eagerness, Pace
from streaming.stages import FaceState, Said, Word
from streaming.states import TRANSITIONS, FutureTurn
from tests.streaming.stories import MS, answer, drawn, pcm, shown, silence_until, spoken

SECOND = RATE


def asked(conversation: Conversation, text: str = "Hello") -> Speak:
    """A typed question whose reply is the one clip "Hi there." """
    conversation.on(Typed(text))
    commands = [*conversation.on(ReplyText(conversation.turn, "Hi there."))]
    commands += conversation.on(ReplyEnded(conversation.turn))
    (speak,) = [c for c in commands if isinstance(c, Speak)]
    return speak


def speaking(pace: Pace | None = None, count: int = 3 * SECOND) -> Conversation:
    """A conversation whose reply of ``count`` samples is being heard."""
    conversation = Conversation("story", pace)
    speak = asked(conversation)
    answer(conversation, [speak], count)
    assert conversation.state == "speaking"
    return conversation


def test_a_spoken_turn_from_the_first_word_to_idle() -> None:
    talk = Conversation("story", Pace.file())
    assert talk.on(Joined()) == [Show(StateChanged("idle", 0))]
    assert silence_until(talk, 0, 1000 * MS) == []
    assert talk.on(SpeechStarted(900 * MS)) == [Show(StateChanged("listening", 0))]
    assert silence_until(talk, 1000 * MS, 1200 * MS) == []
    (final,) = talk.on(SpeechEnded(1100 * MS))
    assert final == Transcribe(pcm(600 * MS), 1200 * MS, True, None)
    assert talk.on(UserSaid("What is this?", "en", 1200 * MS)) == [Show(UserCaption("What is this?", final=False))]
    assert silence_until(talk, 1200 * MS, 1580 * MS) == []
    user = Said("user", "What is this?", 1)
    assert silence_until(talk, 1580 * MS, 1600 * MS) == [
        Show(UserCaption("What is this?", final=True)),
        Remember(user),
        Show(StateChanged("thinking", 1)),
        Ask(1, (user,)),
    ]
    commands = talk.on(ReplyText(1, "A face. "))
    assert commands[0] == Show(ReplyDelta(1, "A face. "))
    commands += talk.on(ReplyEnded(1))
    told = answer(talk, commands)
    assert [c.text for c in told if isinstance(c, Speak)] == ["A face."]
    assert sum(len(m.pcm) for m in shown(told, Audio)) == 2 * 24_000
    assert [p.pts for m in shown(told, Frames) for p in m.packets] == [k * FRAME for k in range(25)]
    assert told[-3:] == [
        Show(Ended(1, 24_000, 25)),
        Remember(Said("assistant", "A face.", 1)),
        Show(StateChanged("idle", 1)),
    ]
    assert talk.history == (user, Said("assistant", "A face.", 1))


def test_push_to_talk_is_a_turn_from_press_to_release() -> None:
    talk = Conversation("story", Pace.file(), live=False)
    assert talk.on(SpeechStarted(0)) == []
    assert talk.on(TalkPressed(0)) == [Show(StateChanged("listening", 0))]
    talk.on(Heard(pcm(800), 0))
    assert talk.on(SpeechStarted(0)) == []
    (final,) = talk.on(TalkReleased(800))
    assert final == Transcribe(pcm(800), 800, True, None)
    commands = talk.on(UserSaid("Hello", "en", 800))
    assert commands[-1] == Ask(1, (Said("user", "Hello", 1),))


def test_sound_runs_no_further_ahead_than_the_send_lead() -> None:
    talk = Conversation("story", Pace(send_lead=SECOND))
    told = answer(talk, [asked(talk)], 5 * SECOND)
    sent = shown(told, Audio)
    assert sent[-1].pts + len(sent[-1].pcm) // 2 == SECOND
    more = shown(talk.on(Played(1, SECOND // 2)), Audio)
    assert more[-1].pts + len(more[-1].pcm) // 2 == SECOND * 3 // 2


def test_no_clip_is_begun_while_the_voice_lead_waits_unheard() -> None:
    talk = Conversation("story", Pace(voice_lead=2 * SECOND))
    talk.on(Typed("Tell me a story"))
    commands: list[Command] = []
    for k in range(6):
        commands += talk.on(ReplyText(1, f"This is sentence number {k} of a rather long story. "))
    told = answer(talk, commands, 2 * SECOND)
    assert [c.clip for c in told if isinstance(c, Speak)] == [0]
    (second,) = [c for c in talk.on(Played(1, 1)) if isinstance(c, Speak)]
    assert second.clip == 1


def test_a_playhead_cannot_pass_what_was_sent_nor_go_back() -> None:
    talk = speaking(Pace(send_lead=SECOND))
    assert shown(talk.on(Played(1, 99 * SECOND)), Audio)[-1].pts + 2400 == 2 * SECOND
    assert talk.on(Played(1, 0)) == []


def test_a_client_that_reports_nothing_is_paced_by_the_clock() -> None:
    talk = Conversation("story", Pace.blind())
    talk.on(Tick(0))
    told = answer(talk, [asked(talk)], SECOND)
    assert shown(told, Audio)[-1].pts + 2400 == 9_600
    talk.on(Played(1, SECOND))
    assert shown(talk.on(Tick(100)), Audio)[-1].pts + 2400 == 12_000
    for now in range(200, 1200, 100):
        told += answer(talk, talk.on(Tick(now)))
    assert talk.state == "idle"


def test_a_blind_clients_playhead_stands_still_while_it_is_held() -> None:
    talk = Conversation("story", Pace.blind())
    talk.on(Tick(0))
    answer(talk, [asked(talk)], SECOND)
    talk.on(SpeechStarted(0))
    talk.on(Tick(5_000))
    assert talk.state == "held"
    talk.on(SpeechEnded(100 * MS))
    told = talk.on(StageFailed(0, "asr", "no recogniser"))
    assert Resume(1) in told
    assert shown(talk.on(Tick(5_100)), Audio)[-1].pts == 9_600


# ---- interruptions -----------------------------------------------------------------------------------------


def test_a_cough_holds_and_resumes() -> None:
    talk = speaking()
    assert talk.on(SpeechStarted(0)) == [Hold(1), Show(StateChanged("held", 1))]
    assert talk.on(SpeechStarted(10)) == []
    silence_until(talk, 0, 280 * MS)
    (final,) = talk.on(SpeechEnded(100 * MS))
    assert isinstance(final, Transcribe)
    talk.on(UserSaid("", "en", final.until))
    commands = silence_until(talk, 280 * MS, 700 * MS)
    assert commands[:2] == [Resume(1), Show(StateChanged("speaking", 1))]
    assert talk.turn == 1


def test_a_backchannel_resumes_but_is_an_answer_when_nobody_speaks() -> None:
    held = speaking()
    held.on(TalkReleased(0))
    held.on(SpeechStarted(0))
    silence_until(held, 0, 200 * MS)
    held.on(SpeechEnded(180 * MS))
    held.on(UserSaid("Mhm.", "en", 200 * MS))
    assert Resume(1) in silence_until(held, 200 * MS, 800 * MS)
    alone = Conversation("story")
    alone.on(SpeechStarted(0))
    silence_until(alone, 0, 200 * MS)
    alone.on(SpeechEnded(180 * MS))
    alone.on(UserSaid("Yeah.", "en", 200 * MS))
    assert Ask(1, (Said("user", "Yeah.", 1),)) in silence_until(alone, 200 * MS, 800 * MS)


def test_words_cancel_and_only_what_was_heard_counts_as_said() -> None:
    talk = Conversation("story")
    speak = asked(talk)
    for event in spoken(speak, 2 * SECOND, (Word("Hi", 0, SECOND), Word("there.", SECOND, SECOND))):
        talk.on(event)
    talk.on(Played(1, SECOND))
    talk.on(SpeechStarted(0))
    silence_until(talk, 0, 500 * MS)
    assert talk.on(UserSaying("No wait", 300 * MS)) == [
        Show(UserCaption("", final=False, guess="No wait")),
        Cancel(1),
        Show(Cut(1, SECOND, "Hi")),
        Remember(Said("assistant", "Hi", 1, cut=True)),
        Show(StateChanged("listening", 1)),
    ]
    assert talk.on(SpeechReady(1, 0, pcm(10))) == []
    assert talk.late["SpeechReady"] == 1


def test_nothing_heard_is_nothing_said() -> None:
    talk = Conversation("story")
    talk.on(Typed("Hello"))
    assert talk.on(TalkPressed(0)) == [Cancel(1), Show(Cut(1, 0, "")), Show(StateChanged("listening", 1))]


def test_speaking_on_while_the_answer_is_being_thought_of_holds_it() -> None:
    talk = Conversation("story")
    talk.on(Typed("Hello"))
    assert talk.on(SpeechStarted(0)) == [Hold(1), Show(StateChanged("held", 1))]
    assert shown(answer(talk, talk.on(ReplyText(1, "Hi there. "))), Audio) == []
    talk.on(SpeechEnded(100 * MS))
    told = talk.on(StageFailed(0, "asr", "broken"))
    assert told[:3] == [Show(Failed(0, "asr", "broken")), Resume(1), Show(StateChanged("thinking", 1))]


def test_typing_interrupts() -> None:
    talk = speaking()
    commands = talk.on(Typed("  Another question  "))
    assert commands[0] == Cancel(1)
    assert commands[-1] == Ask(2, talk.history)
    assert talk.history[-1] == Said("user", "Another question", 2)
    assert talk.on(Typed("   ")) == []


def test_what_was_begun_aloud_and_then_written_instead_ends_without_words() -> None:
    talk = Conversation("s")
    talk.on(SpeechStarted(0))
    told = talk.on(Typed("Never mind, I write", "item_1"))
    assert told[0] == Show(StateChanged("idle", 0))
    assert talk.history == (Said("user", "Never mind, I write", 1, id="item_1"),)
    assert told[-1] == Ask(1, talk.history)


def test_a_reply_that_ends_while_somebody_speaks_leaves_the_floor() -> None:
    talk = speaking(count=SECOND // 2)
    talk.on(SpeechStarted(0))
    told = talk.on(Played(1, SECOND))
    assert told[-1] == Show(StateChanged("listening", 1))


def test_frames_that_come_while_held_are_shown_after() -> None:
    talk = Conversation("story")
    speak = asked(talk)
    commands: list[Command] = []
    for event in spoken(speak, 2 * SECOND):
        commands += talk.on(event)
    (animate,) = [c for c in commands if isinstance(c, Animate)]
    talk.on(SpeechStarted(0))
    for event in drawn(animate):
        assert talk.on(event) == []
    silence_until(talk, 0, 200 * MS)
    talk.on(SpeechEnded(180 * MS))
    talk.on(UserSaid("", "en", 200 * MS))
    resumed = silence_until(talk, 200 * MS, 800 * MS)
    assert len(shown(resumed, Frames)[0].packets) == animate.span.want_frames


# ---- the face ----------------------------------------------------------------------------------------------


def test_the_face_gets_the_sound_it_needs_and_no_frame_is_asked_for_twice() -> None:
    talk = Conversation("story", Pace.file())
    told = answer(talk, [asked(talk)], 24_000 + 500)
    spans = [c.span for c in told if isinstance(c, Animate)]
    assert sum(span.want_frames for span in spans) == 26
    assert [span.pts for span in spans] == [sum(s.want_frames for s in spans[:k]) * FRAME for k in range(len(spans))]
    assert [span.last for span in spans] == [False] * (len(spans) - 1) + [True]
    for span in spans[:-1]:
        assert len(span.pcm24k) // 2 >= span.want_frames * FRAME + Pace().look_ahead


def test_the_state_of_one_span_goes_into_the_next() -> None:
    talk = Conversation("story", Pace.file())
    told = answer(talk, [asked(talk)], 3 * SECOND)
    animates = [c for c in told if isinstance(c, Animate)]
    assert animates[0].state is None
    assert animates[1].state == FaceState("story", animates[1].span.pts, b"state")


def test_motion_goes_on_from_the_idle_frame_that_is_being_shown() -> None:
    talk = Conversation("story", Pace.file())
    talk.on(Tick(1_000))
    talk.on(Played(0, 240 * FRAME))
    talk.on(Tick(1_400))
    told = answer(talk, [asked(talk)], SECOND)
    (first, *_) = [c for c in told if isinstance(c, Animate)]
    assert first.span.idle_frame == (240 + 10 + Pace().start_frames) % 250
    assert shown(told, Ended)[0].idle_frame == (first.span.idle_frame + 25) % 250


def test_a_conversation_without_a_face_asks_for_none() -> None:
    talk = Conversation("story", Pace.file(), codec=None)
    told = answer(talk, [asked(talk)], SECOND)
    assert not [c for c in told if isinstance(c, Animate)]
    assert talk.state == "idle"


def test_pictures_are_never_taken_twice() -> None:
    talk = Conversation("story", Pace.file())
    speak = asked(talk)
    (animate,) = [c for event in spoken(speak, SECOND) for c in talk.on(event) if isinstance(c, Animate)]
    packet = FramePacket(0, b"x", True)
    assert shown(talk.on(FramesReady(1, 0, (packet,))), Frames) == [Frames(1, (packet,))]
    assert talk.on(FramesReady(1, 0, (packet,))) == []
    for event in drawn(animate)[1:]:
        answer(talk, talk.on(event))
    assert talk.state == "idle"
    assert talk.on(FaceEnded(1, FaceState("story", 0, b""))) == []
    assert talk.late == {"FramesReady": 1, "FaceEnded": 1}


def test_a_state_that_nobody_waits_for_is_late() -> None:
    talk = speaking()
    talk.on(FaceEnded(1, FaceState("story", 0, b"")))
    talk.on(FramesReady(1, 0, (FramePacket(0, b"x", True),)))
    talk.on(Typed("Next"))
    assert talk.late == {"FaceEnded": 1, "FramesReady": 1}


# ---- what breaks -------------------------------------------------------------------------------------------


def test_a_lost_voice_is_asked_once_more_without_what_was_there() -> None:
    talk = Conversation("story", Pace.file())
    speak = asked(talk)
    talk.on(SpeechReady(1, 0, pcm(9_600)))
    assert talk.on(StageFailed(1, "tts", "replica died", lost=True)) == [replace(speak, skip=9_600)]
    told = talk.on(StageFailed(1, "tts", "replica died", lost=True))
    assert shown(told, Failed) == [Failed(1, "tts", "replica died")]
    assert shown(told, Notice) == [Notice(1, "text", "replica died")]


def test_a_lost_face_draws_its_span_again_but_sends_only_what_is_missing() -> None:
    talk = Conversation("story", Pace.file())
    speak = asked(talk)
    (animate,) = [c for event in spoken(speak, 2 * SECOND) for c in talk.on(event) if isinstance(c, Animate)]
    packets = [p for event in drawn(animate) if isinstance(event, FramesReady) for p in event.packets]
    talk.on(FramesReady(1, 0, tuple(packets[:3])))
    (again,) = talk.on(StageFailed(1, "face", "replica died", lost=True))
    assert isinstance(again, Animate)
    assert (again.span.pts, again.span.skip, again.state) == (0, 3, None)
    told = answer(talk, [again])
    frames = [p.pts for m in shown(told, Frames) for p in m.packets]
    assert frames == [k * FRAME for k in range(3, 50)]
    assert talk.state == "idle"


def test_the_end_of_an_earlier_attempt_does_not_end_the_span_that_is_being_drawn() -> None:
    """A replica that dies right after its last picture is lost to the driver, though its span was complete."""
    talk = Conversation("story", Pace.file())
    (first,) = [c for event in spoken(asked(talk), 3 * SECOND) for c in talk.on(event) if isinstance(c, Animate)]
    (second,) = [c for event in drawn(first) for c in talk.on(event) if isinstance(c, Animate)]
    (again,) = talk.on(StageFailed(1, "face", "replica died", lost=True))
    (third,) = [c for event in drawn(second) for c in talk.on(event) if isinstance(c, Animate)]
    assert [c for event in drawn(second) for c in talk.on(event)] == [], "the repeat gives all of it once more"
    told = answer(talk, [third])
    assert talk.late == {"FramesReady": 25, "FaceEnded": 1}
    starts = [c.span.pts for c in told if isinstance(c, Animate)]
    assert starts == sorted(set(starts)) and isinstance(again, Animate)
    assert all(c.state is not None and c.state.pts == c.span.pts for c in told if isinstance(c, Animate))


def test_a_face_that_is_lost_with_nothing_to_draw_is_asked_for_no_more() -> None:
    talk = Conversation("story", Pace.file())
    asked(talk)
    told = talk.on(StageFailed(1, "face", "replica died", lost=True))
    assert shown(told, Notice) == [Notice(1, "voice", "replica died")]


def test_a_face_that_breaks_leaves_the_voice() -> None:
    talk = Conversation("story", Pace.file())
    speak = asked(talk)
    for event in spoken(speak, SECOND):
        talk.on(event)
    told = talk.on(StageFailed(1, "face", "no pictures"))
    assert shown(told, Notice) == [Notice(1, "voice", "no pictures")]
    assert shown(told, Ended) != []
    assert talk.state == "idle"


def test_a_voice_that_breaks_leaves_the_text() -> None:
    talk = Conversation("story", Pace.file())
    talk.on(Typed("Hello"))
    talk.on(ReplyText(1, "First sentence. "))
    talk.on(StageFailed(1, "tts", "no sound"))
    assert [c for c in talk.on(ReplyText(1, "Second sentence. ")) if isinstance(c, Speak)] == []
    told = talk.on(ReplyEnded(1))
    assert Remember(Said("assistant", "First sentence. Second sentence.", 1)) in told
    assert talk.state == "idle"


def test_a_lost_language_model_is_asked_again_only_before_its_first_word() -> None:
    talk = Conversation("story", Pace.file())
    talk.on(Typed("Hello"))
    assert talk.on(StageFailed(1, "llm", "gone", lost=True)) == [Ask(1, talk.history)]
    talk.on(ReplyText(1, "Well, "))
    told = answer(talk, talk.on(StageFailed(1, "llm", "gone", lost=True)))
    assert shown(told, Failed) == [Failed(1, "llm", "gone")]
    assert [c.text for c in told if isinstance(c, Speak)] == ["Well,"]
    assert talk.state == "idle"


def test_a_language_model_that_says_nothing_ends_the_turn() -> None:
    talk = Conversation("story")
    talk.on(Typed("Hello"))
    told = talk.on(StageFailed(1, "llm", "no key"))
    assert told == [
        Show(Failed(1, "llm", "no key")),
        Show(Ended(1, 0, 0)),
        Show(StateChanged("idle", 1)),
    ]
    assert asked(talk).turn == 2


def test_a_language_model_that_fails_is_apologised_for_aloud_and_the_conversation_lives() -> None:
    talk = Conversation("story", Pace.file(), codec=None)
    talk.on(Typed("Hello"))
    told = talk.on(StageFailed(1, "llm", "no key", instead="Sorry, not now."))
    (speak,) = [c for c in told if isinstance(c, Speak)]
    assert told == [Show(Failed(1, "llm", "no key")), Show(ReplyDelta(1, "Sorry, not now.")), speak]
    assert (speak.clip, speak.text) == (0, "Sorry, not now.")
    told = answer(talk, told)
    assert Remember(Said("assistant", "Sorry, not now.", 1)) in told
    assert Ask(2, (*talk.history, Said("user", "And now?", 2))) in talk.on(Typed("And now?"))


def test_a_reply_that_breaks_off_says_so_in_a_clip_of_its_own() -> None:
    talk = Conversation("story", Pace.file(), codec=None)
    talk.on(Typed("Hello"))
    orders = talk.on(ReplyText(1, "Well, the first thing"))
    orders += talk.on(StageFailed(1, "llm", "cut", instead="Sorry, not now."))
    told = answer(talk, orders)
    assert shown(told, ReplyDelta) == [
        ReplyDelta(1, "Well, the first thing"),
        ReplyDelta(1, " Sorry, not now."),
    ]
    assert [c.text for c in told if isinstance(c, Speak)] == ["Well, the first thing", "Sorry, not now."]
    assert talk.history[-1] == Said("assistant", "Well, the first thing Sorry, not now.", 1)


def test_a_reply_that_is_only_read_holds_no_apology() -> None:
    talk = Conversation("story", Pace.file())
    talk.on(Agreed(silent=True))
    talk.on(Typed("Hello"))
    told = talk.on(StageFailed(1, "llm", "no key", instead="Sorry, not now."))
    assert told == [Show(Failed(1, "llm", "no key")), Show(Ended(1, 0, 0)), Show(StateChanged("idle", 1))]


def test_a_lost_recogniser_is_asked_once_more_then_the_turn_is_given_up() -> None:
    talk = Conversation("story")
    talk.on(SpeechStarted(0))
    silence_until(talk, 0, 300 * MS)
    (final,) = talk.on(SpeechEnded(250 * MS))
    assert talk.on(StageFailed(0, "asr", "gone", lost=True)) == [final]
    assert talk.on(StageFailed(0, "asr", "gone", lost=True)) == [
        Show(Failed(0, "asr", "gone")),
        Show(StateChanged("idle", 0)),
    ]


def test_late_events_are_counted_and_impossible_ones_raise() -> None:
    talk = speaking()
    talk.on(Typed("Next"))
    late = [
        ReplyText(1, "x"),
        ReplyEnded(1),
        ClipEnded(1, 0),
        Played(1, 5),
        StageFailed(1, "tts", "late"),
        UserSaid("late", "en", 5),
        UserSaying("late", 5),
    ]
    for event in late:
        assert talk.on(event) == []
        assert talk.late[type(event).__name__] == 1
    with pytest.raises(FutureTurn, match="reply 9"):
        talk.on(ReplyText(9, "x"))


def test_clips_that_nobody_is_speaking_are_late() -> None:
    talk = Conversation("story")
    talk.on(Typed("Hello"))
    talk.on(SpeechReady(1, 0, pcm(10)))
    talk.on(ClipEnded(1, 0))
    talk.on(TalkPressed(0))
    assert talk.late == {"SpeechReady": 1, "ClipEnded": 1}


def test_leaving_cancels_and_hangs_up() -> None:
    talk = speaking()
    talk.on(Played(1, SECOND))
    assert talk.on(Left())[0] == Cancel(1)
    assert Conversation("story").on(Left()) == [HangUp("the client left")]


def test_a_judged_pause_ends_the_turn_sooner() -> None:
    talk = Conversation("story")
    talk.on(SpeechStarted(0))
    silence_until(talk, 0, 300 * MS)
    talk.on(SpeechEnded(200 * MS))
    talk.on(TurnJudged(True, 200 * MS))
    talk.on(UserSaid("Stop.", "en", 300 * MS))
    assert talk.state == "listening"
    silence_until(talk, 300 * MS, 500 * MS)
    assert talk.state == "thinking"


def judged(*, eagerness: Eagerness = "auto") -> tuple[Conversation, list[Command]]:
    """Somebody said something and paused at 200 ms; what that led to."""
    talk = Conversation("story", Pace().with_eagerness(eagerness))
    talk.on(SpeechStarted(0))
    silence_until(talk, 0, 300 * MS)
    return talk, talk.on(SpeechEnded(200 * MS))


@pytest.mark.parametrize(("eagerness", "limit_ms"), [("high", 2000), ("auto", 4000), ("medium", 4000), ("low", 8000)])
def test_an_unfinished_turn_is_waited_for_as_eagerness_says(eagerness: Eagerness, limit_ms: int) -> None:
    talk, orders = judged(eagerness=eagerness)
    (order,) = [order for order in orders if isinstance(order, JudgeTurn)]
    assert (order.at, order.audio) == (200 * MS, pcm(300 * MS))
    talk.on(TurnJudged(False, order.at))
    talk.on(UserSaid("I would like", "en", 300 * MS))
    silence_until(talk, 300 * MS, (200 + limit_ms - 20) * MS)
    assert talk.state == "listening"
    silence_until(talk, (200 + limit_ms - 20) * MS, (200 + limit_ms) * MS)
    assert talk.state == "thinking"


def test_without_an_answer_of_the_judge_the_plain_limit_ends_the_turn() -> None:
    talk, _ = judged()
    talk.on(UserSaid("I would like", "en", 300 * MS))
    silence_until(talk, 300 * MS, 700 * MS)
    assert talk.state == "thinking"
    assert talk.on(TurnJudged(False, 200 * MS)) == [], "a late judgement says nothing"
    assert talk.state == "thinking"


def test_a_held_reply_asks_no_judge_until_it_is_interrupted() -> None:
    talk = Conversation("story", Pace().with_eagerness("low"))
    talk.on(Typed("Hello"))
    talk.on(SpeechStarted(0))
    silence_until(talk, 0, 300 * MS)
    (final,) = talk.on(SpeechEnded(200 * MS))
    assert isinstance(final, Transcribe)
    orders = talk.on(UserSaid("No, listen", "en", final.until))
    assert [order.at for order in orders if isinstance(order, JudgeTurn)] == [200 * MS]


def test_a_judged_conversation_can_be_made_anew_from_its_settings() -> None:
    talk, orders = judged(eagerness="low")
    again = Conversation.like("story", talk.settings())
    again.on(SpeechStarted(0))
    silence_until(again, 0, 300 * MS)
    assert again.on(SpeechEnded(200 * MS)) == orders
    assert [decode(encode(order)) for order in orders] == orders, "a journal holds it"


def test_noise_without_words_is_no_turn() -> None:
    talk = Conversation("story")
    talk.on(SpeechStarted(0))
    silence_until(talk, 0, 300 * MS)
    talk.on(SpeechEnded(200 * MS))
    talk.on(UserSaid("", "en", 300 * MS))
    assert silence_until(talk, 300 * MS, 800 * MS) == [Show(StateChanged("idle", 0))]


def test_a_failure_in_silence_changes_nothing() -> None:
    talk = speaking()
    assert talk.on(StageFailed(0, "asr", "odd")) == [Show(Failed(0, "asr", "odd"))]


def test_an_impossible_step_is_refused() -> None:
    floor = Floor("story", Agreed(), seed=0, codec=None)
    with pytest.raises(RuntimeError, match="from idle to speaking"):
        floor.enter("speaking")
    assert set(TRANSITIONS) == {state for reached in TRANSITIONS.values() for state in reached} | {"idle"}


def test_a_language_model_that_ends_twice_ends_once() -> None:
    talk = Conversation("story")
    talk.on(Typed("Hello"))
    talk.on(ReplyText(1, "Hi. "))
    talk.on(ReplyEnded(1))
    assert talk.on(ReplyEnded(1)) == []


def test_the_other_paces() -> None:
    assert Pace.file().send_lead is None
    assert not Pace.blind().reports_playhead


def test_a_pace_is_made_to_wait_as_a_client_wishes() -> None:
    assert (Pace().with_eagerness("high").end_incomplete, Pace().with_eagerness("high").judging) == (2000 * MS, True)
    assert Pace().with_eagerness().with_silence(700) == Pace(end_of_turn=700 * MS, end_incomplete=4000 * MS)
    assert Pace().with_pre_roll(120).pre_roll == 120 * MS
