"""Persona files: what ships, one's own, and what a mistake in them is called."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from serve_app import doctor
from serve_app.errors import UserError
from serve_app.persona import Cast, Persona, PersonaUnknown, cast_of, read
from serve_app.settings import Settings, SettingsError, load
from streaming.session import Driving
from tests.stubs import AVATAR

KNOWS = "[[topic]]\nask = ['when do you open']\nsay = 'At nine.'\n"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the machine that runs the tests."""
    for name in list(os.environ):
        if name.startswith(("AVATAR_", "OPENAI_")):
            monkeypatch.delenv(name)


def settings(folder: Path | None = None, **more: str) -> Settings:
    return load(persona={"folder": str(folder or ""), **more})


def wrote(folder: Path, text: str, name: str = "shop.toml") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


# ---- what ships --------------------------------------------------------------------------------------------


def test_the_usual_persona_leaves_everything_as_the_settings_have_it() -> None:
    usual = Driving(voice="heart", instructions="Be brief.", first_s=3)
    cast = cast_of(settings())
    assert sorted(cast.by_id) == ["default", "museum", "tutor"]
    assert cast.usual == cast.find("") == cast.find("default") == Persona("default", "Guide")
    assert cast.usual.driving(usual) == usual


@pytest.mark.parametrize("name", ["museum", "tutor"])
def test_the_others_have_a_character(name: str) -> None:
    persona = cast_of(settings()).find(name)
    assert persona.greeting and persona.instructions and persona.knowledge and persona.language == "en"
    assert persona.greeting.isascii(), "the embedded voice says all of it"


def test_everybody_may_know_who_there_is_the_usual_one_first() -> None:
    listed = cast_of(settings(default="tutor")).listed(Driving(), AVATAR)
    assert [row["id"] for row in listed] == ["tutor", "default", "museum"]
    assert listed[1] == {
        "id": "default",
        "name": "Guide",
        "greeting": "",
        "language": "en",
        "voice": "default",
        "avatar": "story",
    }


# ---- one's own ---------------------------------------------------------------------------------------------


def test_a_folder_of_ones_own_adds_personas_and_may_replace_what_ships(tmp_path: Path) -> None:
    wrote(tmp_path, KNOWS, "facts.txt")
    wrote(tmp_path, 'name = "Shop"\nvoice = "heart"\navatar = "default"\nknowledge = "facts.txt"\n')
    wrote(tmp_path, 'name = "Host"\ngreeting = "Good evening."\n', "default.toml")
    cast = cast_of(settings(tmp_path, default="shop"))
    shop = cast.usual
    assert (shop.id, shop.name, shop.voice, shop.knowledge) == ("shop", "Shop", "heart", KNOWS)
    assert shop.avatar is not None and shop.avatar.id == "default"
    assert shop.driving(Driving(instructions="Be brief.")) == Driving(
        voice="heart", instructions="Be brief.", knowledge=KNOWS
    )
    assert cast.find("default").greeting == "Good evening."
    assert cast.voices == {"default", "heart"}


def test_what_people_will_say_to_it_counts_instead_of_what_the_settings_expect(tmp_path: Path) -> None:
    usual = load(asr={"hints": "Hibari, Silero"}).driving()
    assert usual.hints == "Hibari, Silero"
    shop = read(wrote(tmp_path, "name = 'Shop'\nhints = 'Trimontium'"), settings())
    assert (shop.driving(usual).hints, Persona().driving(usual).hints) == ("Trimontium", "Hibari, Silero")


