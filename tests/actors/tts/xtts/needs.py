"""Import this first in a test that needs XTTS's networks: where coqui-tts is not installed the file is skipped."""

# pyright: reportMissingImports=false
from __future__ import annotations

from importlib.util import find_spec

import pytest

if find_spec("TTS") is None:
    pytest.skip("XTTS needs coqui-tts: pip install -c constraints.txt -e '.[xtts]'", allow_module_level=True)

import torch

torch.set_num_threads(1)
