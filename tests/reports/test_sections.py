from __future__ import annotations

from dataclasses import fields, replace

import pytest

from experiments.records import (
    BaselineRecord,
    ColumnRecord,
    StopReason,
    StudyRecord,
    TrialRecord,
    TrialState,
)
from recommender.config import RankingConfig
from reports.blocks import Beside, Facts, Picture, Table, Text, WatchOuts
from reports.paper.checklist import checklist
from reports.sections import space as space_section
from reports.sections.baselines import baselines
from reports.sections.compare import compare
from reports.sections.edges import LIMITS, edges, edges_of_best
from reports.sections.failures import failures
from reports.sections.importance import importance
from reports.sections.leaderboard import leaderboard
from reports.sections.provenance import provenance
from reports.sections.registry import SECTIONS
from reports.sections.summary import headline, next_command, summary
from tests.reports.conftest import MakeStudy, with_one_complete, without_complete


def words(study: StudyRecord) -> str:
    return " ".join(repr(block) for block in summary(study).blocks)


def watch_outs(study: StudyRecord) -> str:
    for block in summary(study).blocks:
        if isinstance(block, Beside):
            items = [m.items for m in block.margin if isinstance(m, WatchOuts)]
            return " ".join(item.text for found in items for item in found)
    return ""


def test_one_seed_each_decides_nothing(study: StudyRecord) -> None:
    assert headline(study).text == "Not decided: one seed each"


def test_a_single_complete_trial_has_nothing_to_be_compared_with(study: StudyRecord) -> None:
    said = headline(with_one_complete(study))
    assert said.text == "Nothing to compare: one trial is complete"


@pytest.mark.parametrize(
    ("apart", "said"),
    [
        (0.009, "is 0.0090 RMSE ahead of the best plain, less than the 0.01 that one seed"),
        (0.011, "is 0.0110 RMSE ahead of the best plain, more than the 0.01 that one seed"),
    ],
)
def test_a_gap_between_arms_is_held_against_the_noise_and_decides_nothing(
    study: StudyRecord, apart: float, said: str
) -> None:
    plain, dcn = (next(t for t in study.ranked if t.arm == arm) for arm in ("plain", "dcn"))
    two = (replace(plain, best_rmse=0.95), replace(dcn, best_rmse=0.95 - apart))
    shown = replace(study, trials=two)
    assert headline(shown).text == "Not decided: one seed each"
    assert f"The best dcn {said}" in headline(shown).detail
    assert "the best of many is chosen on the rows" in headline(shown).detail
    assert "one seed and these users usually make. Not decided" in repr(compare(shown))
    assert "Shaded: within 0.01 of the first trial" in repr(summary(shown))


def test_without_arms_a_gap_decides_nothing_either(make: MakeStudy) -> None:
    study = make(compare=False)
    first, second = (replace(t, best_rmse=0.95 + 0.02 * i) for i, t in enumerate(study.ranked[:2]))
    said = headline(replace(study, trials=(first, second)))
    assert said.text == "Not decided: one seed each"
    assert "0.0200 RMSE ahead of" in said.detail and "more than the 0.01" in said.detail


def test_losing_to_the_bias_baseline_is_the_headline(study: StudyRecord) -> None:
    strong = replace(study, baselines=(BaselineRecord("bias", "bias", 0.9, 0.1),))
    assert headline(strong).text == "No model beats the bias baseline"


def test_equalling_the_bias_baseline_does_not_beat_it(study: StudyRecord) -> None:
    best = study.ranked[0].best_rmse
    assert best is not None
    equal = replace(study, baselines=(BaselineRecord("bias", "bias", best, 0.1),))
    assert headline(equal).text == "No model beats the bias baseline"


def test_nothing_complete_is_the_headline(study: StudyRecord) -> None:
    assert headline(without_complete(study)).text == "No trial is complete"
    said = headline(without_complete(study)).detail
    assert said.startswith(f"None of {len(study.search_trials)} is COMPLETE (") and "failed" in said
    assert "The first that failed, #" in said and ": " in said


