"""The page's wire.ts says what Python says."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from serve_app import web_types


def test_the_kept_file_is_what_is_written_from_the_declarations() -> None:
    assert web_types.TARGET.read_text() == web_types.typescript(), "run: python -m serve_app.web_types"


def test_a_type_that_no_event_holds_yet_is_an_error_and_not_any() -> None:
    @dataclass
    class Strange:
        when: complex

    with pytest.raises(TypeError, match="complex"):
        web_types._interface("Strange", Strange, ())
