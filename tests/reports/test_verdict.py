from __future__ import annotations

import re
from dataclasses import replace

import pytest

from experiments.cli.judged import test_lines as lines_of_test
from experiments.records import BaselineRecord, Finalist, StudyRecord, TrialState, VerdictResults
from reports.blocks import Beside, Picture, Problem, Table
from reports.exports import verdict_frame
from reports.judging.decision import chosen_text, smallest_tied
from reports.model_card import model_card
from reports.paper.latex import unsealed_table, verdict_table
from reports.paper.methods import methods_paragraph
from reports.render import write_report
from reports.sections.budget import budget
from reports.sections.compare import compare
from reports.sections.curves import curves
from reports.sections.data import data
from reports.sections.importance import importance
from reports.sections.leaderboard import leaderboard
from reports.sections.summary import headline, next_command, summary
from reports.sections.unsealed import unsealed
from reports.sections.verdict import verdict
from reports.sections.watch_outs import watch_outs
from tests.reports.conftest import MakeStudy
from tests.reports.verdicts import N_SEEDS, judged, opened

pytestmark = pytest.mark.slow


def best_of_each_arm(study: StudyRecord) -> tuple[int, int]:
    """Numbers of the best plain and the best dcn trial."""
    first = {arm: next(t.number for t in study.ranked if t.arm == arm) for arm in ("plain", "dcn")}
    return first["plain"], first["dcn"]


def test_a_clear_difference_is_the_headline_with_its_interval(study: StudyRecord) -> None:
    plain, dcn = best_of_each_arm(study)
    said = headline(judged(study, {plain: 0.03, dcn: 0.01}))
    assert said.text.startswith("dcn beats plain by 0.0")
    low, high = said.text.split("(")[1].rstrip(")").split(" to ")
    assert float(low) < 0.02 < float(high)
    assert "5 fresh seeds" in said.detail


def test_models_within_the_margin_tie_and_the_smaller_is_taken(study: StudyRecord) -> None:
    plain, dcn = best_of_each_arm(study)
    sized = (replace(t, n_parameters=100 + t.number) for t in study.trials)
    tied = judged(replace(study, trials=tuple(sized)), {plain: 0.0208, dcn: 0.02})
    said = headline(tied)
    assert said.text == "dcn and plain tie within 0.003: take the smaller"
    assert re.search(r"; 0\.000\d apart \(−0\.\d+ to 0\.\d+\); 95 % interval", said.detail)
    assert tied.verdict is not None and tied.verdict.results is not None
    smaller = smallest_tied(tied, tied.verdict.results)
    sizes = {n: t.n_parameters for n in (plain, dcn) if (t := study.trial(n))}
    assert smaller is not None and smaller.number == min(sizes, key=lambda n: sizes[n] or 0)
    assert f"#{smaller.number}" in said.detail
    assert f"made-up:{smaller.number}" in next_command(tied).lines[0]
    for n, purpose in ((dcn, "Take the leader"), (plain, "Take the smallest that ties with the")):
        sized = (replace(t, n_parameters=7) if t.number == n else t for t in tied.trials)
        assert next_command(replace(tied, trials=tuple(sized))).purpose.startswith(purpose)


def test_of_a_tie_of_models_of_one_size_the_leader_is_taken(study: StudyRecord) -> None:
    numbers = sorted(best_of_each_arm(study))
    same = tuple(replace(trial, n_parameters=7) for trial in study.trials)
    for leader, other in (numbers, numbers[::-1]):
        tied = judged(replace(study, trials=same), {other: 0.0208, leader: 0.02})
        assert headline(tied).text.endswith(" tie within 0.003")
        assert "None that ties with the leader is smaller" in headline(tied).detail
        assert next_command(tied).purpose == "Take the leader"
        assert next_command(tied).lines == (f"recsweep export made-up:{leader}",)