def test_without_a_bias_baseline_none_is_claimed(study: StudyRecord) -> None:
    bare = replace(study, baselines=())
    assert headline(bare).text == "Not decided: one seed each"
    assert "to the bias baseline" not in words(bare)


def test_the_gap_to_the_best_default_is_told(study: StudyRecord) -> None:
    plain, dcn, *others = study.trials
    assert plain.is_default and dcn.is_default
    defaults = replace(plain, best_rmse=0.99), replace(dcn, best_rmse=0.98)
    best = replace(others[0], state=TrialState.COMPLETE, best_rmse=0.95)
    said = words(replace(study, trials=(*defaults, best)))
    assert "'−0.0300', 'to the best default, #1, 0.9800'" in said
    said = words(replace(study, trials=defaults))
    assert "'0.0000', 'it is a default configuration'" in said


def test_a_default_that_did_not_complete_is_told(study: StudyRecord) -> None:
    pruned = tuple(replace(trial, state=TrialState.PRUNED) for trial in study.trials[:2])
    changed = replace(study, trials=(*pruned, *study.trials[2:]))
    assert "#0 is PRUNED" in words(changed)
    assert "did not complete" in watch_outs(changed)


def test_the_first_screen_says_what_rmse_averages_over(study: StudyRecord) -> None:
    assert "over 15,778 validation rows, predictions unclipped" in words(study)


def test_the_cold_share_and_the_lost_trials_are_watched(study: StudyRecord) -> None:
    said = watch_outs(study)
    assert "82.0 % of the validation rows belong to users never seen in training" in said
    assert "2 failed and 1 diverged of 24 trials" in said


def test_a_baseline_that_noise_cannot_tell_from_the_best_is_watched(study: StudyRecord) -> None:
    best = study.ranked[0].best_rmse
    assert best is not None
    close = BaselineRecord("matrix_factorisation", "matrix factorisation", best + 0.009, 1.0)
    better = BaselineRecord("item_mean", "item mean", best - 0.001, 1.0)
    bias = BaselineRecord("bias", "bias", best + 0.1, 1.0)
    said = watch_outs(replace(study, baselines=(close, better, bias)))
    assert "does not beat these baselines: item mean" in said
    assert "within the noise of these baselines: matrix factorisation" in said


def test_a_default_that_noise_cannot_tell_from_the_best_is_watched(study: StudyRecord) -> None:
    best = study.ranked[0]
    assert best.best_rmse is not None
    near = replace(study.trials[0], best_rmse=best.best_rmse + 0.009)
    shown = replace(study, trials=(near, replace(best, is_default=False)))
    assert "Noise cannot tell a default configuration, #0, from the best." in watch_outs(shown)


def test_the_next_command_fits_the_state(study: StudyRecord) -> None:
    more = replace(study, n_trials_asked_for=60)
    running, interrupted = replace(more, state="running"), replace(more, state="interrupted")
    assert next_command(running).lines == ("recsweep show made-up --watch",)
    assert next_command(interrupted).lines == ("recsweep resume made-up",)
    assert next_command(study).lines == ("recsweep verdict made-up",)
    described = study.provenance["dataset"]
    of_one_user = described | {"validation": described["validation"] | {"n_users": 1}}
    refused = replace(study, provenance={**study.provenance, "dataset": of_one_user})
    assert next_command(refused).lines == ("recsweep show made-up",)


def test_a_driver_that_has_nothing_left_to_run_counts_as_finished(study: StudyRecord) -> None:
    assert next_command(replace(study, state="running")) == next_command(study)


def test_what_validation_chooses_of_the_baselines_is_told(study: StudyRecord) -> None:
    (text,) = (block.text for block in baselines(study).blocks if isinstance(block, Text))
    assert "these also choose the regularisation of the bias and the epoch of the matrix" in text


