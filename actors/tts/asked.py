"""What every voice asks of a clip before it speaks it: a text with words, not too long, in a language by its code.

It knows no engine and no voice.
"""

from __future__ import annotations

from actors.tts.text import has_words
from streaming.stages import BadInput

LONGEST_CLIP = 2000
"""Characters of one clip, about two minutes of speech. Cut longer texts into clips (``streaming/clips.py``)."""


def check_text(text: str) -> None:
    """Raises BadInput for what no voice can speak, saying what to do."""
    if not text.strip():
        raise BadInput("there is no text to speak; send at least one word")
    if len(text) > LONGEST_CLIP:
        raise BadInput(f"a clip of {len(text)} characters is too long; cut it into clips of at most {LONGEST_CLIP}")
    if not has_words(text):
        raise BadInput(f"nothing in {text.strip()[:20]!r} has a sound; send words")


def language_code(language: str) -> str:
    """ISO 639-1, as the engines list their languages: "en" of "en-GB" and of "EN_us"."""
    return language.lower().replace("_", "-").split("-")[0]
