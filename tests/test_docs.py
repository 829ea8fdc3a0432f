"""What the documents say of the code is what the code says."""

from __future__ import annotations

import re
from pathlib import Path

from serve_app.gateway import ladder, reading, wire
from streaming.states import TRANSITIONS

DOCS = Path(__file__).parents[1] / "docs"


def test_the_picture_of_the_states_is_drawn_from_the_table() -> None:
    drawn = re.findall(r"^    (\w+) --> (\w+)$", (DOCS / "design.md").read_text(), re.MULTILINE)
    assert drawn == sorted((state, after) for state, reached in TRANSITIONS.items() for after in reached)


def test_every_event_of_the_wire_is_in_the_protocol() -> None:
    source = "".join(Path(str(module.__file__)).read_text() for module in (ladder, reading, wire))
    kinds = set(re.findall(r'"((?:avatar|response|session|conversation|input_audio_buffer)\.[a-z_.]+)"', source))
    described = (DOCS / "protocol.md").read_text()
    assert len(kinds) > 40
    assert [kind for kind in sorted(kinds) if f"`{kind}`" not in described] == []