def test_the_leaderboard_holds_complete_trials_and_baselines_only(study: StudyRecord) -> None:
    table = next(b for b in leaderboard(study).blocks if isinstance(b, Table))
    named = [row.cells[1].split()[0] for row in table.rows]
    ranked = [f"#{trial.number}" for trial in study.ranked]
    assert [name for name in named if name.startswith("#")] == ranked
    assert sum(row.look == "baseline" for row in table.rows) == len(study.baselines)


def test_a_layer_that_does_not_exist_is_not_shown(study: StudyRecord) -> None:
    table = next(b for b in leaderboard(study).blocks if isinstance(b, Table))
    titles = [column.title for column in table.columns]
    assert "layers" in titles
    assert not [title for title in titles if title.startswith("layer_size_")]


def test_a_parameter_of_ones_own_that_is_named_like_a_layer_has_its_column(
    study: StudyRecord,
) -> None:
    own = ColumnRecord("layer_size_decay", "float", 0.1, 1.0, False, ())
    shown = leaderboard(replace(study, columns=(*study.columns, own)))
    table = next(b for b in shown.blocks if isinstance(b, Table))
    assert "layer_size_decay" in [column.title for column in table.columns]


def test_a_value_at_the_end_of_its_own_case_is_an_edge(study: StudyRecord) -> None:
    best = study.ranked[0]
    at_end = replace(
        best, values=dict(best.values) | {"optimizer": "adam", "learning_rate": 4.9e-3}
    )
    edges = edges_of_best(replace(study, trials=(at_end,)))
    found = next(edge for edge in edges if edge.dimension == "learning_rate")
    assert (found.side, found.span) == ("upper end", "0.0003 to 0.005, log")


def test_the_same_value_inside_another_case_is_no_edge(study: StudyRecord) -> None:
    best = study.ranked[0]
    inside = replace(
        best, values=dict(best.values) | {"optimizer": "adagrad", "learning_rate": 0.1}
    )
    edges = edges_of_best(replace(study, trials=(inside,)))
    assert "learning_rate" not in [edge.dimension for edge in edges]


def test_an_end_at_zero_is_no_edge(study: StudyRecord) -> None:
    best = study.ranked[0]
    at_zero = replace(best, values=dict(best.values) | {"dropout": 0.0})
    edges = edges_of_best(replace(study, trials=(at_zero,)))
    assert "dropout" not in [edge.dimension for edge in edges]


@pytest.mark.parametrize(
    ("name", "low", "high", "value", "side"),
    [
        ("shift", -2.0, -1.0, -1.99, "lower end"), ("shift", -2.0, -1.0, -1.01, "upper end"),
        ("shift", -2.0, 2.0, -2.0, "lower end"), ("shift", -2.0, 0.0, 0.0, None),
        ("learning_rate_decay", 0.8, 1.0, 0.999, None),
        ("learning_rate_decay", 0.8, 1.0, 0.801, "lower end"),
        ("learning_rate_decay", 0.8, 0.95, 0.949, "upper end"),
        ("cross_layers", 1.0, 6.0, 1, None), ("cross_layers", 1.0, 6.0, 6, "upper end"),
    ],
)  # fmt: skip
def test_an_end_is_an_edge_unless_nothing_can_lie_beyond(
    study: StudyRecord, name: str, low: float, high: float, value: float, side: str | None
) -> None:
    best = study.ranked[0]
    at_end = replace(best, values={name: value})
    column = ColumnRecord(name, "float", low, high, False, ())
    shown = replace(study, trials=(at_end,), columns=(column,), sweep={})
    assert [edge.side for edge in edges_of_best(shown)] == [side] * (side is not None)


