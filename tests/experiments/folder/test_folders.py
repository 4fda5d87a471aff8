"""Where a study can be begun."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.errors import RequestError
from experiments.folder.folders import free_name


def test_a_disk_without_locks_is_refused_before_anything_is_written(
    tmp_path: Path, no_locks: None
) -> None:
    with pytest.raises(RequestError, match=r"no file locks, which .* --studies"):
        free_name(tmp_path / "studies", "mine")
    assert list(tmp_path.iterdir()) == []
