"""Users that the search never sees, and a verdict that judges on them alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.records import Purpose, StudyRecord, read_study
from experiments.request.frozen import frozen_sweep
from experiments.study import run_study
from experiments.sweep import SweepConfig
from experiments.verdict.unseal import score_on_test
from experiments.watcher import Silent
from recommender.baselines import BASELINES, Model
from recommender.checkpoints import read_checkpoint
from recommender.datasets.config import SplitConfig
from recommender.datasets.confirming import ConfirmRows, load_with_confirm
from recommender.datasets.encoded import EncodedDataset
from recommender.metrics import rmse
from tests.experiments.verdict.test_verdict import arrays_in
from tests.in_process import InProcess
from tests.small_studies import a_sweep, decide

pytestmark = pytest.mark.slow

MARK = 4.5
"""A rating that no row has but those that are looked for."""


def with_confirm(ratings: Path) -> SweepConfig:
    return replace(a_sweep(ratings), split=SplitConfig(confirm=0.4))


def kept(sweep: SweepConfig) -> ConfirmRows:
    _, confirm = load_with_confirm(sweep.dataset, sweep.split, before=lambda loaded: None)
    assert confirm is not None
    return confirm


def mark(ratings: Path, is_marked: np.ndarray, to: Path) -> Path:
    frame = pd.read_csv(ratings)
    frame.loc[is_marked, "rating"] = MARK
    frame.to_csv(to, index=False)
    return to


def is_of_confirm(ratings: Path) -> np.ndarray:
    frame = pd.read_csv(ratings)
    first, last = frame["time"].min(), frame["time"].max()
    ends = [first + share * (last - first) for share in (0.6, 0.8)]
    users = np.unique(frame["user"])[np.unique(kept(with_confirm(ratings)).users)]
    return (frame["user"].isin(users) & frame["time"].between(*ends, inclusive="right")).to_numpy()


@pytest.fixture
def confirmed(ratings_csv: Path, tmp_path: Path, workers: InProcess) -> Path:
    return run_study(with_confirm(ratings_csv), root=tmp_path, watcher=Silent()).study.folder


def test_no_label_of_theirs_reaches_a_worker_or_a_file_of_search_or_verdict(
    ratings_csv: Path, tmp_path: Path, workers: InProcess
) -> None:
    is_confirm = is_of_confirm(ratings_csv)
    marked = mark(ratings_csv, is_confirm, tmp_path / "marked.csv")
    rows = kept(with_confirm(marked)).rows
    assert len(rows) == is_confirm.sum() and (rows.rating == MARK).all()
    folder = run_study(with_confirm(marked), root=tmp_path, watcher=Silent()).study.folder
    decide(folder, top=1, n_seeds=2)
    record = read_study(folder)
    assert {trial.purpose for trial in record.trials} == {Purpose.SEARCH, Purpose.VERDICT}
    arrays = arrays_in(workers.handed)
    assert sum(array.size for array in arrays) > 3 * int((~is_confirm).sum())
    numbers = [array for array in arrays if array.dtype.kind == "f"]
    assert not any((array == MARK).any() for array in numbers)
    for path in folder.rglob("*.npz"):
        with np.load(path, allow_pickle=False) as file:
            assert not any((file[name] == MARK).any() for name in file.files)
    # What they rated is predicted, so somebody saw their rows.
    (shown,) = {array.size for array in numbers if np.isnan(array).any()}
    assert shown == is_confirm.sum()


def test_the_search_is_the_same_whatever_they_rated(
    ratings_csv: Path, tmp_path: Path, workers: InProcess
) -> None:
    marked = mark(ratings_csv, is_of_confirm(ratings_csv), tmp_path / "marked.csv")

    def searched(ratings: Path, name: str) -> StudyRecord:
        sweep = replace(with_confirm(ratings), name=name)
        return run_study(sweep, root=tmp_path, watcher=Silent()).study

    one, other = searched(ratings_csv, "one"), searched(marked, "other")
    for a, b in zip(one.trials, other.trials, strict=True):
        assert (a.values, [e.val_rmse for e in a.epochs]) == (
            b.values,
            [e.val_rmse for e in b.epochs],
        )
    assert [b.val_rmse for b in one.baselines] == [b.val_rmse for b in other.baselines]
    assert decide(one.folder, top=1, n_seeds=2) != decide(other.folder, top=1, n_seeds=2)


def test_the_search_does_not_even_load_them(
    ratings_csv: Path, tmp_path: Path, workers: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("asked for")

    monkeypatch.setattr("experiments.verdict.verdict.load_with_confirm", refuse)
    study = run_study(with_confirm(ratings_csv), root=tmp_path, watcher=Silent()).study
    assert study.ranked
    with pytest.raises(AssertionError, match="asked for"):
        decide(study.folder, top=1, n_seeds=2)


def test_the_verdict_judges_on_them_alone(confirmed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = count_fits(monkeypatch)
    results = decide(confirmed, top=1, n_seeds=2)
    assert sorted(fitted) == sorted(BASELINES)  # the best of them, which is judged, too, but once
    record = read_study(confirmed)
    assert record.verdict is not None and record.verdict.results == results
    rows = kept(frozen_sweep(confirmed))
    assert results.is_confirmed
    assert (results.n_rows, results.n_users) == (len(rows.rows), len(np.unique(rows.users)))
    found = next(f for f in results.finalists if f.shrinkage is not None)
    for index, by_seed in enumerate(found.rmse_by_seed):
        place = confirmed / "predictions" / "validation" / f"{found.name}-v{index + 1}"
        assert by_seed == pytest.approx(
            rmse(read_checkpoint(place)[0]["confirm"], rows.rows.rating)
        )
    # How far the search's number was off is told on the search's own rows.
    fresh = [t.best_rmse for t in record.trials if t.name.startswith(f"{found.name}-v")]
    assert found.shrinkage == pytest.approx(np.mean(fresh) - found.search_rmse)
    assert results.baselines["train_mean"] == pytest.approx(
        rmse(np.full(len(rows.rows), results_mean(confirmed)), rows.rows.rating), abs=1e-5
    )
    searched = {trial.name for trial in record.search_trials}
    assert results.n_choosable == sum(f.name in searched for f in results.finalists)
    # So is where they err.
    assert record.segments is not None
    assert sum(s.n_rows for s in record.segments.segments if s.kind == "user") <= len(rows.rows)


def count_fits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The name of each baseline that is fitted from now on."""
    fitted: list[str] = []

    def counting(name: str, fit: Callable[[EncodedDataset], Model]) -> Callable[..., Model]:
        def fit_and_count(encoded: EncodedDataset) -> Model:
            fitted.append(name)
            return fit(encoded)

        return fit_and_count

    for name, (label, fit) in BASELINES.items():
        monkeypatch.setitem(BASELINES, name, (label, counting(name, fit)))
    return fitted


