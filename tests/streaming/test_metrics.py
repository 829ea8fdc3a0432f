"""What a conversation tells the meter."""

from __future__ import annotations

import pytest

from streaming.commands import Animate, Ask, Audio, Command, Frames, Hold, Resume, Show, Speak, Transcribe
from streaming.conversation import Conversation
from streaming.events import (
    Added,
    ClipEnded,
    Event,
    FaceEnded,
    Heard,
    Joined,
    Left,
    Played,
    ReplyEnded,
    ReplyText,
    Requested,
    SpeechEnded,
    SpeechReady,
    SpeechStarted,
    StageFailed,
    TalkPressed,
    TalkReleased,
    Tick,
    Truncated,
    Typed,
    UserSaid,
)
from streaming.media import FRAME, RATE, FramePacket
from streaming.meter import Meter
from streaming.metrics import METRICS
from streaming.pace import Pace
from streaming.stages import FaceState, Said, Usage
from tests.streaming.stories import MS, drawn, pcm, spoken

Recorded = list[tuple[str, float, dict[str, str]]]

DECLARED = {metric.name: metric for metric in METRICS}


def metered(pace: Pace | None = None, *, face: bool = True) -> tuple[Conversation, Meter, Recorded]:
    """A conversation, its meter, and what that recorded: only what is declared, with just its labels."""
    recorded: Recorded = []

    def record(name: str, value: float, labels: dict[str, str]) -> None:
        assert set(labels) == set(DECLARED[name].labels)
        recorded.append((name, value, labels))

    talk = Conversation("story", pace, codec="h264" if face else None)
    return talk, Meter(record, talk.late), recorded


def of(recorded: Recorded, name: str) -> list[float]:
    return [value for told, value, _ in recorded if told == name]


def live(talk: Conversation, meter: Meter, *events: Event) -> list[Command]:
    commands: list[Command] = []
    for event in events:
        done = talk.on(event)
        meter(event, done)
        commands += done
    return commands


def test_every_name_is_declared_once_and_says_its_unit() -> None:
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    for metric in METRICS:
        assert (metric.kind == "counter") == metric.name.endswith("_total")
        assert (metric.kind == "histogram") == bool(metric.buckets)
        assert metric.help and metric.name.startswith("avatar_")


def answered(talk: Conversation, meter: Meter, commands: list[Command], draw: bool = True) -> None:
    """Let voice and face answer everything, a second of speech for a clip."""
    pending = list(commands)
    while pending:
        command = pending.pop(0)
        if isinstance(command, Speak):
            pending += live(talk, meter, *spoken(command, RATE))
        if isinstance(command, Animate) and draw:
            pending += live(talk, meter, *drawn(command))


def find(commands: list[Command], kind: type[Speak] | type[Animate] | type[Transcribe]) -> Command:
    return next(command for command in commands if isinstance(command, kind))


# ---- how long it took --------------------------------------------------------------------------------------


def test_the_latencies_of_a_typed_turn_are_taken_from_its_events() -> None:
    talk, meter, recorded = metered()
    commands = live(talk, meter, Tick(0), Typed("hi"), Tick(200), ReplyText(1, "Hi there. "), ReplyText(1, "Well. "))
    commands = live(talk, meter, Tick(500), *spoken(find(commands, Speak), RATE))  # type: ignore[arg-type]
    live(talk, meter, Tick(650), *drawn(find(commands, Animate)))  # type: ignore[arg-type]
    told = {name: value for name, value, _ in recorded}
    assert told["avatar_llm_first_token_seconds"] == 0.2
    assert told["avatar_tts_first_audio_seconds"] == 0.3
    assert told["avatar_first_frame_seconds"] == 0.15
    assert told["avatar_voice_to_voice_seconds"] == 0.5
    assert told["avatar_voice_to_face_seconds"] == 0.65
    for name in told:
        repeats = name in ("avatar_deadline_slack_seconds", "avatar_playout_buffer_seconds", "avatar_av_skew_seconds")
        assert repeats or not name.endswith("_seconds") or len(of(recorded, name)) == 1
    assert "avatar_asr_final_seconds" not in told, "nothing was recognised"


