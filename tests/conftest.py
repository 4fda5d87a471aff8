"""Fixtures that several packages' tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def ml100k_path() -> Path:
    """The folder of the real MovieLens 100K; the test is skipped where there is none."""
    beside_the_project = Path(__file__).parents[2] / "shared" / "data" / "ml-100k"
    folder = Path(os.environ.get("RECSWEEP_ML100K", beside_the_project))
    if not (folder / "u.data").is_file():
        pytest.skip("MovieLens 100K is not here; set RECSWEEP_ML100K to its folder")
    return folder
