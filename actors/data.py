"""Where this user's programs keep what they make. It makes nothing itself."""

from __future__ import annotations

import os
from pathlib import Path


def data_folder() -> Path:
    """``realtime-avatar`` in XDG_DATA_HOME, by default in ~/.local/share."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "realtime-avatar"
