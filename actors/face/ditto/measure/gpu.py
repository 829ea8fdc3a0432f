"""Which GPU there is."""

# pyright: reportMissingImports=false
from __future__ import annotations

import torch


def name() -> str:
    """As its maker calls it; "" if torch finds none."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else ""
