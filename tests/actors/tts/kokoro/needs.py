"""Whether the voice kokoro can speak on this machine: its extra is installed and its weights were pulled."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from actors.models import MODELS
from actors.models.places import stored

PACKAGES = ("cn2an", "jieba", "misaki", "num2words", "ordered_set", "pypinyin")


def reads() -> bool:
    return all(find_spec(package) for package in PACKAGES)


def speaks() -> bool:
    """Cheaply: that the files are the right ones is found out when the engine is built."""
    return reads() and all(stored(file).is_file() for file in MODELS["kokoro"].files)


reading = pytest.mark.skipif(not reads(), reason="needs: pip install -c constraints.txt -e '.[kokoro]'")
speaking = pytest.mark.skipif(not speaks(), reason="needs the extra kokoro, and: avatar models pull kokoro")