def test_a_spoken_turn_is_measured_from_the_last_voiced_sample() -> None:
    """The listener is sure of a pause 200 ms after the voice fell silent; those count."""
    talk, meter, recorded = metered()
    live(talk, meter, Joined(), Tick(0), SpeechStarted(0))
    for block in range(38):
        live(talk, meter, Tick(20 * block + 20), Heard(pcm(20 * MS), 20 * MS * block))
    commands = live(talk, meter, SpeechEnded(560 * MS))
    order = find(commands, Transcribe)
    assert isinstance(order, Transcribe)
    live(talk, meter, Tick(900), UserSaid("Hello there", "en", order.until))
    assert talk.turn == 0, "the pause is not long enough yet"
    for block in range(38, 53):
        live(talk, meter, Tick(20 * block + 20), Heard(pcm(20 * MS), 20 * MS * block, 200 * MS))
    assert talk.turn == 1
    assert of(recorded, "avatar_asr_final_seconds") == [0.5], "the silence that ends a turn, and nothing else"
    live(talk, meter, Tick(1300), ReplyText(1, "Hi. "))
    assert of(recorded, "avatar_llm_first_token_seconds") == [pytest.approx(0.24)]


def test_an_item_and_a_wish_for_its_answer_are_a_typed_turn() -> None:
    talk, meter, recorded = metered()
    item = Said("user", "hi", 0, id="item_1")
    commands = live(talk, meter, Tick(0), Added(item), Tick(300), Requested(), ReplyText(1, "Hi there. "))
    live(talk, meter, Tick(500), *spoken(find(commands, Speak), RATE))  # type: ignore[arg-type]
    assert of(recorded, "avatar_voice_to_voice_seconds") == [0.2]
    assert of(recorded, "avatar_asr_final_seconds") == []


def test_push_to_talk_is_measured_from_the_release() -> None:
    talk, meter, recorded = metered()
    commands = live(talk, meter, Tick(0), TalkPressed(0), Heard(pcm(500 * MS), 0), Tick(500), TalkReleased(500 * MS))
    order = find(commands, Transcribe)
    assert isinstance(order, Transcribe)
    live(talk, meter, Tick(700), UserSaid("Hello there", "en", order.until))
    assert of(recorded, "avatar_asr_final_seconds") == [0.2]


def test_a_cough_in_mid_reply_is_no_new_turn() -> None:
    talk, meter, recorded = metered()
    commands = live(talk, meter, Tick(0), Typed("hi"), ReplyText(1, "Hi there. "))
    live(talk, meter, Tick(400), *spoken(find(commands, Speak), 4 * RATE))  # type: ignore[arg-type]
    assert of(recorded, "avatar_voice_to_voice_seconds") == [0.4]
    live(talk, meter, Tick(1000), SpeechStarted(1000 * MS))
    commands = live(talk, meter, Heard(pcm(200 * MS), 1000 * MS), Tick(1200), SpeechEnded(1200 * MS))
    assert talk.state == "held"
    order = find(commands, Transcribe)
    assert isinstance(order, Transcribe)
    live(talk, meter, UserSaid("", "en", order.until), Tick(2000), Heard(pcm(800 * MS), 1200 * MS, 800 * MS))
    assert talk.state == "speaking"
    live(talk, meter, Played(1, RATE))
    assert of(recorded, "avatar_voice_to_voice_seconds") == [0.4]
    assert of(recorded, "avatar_barge_ins_total") == []


def test_a_question_whose_end_nobody_saw_has_no_latency() -> None:
    _, meter, recorded = metered()
    meter(ReplyText(1, "x"), [])
    meter(Tick(5), [Ask(1, ())])
    assert recorded == []