def test_of_a_tie_with_a_model_of_unknown_size_the_leader_is_offered(study: StudyRecord) -> None:
    plain, dcn = best_of_each_arm(study)
    unknown = tuple(
        replace(trial, n_parameters=None) if trial.number == dcn else trial
        for trial in study.trials
    )
    tied = judged(replace(study, trials=unknown), {plain: 0.0208, dcn: 0.02})
    assert headline(tied).text == "dcn and plain tie within 0.003"
    assert "the smallest is not known" in headline(tied).detail
    assert next_command(tied).purpose == "Take the leader"
    assert f"made-up:{dcn}" in next_command(tied).lines[0]


def test_between_a_tie_and_a_win_nothing_is_decided(study: StudyRecord) -> None:
    plain, dcn = best_of_each_arm(study)
    said = headline(judged(study, {plain: 0.0228, dcn: 0.02}))
    assert said.text.startswith("Not decided after 5 seeds: dcn is ahead of plain by 0.002")


def test_without_arms_the_leader_meets_the_next(make: MakeStudy) -> None:
    study = make(compare=False)
    first, second = (trial.number for trial in study.ranked[:2])
    said = headline(judged(study, {first: 0.03, second: 0.01}))
    assert said.text.startswith(f"#{second}") and f" beats #{first} by" in said.text


def test_a_single_finalist_meets_the_best_baseline(make: MakeStudy) -> None:
    study = make(compare=False)
    said = headline(judged(study, {study.ranked[0].number: 0.01}))
    assert "beats matrix factorisation by" in said.text


def test_of_a_tie_with_a_baseline_no_smaller_model_is_named(make: MakeStudy) -> None:
    study = make(compare=False)
    said = headline(judged(study, {study.ranked[0].number: 0.0385}))
    assert said.text.endswith("tie within 0.003") and "smallest" not in said.detail


@pytest.mark.parametrize(
    ("off", "how"), [(0.2, "is beaten by"), (0.0395, "ties with"), (0.0, "beats")]
)
def test_how_the_leader_did_against_the_best_baseline_is_watched(
    make: MakeStudy, off: float, how: str
) -> None:
    study = make(compare=False)
    after = judged(study, {study.ranked[0].number: off})
    said = repr(watch_outs(after))
    assert (f"{how} matrix factorisation" in said) == (how != "beats")
    assert "was not shown to beat" not in said
    take = next_command(after).purpose
    assert take.startswith(
        "Take the matrix factorisation baseline" if how == "is beaten by" else "Take the leader"
    )


def test_after_a_verdict_an_edge_is_told_of_the_first_of_the_search(study: StudyRecord) -> None:
    plain, dcn = best_of_each_arm(study)
    first = study.ranked[0]
    at_end = replace(first, values={**first.values, "embedding_size": 64})
    searched = replace(study, trials=tuple(at_end if t == first else t for t in study.trials))
    other = plain if first.number == dcn else dcn
    shown = judged(searched, {first.number: 0.03, other: 0.01})
    assert f"The best trial of the search, #{first.number} " in repr(watch_outs(shown))


def test_an_arm_that_is_a_number_is_told_with_its_dimension(study: StudyRecord) -> None:
    sizes = {"plain": "8", "dcn": "16"}
    trials = tuple(replace(trial, arm=sizes[trial.arm or ""]) for trial in study.trials)
    sweep = {**study.sweep, "compare": {"dimension": "embedding_size"}}
    sized = replace(study, trials=trials, sweep=sweep)
    plain, dcn = best_of_each_arm(study)
    said = headline(judged(sized, {plain: 0.03, dcn: 0.01})).text
    assert said.startswith("embedding_size 16 beats embedding_size 8 by")
    lost = headline(judged(sized, {plain: 0.03, dcn: 0.01}, failed=(dcn,))).text
    assert lost == "Not decided: no embedding_size 16 finalist completed under every seed"
    assert "the best embedding_size" in headline(sized).detail
    assert "12 embedding_size 8, 12 embedding_size 16" in methods_paragraph(sized)
    best = Finalist(study.ranked[0].name, study.ranked[0].number, ("place 1", "best 16"))
    record = judged(sized, {}).verdict
    assert record is not None
    told = chosen_text(sized, replace(record, finalists=(best,)))
    assert told == "the best, the best embedding_size 16"