def results_mean(folder: Path) -> float:
    from experiments.data.study_data import load_data

    return load_data(frozen_sweep(folder)).encoded.train_mean


def test_a_damaged_prediction_of_theirs_is_made_again(confirmed: Path) -> None:
    expected = decide(confirmed, top=1, n_seeds=2)
    damaged = next((confirmed / "predictions" / "validation").glob("*-v1/*.npz"))
    damaged.write_bytes(damaged.read_bytes()[:-9] + b"\0" * 9)
    assert decide(confirmed) == expected


def test_without_them_the_verdict_knows_how_much_too_good_the_best_is(
    study: Path, workers: InProcess
) -> None:
    results = decide(study, top=1, n_seeds=2)
    assert not results.is_confirmed and results.baselines == {}
    assert results.n_choosable == len(read_study(study).ranked)
    assert results.optimism is not None and abs(results.optimism) < 0.2
    assert (study / "trials" / "0000" / "errors").is_dir()


def test_an_opening_of_the_same_test_part_counts_whoever_is_kept(
    study: Path, confirmed: Path
) -> None:
    assert study.parent == confirmed.parent
    decide(confirmed, top=1, n_seeds=2)
    score_on_test(confirmed, "for the paper", Silent())
    (opening,) = read_study(study).openings
    assert (opening.study, opening.why) == (confirmed.name, "for the paper")
    assert read_study(confirmed).openings == (opening,)