def test_the_end_of_a_turn_is_counted_for_that_turn_only() -> None:
    _, meter, recorded = metered()
    meter(SpeechEnded(0), [])
    meter(Tick(400), [Ask(1, ())])
    meter(Tick(9000), [Ask(2, ())])
    assert of(recorded, "avatar_asr_final_seconds") == [0.4]


def test_text_of_an_older_reply_starts_no_clock() -> None:
    talk, meter, recorded = metered()
    live(talk, meter, Typed("one"), Typed("two"), ReplyText(1, "late"))
    assert of(recorded, "avatar_llm_first_token_seconds") == []
    assert of(recorded, "avatar_events_late_total") == [1]


def test_a_repeated_question_is_measured_from_the_first() -> None:
    talk, meter, recorded = metered()
    live(talk, meter, Tick(0), Typed("hi"), Tick(1000), StageFailed(1, "llm", "gone", lost=True))
    live(talk, meter, Tick(1500), ReplyText(1, "Hi. "))
    assert of(recorded, "avatar_llm_first_token_seconds") == [1.5]


# ---- can the stages keep up --------------------------------------------------------------------------------


def test_each_stage_is_measured_against_the_sound_it_worked_on() -> None:
    talk, meter, recorded = metered(Pace.file())
    commands = live(talk, meter, Tick(0), TalkPressed(0), Heard(pcm(2000 * MS), 0), TalkReleased(2000 * MS))
    heard = find(commands, Transcribe)
    assert isinstance(heard, Transcribe)
    live(talk, meter, Tick(500), UserSaid("Hello there", "en", heard.until))
    commands = live(talk, meter, ReplyText(1, "Hi. "), ReplyEnded(1))
    speak = find(commands, Speak)
    assert isinstance(speak, Speak)
    commands = live(talk, meter, SpeechReady(1, 0, pcm(RATE)), Tick(1500), SpeechReady(1, 0, pcm(RATE)))
    commands += live(talk, meter, Tick(2000), ClipEnded(1, 0))
    assert [(value, labels["stage"]) for name, value, labels in recorded if name.endswith("factor")] == [
        (0.25, "asr"),
        (0.75, "tts"),
    ]
    animate = find(commands, Animate)
    assert isinstance(animate, Animate) and animate.span.want_frames == 18
    live(talk, meter, Tick(2300), FaceEnded(1, FaceState("story", 18 * 960, b"")))
    assert ("avatar_stage_real_time_factor", 2.5, {"stage": "face"}) in recorded, "1.8 s for 18 pictures"


def test_sound_that_a_lost_voice_had_given_counts_for_the_repeated_call() -> None:
    talk, meter, recorded = metered()
    live(talk, meter, Tick(0), Typed("hi"), ReplyText(1, "Hi. "), SpeechReady(1, 0, pcm(RATE)))
    live(talk, meter, Tick(900), StageFailed(1, "tts", "gone", lost=True))
    live(talk, meter, Tick(1000), SpeechReady(1, 0, pcm(RATE)), Tick(1400), ClipEnded(1, 0))
    assert of(recorded, "avatar_stage_real_time_factor") == [0.25], "0.5 s for 2 s, one of them dropped by the driver"


@pytest.mark.parametrize(
    "late",
    [
        ClipEnded(1, 7),
        SpeechReady(1, 7, pcm(RATE)),
        FaceEnded(1, FaceState("story", 0, b"")),
        UserSaid("x", "en", 5),
    ],
)
def test_an_answer_to_another_call_is_not_measured(late: Event) -> None:
    talk, meter, recorded = metered(face=False)
    live(talk, meter, Tick(0), Typed("hi"), ReplyText(1, "Hi. "), SpeechReady(1, 0, pcm(RATE)), Tick(500), late)
    assert of(recorded, "avatar_stage_real_time_factor") == []
    live(talk, meter, ClipEnded(1, 0))
    assert of(recorded, "avatar_stage_real_time_factor") == [0.5]