def test_what_stands_in_tables_and_pictures_names_the_dimension_of_a_numeric_arm(
    study: StudyRecord,
) -> None:
    sizes = {"plain": "8", "dcn": "16"}
    sized = replace(
        study,
        trials=tuple(replace(t, arm=sizes[t.arm or ""]) for t in study.trials),
        importance=tuple(replace(r, arm=sizes[r.arm or ""]) for r in study.importance),
        sweep={**study.sweep, "compare": {"dimension": "embedding_size"}},
    )
    plain, dcn = best_of_each_arm(study)
    after = judged(sized, {plain: 0.03, dcn: 0.01})
    assert after.verdict is not None
    chosen = tuple(replace(f, reasons=("best 8",)) for f in after.verdict.finalists)
    after = replace(after, verdict=replace(after.verdict, finalists=chosen))
    for section in (leaderboard, verdict, curves):
        assert f"#{dcn} embedding_size 16" in repr(section(after))
    assert "'best embedding_size 8'" in repr(verdict(after))
    for section in (budget, compare):
        assert "embedding_size 16: " in repr(section(after))
    assert "embedding_size 8: learning_rate" in repr(importance(after))
    for svg in (p.narrow for p in budget(after).blocks if isinstance(p, Picture)):
        assert ">embedding_size 8<" in svg


def test_losing_to_the_bias_baseline_goes_first(study: StudyRecord) -> None:
    plain, dcn = best_of_each_arm(study)
    lost = judged(study, {plain: 0.2, dcn: 0.1})
    assert headline(lost).text == "No model beats the bias baseline"
    assert next_command(lost).purpose.startswith("Take the matrix factorisation baseline, which")
    alone = replace(study, baselines=tuple(b for b in study.baselines if b.name == "bias"))
    lost = judged(alone, {plain: 0.2, dcn: 0.0402})
    assert next_command(lost).purpose.startswith("Take the user + item bias baseline, which the")


def test_what_does_not_beat_the_bias_baseline_is_not_offered(study: StudyRecord) -> None:
    plain, dcn = best_of_each_arm(study)
    lost = judged(study, {plain: 0.03, dcn: 0.01})
    assert next_command(lost).purpose.startswith("Take the leader")
    strong = BaselineRecord("bias", "user + item bias", 1.0, 0.1)  # no finalist
    lost = replace(lost, baselines=(strong, *study.baselines[:2]))
    assert headline(lost).text == "No model beats the bias baseline"
    assert next_command(lost).purpose == (
        "Take the user + item bias baseline, which the leader does not beat, or let more vary"
    )
    better = BaselineRecord("matrix_factorisation", "matrix factorisation", 0.99, 0.1)
    lost = replace(lost, baselines=(strong, better))
    assert next_command(lost).purpose.startswith("Take the matrix factorisation baseline, which")


def test_losing_to_another_baseline_goes_before_what_sets_models_apart(study: StudyRecord) -> None:
    plain, dcn = best_of_each_arm(study)
    baselines = tuple(b for b in study.baselines if b.name == "matrix_factorisation")
    lost = judged(replace(study, baselines=baselines), {plain: 0.055, dcn: 0.045})
    said = headline(lost)
    assert said.text == "No model beats matrix factorisation"
    assert said.detail.startswith("Mean validation RMSE over 5 fresh seeds: 1.0390 (matrix fact")
    assert "dcn beats plain by 0.0" in said.detail
    assert re.search(r"; 0\.0\d+ apart \(0\.\d+ to 0\.\d+\); 95 % interval", said.detail)
    assert next_command(lost).purpose.startswith("Take the matrix factorisation baseline")


