"""What a verdict rests on: each finalist's predictions seed by seed, on the rows that judge."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.records import (
    BaselineRecord,
    Finalist,
    Purpose,
    StopReason,
    StudyRecord,
    TrialRecord,
    TrialState,
    VerdictRecord,
)
from experiments.running.errors_by_user import write_errors
from experiments.running.orders import predictions_folder
from experiments.verdict.evidence import Evidence, read_evidence
from experiments.watcher import Silent
from recommender.baselines import BASELINES
from recommender.checkpoints import write_checkpoint
from recommender.datasets.confirming import ConfirmRows
from recommender.datasets.description import LoadedDataset
from recommender.metrics import rmse
from tests.synthetic import synthetic_encoded

DATA = synthetic_encoded()
OTHERS = synthetic_encoded(seed=3).validation
CONFIRM = ConfirmRows(OTHERS, np.arange(len(OTHERS), dtype=np.int32) % 7)
FROZEN = VerdictRecord(
    frozen_at=100.0,
    top=2,
    seeds=(5, 6),
    finalists=(
        Finalist("0001", 1, ("place 1",)),
        Finalist("0000", 0, ("place 2",)),
        Finalist("item_mean", None, ("best baseline",)),
    ),
)
DICE = np.random.default_rng(0)


def trial(number: int, name: str, rmse: float, **further: Any) -> TrialRecord:
    state = TrialState.COMPLETE
    record = TrialRecord(
        number=number, name=name, purpose=Purpose.SEARCH, arm=None, arm_number=number, values={},
        seed=1, is_default=False, state=state, stop_reason=StopReason.PATIENCE, error=None,
        best_epoch=1, best_rmse=rmse, ended_at=50.0,
    )  # fmt: skip
    return replace(record, **further)


TRIALS = (
    trial(0, "0000", 1.02),
    trial(1, "0001", 1.01),
    trial(2, "0002", 0.99, ended_at=101.0),  # after the list was frozen
    trial(1_000_000, "0001-v1", 1.1, purpose=Purpose.VERDICT),
    trial(1_000_001, "0000-v1", 1.2, purpose=Purpose.VERDICT),
    trial(1_000_002, "0001-v2", 1.3, purpose=Purpose.VERDICT),
    trial(1_000_003, "0000-v2", 1.4, purpose=Purpose.VERDICT, state=TrialState.FAIL),
)


@pytest.fixture
def kept(tmp_path: Path) -> dict[str, dict[str, np.ndarray]]:
    """By replicate what it predicted, as its files have it."""
    found = {}
    for one in TRIALS:
        rows = {
            "predicted": DICE.normal(3, 1, len(DATA.validation)).astype(np.float32),
            "confirm": DICE.normal(3, 1, len(OTHERS)).astype(np.float32),
        }
        if one.purpose is Purpose.VERDICT:
            write_checkpoint(predictions_folder(tmp_path, one), rows, {})
        else:
            write_errors(tmp_path / "trials" / one.name, rows["predicted"], DATA)
        found[one.name] = rows
    return found


def evidence(folder: Path, confirm: ConfirmRows | None) -> Evidence:
    study = StudyRecord(
        folder=folder, name="x", sweep={}, provenance={}, columns=(), importance=(), trials=TRIALS,
        baselines=(BaselineRecord("item_mean", "item mean", 1.07, 0.1),), state="finished",
        n_trials_asked_for=3, verdict=FROZEN,
    )  # fmt: skip
    nobody: Any = None  # makes damaged predictions again
    loaded: Any = LoadedDataset(DATA, nobody)
    return read_evidence(study, FROZEN, loaded, confirm, nobody, Silent())


def test_finalists_are_judged_seed_by_seed_on_the_rows_of_the_search(
    tmp_path: Path, kept: dict[str, dict[str, np.ndarray]]
) -> None:
    found = evidence(tmp_path, None)
    assert set(found.predicted) == {"0001", "item_mean"}  # the other failed under a seed
    rows = [kept[name]["predicted"] for name in ("0001-v1", "0001-v2")]
    np.testing.assert_array_equal(found.predicted["0001"], rows)
    mean = BASELINES["item_mean"][1](DATA)(DATA.validation)
    np.testing.assert_array_equal(found.predicted["item_mean"], [mean])
    assert found.rmse_by_seed == {"0001": (1.1, 1.3), "0000": (1.2, None), "item_mean": (1.07,)}
    assert (found.on_searched, found.baselines) == (None, {})
    np.testing.assert_array_equal(found.actual, DATA.validation.rating)
    np.testing.assert_array_equal(found.users, DATA.validation_users)
    # The best of the search is judged among those that had ended when the list was frozen.
    assert found.searched is not None
    sums, counts = found.searched
    np.testing.assert_array_equal(counts, np.unique(DATA.validation_users, return_counts=True)[1])
    squares = [(kept[n]["predicted"] - DATA.validation.rating) ** 2 for n in ("0001", "0000")]
    np.testing.assert_allclose(sums.sum(axis=1), [s.sum() for s in squares], rtol=1e-5)


def test_where_users_are_kept_they_alone_judge(
    tmp_path: Path, kept: dict[str, dict[str, np.ndarray]]
) -> None:
    found = evidence(tmp_path, CONFIRM)
    rows = [kept[name]["confirm"] for name in ("0001-v1", "0001-v2")]
    np.testing.assert_array_equal(found.predicted["0001"], rows)
    expected = {
        name: rmse(fit(DATA)(OTHERS), OTHERS.rating) for name, (_, fit) in BASELINES.items()
    }
    assert found.baselines == expected
    assert found.rmse_by_seed == {
        "0001": tuple(rmse(row, OTHERS.rating) for row in rows),
        "0000": (rmse(kept["0000-v1"]["confirm"], OTHERS.rating), None),
        "item_mean": (expected["item_mean"],),
    }
    assert set(found.predicted) == {"0001", "item_mean"}
    assert found.on_searched == {"0001": (1.1, 1.3), "0000": (1.2, None), "item_mean": (1.07,)}
    assert found.actual is OTHERS.rating and found.users is CONFIRM.users
    assert found.searched is None


def test_a_rating_of_theirs_that_is_none_costs_its_seed_and_not_the_verdict(
    tmp_path: Path, kept: dict[str, dict[str, np.ndarray]]
) -> None:
    rows = kept["0001-v2"]
    rows["confirm"][3] = np.inf
    write_checkpoint(tmp_path / "predictions" / "validation" / "0001-v2", rows, {})
    found = evidence(tmp_path, CONFIRM)
    assert set(found.predicted) == {"item_mean"}
    assert found.rmse_by_seed["0001"] == (rmse(kept["0001-v1"]["confirm"], OTHERS.rating), None)
    assert found.on_searched is not None and found.on_searched["0001"] == (1.1, 1.3)