@pytest.mark.parametrize(
    ("kind", "low", "high", "step", "span"),
    [
        ("int", 64, 128, 64, None), ("int", 64, 256, 64, "64 to 256"),
        ("int", 256, 8192, None, "256 to 8192"), ("int", 1, 3, None, None),
        ("float", 0.2, 0.4, 0.1, None), ("float", 0.1, 0.4, 0.1, "0.1 to 0.4"),
    ],
)  # fmt: skip
def test_steps_are_counted_and_whole_numbers_told_as_such(
    study: StudyRecord, kind: str, low: float, high: float, step: float | None, span: str | None
) -> None:
    stated = {"low": low, "high": high} | ({} if step is None else {"step": step})
    shown = replace(
        study,
        trials=(replace(study.ranked[0], values={"own": high}),),
        columns=(ColumnRecord("own", kind, float(low), float(high), False, ()),),
        sweep={"space": {"own": stated}},
    )
    assert [edge.span for edge in edges_of_best(shown)] == [span] * (span is not None)


def test_where_no_range_has_edges_it_is_not_said_that_none_was_met(study: StudyRecord) -> None:
    inside = replace(study.ranked[0], values={"dropout": 0.2, "optimizer": "adam"})
    shown = replace(study, trials=(inside,))
    assert "No value of the best trial lies on the edge" in repr(edges(shown))
    short = tuple(c for c in study.columns if c.name != "dropout")
    assert "No range that held in the best trial is long enough" in repr(
        edges(replace(shown, columns=short))
    )


def test_ends_that_no_sweep_can_move_are_limits_of_recsweep_s_models() -> None:
    limits = {f.name: {*f.metadata.values()} for f in fields(RankingConfig)}
    assert all(end in limits[name] for name, end in LIMITS.items())


def test_an_edge_counts_the_near_trials_that_share_it(study: StudyRecord) -> None:
    best = study.ranked[0]
    assert best.best_rmse is not None
    values = dict(best.values) | {"dropout": 0.5}
    twins = (
        replace(best, number=0, values=values),
        replace(best, number=1, best_rmse=best.best_rmse + 0.001, values=values | {"item_l2": 1.0}),
        replace(best, number=2, best_rmse=best.best_rmse + 0.002, values=values | {"dropout": 0.3}),
        replace(best, number=3, best_rmse=best.best_rmse + 0.1, values=values),
    )
    edges = edges_of_best(replace(study, trials=twins))
    found = next(edge for edge in edges if edge.dimension == "dropout")
    assert (found.n_near, found.n_near_active) == (2, 3)


def test_epochs_that_ran_out_are_watched_but_not_of_a_model_that_is_fitted_in_one_go(
    study: StudyRecord,
) -> None:
    best, *others = (replace(t, stop_reason=StopReason.PATIENCE) for t in study.ranked[:4])
    assert best.best_rmse is not None
    others = [replace(t, best_rmse=best.best_rmse + 0.001) for t in others]

    def trained(trial: TrialRecord, n_epochs: int) -> TrialRecord:
        epochs = study.ranked[0].epochs[:n_epochs]
        return replace(trial, epochs=epochs, best_epoch=n_epochs, stop_reason=StopReason.MAX_EPOCHS)

    late = trained(best, 5)
    shown = replace(study, trials=(late, trained(others[0], 5), *others[1:]))
    assert "was still improving in the last of 5 epochs (of the 4 models within noise 2 were)" in (
        watch_outs(shown)
    )
    for first in (best, replace(late, best_epoch=4), trained(best, 1)):
        assert "still improving" not in watch_outs(replace(shown, trials=(first, *others)))


def test_importance_is_left_out_with_its_reason(make: MakeStudy) -> None:
    few = make(n_trials=8)
    texts = [block.text for block in importance(few).blocks if block.kind == "problem"]
    assert len(texts) == 2
    assert "under 12 the shares are noise" in texts[0]


def test_importance_is_drawn_for_each_arm(study: StudyRecord) -> None:
    (drawn,) = [b for b in importance(study).blocks if isinstance(b, Picture)]
    assert "drawn again with replacement, 200 times." in drawn.caption
    assert "plain: learning_rate 0.62 (0.37 to 0.81)" in drawn.alt
    assert "dcn: learning_rate 0.62 (0.37 to 0.81)" in drawn.alt
    (table,) = [b for b in importance(study).blocks if isinstance(b, Table)]
    assert ("dcn", "dropout", "0.20", "0.12 to 0.26") in {row.cells[:4] for row in table.rows}