def test_a_control_that_beats_the_bias_baseline_is_no_trial_that_does(study: StudyRecord) -> None:
    plain, dcn = best_of_each_arm(study)
    lost = judged(study, {plain: 0.2, dcn: 0.1}, control=0.01)
    assert headline(lost).text == "No trial of the search beats the bias baseline"
    assert next_command(lost).purpose.startswith("Take the matrix factorisation baseline, which")


def test_a_baseline_that_is_lower_on_kept_rows_and_no_finalist_is_told(study: StudyRecord) -> None:
    plain, dcn = best_of_each_arm(study)
    before = judged(study, {plain: 0.02, dcn: 0.01})
    frozen, results = before.verdict, before.verdict_results
    assert frozen is not None and results is not None and results.finalist("train_mean") is None
    for value, is_told in ((0.9, True), (1.2, False)):
        on_kept_rows = replace(results, baselines={"bias": 1.05, "train_mean": value})
        shown = replace(before, verdict=replace(frozen, results=on_kept_rows))
        said = "No trial has a lower mean on the rows that judge than train mean, 0.9000"
        assert verdict_frame(shown).set_index("finalist")["rmse"]["train_mean"] == value  # type: ignore[union-attr]
        told = (repr(watch_outs(shown)), verdict_table(shown), methods_paragraph(shown))
        assert [said in text for text in told] == [is_told] * 3
        assert next_command(shown).purpose.startswith("Take the train mean") is is_told


def test_a_finalist_that_fails_on_the_test_rows_is_told(study: StudyRecord) -> None:
    plain, dcn = best_of_each_arm(study)
    shown = opened(judged(study, {plain: 0.02, dcn: 0.01}))
    assert shown.test is not None
    first, *others = shown.test.results.finalists
    lost = replace(first, rmse_by_seed=(None, *first.rmse_by_seed[1:]), mean=None)
    pairs = tuple(p for p in shown.test.results.pairs if first.name not in (p.first, p.second))
    test = replace(shown.test.results, finalists=(*others, lost), pairs=pairs)
    shown = replace(shown, test=replace(shown.test, results=test))
    said = f"without ratings under 1 of 5 seeds, so compared with nobody: #{dcn} dcn"
    section = unsealed(shown)
    told = (repr(watch_outs(shown)), repr(section), methods_paragraph(shown))
    assert all(f"On the test split {said}" in text for text in told)
    assert "cannot be compared" in repr(section)
    assert "On the test split without ratings under 1 of 5 seeds" in unsealed_table(shown)
    assert (
        next_command(shown).purpose == "Take the leader, though it has no score on the test split"
    )


def test_a_finalist_that_the_verdict_lost_is_not_lost_once_more_on_the_test_rows(
    study: StudyRecord,
) -> None:
    plain, dcn = best_of_each_arm(study)
    shown = opened(judged(study, {plain: 0.02, dcn: 0.01}))
    assert shown.test is not None and shown.verdict is not None

    def without_first(results: VerdictResults | None, n_lost: int) -> VerdictResults:
        assert results is not None
        first, *others = results.finalists
        rmses = (*[None] * n_lost, *first.rmse_by_seed[n_lost:])
        pairs = tuple(p for p in results.pairs if first.name not in (p.first, p.second))
        lost = replace(first, rmse_by_seed=rmses, mean=None)
        return replace(results, finalists=(*others, lost), pairs=pairs)

    shown = replace(
        shown,
        verdict=replace(shown.verdict, results=without_first(shown.verdict_results, 1)),
        test=replace(shown.test, results=without_first(shown.test.results, 5)),
    )
    told = [repr(watch_outs(shown)), repr(unsealed(shown)), methods_paragraph(shown)]
    told += [unsealed_table(shown), verdict_table(shown)]
    assert not any("under 5 of 5" in text for text in told)
    assert "Failed or diverged under 1 of 5 seeds" in told[0]
    said = f"Not scored, since not complete under every seed of the verdict: #{dcn} dcn"
    assert said in told[1] and said.replace("#", r"\#") in told[3]


