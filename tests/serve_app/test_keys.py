"""`avatar key`, and the SDK at a door that asks for one, over a real web server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from serve_app import run
from serve_app.client import AvatarError, connect
from serve_app.errors import UserError
from serve_app.gateway.app import build_gateway
from serve_app.gateway.auth import Door
from serve_app.gateway.house import House
from serve_app.gateway.keys import KeyFile
from serve_app.gateway.ledger import Ledger
from serve_app.units import End
from streaming.pace import Pace
from streaming.session import Driving, Stages
from tests.serve_app.gateway.live import serving
from tests.serve_app.test_cli import quiet_logs, ran, said
from tests.stubs import AVATAR, Ears, Echo, Hum, Mask, Scribe

__all__ = ["quiet_logs"]  # a fixture


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyFile]:
    monkeypatch.setenv("AVATAR_DOOR__KEYS", str(tmp_path / "keys.toml"))
    yield KeyFile(tmp_path / "keys.toml")


def test_a_key_is_made_shown_once_listed_and_removed(file: KeyFile, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--sessions", 2, "--audio-seconds", 600, "--messages", 50, "--origin", "https://a.example"]
    assert ran("key", "add", "phone", *options) == 0
    made, hint = capsys.readouterr()
    key = file.keys().of(made.strip())
    assert key is not None
    assert (key.sessions, key.audio_seconds, key.messages, key.origins) == (2, 600.0, 50.0, ("https://a.example",))
    assert "not shown again" in hint
    assert ran("key", "add", "tablet") == 0
    capsys.readouterr()
    assert ran("key", "list") == 0
    assert capsys.readouterr().out.splitlines() == [
        "phone: 2 conversations at once, 600 s of sound a day, 50 messages a second, pages of https://a.example",
        "tablet: 8 conversations at once, 36000 s of sound a day, 200 messages a second",
    ]
    assert ran("key", "remove", "phone") == 0
    assert list(file.keys().by_name) == ["tablet"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["key"], "the following arguments are required: ORDER; see avatar key --help"),
        (["key", "add"], "the following arguments are required: NAME; see avatar key add --help"),
        (["key", "add", "a b"], "'a b' is no name for a key"),
        (["key", "add", "a", "--sessions", 0], "--sessions must be more than 0, not 0"),
        (["key", "add", "a", "--audio-seconds", -1], "--audio-seconds must be more than 0, not -1"),
        (["key", "remove", "nobody"], "there is no key nobody; there are: none"),
    ],
)
def test_wrong_use_is_one_line(
    arguments: list[object], line: str, file: KeyFile, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran(*arguments) == 2
    assert said(capsys).startswith(line)
    assert not file.path.exists()


def test_run_does_not_listen_to_the_world_without_a_key(file: KeyFile) -> None:
    with pytest.raises(UserError, match=r"0\.0\.0\.0 can be reached from other machines.*avatar key add NAME"):
        run.main(local=True, profile=None, host="0.0.0.0", port=0)


async def test_the_sdk_comes_in_with_its_key_and_is_told_why_not_without(file: KeyFile) -> None:
    key = file.add("phone", messages=10.0)
    house = House(Stages(Ears(), Scribe(), Echo(), Hum(), Mask(), AVATAR), Pace(), Driving())
    door = Door(file, Ledger(file.path.with_name("usage.sqlite3")))
    async with serving(build_gateway(house, lambda avatar: None, door)) as base:
        url = f"{base}/v1/realtime"
        with pytest.raises(AvatarError, match=r"\(401\): this service asks for a key") as refused:
            async with connect(url):
                pass
        assert refused.value.code == 401
        async with connect(url, api_key=key, playhead=False) as avatar:
            await avatar.say("hi")
            async for unit in avatar:
                if isinstance(unit, End):
                    break
            with pytest.raises(AvatarError, match=r"more was sent than this client may.*10 messages a second") as left:
                for _ in range(30):
                    await avatar.report_playhead(0, 0)
                async for _ in avatar:
                    pass
            assert left.value.code == 4029
