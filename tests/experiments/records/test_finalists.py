"""What a verdict would cost, said before it is asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from experiments.cli.show import show_text
from experiments.cli.terminal import closing_lines
from experiments.records import Purpose, StudyRecord, TrialState, read_study
from experiments.records.finalists import N_SEEDS, TOP, left_to_train, training_s, verdict_cost
from experiments.verdict.frozen_finalists import frozen_or_chosen
from reports.sections.summary import next_command
from tests.synthetic_study import make_study


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> StudyRecord:
    return read_study(make_study(tmp_path_factory.mktemp("studies") / "made-up"))


def test_the_cost_is_that_of_the_verdict_that_would_be_begun(made_up: StudyRecord) -> None:
    cost = verdict_cost(made_up)
    frozen = frozen_or_chosen(made_up)
    assert cost is not None
    assert cost.n_finalists == sum(not f.is_baseline for f in frozen.finalists) >= TOP
    left = left_to_train(made_up, frozen)
    assert (cost.n_left, cost.seconds) == (
        len(left), training_s(left, made_up.provenance["n_workers"]),
    )  # fmt: skip
    assert cost.n_left == cost.n_finalists * N_SEEDS
    first, second = made_up.ranked[:2]
    assert training_s([first, None, second], 4) == 30 + (first.seconds + second.seconds) / 4
    assert training_s([], 4) == 0
    assert cost.text.startswith(f"{cost.n_finalists} models × 5 seeds, about ")


def test_it_stands_wherever_the_command_is_named(
    made_up: StudyRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECSWEEP_STUDIES", str(made_up.folder.parent))
    cost = verdict_cost(made_up)
    assert cost is not None
    line = f"recsweep verdict made-up        ({cost.text})"
    assert f"next     {line}" in closing_lines(made_up)
    assert f"next     {line}" in show_text(made_up).splitlines()
    assert cost.text in next_command(made_up).purpose


def test_a_verdict_that_was_stopped_costs_what_is_left(made_up: StudyRecord) -> None:
    frozen = frozen_or_chosen(made_up)
    done = replace(
        made_up.ranked[0],
        name=frozen.finalists[0].replicate(0),
        number=1_000_000,
        purpose=Purpose.VERDICT,
    )
    begun = replace(made_up, verdict=frozen, trials=(*made_up.trials, done))
    cost, before = verdict_cost(begun), verdict_cost(made_up)
    assert cost is not None and before is not None
    assert cost.n_left == before.n_left - 1 and cost.seconds < before.seconds
    assert cost.text.startswith(f"{cost.n_left} of {before.n_left} trainings left, about ")


def test_where_none_can_be_asked_for_there_is_no_cost(tmp_path: Path, made_up: StudyRecord) -> None:
    unfinished = read_study(make_study(tmp_path / "made-up", is_finished=False))
    assert verdict_cost(unfinished) is None
    failed = tuple(replace(trial, state=TrialState.FAIL) for trial in made_up.trials)
    assert verdict_cost(replace(made_up, trials=failed)) is None
    assert not any("verdict" in line for line in closing_lines(replace(made_up, trials=failed)))
