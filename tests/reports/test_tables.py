"""Every cell of the tables that rank and compare, against the record or its exported table."""

from __future__ import annotations

from dataclasses import replace
from statistics import median

import pandas as pd
import pytest

from experiments.records import StudyRecord, TrialState
from reports import numbers
from reports.blocks import Section, Table
from reports.exports import trials_frame, verdict_frame
from reports.judging.decision import ANSWERS, label
from reports.sections.baselines import baselines
from reports.sections.compare import compare
from reports.sections.leaderboard import leaderboard
from reports.sections.summary import summary
from reports.sections.verdict import verdict
from tests.reports.verdicts import judged


def tables(section: Section | None) -> list[dict[str, dict[str, str]]]:
    """Of each table the rows, by what names them, as cells by column."""
    assert section is not None
    found = [block for block in section.blocks if isinstance(block, Table)]
    named = ("arm", "finalist", "first", "baseline", "trial")
    rows = []
    for table in found:
        titles = [column.title for column in table.columns]
        place = next(titles.index(name) for name in named if name in titles)
        rows.append({r.cells[place]: dict(zip(titles, r.cells, strict=True)) for r in table.rows})
    return rows


@pytest.fixture(scope="module")
def frame(study: StudyRecord) -> pd.DataFrame:
    return trials_frame(study).set_index("number")


def of_frame(frame: pd.DataFrame, number: int) -> dict[str, str]:
    row = frame.loc[number]
    return {
        "rank": str(row["rank"]),
        "RMSE": f"{row['best_rmse']:.4f}",
        "to bias": numbers.gap(row["to_bias"]),
        "to first": numbers.gap(row["to_first"]),
        "epoch": str(row["best_epoch"]),
        "updates": f"{row['n_updates']:,}",
        "time": numbers.seconds(row["seconds"]),
        "parameters": f"{row['n_parameters']:,}",
    }


def test_the_leaderboard_and_the_first_screen_have_the_numbers_of_the_csv(
    study: StudyRecord, frame: pd.DataFrame
) -> None:
    (board,), (top,) = tables(leaderboard(study)), tables(summary(study))
    assert len(top) > 5
    for trial in study.ranked:
        expected = of_frame(frame, trial.number)
        name = label(study, trial.name)
        for rows in (board, top) if name in top else (board,):
            shared = expected.keys() & rows[name].keys()
            assert {title: rows[name][title] for title in shared} == {
                title: expected[title] for title in shared
            }
    best, bias = study.ranked[0].best_rmse or 0, 1.04
    for baseline in study.baselines:
        row = board[baseline.label]
        assert (row["rank"], row["RMSE"]) == ("", f"{baseline.val_rmse:.4f}")
        assert row["to bias"] == numbers.gap(baseline.val_rmse - bias)
        assert row["to first"] == numbers.gap(baseline.val_rmse - best)


def test_baselines_tell_who_beats_them_and_by_how_much(study: StudyRecord) -> None:
    rmse = [trial.best_rmse or 0 for trial in study.ranked]
    between = replace(study.baselines[0], name="item_mean", label="item mean", val_rmse=rmse[3])
    (rows,) = tables(baselines(replace(study, baselines=(study.baselines[2], between))))
    assert list(rows) == ["item mean", "user + item bias"]
    for row, value, beaten in (
        (rows["item mean"], rmse[3], 3),
        (rows["user + item bias"], 1.04, 0),
    ):
        n_beating = beaten or sum(one < 1.04 for one in rmse)
        assert row["RMSE"] == f"{value:.4f}"
        assert row["beaten by"] == f"{n_beating} of {len(rmse)}"
        assert row["best to it"] == numbers.gap(rmse[0] - value)


def test_an_arm_is_told_by_all_of_its_trials(study: StudyRecord, frame: pd.DataFrame) -> None:
    (rows,) = tables(compare(study))
    assert list(rows) == ["plain", "dcn"]
    for arm, row in rows.items():
        own = frame[frame["arm"] == arm]
        ranked = own[own["rank"].notna()].sort_values("rank")
        assert row["best"] == f"{ranked['best_rmse'].iloc[0]:.4f}"
        assert row["trial"] == f"#{ranked.index[0]}"
        assert row["median"] == f"{median(ranked['best_rmse']):.4f}"
        n_diverged = int((own["stop_reason"] == "diverged").sum())
        n_pruned = int((own["state"] == TrialState.PRUNED).sum()) - n_diverged
        n_failed = int((own["state"] == TrialState.FAIL).sum())
        counts = (len(ranked), n_pruned, n_diverged, n_failed)
        told = tuple(row[title] for title in ("complete", "pruned", "diverged", "failed"))
        assert told == tuple(map(str, counts))
        assert row["open"] == str(len(own) - sum(counts))
        assert row["updates"] == f"{own['n_updates'].sum():,}"
        assert row["time"] == numbers.seconds(own["seconds"].sum())


def test_finalists_and_pairs_have_the_numbers_of_the_verdict(study: StudyRecord) -> None:
    plain, dcn = (next(t.number for t in study.ranked if t.arm == arm) for arm in ("plain", "dcn"))
    other = next(t.number for t in study.ranked if t.number not in (plain, dcn))
    shown = judged(study, {plain: 0.03, dcn: 0.01, other: 0.02}, failed=(other,), control=0.011)
    finalists, pairs = tables(verdict(shown))
    frame, results = verdict_frame(shown), shown.verdict_results
    assert frame is not None and results is not None
    by_name = frame.groupby("finalist").first()
    assert len(finalists) == len(results.finalists) == 5
    names = {f.name for f in results.finalists} | {b.name for b in shown.baselines}
    assert set(by_name.index) == names

    def gap(value: float) -> str:
        return numbers.NOTHING if pd.isna(value) else numbers.gap(value)

    for found in results.finalists:
        row, csv = finalists[label(shown, found.name)], by_name.loc[found.name]
        assert row["search RMSE"] == (
            numbers.NOTHING if pd.isna(csv.search_rmse) else f"{csv.search_rmse:.4f}"
        )
        assert row["shrinkage"] == gap(csv.shrinkage)
        if found.mean is None:
            assert row["95 % interval"] == "1 of 5 failed or diverged"
            assert row["RMSE"] == row["to bias"] == row["P(best)"] == numbers.NOTHING
            continue
        assert row["RMSE"] == f"{csv['mean']:.4f}"
        ends = numbers.NOTHING
        if not pd.isna(csv.mean_low):
            ends = f"{csv.mean_low:.4f} to {csv.mean_high:.4f}"
        assert row["95 % interval"] == ends
        assert row["to bias"] == gap(csv["mean"] - 1.04)
        assert row["P(best)"] == f"{csv.p_best:.2f}"
    last = results.pair(results.finalists[0].name, results.finalists[3].name)
    assert last is not None
    row = pairs[label(shown, last.first)]  # of the pairs with the same first the last is left
    assert row["second"] == label(shown, last.second)
    assert row["difference"] == gap(last.estimate)
    assert row["95 % interval"] == f"{gap(last.low)} to {gap(last.high)}"
    assert row["bootstrap"] == f"{gap(last.bootstrap_low)} to {gap(last.bootstrap_high)}"
    assert (row["p"], row["p (Holm)"]) == tuple(map(numbers.p_value, (last.p, last.holm_p)))
    assert row["answer"] == ANSWERS[last.answer] == "better"