def test_models_that_were_trained_again_for_the_test_rows_are_told(study: StudyRecord) -> None:
    plain, dcn = best_of_each_arm(study)
    shown = opened(judged(study, {plain: 0.02, dcn: 0.01}))
    assert shown.test is not None
    again = replace(shown, test=replace(shown.test, apart={"0001-v1": -0.0017, "0001-v2": 0.0003}))
    said = "2 trainings of the verdict, whose weights were gone, came out otherwise when done again"
    for tell in (lambda s: repr(watch_outs(s)), lambda s: repr(unsealed(s)), methods_paragraph,
                 unsealed_table, lambda s: "\n".join(lines_of_test(s))):  # fmt: skip
        assert said in tell(again) and "up to 0.0017 from" in tell(again)
        assert "came out otherwise" not in tell(shown)


def test_baselines_of_equal_standing_share_a_warning(study: StudyRecord) -> None:
    plain, dcn = best_of_each_arm(study)
    shown = judged(study, {plain: 0.039, dcn: 0.0385})
    found = watch_outs(shown)
    assert found is not None
    (said,) = (item.text for item in found.items if item.text.startswith("The leader"))
    assert f"ties with #{plain} plain, default, 1.0388; matrix factorisation, 1.0390." in said


def test_trials_after_the_list_may_still_beat_the_bias_baseline(study: StudyRecord) -> None:
    plain, dcn = best_of_each_arm(study)
    lost = judged(study, {plain: 0.2, dcn: 0.1})
    assert lost.verdict is not None
    late = replace(lost.ranked[-1], best_rmse=0.9, ended_at=lost.verdict.frozen_at + 1)
    trials = (*(t for t in lost.trials if t.number != late.number), late)
    assert headline(replace(lost, trials=trials)).text == (
        "No judged model beats the bias baseline"
    )


def test_a_finalist_that_failed_under_a_seed_is_compared_with_nobody(study: StudyRecord) -> None:
    plain, dcn = best_of_each_arm(study)
    third = next(t.number for t in study.ranked if t.number not in (plain, dcn))
    shown = judged(study, {plain: 0.03, dcn: 0.01, third: 0.0}, failed=(third,))
    assert headline(shown).text.startswith("dcn beats plain by")
    assert "1 of 5 failed or diverged" in repr(verdict(shown))


def test_when_no_two_completed_nothing_is_decided(make: MakeStudy) -> None:
    study = make(compare=False)
    first, second = (trial.number for trial in study.ranked[:2])
    shown = judged(study, {first: 0.03, second: 0.01}, failed=(first, second))
    assert headline(shown).text == "Not decided: no two finalists completed under every seed"
    assert headline(shown).detail.startswith("Of every pair at least one failed or diverged")
    assert verdict(shown) is not None
    assert summary(shown).blocks


def test_an_arm_without_a_judged_finalist_leaves_the_question_open(study: StudyRecord) -> None:
    plain, dcn = best_of_each_arm(study)
    other = next(t.number for t in study.ranked if t.arm == "plain" and t.number != plain)
    shown = judged(study, {plain: 0.0, other: 0.03, dcn: 0.0}, failed=(dcn,))
    assert headline(shown).text == "Not decided: no dcn finalist completed under every seed"
    assert f"The best that did, #{plain} plain" in headline(shown).detail
    watched = f"Failed or diverged under 1 of 5 seeds, so compared with nobody: #{dcn} dcn"
    assert watched in repr(summary(shown))
    both = judged(study, {plain: 0.0, dcn: 0.0}, failed=(plain, dcn))
    assert headline(both).text == "Not decided: no plain or dcn finalist completed under every seed"


