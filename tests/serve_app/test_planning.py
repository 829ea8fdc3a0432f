"""Which planner a face has, what it says of itself in a journal, and that a replay of the journal plans the same."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from actors.face.ditto.planner import Planner
from serve_app import replaying
from serve_app.errors import UserError
from serve_app.planning import described, like, paced, planner_of
from serve_app.settings import SettingsError, load
from serve_app.talk import How, say
from streaming.media import FRAME, RATE, FramePacket
from streaming.pace import Pace
from streaming.stages import Avatar, FaceLoad, FaceState, Span
from tests.actors.face.ditto.moving import Face
from tests.serve_app.test_talk import stages

BUSY = FaceLoad(4.0, 20.0, 15.0, "rate")


class Moving:
    """A reply's motion, a number for each picture, and a replica that is busy after the first span."""

    async def animate(
        self, span: Span, avatar: Avatar, state: FaceState | None
    ) -> AsyncIterator[FramePacket | FaceState]:
        drawn, after = Face(BUSY).draw(span, state)
        for frame in drawn:
            yield FramePacket(frame * FRAME, str(frame).encode(), frame == 0, frame)
        yield after


def test_a_face_that_draws_in_one_way_has_no_planner() -> None:
    settings = load("cpu")
    assert settings.planner() is None and settings.reporting_pace() == Pace()
    assert described(None) is None and like(None) is None
    with pytest.raises(SettingsError, match=r"'portrait' takes no plan; leave out face\.plan"):
        load("cpu", face={"plan": {"steps": 5}}).planner()


def test_dittos_plans_are_chosen_as_the_settings_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load("cpu", face={"engine": "ditto"}).planner() == Planner()
    wide = load("cpu", face={"engine": "ditto", "plan": {"steps": 8, "strides": [5, 20, 70]}}).planner()
    assert wide == Planner(8, (5, 20, 70))
    monkeypatch.setenv("AVATAR_FACE__PLAN", '{"steps": 6}')
    assert load("cpu", face={"engine": "ditto"}).planner() == Planner(6)


@pytest.mark.parametrize(
    ("plan", "said"),
    [({"stride": 5}, "face.plan does not fit .* 'stride'"), ({"strides": [7]}, "one or more of 5, 10, 20, 40, 70")],
)
def test_a_plan_that_cannot_be_names_the_setting(plan: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load("cpu", face={"engine": "ditto", "plan": plan}).reporting_pace()


def test_a_planned_face_is_asked_for_whole_chunks() -> None:
    pace = load("cpu", face={"engine": "ditto"}).reporting_pace()
    assert (pace.span_grain, pace.look_ahead) == (5, 6863)
    assert pace.span_sound >= 3.8 * RATE, "enough for a window of 70 at the span's end"
    assert paced(Pace(look_ahead=9600), Planner()).look_ahead == 9600, "more may be set"


def test_a_planner_is_made_again_of_what_the_journal_says() -> None:
    planner = Planner(8, (5, 70))
    told = json.loads(json.dumps(described(planner)))
    assert told == {"engine": "ditto", "arguments": {"steps": 8, "strides": [5, 70]}}
    assert like(told) == planner == planner_of(told["engine"], told["arguments"])
    with pytest.raises(UserError, match="'other', which is not known here"):
        like({**told, "engine": "other"})


async def test_a_recorded_reply_of_a_busy_face_replays_to_the_same_plans(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pace = replace(load("cpu", face={"engine": "ditto"}).reporting_pace(), send_lead=None)
    path = tmp_path / "journal.jsonl"
    with path.open("w", encoding="utf-8") as sink:
        [take] = await say(stages(face=Moving(), planner=Planner()), "word " * 40, How(pace, sink=sink))
    frames = [packet.pts // FRAME for packet in take.packets]
    assert frames == [*range(5), *range(6, 100, 2), 99], "it became busy with the first five"
    assert "steps=5;every=2" in path.read_text()
    assert replaying.main(path) == 0
    assert capsys.readouterr().out.endswith("every order as recorded\n")
    path.write_text(path.read_text().replace('"steps":10', '"steps":20'))
    assert replaying.main(path) == 1, "another planner, other plans"
