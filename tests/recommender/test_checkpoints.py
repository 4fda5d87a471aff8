"""Checkpoints: whole or not at all, checked, without pickle."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from recommender import checkpoints
from recommender.checkpoints import (
    CheckpointError,
    has_checkpoint,
    numbered,
    numbered_arrays,
    read_checkpoint,
    read_metadata,
    write_checkpoint,
)

ARRAYS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array(7)}


@settings(max_examples=20, deadline=None)
@given(
    array=hnp.arrays(np.float32, hnp.array_shapes(min_dims=0, max_dims=2, min_side=0)),
    note=st.text(),
)
def test_what_was_written_is_read_back_to_the_bit(
    array: np.ndarray, note: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("checkpoint")
    write_checkpoint(folder, {"array": array}, {"note": note})
    arrays, metadata = read_checkpoint(folder)
    assert arrays["array"].tobytes() == array.tobytes()
    assert arrays["array"].shape == array.shape
    assert metadata["note"] == note


def test_a_second_checkpoint_replaces_the_first_and_leaves_nothing_behind(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, ARRAYS, {"epoch": 1})
    write_checkpoint(tmp_path, {"a": np.zeros(1)}, {"epoch": 2})
    assert read_metadata(tmp_path)["epoch"] == 2
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".npz"]


def test_a_write_that_fails_leaves_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_checkpoint(tmp_path, ARRAYS, {"epoch": 1})

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints.os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_checkpoint(tmp_path, {"a": np.zeros(1)}, {"epoch": 2})
    arrays, metadata = read_checkpoint(tmp_path)
    assert metadata["epoch"] == 1
    np.testing.assert_array_equal(arrays["a"], ARRAYS["a"])
    assert len(list(tmp_path.iterdir())) == 2


def test_a_thousand_and_more_arrays_keep_their_order() -> None:
    arrays = [np.array(i) for i in range(1012)]
    named = numbered("state", arrays) | numbered("best", arrays[:2])
    shuffled = dict(sorted(named.items()))
    assert numbered_arrays("state", shuffled) == arrays
    assert numbered_arrays("best", shuffled) == arrays[:2]


def test_no_checkpoint_is_said_as_such(tmp_path: Path) -> None:
    assert not has_checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match="no checkpoint"):
        read_checkpoint(tmp_path)


def test_a_flipped_byte_is_found(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, ARRAYS, {})
    (path,) = tmp_path.glob("*.npz")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 99}'])
def test_metadata_that_is_not_ours_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "metadata.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"metadata\.json"):
        read_checkpoint(tmp_path)


def test_a_poisoned_pickle_does_not_run(tmp_path: Path) -> None:
    class Poison:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (Path(str(tmp_path / "owned")),)  # type: ignore[return-value]

    content = pickle.dumps(Poison())
    name = "arrays-0000000000000000.npz"
    (tmp_path / name).write_bytes(content)
    digest = checkpoints.hashlib.sha256(content).hexdigest()
    metadata = {"format": 1, "arrays": {"file": name, "sha256": digest}}
    (tmp_path / "metadata.json").write_text(json.dumps(metadata))
    with pytest.raises(CheckpointError, match="not an array file"):
        read_checkpoint(tmp_path)
    assert not (tmp_path / "owned").exists()


def test_a_path_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "last"
    write_checkpoint(folder, ARRAYS, {})
    (path,) = folder.glob("*.npz")
    path.rename(tmp_path / path.name)
    metadata = read_metadata(folder)
    metadata["arrays"]["file"] = f"../{path.name}"
    (folder / "metadata.json").write_text(json.dumps(metadata))
    with pytest.raises(CheckpointError, match="missing"):
        read_checkpoint(folder)