def test_a_clip_without_sound_is_not_measured() -> None:
    talk, meter, recorded = metered()
    live(talk, meter, Tick(0), Typed("hi"), ReplyText(1, "Hi. "), Tick(10), ClipEnded(1, 0))
    assert of(recorded, "avatar_stage_real_time_factor") == []


def test_a_cancelled_call_is_not_measured() -> None:
    talk, meter, recorded = metered()
    live(talk, meter, Tick(0), Typed("hi"), ReplyText(1, "Hi. "), SpeechReady(1, 0, pcm(RATE)), TalkPressed(0))
    live(talk, meter, SpeechReady(1, 0, pcm(RATE)), ClipEnded(1, 0))
    assert of(recorded, "avatar_stage_real_time_factor") == []


# ---- what is counted ---------------------------------------------------------------------------------------


def test_a_reply_without_its_pictures_counts_them_as_missing() -> None:
    talk, meter, recorded = metered(Pace.file())
    commands = live(talk, meter, Typed("hi"), ReplyText(1, "Hi. "), ReplyEnded(1))
    live(talk, meter, *spoken(find(commands, Speak), RATE), StageFailed(1, "face", "gone"))  # type: ignore[arg-type]
    assert ("avatar_frames_missing_total", 25, {}) in recorded
    assert ("avatar_errors_total", 1, {"stage": "face", "lost": "false"}) in recorded
    assert ("avatar_turns_total", 1, {"outcome": "completed"}) in recorded, "it was heard to its end"


def test_a_client_without_a_face_misses_no_pictures() -> None:
    talk, meter, recorded = metered(Pace.file(), face=False)
    answered(talk, meter, live(talk, meter, Typed("hi"), ReplyText(1, "Hi. "), ReplyEnded(1)))
    assert ("avatar_turns_total", 1, {"outcome": "completed"}) in recorded
    assert of(recorded, "avatar_frames_missing_total") == []


def test_pictures_and_speech_are_counted() -> None:
    talk, meter, recorded = metered(Pace.file())
    answered(talk, meter, live(talk, meter, Typed("hi"), ReplyText(1, "Hi. "), ReplyEnded(1)))
    assert sum(of(recorded, "avatar_frames_total")) == 25
    assert sum(of(recorded, "avatar_speech_seconds_total")) == pytest.approx(1.0)
    assert of(recorded, "avatar_frames_missing_total") == []


@pytest.mark.parametrize(
    ("then", "outcome", "interrupted"),
    [
        (TalkPressed(0), "cut", [1]),
        (Typed("something else"), "cut", [1]),
        (Left(), "left", []),
        (StageFailed(1, "llm", "no answer"), "failed", []),
    ],
)
def test_a_reply_that_does_not_end_well_says_how(then: Event, outcome: str, interrupted: list[float]) -> None:
    talk, meter, recorded = metered(Pace.file())
    live(talk, meter, Typed("hi"), then)
    assert [labels for name, _, labels in recorded if name == "avatar_turns_total"] == [{"outcome": outcome}]
    assert of(recorded, "avatar_barge_ins_total") == interrupted


def test_the_reply_after_a_failed_one_is_judged_by_itself() -> None:
    talk, meter, recorded = metered(Pace.file())
    live(talk, meter, Typed("hi"), StageFailed(1, "llm", "no answer"))
    answered(talk, meter, live(talk, meter, Typed("hi"), ReplyText(2, "Hi. "), ReplyEnded(2)))
    assert [labels["outcome"] for name, _, labels in recorded if name == "avatar_turns_total"] == [
        "failed",
        "completed",
    ]


