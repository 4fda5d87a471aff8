"""Whether training on a GPU repeats to the bit. Standard library only."""

from __future__ import annotations

import os


def repeats_on_gpus() -> bool:
    """It does, unless the environment gives that up for speed with `TF_DETERMINISTIC_OPS=0`."""
    return os.environ.get("TF_DETERMINISTIC_OPS", "1").lower() not in ("0", "false")
