"""What we lean on in the libraries that we do not own, by name.

A failure here is news about a library, not a mistake of ours: what is built on it is said in each
test.
"""

from __future__ import annotations

import json
import math
import os
import warnings
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

from experiments.machine.machine import Machine
from experiments.search.samplers import sampler_factory

X = FloatDistribution(0.0, 1.0)


def _study(pruner: optuna.pruners.BasePruner | None = None, name: str = "s") -> optuna.study.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(study_name=name, pruner=pruner or optuna.pruners.NopPruner())


def _finished(study: optuna.study.Study, n: int) -> None:
    for i in range(n):
        x = (i * 0.37) % 1
        study.add_trial(create_trial(value=x, params={"x": x}, distributions={"x": X}))


class TestOptuna:
    @pytest.mark.parametrize("name", ["random", "tpe"])
    def test_a_new_sampler_with_the_same_seed_proposes_the_same(self, name: str) -> None:
        """Reseeding before each ask is what makes a resumed search equal."""
        sampler = sampler_factory(name, {})
        assert sampler is not None
        drawn = []
        for seed in (7, 7, 8):
            study = _study()
            _finished(study, 15)
            study.sampler = sampler(seed)
            drawn.append(study.ask().suggest_float("x", 0.0, 1.0))
        assert drawn[0] == drawn[1] != drawn[2]

    def test_a_running_trial_that_was_added_is_live(self) -> None:
        """Interrupted trials are put back under their number this way."""
        study = _study(optuna.pruners.SuccessiveHalvingPruner(min_resource=2))
        _finished(study, 3)
        study.add_trial(
            create_trial(
                state=TrialState.RUNNING,
                params={"x": 0.5},
                distributions={"x": X},
                intermediate_values={1: 0.9},
                system_attrs={"anything": 1},
            )
        )
        added = study.get_trials(deepcopy=False)[3]
        trial = optuna.trial.Trial(study, added._trial_id)
        assert (trial.number, trial.params) == (3, {"x": 0.5})
        trial.report(0.8, 2)
        assert trial.should_prune() is False
        study.tell(trial, 0.8)
        told = study.trials[3]
        assert (told.state, told.value) == (TrialState.COMPLETE, 0.8)
        assert told.intermediate_values == {1: 0.9, 2: 0.8}
        assert told.system_attrs == {"anything": 1, "completed_rung_0": 0.8}

    def test_rungs_are_system_attrs_that_json_can_hold(self) -> None:
        """The ledger keeps them so that a rebuilt pruner is not disarmed."""
        study = _study(optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=2))
        for value in (1.0, 2.0):
            trial = study.ask()
            trial.report(value, 1)
            is_pruned = trial.should_prune()
        assert is_pruned
        attrs = study.trials[1].system_attrs
        assert attrs == {"completed_rung_0": 2.0}
        assert json.loads(json.dumps(attrs)) == attrs

    def test_tpe_keeps_what_it_planned_for_a_running_trial_in_system_attrs(self) -> None:
        """The constant liar reads it, so it is recorded as of epoch 0."""
        study = _study()
        _finished(study, 15)
        sampler = sampler_factory("tpe", {})
        assert sampler is not None
        study.sampler = sampler(0)
        trial = study.ask()
        x = trial.suggest_float("x", 0.0, 1.0)
        (attrs,) = study.trials[-1].system_attrs.values()
        assert json.loads(attrs) == {"x": x}

    def test_hyperband_hashes_study_name_and_trial_number_into_a_bracket(self) -> None:
        """So the name of a study is constant, and arms share brackets."""

        def brackets(name: str) -> list[int]:
            pruner = optuna.pruners.HyperbandPruner(min_resource=1, max_resource=27)
            study = _study(pruner, name)
            _finished(study, 20)
            trial = study.ask()
            trial.report(1.0, 1)
            trial.should_prune()
            return [pruner._get_bracket_id(study, t) for t in study.trials]

        assert brackets("a") == brackets("a") != brackets("b")

    def test_the_high_end_of_a_continuous_float_is_just_out_of_reach(self) -> None:
        """Our ranges are closed; the bounds handed over are ours, and nothing falls outside."""

        study = _study()
        study.sampler = optuna.samplers.RandomSampler()
        always_high = SimpleNamespace(uniform=lambda low, high: high)
        study.sampler._rng = SimpleNamespace(rng=always_high)
        trial = study.ask()
        assert trial.suggest_float("plain", 0.0, 1.0) == math.nextafter(1.0, 0.0)
        assert trial.suggest_float("log", 1e-3, 1.0, log=True) == math.nextafter(1.0, 0.0)
        assert trial.suggest_float("stepped", 0.0, 1.0, step=0.5) == 1.0
        assert trial.suggest_int("whole", 0, 3) == 3

    def test_the_ends_of_a_float_are_accepted_from_us(self) -> None:
        """The default configuration may lie on the high end of a range."""
        for x in (0.0, 1.0):
            create_trial(state=TrialState.RUNNING, params={"x": x}, distributions={"x": X})

    def test_a_second_report_of_an_epoch_keeps_the_first(self) -> None:
        """We do not report again, since this warns."""
        trial = _study().ask()
        trial.report(1.0, 1)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            trial.report(2.0, 1)
        assert trial.study.trials[0].intermediate_values == {1: 1.0}
        assert len(caught) == 1

    def test_asking_a_pruner_twice_after_one_epoch_can_change_its_mind(self) -> None:
        """Why a verdict is kept and not asked for again."""
        study = _study(optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=2))
        for value in (1.0, 2.0):
            trial = study.ask()
            trial.report(value, 1)
            first = trial.should_prune()
        assert first and not trial.should_prune()

    def test_a_pruned_trial_has_its_last_report_as_value_or_none(self) -> None:
        """So it is filtered by state; a trial that diverged at once has no value."""
        study = _study()
        with_report, without = study.ask(), study.ask()
        with_report.report(1.5, 1)
        for trial in (with_report, without):
            study.tell(trial, state=TrialState.PRUNED)
        assert [t.value for t in study.trials] == [1.5, None]

    def test_tpe_learns_from_complete_and_pruned_trials_but_not_from_failed_ones(self) -> None:
        """Why a diverged trial is told as PRUNED."""
        sampler = sampler_factory("tpe", {"n_startup_trials": 1})
        assert sampler is not None

        def plans(state: TrialState) -> bool:
            study = _study()
            study.add_trial(create_trial(state=state, value=None, params={"x": 0.5},
                                         distributions={"x": X}))  # fmt: skip
            study.sampler = sampler(0)
            study.ask().suggest_float("x", 0.0, 1.0)
            return bool(study.trials[-1].system_attrs)

        assert plans(TrialState.PRUNED)
        assert not plans(TrialState.FAIL)

    def test_one_name_has_one_list_of_choices_in_a_study(self) -> None:
        """Why each case of a dimension has its own key."""
        study = _study()
        study.ask().suggest_categorical("c", ["a", "b"])
        with pytest.raises(ValueError, match="dynamic value space"):
            study.ask().suggest_categorical("c", ["a", "z"])

    def test_importance_takes_several_ranges_of_one_name(self) -> None:
        """Importance is by column, over all its cases."""
        study = _study()
        for i in range(20):
            low = 10.0 * (i % 2)
            distributions = {
                "x": FloatDistribution(low, low + 1),
                "c": CategoricalDistribution("ab"),
            }
            params = {"x": low + (i % 5) / 5, "c": "ab"[i % 2]}
            study.add_trial(
                create_trial(value=params["x"], params=params, distributions=distributions)
            )
        shares = optuna.importance.get_param_importances(study)
        assert set(shares) == {"x", "c"}


