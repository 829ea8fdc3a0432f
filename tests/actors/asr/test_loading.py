"""Which Whisper is loaded: a name of the manifest or a whole folder, and a device and a precision that there are."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from actors import models
from actors.asr.loading import device_of, found, loaded, type_of
from streaming.stages import StageError
from tests.actors.asr.tiny import make

CPU = {"float32", "int8", "int8_float32"}


def test_a_name_of_the_manifest_is_its_folder_and_nothing_is_tiny_en() -> None:
    tiny = models.folder("whisper-tiny.en")
    assert found(None) == found("tiny.en") == found("whisper-tiny.en") == found(tiny) == tiny


def test_what_is_neither_name_nor_folder_is_never_downloaded() -> None:
    with pytest.raises(StageError, match=r"'large-v9'; name one of tiny\.en, .*large-v3, or a folder"):
        found("large-v9")


def test_a_folder_that_is_not_whole_is_told_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "model.bin").touch()
    with pytest.raises(StageError, match=r"lacks config\.json, tokenizer\.json, vocabulary\.txt; it must hold"):
        found(tmp_path)


def test_bytes_that_are_no_model_are_told_with_their_folder(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "model.bin").write_bytes(b"nothing of the kind")
    with pytest.raises(StageError, match="recognition cannot load the Whisper model"):
        loaded(tmp_path, "cpu", None, 1)


def test_a_folder_that_speaks_of_other_bands_than_its_model_hears_is_refused(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"feature_size": 80}), "utf-8")
    with pytest.raises(StageError, match=r'hears 128 bands .* speaks of 80: add its .* "feature_size": 128'):
        loaded(tmp_path, "cpu", None, 1)


def test_the_best_precision_that_a_device_has_is_taken_and_the_reason_told() -> None:
    assert type_of(None, "cpu", CPU) == ("int8", "that is the best on a cpu")
    assert type_of(None, "cpu", {"float32"}) == ("float32", "this cpu lacks int8 and int8_float32")
    assert type_of(None, "cuda", {*CPU, "float16", "int8_float16"}) == ("int8_float16", "that is the best on a cuda")
    assert type_of(None, "cuda", CPU) == ("int8", "this cuda lacks int8_float16")
    assert type_of("float32", "cuda", CPU) == ("float32", "the settings name it")


def test_a_precision_that_a_device_lacks_is_refused_with_those_it_has() -> None:
    with pytest.raises(StageError, match="in float16 on this cpu; it can in float32, int8, int8_float32: change"):
        type_of("float16", "cpu", CPU)


def test_a_device_is_named_or_found_and_no_other_is_there() -> None:
    assert device_of("cpu", 4) == ("cpu", "the settings name it")
    assert device_of("auto", 1) == ("cuda", "a GPU is there")
    assert device_of("auto", 0) == ("cpu", "CTranslate2 sees no GPU")
    with pytest.raises(StageError, match="cuda, cpu or auto, not on 'tpu'"):
        device_of("tpu", 0)


def test_the_choice_is_told_aloud(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "actors.asr.loading"):
        loaded(make(tmp_path), "auto", "float32", 1)
    (line,) = caplog.messages
    assert line.startswith(f"recognition: Whisper from {tmp_path}; on ") and "float32, because the settings" in line
