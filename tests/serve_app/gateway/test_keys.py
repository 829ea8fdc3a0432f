"""Keys, client secrets and the ledger: what is kept, what is signed, what is counted."""

from __future__ import annotations

import base64
import stat
import zlib
from pathlib import Path

import pytest

from serve_app.errors import UserError
from serve_app.gateway import tickets
from serve_app.gateway.keys import Key, KeyFile, Keys, data_folder
from serve_app.gateway.ledger import Ledger, Used


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "kept" / "keys.toml")


# ---- keys --------------------------------------------------------------------------------------------------


def test_a_key_is_known_again_and_never_stored(file: KeyFile) -> None:
    made = file.add("phone", sessions=2, origins=("https://example.org",))
    assert made.startswith("ak_") and len(made) > 40
    key = file.keys().of(made)
    assert key is not None
    assert (key.name, key.sessions, key.origins) == ("phone", 2, ("https://example.org",))
    assert file.keys().of(made + "x") is None
    assert made not in file.path.read_text()
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


def test_another_process_sees_what_was_added_and_removed(file: KeyFile) -> None:
    other = KeyFile(file.path)
    assert other.keys().by_name == {}
    first, second = file.add("first"), file.add("second")
    signing = other.keys().signing
    assert list(other.keys().by_name) == ["first", "second"]
    file.remove("first")
    assert other.keys().of(first) is None
    assert other.keys().of(second) is not None
    assert other.keys().signing == signing, "secrets of the other key stay good"
    file.path.unlink()
    assert other.keys() == Keys()


def test_names_are_plain_and_given_once(file: KeyFile) -> None:
    with pytest.raises(UserError, match="is no name for a key"):
        file.add("a b")
    file.add("phone")
    with pytest.raises(UserError, match="avatar key remove phone"):
        file.add("phone")
    with pytest.raises(UserError, match="there is no key tablet; there are: phone"):
        file.remove("tablet")


@pytest.mark.parametrize(
    "text",
    [
        "no toml",
        "signing = 'xyz'\n[keys.a]\nsha256 = '" + "0" * 64 + "'",
        "[keys.a]\nsha256 = '" + "0" * 64 + "'",
        "signing = ''\n[keys.a]\nsha256 = 'short'",
        "signing = ''\n[keys.a]\nsha256 = '" + "0" * 64 + "'\nsesions = 1",
        "keys = 1",
    ],
)
def test_a_file_that_is_damaged_lets_nobody_in(file: KeyFile, text: str) -> None:
    file.path.parent.mkdir()
    file.path.write_text(text)
    with pytest.raises(UserError, match="mend the file or put a copy back"):
        file.keys()


def test_keys_live_in_the_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert KeyFile().path == tmp_path / "realtime-avatar" / "keys.toml"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert data_folder() == Path.home() / ".local" / "share" / "realtime-avatar"


# ---- client secrets ----------------------------------------------------------------------------------------

PHONE = Key("phone", "0" * 64)
KEYS = Keys(b"signing", {"phone": PHONE})


def test_a_secret_says_whose_it_is_until_it_is_too_old() -> None:
    secret = tickets.issue(KEYS, PHONE, 1000, "https://example.org")
    ticket = tickets.check(KEYS, secret, 999.9)
    assert ticket is not None
    assert (ticket.key, ticket.expires, ticket.origin) == (PHONE, 1000, "https://example.org")
    assert tickets.check(KEYS, secret, 1000.0) is None
    assert set(secret) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."), "fits a subprotocol"


def test_a_session_travels_in_its_secret_and_no_claim_is_larger_than_a_claim() -> None:
    wanted = {"instructions": "Whisper.", "avatar": {"persona": "shop"}}
    ticket = tickets.check(KEYS, tickets.issue(KEYS, PHONE, 1000, session=wanted), 0)
    assert ticket is not None and ticket.session == wanted
    assert len(tickets._unpacked(zlib.compress(b" " * 2**24))) == tickets.UNPACKED


def test_a_secret_that_was_touched_or_whose_key_is_gone_is_none() -> None:
    secret = tickets.issue(KEYS, PHONE, 1000)
    body, _, signature = secret.partition(".")
    longer = tickets.issue(Keys(b"mine", {"phone": PHONE}), PHONE, 9999).partition(".")[0]
    for forged in (f"{longer}.{signature}", body, f"{body}.", "ek_", "ek_?.?", "ek_ä.b", f"ek_W10.{signature}"):
        assert tickets.check(KEYS, forged, 0) is None, forged
    assert tickets.check(Keys(b"signing", {}), secret, 0) is None
    assert tickets.check(Keys(b"signing", {"phone": Key("phone", "1" * 64)}), secret, 0) is None, "a new key, same name"


@pytest.mark.parametrize("claim", ["[" * 100_000, '{"k":"phone","o":"","s":{},"e":1e999}'])
def test_a_claim_that_was_made_to_break_its_reader_is_none(claim: str) -> None:
    """Nobody has shown a key yet: what happens here, anybody can make happen."""
    body = base64.urlsafe_b64encode(zlib.compress(claim.encode(), 9)).rstrip(b"=").decode()
    assert len(body) < 300
    assert tickets.check(KEYS, f"ek_{body}.AAAA", 0) is None


# ---- the ledger --------------------------------------------------------------------------------------------


def test_what_is_used_adds_up_day_by_day_and_key_by_key(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "kept" / "usage.sqlite3")
    assert ledger.of("phone") == {}
    ledger.add("phone", "2026-01-02", Used(1, 2.5, 1.5, 10))
    ledger.add("phone", "2026-01-02", Used(1, 0.5, 0.0, 1))
    ledger.add("phone", "2026-01-01", Used(1))
    ledger.add("tablet", "2026-01-02", Used(5))
    assert ledger.of("phone") == {"2026-01-01": Used(1), "2026-01-02": Used(2, 3.0, 1.5, 11)}
    assert ledger.on("phone", "2026-01-02").audio_s == 4.5
    assert ledger.on("phone", "2026-01-03") == Used()