@pytest.fixture(scope="module")
def diary(cluster: Machine, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, Any]]:
    """What Ray Tune called in a run of four trials on one reused actor, the third of which dies."""
    from ray import tune
    from ray.tune.schedulers import FIFOScheduler
    from ray.tune.search import Searcher

    calls: list[tuple[str, Any]] = []

    class Child(tune.Trainable):
        def setup(self, config: dict[str, Any]) -> None:
            self.config = config

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self.config = new_config
            return True

        def step(self) -> dict[str, Any]:
            if self.config["number"] == 2 and self.config["attempt"] == 1:
                os._exit(0)
            return {
                "pid": os.getpid(),
                "priority": os.getpriority(os.PRIO_PROCESS, 0),
                "attempt": self.config["attempt"],
                "done": True,
            }

    class Asking(Searcher):
        live = 0

        def suggest(self, trial_id: str) -> Any:
            if len([name for name, _ in calls if name == "suggest"]) == 4:
                return Searcher.FINISHED
            if self.live:
                return None
            self.live += 1
            number = len([name for name, _ in calls if name == "suggest"])
            calls.append(("suggest", number))
            return {"number": number, "attempt": 1}

        def on_trial_complete(
            self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
        ) -> None:
            self.live -= 1
            calls.append(("searcher complete", result))

        def save(self, checkpoint_path: str) -> None: ...

    class Listening(FIFOScheduler):
        def on_trial_result(self, tune_controller: Any, trial: Any, result: Any) -> str:
            calls.append(("result", result))
            return str(self.CONTINUE)

        def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
            calls.append(("error", trial.config["number"]))
            trial.set_config(trial.config | {"attempt": 2})

    # Ray pickles both for a restore of its own.
    for each in (Asking, Listening):
        each.__getstate__ = lambda self: {}  # type: ignore[method-assign]
    tune.Tuner(
        tune.with_resources(Child, {"CPU": 1}),
        tune_config=tune.TuneConfig(
            search_alg=Asking(metric="pid", mode="min"),
            scheduler=Listening(),
            num_samples=-1,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            storage_path=str(tmp_path_factory.mktemp("tune")),
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=2),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
        ),
    ).fit()
    return calls