@pytest.mark.parametrize(
    ("shrinkage", "said"),
    [
        (0.0, "own numbers came back, on average"), (1e-16, "own numbers came back, on average"),
        (0.0006, "own numbers were 0.0006 too good"), (-0.0006, "own numbers were 0.0006 too bad"),
    ],
)  # fmt: skip
def test_how_far_the_search_s_own_numbers_came_back_is_told(
    study: StudyRecord, shrinkage: float, said: str
) -> None:
    shown = judged(study, {study.ranked[0].number: 0.0})
    assert shown.verdict is not None and shown.verdict.results is not None
    results = shown.verdict.results
    finalists = tuple(
        replace(f, shrinkage=None if f.shrinkage is None else shrinkage) for f in results.finalists
    )
    alike = replace(finalists[0], rmse_by_seed=(0.9,) * N_SEEDS, shrinkage=0.0)
    again = replace(shown.verdict, results=replace(results, finalists=(*finalists, alike)))
    assert said in repr(verdict(replace(shown, verdict=again)))


def test_a_model_card_gives_a_mean_only_where_there_is_one(study: StudyRecord) -> None:
    plain, dcn = best_of_each_arm(study)
    shown = judged(study, {plain: 0.0, dcn: 0.0}, failed=(dcn,))
    said = {n: model_card(shown, t) for n in (plain, dcn) if (t := shown.trial(n))}
    assert "mean over 5 fresh seeds 0." in said[plain]
    assert "mean over" not in said[dcn]
    assert "Differences under 0.01 between models of one seed each" in said[dcn]


def test_two_of_the_only_arm_are_told_by_their_numbers(study: StudyRecord) -> None:
    trials = tuple(trial for trial in study.trials if trial.arm == "plain")
    alone = replace(study, trials=trials)
    first, second = alone.ranked[:2]
    said = headline(judged(alone, {first.number: 0.03, second.number: 0.01})).text
    assert said.startswith(f"#{second.number} plain") and f"beats #{first.number} plain" in said


def test_a_frozen_list_without_results_decides_nothing_yet(study: StudyRecord) -> None:
    plain, dcn = best_of_each_arm(study)
    done = judged(study, {plain: 0.03, dcn: 0.01})
    assert done.verdict is not None
    begun = replace(study, verdict=replace(done.verdict, results=None))
    assert headline(begun).text == "Not decided: one seed each"
    section = verdict(begun)
    assert section is not None
    assert any(isinstance(block, Problem) for block in section.blocks)
    assert next_command(begun).lines == ("recsweep verdict made-up",)


def test_a_study_without_a_verdict_has_no_such_section(study: StudyRecord) -> None:
    assert verdict(study) is None


def test_the_picture_has_filled_means_with_intervals(study: StudyRecord) -> None:
    plain, dcn = best_of_each_arm(study)
    shown = judged(study, {plain: 0.03, dcn: 0.01})
    (beside,) = (block for block in summary(shown).blocks if isinstance(block, Beside))
    assert isinstance(beside.picture, Picture)
    assert "means over 5 fresh seeds" in beside.picture.caption
    assert f"#{dcn} dcn" in beside.picture.alt


def test_who_was_frozen_is_told_by_the_reasons_on_record(make: MakeStudy) -> None:
    study = judged(make(compare=False), {})
    assert study.verdict is not None
    first, second = study.ranked[:2]
    finalists = (
        Finalist(first.name, first.number, ("place 1",)),
        Finalist(second.name, second.number, ("place 2", "same as #9")),
        *study.verdict.finalists,
    )
    listed = replace(study, verdict=replace(study.verdict, finalists=finalists))
    told = "the best 2, the best baseline"
    assert f": {told}; each once" in repr(verdict(listed))
    assert f"({told}) were frozen" in methods_paragraph(listed)
    arms = replace(finalists[1], reasons=("best dcn", "default"))
    assert chosen_text(study, replace(study.verdict, finalists=(finalists[0], arms))) == (
        "the best, the best dcn, the default"
    )