def test_a_dimension_matters_most_only_where_its_interval_is_clear_of_all_others(
    study: StudyRecord,
) -> None:
    first, second, *_ = study.importance

    def said(low: float, high: float) -> str:
        records = (replace(first, low=low), replace(second, high=high))
        section = importance(replace(study, importance=records))
        return next(block.text for block in section.blocks if isinstance(block, Text))

    assert said(0.31, 0.3) == "plain: learning_rate matters most, clear of every other dimension."
    assert "not decided" in said(0.3, 0.3)


def test_importance_without_intervals_says_so(study: StudyRecord) -> None:
    records = tuple(replace(record, low=None, high=None) for record in study.importance)
    section = importance(replace(study, importance=records))
    assert not any(isinstance(block, Text) for block in section.blocks)
    (drawn,) = [b for b in section.blocks if isinstance(b, Picture)]
    assert "No intervals" in drawn.caption and "learning_rate 0.62, " in drawn.alt


def test_nothing_is_compared_where_the_sweep_compares_nothing(make: MakeStudy) -> None:
    assert compare(make(n_trials=8, compare=False)) is None


def test_an_arm_without_a_complete_trial_has_its_row(study: StudyRecord) -> None:
    only_plain = tuple(t for t in study.trials if t.arm == "plain" or not t.is_ranked)
    section = compare(replace(study, trials=only_plain))
    assert section is not None
    table = next(block for block in section.blocks if isinstance(block, Table))
    assert [row.cells[:2] for row in table.rows][1] == ("dcn", "–")


def test_of_a_large_arm_the_caption_says_how_many_trials_are_drawn(study: StudyRecord) -> None:
    plain, dcn = (next(t for t in study.ranked if t.arm == arm) for arm in ("plain", "dcn"))
    many = tuple(replace(plain, number=i + 2) for i in range(401))
    section = compare(replace(study, trials=(*many, dcn)))
    assert section is not None
    (drawn,) = (block for block in section.blocks if isinstance(block, Picture))
    assert drawn.caption.endswith(" Drawn, evenly by rank: 201 of 401 plain.")


