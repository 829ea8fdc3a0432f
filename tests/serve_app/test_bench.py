"""The benchmarks' own arithmetic: tables, questions, and what counts as the first moving lip. No engine is loaded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import astuple
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from actors.face.video import H264Encoder
from serve_app.bench import latency
from serve_app.bench.__main__ import NAMES, main
from serve_app.bench.latency import START, WATCHED, Eye, Timing, _Client, _timing, rows_of
from serve_app.bench.questions import LEAD_IN, LONG, SHORT, Question, ask_with, silence
from serve_app.bench.table import Bar, Result, spread, write_section
from serve_app.errors import UserError
from serve_app.settings import load
from streaming.commands import Audio, Ended, Frames, Hold, ReplyDelta, Show, StateChanged, UserCaption
from streaming.media import FRAME, MIC_RATE, RATE, FramePacket
from streaming.session import ClientOrder
from streaming.stages import Phone, Spoken, Voice

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "performance.md"

# ---- tables ------------------------------------------------------------------------------------------------


def test_a_bar_holds_up_to_its_limit_and_not_beyond() -> None:
    assert Bar("start", 8, 8, "s").holds
    assert not Bar("start", 8.001, 8, "s").holds
    assert str(Bar("start", 3.14159, 8, "s")) == "start: 3.142 s, at most 8 s: holds"
    assert str(Bar("start", 9, 8, "s")) == "start: 9 s, at most 8 s: DOES NOT HOLD"


def test_what_could_not_be_measured_does_not_hold() -> None:
    assert not Bar("start", float("nan"), 8, "s").holds


def test_a_spread_is_the_middle_the_slow_end_and_the_slowest() -> None:
    values = list(range(101))
    assert spread(values) == ("50", "95", "100")
    assert spread([1.26], 1) == ("1.3", "1.3", "1.3")


def test_a_result_is_a_table_with_bars_notes_and_circumstances_below() -> None:
    result = Result("x", ("what", "p50"), (("draw", "3.1"),), (Bar("CPU", 3, 12, "ms"),), ("250 frames",))
    table, below = result.text().split("\n\n", 1)
    assert table == "| what | p50 |\n|---|---|\n| draw | 3.1 |"
    assert below.startswith("- CPU: 3 ms, at most 12 ms: holds\n- 250 frames\n\n*")
    assert below.endswith("*")
    for named in ("UTC", "cores", "load", "Python", "ray ", "av "):
        assert named in below


def test_a_section_is_replaced_and_the_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "performance.md"
    path.write_text(
        "# Cost\n<!-- bench:a -->\nold a\n<!-- /bench:a -->\nbetween\n<!-- bench:b -->\nold b\n<!-- /bench:b -->\nend\n"
    )
    result = Result("a", ("what",), (("new a",),))
    write_section(path, result)
    written = path.read_text()
    assert written.startswith("# Cost\n<!-- bench:a -->\n| what |\n|---|\n| new a |\n")
    assert written.endswith("<!-- /bench:a -->\nbetween\n<!-- bench:b -->\nold b\n<!-- /bench:b -->\nend\n")
    assert "old a" not in written
    write_section(path, result)
    assert path.read_text().count("new a") == 1


def test_a_document_without_the_section_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "performance.md"
    path.write_text("<!-- bench:a -->\nnever closed\n")
    with pytest.raises(UserError, match=r"no section <!-- bench:a --> .* add the two marks"):
        write_section(path, Result("a", (), ()))
    assert path.read_text() == "<!-- bench:a -->\nnever closed\n"


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_has_its_place_in_the_document(name: str) -> None:
    text = DOCUMENT.read_text("utf-8")
    assert text.count(f"<!-- bench:{name} -->") == text.count(f"<!-- /bench:{name} -->") == 1


# ---- questions ---------------------------------------------------------------------------------------------


class Hum:
    """Speaks every text as two pieces of half a second, each a vowel and a pause of 100 ms."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    async def speak(self, text: str, voice: str, language: str, seed: int) -> AsyncIterator[Spoken]:
        self.asked.append((text, seed))
        tone = np.round(8000 * np.sin(np.arange(RATE // 2) / 20))
        tone[-RATE // 10 :] = 0
        for first in (0, RATE // 2):
            phones = (Phone("ɑ", first, RATE * 4 // 10), Phone("", first + RATE * 4 // 10, RATE // 10))
            yield Spoken(tone.astype("<i2").tobytes(), phones)


def ask(texts: tuple[str, ...]) -> list[Question]:
    return asyncio.run(ask_with(cast(Voice, Hum()), texts))


def test_every_run_asks_the_same_questions_in_the_same_order() -> None:
    first, again = ask(SHORT[:8]), ask(SHORT[:8])
    assert first == again
    order = [question.text for question in first]
    assert sorted(order) == sorted(SHORT[:8])
    assert order != list(SHORT[:8])


def test_there_are_thirty_short_questions_and_none_twice() -> None:
    assert len(set(SHORT)) == len(SHORT) == 30
    assert len(set(LONG)) == len(LONG)


def test_the_last_voiced_sample_is_known_from_the_phones() -> None:
    (question,) = ask(("Well?",))
    assert question.voiced_until == LEAD_IN + MIC_RATE * 9 // 10
    assert question.seconds == pytest.approx(0.9)
    sound = np.abs(np.frombuffer(question.pcm16k, "<i2").astype(int))
    assert sound[question.voiced_until - 200 : question.voiced_until].max() > 2000
    assert sound[question.voiced_until + 200 :].max() < 100
    assert sound[: LEAD_IN - 200].max() < 100


def test_the_room_is_never_digitally_silent() -> None:
    (question,) = ask(("Well?",))
    assert np.frombuffer(question.pcm16k, "<i2")[:LEAD_IN].std() > 1
    blocks = list(silence(0.5, 7))
    assert [len(block) for block in blocks] == [640] * 25
    assert np.frombuffer(b"".join(blocks), "<i2").std() == pytest.approx(3, abs=0.5)
    assert blocks == list(silence(0.5, 7))


# ---- what the client sees ----------------------------------------------------------------------------------


def tell(client: _Client, *orders: ClientOrder) -> _Client:
    async def telling() -> None:
        for order in orders:
            await client.tell(order)

    asyncio.run(telling())
    return client


def pictures(count: int, first: int = 0) -> tuple[FramePacket, ...]:
    return tuple(FramePacket((first + k) * FRAME, b"", k == 0) for k in range(count))


def sound(seconds: float) -> bytes:
    return bytes(2 * round(seconds * RATE))


def test_the_page_plays_once_100_ms_of_sound_and_pictures_are_there() -> None:
    client = tell(_Client(), Show(UserCaption("Hi", True)), Show(Audio(1, 0, sound(1))), Show(Frames(1, pictures(2))))
    assert client.playing is None
    tell(client, Show(Frames(1, pictures(1, first=2))))
    assert 2 * FRAME < START <= 3 * FRAME
    assert client.playing is not None
    assert not client.enough.is_set()


def test_sound_without_pictures_does_not_play() -> None:
    client = tell(_Client(), Show(Audio(1, 0, sound(9))))
    assert client.playing is None
    assert not client.enough.is_set()


def test_a_second_and_a_half_of_a_reply_is_enough_and_so_is_a_short_one_that_ended() -> None:
    long = tell(_Client(), Show(Audio(1, 0, sound(1.5))), Show(Frames(1, pictures(37))))
    assert not long.enough.is_set()
    tell(long, Show(Frames(1, pictures(1, first=37))))
    assert 37 * FRAME < WATCHED <= 38 * FRAME
    assert long.enough.is_set()
    assert tell(_Client(), Show(Ended(1, 9000, 0))).enough.is_set()


def test_a_moment_is_when_something_came_first() -> None:
    client = tell(_Client(), Show(UserCaption("Hi", True)), Show(ReplyDelta(1, "He")))
    first = dict(client.came)
    tell(client, Show(ReplyDelta(1, "llo")))
    assert client.came == first
    assert list(first) == ["transcript", "text"]


def test_what_is_only_understood_so_far_and_what_is_no_message_do_not_count() -> None:
    client = tell(_Client(), Show(UserCaption("Hi", False)), Show(StateChanged("thinking", 1)), Hold(1))
    assert (client.turn, client.came) == (0, {})


def test_after_a_breath_in_mid_question_the_next_reply_counts() -> None:
    client = _Client()
    tell(client, Show(UserCaption("Well", True)), Show(Audio(1, 0, sound(2))), Show(Frames(1, pictures(50))))
    assert client.turn == 1
    assert client.enough.is_set()
    tell(client, Show(UserCaption("Well, who are you?", True)))
    assert client.turn == 2
    assert list(client.came) == ["transcript"]
    assert (client.packets, client.sound, client.playing) == ([], 0, None)
    assert not client.enough.is_set()


def test_the_first_open_mouth_is_seen_when_its_picture_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    client = _Client(came={"transcript": 10.1, "text": 10.2, "audio": 10.3, "frame": 10.35}, playing=10.4)
    client.packets = list(pictures(30))
    monkeypatch.setattr(latency, "_pictures", lambda packets: list(packets))
    eye = cast(Eye, Fixed(5))
    timing = _timing(Question("Well?", b"", 0), client, 10.0, eye)
    assert astuple(timing) == pytest.approx((100, 200, 300, 350, 400, 600))


def test_a_mouth_that_never_opens_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "_pictures", lambda packets: list(packets))
    with pytest.raises(RuntimeError, match="never opened in the answer to 'Well"):
        _timing(Question("Well?", b"", 0), _Client(playing=1.0), 0.0, cast(Eye, Fixed(None)))


class Fixed:
    """An eye that sees the mouth open at one number, whatever is shown."""

    def __init__(self, number: int | None) -> None:
        self.number = number

    def opens(self, pictures: list[np.ndarray]) -> int | None:
        return self.number


def test_every_picture_that_came_is_seen() -> None:
    coder, packets = H264Encoder(64, 96), []
    for k in range(8):
        data, key = coder.encode(np.full((96, 64, 3), 20 * k, np.uint8), k * FRAME)
        packets.append(FramePacket(k * FRAME, data, key))
    seen = latency._pictures(packets)
    assert [round(float(picture.mean()) / 20) for picture in seen] == list(range(8))


def test_a_row_for_each_moment() -> None:
    rows = rows_of([Timing(1, 2, 3, 4, 5, 6), Timing(3, 2, 3, 4, 5, 8)], "long: ")
    assert [row[0] for row in rows] == [
        *("long: transcript", "long: first text", "long: first audio"),
        *("long: first frame", "long: playing", "long: lip"),
    ]
    assert rows[0][1:] == ("2", "3", "3")
    assert rows[-1][1:] == ("7", "8", "8")


def test_a_microphone_gives_every_sample_in_blocks_of_20_ms_and_then_a_quiet_room() -> None:
    pcm = np.arange(1, 801, dtype="<i2").tobytes()

    async def heard() -> list[tuple[int, bytes]]:
        return [block async for block in latency._microphone(Question("Well?", pcm, 800), -100.0)]

    blocks = asyncio.run(heard())
    assert b"".join(block for _, block in blocks)[: len(pcm)] == pcm
    assert [at for at, _ in blocks] == [320 * k for k in range(3 + 75)]
    assert {len(block) for _, block in blocks} == {640}


# ---- what is measured --------------------------------------------------------------------------------------


def test_the_bench_measures_the_settings_that_ship_for_a_cpu() -> None:
    settings = load("cpu")
    assert 0 < settings.pace.end_of_turn_ms <= 1000
    assert settings.face.engine == "portrait"
    assert settings.tts.engine == "hibari"


def test_a_name_that_measures_nothing_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bench", "everything"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "everything" in capsys.readouterr().err


@pytest.mark.parametrize(("measured", "code"), [(1.0, 0), (9.0, 1)])
def test_the_exit_code_says_whether_every_bar_holds_and_the_table_is_written(
    measured: float, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []

    async def stub(names: list[str], people: Path, *, quick: bool) -> AsyncIterator[Result]:
        asked.append((names, quick))
        yield Result("a", ("what",), (("it",),), (Bar("it", 1, 8, "s"), Bar("it", measured, 8, "s")))
        yield Result("a", ("what",), (("it",),), (Bar("it", 1, 8, "s"),))

    monkeypatch.setattr("serve_app.bench.__main__._measured", stub)
    monkeypatch.setattr("serve_app.bench.__main__._wanted", lambda *, long: list(NAMES))
    document = tmp_path / "performance.md"
    document.write_text("<!-- bench:a -->\n<!-- /bench:a -->\n")
    monkeypatch.setattr("sys.argv", ["bench", "--quick", "--write", str(document)])
    assert main() == code
    assert asked == [(list(NAMES), True)]
    assert "| it |" in document.read_text()
    assert "## a" in capsys.readouterr().out


def test_without_torch_dittos_benchmarks_are_left_out_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("serve_app.bench.ditto.find_spec", lambda name: None)
    monkeypatch.setattr("sys.argv", ["bench", "sampler", "ditto"])
    assert main() == 0
    assert capsys.readouterr().out == (
        "sampler, ditto: left out, torch is not installed here (pip install 'realtime-avatar[ditto]')\n"
    )


def test_what_was_asked_for_is_measured_in_the_tables_order(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def slow(given: object) -> Result:
        return Result("slow", (), ())

    table = {"other": slow, "plain": lambda given: Result("plain", (), ()), "slow": slow}
    monkeypatch.setattr("serve_app.bench.__main__.MEASURES", table)
    monkeypatch.setattr("serve_app.bench.__main__.NAMES", tuple(table))
    monkeypatch.setattr("sys.argv", ["bench", "slow", "plain"])
    assert main() == 0
    heads = [line for line in capsys.readouterr().out.splitlines() if line.startswith("## ")]
    assert heads == ["## plain", "## slow"]


def test_what_takes_very_long_is_left_out_unless_it_is_wished(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[list[str]] = []

    async def stub(names: list[str], people: Path, *, quick: bool) -> AsyncIterator[Result]:
        asked.append(names)
        for result in list[Result]():
            yield result

    monkeypatch.setattr("serve_app.bench.__main__._measured", stub)
    for given in (["bench"], ["bench", "--long"]):
        monkeypatch.setattr("sys.argv", given)
        assert main() == 0
    assert asked == [[name for name in NAMES if name not in ("simulator", "endurance")], list(NAMES)]
    assert capsys.readouterr().out == "simulator, endurance: left out, they take very long (--long)\n"