def test_trials_after_the_list_was_frozen_are_told(study: StudyRecord) -> None:
    plain, dcn = best_of_each_arm(study)
    shown = judged(study, {plain: 0.03, dcn: 0.01})
    assert shown.verdict is not None
    late = replace(shown, verdict=replace(shown.verdict, frozen_at=0.0))
    said = f"{len(study.search_trials) - 2} trials of the search had not ended when"
    assert said in repr(verdict(late)) and said in repr(watch_outs(late))
    assert said not in repr(watch_outs(shown))
    assert "which is done once: they are not judged." in repr(verdict(late))
    last = replace(shown.verdict, frozen_at=max(t.ended_at or 0 for t in shown.trials) - 0.001)
    one = repr(verdict(replace(shown, verdict=last)))
    assert "1 trial of the search had not" in one and "once: it is not judged." in one


def test_a_trial_that_is_tried_again_after_the_list_was_frozen_is_late(study: StudyRecord) -> None:
    plain, dcn = best_of_each_arm(study)
    shown = judged(study, {plain: 0.03, dcn: 0.01})
    assert shown.verdict is not None and shown.late_trials == ()
    failed = next(trial for trial in shown.trials if trial.state is TrialState.FAIL)
    again = replace(failed, state=TrialState.COMPLETE, ended_at=shown.verdict.frozen_at + 1)
    trials = tuple(again if trial is failed else trial for trial in shown.trials)
    assert replace(shown, trials=trials).late_trials == (again,)
    # Of a model that was judged, another run is nothing new.
    values = next(trial.values for trial in shown.trials if trial.number == dcn)
    trials = tuple(replace(t, values=values) if t is again else t for t in trials)
    assert replace(shown, trials=trials).late_trials == ()


def test_every_seed_stands_in_the_csv_and_every_number_in_the_report(study: StudyRecord) -> None:
    plain, dcn = best_of_each_arm(study)
    shown = judged(study, {plain: 0.03, dcn: 0.01})
    frame = verdict_frame(shown)
    assert frame is not None
    assert len(frame) == 2 * N_SEEDS + len(shown.baselines)
    mean = frame.groupby("finalist")["rmse"].mean()
    assert shown.verdict is not None and shown.verdict.results is not None
    for found in shown.verdict.results.finalists:
        assert mean[found.name] == pytest.approx(found.mean)
    paths = write_report(shown)
    assert (paths.csv.parent / "verdict.csv").read_text().startswith("finalist,seed,rmse")
    section = verdict(shown)
    assert section is not None
    html = paths.html.read_text()
    for table in (block for block in section.blocks if isinstance(block, Table)):
        assert all(cell in html for row in table.rows for cell in row.cells if "<" not in cell)


def test_a_stronger_bias_baseline_than_any_finalist_is_told_by_name(study: StudyRecord) -> None:
    plain, dcn = best_of_each_arm(study)
    strong = replace(study, baselines=(BaselineRecord("bias", "user + item bias", 0.9, 0.1),))
    assert "0.9000" in headline(judged(strong, {plain: 0.03, dcn: 0.01})).detail


def test_openings_are_counted_and_their_reasons_told(study: StudyRecord) -> None:
    plain, dcn = best_of_each_arm(study)
    shown = opened(judged(study, {plain: 0.03, dcn: 0.01}), n_openings=2)
    said = repr(unsealed(shown))
    assert "This split was opened 2 times" in said
    assert "for <the> paper" in said
    assert "0.9150" in said  # the refit's mean
    assert "opened 2 times" in repr(summary(shown).blocks)
    assert "opened 2 times" in repr(data(shown))


def test_a_study_that_did_not_look_tells_of_those_that_did(study: StudyRecord) -> None:
    plain, dcn = best_of_each_arm(study)
    other = opened(judged(study, {plain: 0.03, dcn: 0.01}))
    here = replace(study, openings=other.openings)
    assert "another one of its folder has" in repr(unsealed(here))
    assert "opened 1 time" in repr(summary(here).blocks)


def test_a_sealed_split_has_no_section(study: StudyRecord) -> None:
    assert unsealed(study) is None
    assert "never opened" in repr(data(study))