@pytest.mark.ray
class TestRay:
    def test_a_result_that_is_done_reaches_only_the_completion(
        self, diary: list[tuple[str, Any]]
    ) -> None:
        """So results are bells, and what happened is read from the journals."""
        assert [value for name, value in diary if name == "result" and value.get("done")] == []
        assert len([name for name, _ in diary if name == "searcher complete"]) == 4

    def test_a_searcher_that_says_none_is_asked_again_after_the_end(
        self, diary: list[tuple[str, Any]]
    ) -> None:
        """With one worker each trial is asked for after the last one's end was told."""
        order = [name for name, _ in diary if name in ("suggest", "searcher complete")]
        assert order == ["suggest", "searcher complete"] * 4

    def test_one_actor_serves_one_trial_after_another(self, diary: list[tuple[str, Any]]) -> None:
        """The warm worker."""
        pids = [value["pid"] for name, value in diary if name == "searcher complete"]
        assert pids[0] == pids[1]
        assert pids[2] == pids[3]

    def test_workers_give_way_to_others_no_more_than_their_driver_does(
        self, diary: list[tuple[str, Any]]
    ) -> None:
        """Ray's own 15 would leave them next to nothing beside somebody else's processes."""
        ends = [value for name, value in diary if name == "searcher complete"]
        assert {end["priority"] for end in ends} == {os.getpriority(os.PRIO_PROCESS, 0)}

    def test_a_worker_that_leaves_in_a_first_step_is_replaced_once(
        self, diary: list[tuple[str, Any]]
    ) -> None:
        """Recycling, and lost workers: one error call, and the config set in it is used."""
        assert [value for name, value in diary if name == "error"] == [2]
        ends = [value for name, value in diary if name == "searcher complete"]
        assert [end["attempt"] for end in ends] == [1, 1, 2, 1]
        assert ends[2]["pid"] != ends[1]["pid"]
