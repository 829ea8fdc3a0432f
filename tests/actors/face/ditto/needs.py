"""Import this first in a test that needs Ditto's networks: where torch is not installed the file is skipped."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="Ditto's networks need torch: pip install -c constraints.txt -e '.[ditto]'")
torch.set_num_threads(1)