def test_knowledge_may_stand_in_the_file_itself(tmp_path: Path) -> None:
    path = wrote(tmp_path, f"name = 'Shop'\nknowledge = '''\n{KNOWS.replace(chr(39), chr(34))}'''\n")
    assert "At nine." in read(path, settings()).knowledge


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the key 'name' is missing"),
        ("name = 'A'\ncolour = 'red'", "there is no key 'colour'; a persona has name, greeting, instructions, voice"),
        ("name = 3", "the key 'name' is wrong: Input should be a valid string"),
        ("name = 'A'\ngreeting = true", "the key 'greeting' is wrong: Input should be a valid string"),
        (f"name = 'A'\ngreeting = '{'a' * 601}'", "the key 'greeting' is wrong: String should have at most 600"),
        ("name = 'A'\nvoice = 'bass'", "the key 'voice' is wrong: hibari has no voice 'bass'; it has default, heart"),
        ("name = 'A'\nlanguage = 'de'", "the key 'language' is wrong: hibari does not speak 'de'; it speaks en"),
        ("name = 'A'\nlanguage = 'English'", "the key 'language' is wrong: String should match"),
        ("name = 'A'\navatar = 'nobody'", "the key 'avatar' is wrong: there is no avatar 'nobody'; there are: default"),
        ("name = 'A'\nknowledge = 'no.toml'", r"the key 'knowledge' names .*no\.toml, and there is no such file"),
        ("name = 'A'\nknowledge = 'bad.txt'", r"the key 'knowledge' is wrong \(bad\.txt\): it is not TOML"),
        ("name = 'A'\nknowledge = 'big.txt'", r"wrong \(big\.txt\): its 30,\d+ characters are more than the 24,000"),
        ("name = ", r"shop\.toml is not TOML"),
    ],
)
def test_a_mistake_names_the_file_and_the_key(text: str, sentence: str, tmp_path: Path) -> None:
    wrote(tmp_path, "topic = [", "bad.txt")
    wrote(tmp_path, KNOWS.replace("At nine.", "At nine. " + "a" * 30_000), "big.txt")
    path = wrote(tmp_path, text)
    with pytest.raises(UserError, match=sentence) as error:
        cast_of(settings(tmp_path))
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_a_file_that_is_no_text_or_has_no_name_to_be_called_by(tmp_path: Path) -> None:
    path = tmp_path / "shop.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=r"shop\.toml cannot be read: it is not UTF-8"):
        read(path, settings())
    with pytest.raises(UserError, match="cannot be read: No such file"):
        read(tmp_path / "gone.toml", settings())
    with pytest.raises(UserError, match="'My Shop' cannot name a persona; use a-z"):
        read(wrote(tmp_path, "name = 'A'", "My Shop.toml"), settings())


def test_settings_that_name_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"persona\.folder \(AVATAR_PERSONA__FOLDER\) is wrong: .* is no folder"):
        cast_of(settings(tmp_path / "gone"))
    with pytest.raises(SettingsError, match=r"persona\.default .* is 'cook', .*; there are: default, museum, tutor"):
        cast_of(settings(default="cook"))


def test_a_voice_engine_that_tells_nothing_is_believed(tmp_path: Path) -> None:
    path = wrote(tmp_path, "name = 'A'\nvoice = 'bass'\nlanguage = 'de'")
    persona = read(path, load(tts={"engine": "elsewhere"}))
    assert (persona.voice, persona.language) == ("bass", "de")


def test_nobody_but_those_there_are() -> None:
    with pytest.raises(PersonaUnknown, match="there is no persona 'cook'; there are: default"):
        Cast().find("cook")


# ---- the doctor --------------------------------------------------------------------------------------------


def test_the_doctor_looks_at_every_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [str(finding) for finding in doctor.personas(load())] == ["ok       personas     default, museum, tutor"]
    monkeypatch.setenv("AVATAR_PERSONA__FOLDER", str(tmp_path))
    wrote(tmp_path, "", "one.toml")
    wrote(tmp_path, "name = 'A'\nvoice = 'bass'", "two.toml")
    wrote(tmp_path, "name = 'B'", "three.toml")
    found = list(doctor.personas(load()))
    assert [finding.level for finding in found] == ["missing", "missing"]
    assert ["one.toml" in found[0].found, "two.toml" in found[1].found] == [True, True]
    monkeypatch.setenv("AVATAR_PERSONA__FOLDER", str(tmp_path / "gone"))
    (finding,) = doctor.personas(load())
    assert "is no folder" in finding.found