def test_tokens_are_counted_by_kind() -> None:
    talk, meter, recorded = metered()
    live(talk, meter, Typed("hi"), ReplyText(1, "Hi. "), ReplyEnded(1, Usage(read=40, written=7, cached=3)))
    assert [(labels["kind"], value) for name, value, labels in recorded if name == "avatar_llm_tokens_total"] == [
        ("read", 40),
        ("written", 7),
        ("cached", 3),
    ]


@pytest.mark.parametrize("silent", [Played(1, 4800), Truncated(1, 4800)])
def test_a_barge_in_is_over_when_the_client_says_that_it_is_silent(silent: Event) -> None:
    talk, meter, recorded = metered(face=False)
    live(talk, meter, Tick(0), Typed("hi"), ReplyText(1, "Hi. "), SpeechReady(1, 0, pcm(RATE)))
    live(talk, meter, Tick(500), TalkPressed(0), Tick(520), Played(0, 0), Tick(540), silent, Tick(900), silent)
    assert of(recorded, "avatar_barge_in_flush_seconds") == [0.04]


def test_a_reply_that_nobody_heard_yet_needs_no_silence() -> None:
    talk, meter, recorded = metered(face=False)
    live(talk, meter, Tick(0), Typed("hi"), TalkPressed(0), Tick(40), Played(1, 0))
    assert of(recorded, "avatar_barge_in_flush_seconds") == []


def test_a_reply_that_is_held_is_not_late() -> None:
    _, meter, recorded = metered()
    picture = FramePacket(10 * FRAME, b"picture", False)
    meter(Tick(0), [Ask(1, ()), Show(Audio(1, 0, pcm(2 * RATE)))])
    meter(Tick(100), [Hold(1)])
    meter(Tick(9000), [Resume(1)])
    meter(Tick(9100), [Show(Frames(1, (picture,)))])
    assert of(recorded, "avatar_deadline_slack_seconds") == [0.3]
    assert of(recorded, "avatar_frames_late_total") == []


def test_recognition_that_fails_is_an_error_and_no_turn() -> None:
    talk, meter, recorded = metered()
    live(talk, meter, StageFailed(0, "asr", "gone"))
    assert recorded == [("avatar_errors_total", 1, {"stage": "asr", "lost": "false"})]


def test_late_events_are_told_once_each() -> None:
    talk, meter, recorded = metered()
    live(talk, meter, Typed("one"), Typed("two"), ReplyText(1, "x"), Tick(1), ReplyText(1, "y"), ReplyEnded(1))
    assert [(value, labels["event"]) for name, value, labels in recorded if name == "avatar_events_late_total"] == [
        (1, "ReplyText"),
        (1, "ReplyText"),
        (1, "ReplyEnded"),
    ]


def test_a_meter_works_without_the_count_of_late_events() -> None:
    recorded: Recorded = []
    talk, meter = Conversation("story"), Meter(lambda *what: recorded.append(what))
    live(talk, meter, Typed("one"), Typed("two"), ReplyText(1, "x"))
    assert of(recorded, "avatar_events_late_total") == []


def test_the_length_of_a_session_is_told_at_its_end() -> None:
    talk, meter, recorded = metered()
    live(talk, meter, Joined(), Tick(20), Tick(61_500), Left())
    assert recorded == [("avatar_session_duration_seconds", 61.5, {})]


def test_queues_of_one_name_add_up_and_fall_back_to_nothing() -> None:
    depth = 0.0

    def record(name: str, value: float, labels: dict[str, str]) -> None:
        nonlocal depth
        assert (name, labels) == ("avatar_queue_depth", {"queue": "inbox"})
        depth += value

    waiting = [2, 3]
    meters = [Meter(record, queues={"inbox": lambda number=number: waiting[number]}) for number in range(2)]
    for meter in meters:
        meter(Tick(0), [])
        meter(Tick(20), [])
    assert depth == 5
    waiting[0] = 1
    meters[0](Tick(40), [])
    assert depth == 4
    for meter in meters:
        meter.close()
    assert depth == 0