def test_of_many_trials_the_slices_say_how_many_are_drawn(
    study: StudyRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    def caption() -> str:
        section = space_section.space(study)
        assert section is not None
        return next(
            b.caption for b in section.blocks if isinstance(b, Picture) and b.name == "slices"
        )

    assert "drawn" not in caption()
    monkeypatch.setattr(space_section, "N_DOTS", len(study.ranked) - 1)
    n_drawn = -(-len(study.ranked) // 2)
    assert f"along each dimension ({n_drawn} drawn, evenly by rank), all" in caption()


def test_each_trial_without_a_rank_is_listed_once(study: StudyRecord) -> None:
    tables = [block for block in failures(study).blocks if isinstance(block, Table)]
    listed = [row.cells[0].split()[0] for table in tables for row in table.rows]
    unranked = [f"#{t.number}" for t in study.trials if t.state.is_finished and not t.is_ranked]
    assert sorted(listed) == sorted(unranked)


def test_a_trial_that_is_tried_again_from_its_start_went_on_from_no_checkpoint(
    study: StudyRecord,
) -> None:
    assert "1 trial took more than one attempt" in repr(failures(study))
    assert "; 1 went on from a checkpoint." in repr(failures(study))
    trial = next(trial for trial in study.search_trials if len(trial.attempts) > 1)
    anew = tuple(replace(attempt, first_epoch=1) for attempt in trial.attempts)
    again = replace(study, trials=(replace(trial, attempts=anew),))
    assert "; 0 went on from a checkpoint." in repr(failures(again))


@pytest.mark.parametrize("val_rmse", [float("nan"), 0.5])
def test_the_epoch_that_diverged_is_the_last_also_where_train_alone_is_not_finite(
    study: StudyRecord, val_rmse: float
) -> None:
    (trial,) = (t for t in study.trials if t.is_diverged)
    first, second, third = trial.epochs
    epochs = (first, second, replace(third, val_rmse=val_rmse))
    shown = replace(study, trials=(replace(trial, epochs=epochs, best_rmse=0.5),))
    _, table = failures(shown).blocks
    assert isinstance(table, Table)
    best = min(first.val_rmse, second.val_rmse)
    assert table.rows[0].cells[1:3] == ("3", f"{best:.4f}")


def test_provenance_tells_how_many_trials_shared_a_gpu_and_why(study: StudyRecord) -> None:
    def told(packing: list[dict[str, object]]) -> str | None:
        probed = replace(study, provenance={**study.provenance, "packing": packing})
        (facts,) = (block for block in provenance(probed).blocks if isinstance(block, Facts))
        return dict(facts.items).get("trials a GPU")

    chosen = {"trials_per_gpu": 4, "why": "they train 3.1 times as much"}
    assert told([chosen, {"trials_per_gpu": 1, "why": "no more are left"}]) == (
        "4: they train 3.1 times as much · 1: no more are left"
    )
    assert told([]) is None


def test_a_gpu_that_does_not_repeat_is_told_and_watched(study: StudyRecord) -> None:
    def told(repeats: bool | None) -> tuple[str | None, bool]:
        there = replace(study, provenance={**study.provenance, "gpu_repeats": repeats})
        (facts,) = (block for block in provenance(there).blocks if isinstance(block, Facts))
        return dict(facts.items).get("sums on a GPU"), "TF_DETERMINISTIC_OPS" in watch_outs(there)

    assert told(None) == (None, False)
    assert told(True) == ("in one order: a trial repeats to the bit on the same kind of GPU", False)
    assert told(False) == (
        "in any order (TF_DETERMINISTIC_OPS=0): a trial does not repeat to the bit",
        True,
    )


def test_provenance_gives_the_command_of_each_row(study: StudyRecord) -> None:
    tables = [block for block in provenance(study).blocks if isinstance(block, Table)]
    commands = [row.cells[-1] for row in tables[0].rows]
    assert len(commands) == len(study.ranked)
    best = study.ranked[0].number
    assert commands[0] == (
        f"recsweep best made-up:{best} > made-up-{best}.toml && recsweep train made-up-{best}.toml"
    )


def test_the_command_that_runs_it_again_has_the_trials_that_it_was_extended_to(
    study: StudyRecord,
) -> None:
    extended = replace(study, n_trials_asked_for=30)
    for shown, end in ((study, "sweep.toml"), (extended, "sweep.toml --set search.trials=30")):
        command = f"recsweep run studies/made-up/{end}"
        assert f"('{command}',)" in repr(provenance(shown))
        assert command in [item.evidence for item in checklist(shown)]


def test_a_study_name_is_quoted_for_the_shell(study: StudyRecord) -> None:
    assert next_command(replace(without_complete(study), name="a b")).lines == (
        "recsweep show 'a b'",
    )


@pytest.mark.parametrize("anchor", list(SECTIONS))
def test_every_section_copes_with_every_state(study: StudyRecord, anchor: str) -> None:
    bare = replace(
        study, trials=(), baselines=(), importance=(), columns=(), provenance={}, sweep={}
    )
    for case in (study, without_complete(study), with_one_complete(study), bare):
        SECTIONS[anchor](case)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("anchor", list(SECTIONS))
def test_every_column_of_every_table_is_defined(judged_study: StudyRecord, anchor: str) -> None:
    section = SECTIONS[anchor](judged_study)
    assert section is not None
    for block in section.blocks:
        if isinstance(block, Table):
            assert all(column.definition.endswith(".") for column in block.columns), block.caption
