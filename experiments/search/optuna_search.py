"""A search behind which Optuna stands: one study in memory, rebuilt from trial records."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import optuna

from experiments.records import StopReason, TrialRecord, TrialState, Value
from experiments.search.samplers import SamplerFactory, stable_seed
from experiments.search.search_protocol import Proposal, searched
from experiments.translate.optuna import study_in_memory, suggest, to_params
from search_spaces import SearchSpace

# Hyperband hashes a study's name and a trial's number into a bracket, so the name stays the same,
# after a resume and between arms, which thereby get the same brackets for the same numbers.
STUDY_NAME = "recsweep"

VERDICT = "recsweep:verdict"
"""Beside Optuna's own entries of a trial's pruner state: [epoch, whether to keep going]."""


class OptunaSearch:
    """One Optuna study in memory: planned configurations first, then a sampler's.

    Args:
        planned: tried first, in this order; the first one is the default configuration. A grid is
            all plan.
        sampler: makes a sampler from a seed; None ends the search after the plan. There is a
            fresh one, seeded from the trial's number, for every trial, so that a proposal depends
            on the trials before it and not on how often the driver was started.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        planned: Sequence[Mapping[str, Value]],
        sampler: SamplerFactory | None,
        pruner: optuna.pruners.BasePruner,
        seed: int,
        arm: str | None = None,
    ) -> None:
        self._space = space
        self._planned = planned
        self._sampler = sampler
        self._seed = seed
        self._arm = arm
        self.prunes = not isinstance(pruner, optuna.pruners.NopPruner)
        self._study = study_in_memory(STUDY_NAME, pruner)
        if sampler is not None:
            # It hears of the plan's trials, too, and of those that are put back.
            self._study.sampler = sampler(seed)
        self._running: dict[int, optuna.trial.Trial] = {}
        self._verdicts: dict[int, tuple[int, bool]] = {}

    @property
    def n_trials(self) -> int | None:
        """How many trials there are in all; None where the sampler never runs out."""
        return len(self._planned) if self._sampler is None else None

    def ask(self, number: int) -> Proposal | None:
        n_asked = len(self._frozen_trials())
        if number != n_asked:
            raise ValueError(f"trial {n_asked} is next, got {number}: numbers have no gaps")
        values: dict[str, Value]
        if number < len(self._planned):
            values = dict(self._planned[number])
            self._put_in(number, values, {}, {})
        elif self._sampler is not None:
            self._study.sampler = self._sampler(stable_seed(self._seed, number))
            trial = self._study.ask()
            values = self._space.walk(lambda slot: suggest(trial, slot))
            self._running[number] = trial
        else:
            return None
        return Proposal(
            values,
            self._arm,
            number,
            is_default=number == 0,
            is_enqueued=self._sampler is not None and 0 < number < len(self._planned),
        )

    def report(self, number: int, epoch: int, value: float) -> bool:
        if not math.isfinite(value):
            return False
        decided_at, keep_going = self._verdicts.get(number, (0, True))
        if epoch < decided_at:
            return True
        if epoch > decided_at:
            trial = self._running[number]
            trial.report(value, epoch)
            keep_going = not trial.should_prune()
            self._verdicts[number] = (epoch, keep_going)
        return keep_going

    def tell(self, number: int, reason: StopReason, value: float | None) -> None:
        if not reason.state.is_finished:
            return
        trial = self._running.pop(number)
        self._verdicts.pop(number, None)
        if reason.state is TrialState.COMPLETE:
            self._study.tell(trial, value)
        else:
            self._study.tell(trial, state=optuna.trial.TrialState[reason.state.name])

    def pruner_state(self, number: int) -> dict[str, Any]:
        state = dict(self._frozen_trials()[number].system_attrs)
        if self.prunes and number in self._verdicts:
            state[VERDICT] = list(self._verdicts[number])
        return state

    def restore(
        self, trials: Sequence[TrialRecord], checkpoints: Mapping[int, int]
    ) -> tuple[int, ...]:
        stopped = []
        own = searched(trials)
        if self._sampler is None:
            # What a grid's earlier run has asked for stays, in whatever order that was.
            asked = [dict(trial.values) for trial in own]
            known = {frozenset(values.items()) for values in asked}
            rest = [p for p in self._planned if frozenset(p.items()) not in known]
            self._planned = asked + rest
        for trial in own:
            is_finished = trial.state.is_finished
            last_epoch = checkpoints.get(trial.number, 0)
            if is_finished:  # an earlier attempt may have gone further, before it was lost
                last_epoch = max((record.epoch for record in trial.epochs), default=0)
            keep_going = self._put_back(trial, last_epoch)
            if is_finished:
                assert trial.stop_reason is not None
                self.tell(trial.number, trial.stop_reason, trial.best_rmse)
            elif not keep_going:
                stopped.append(trial.number)
        return tuple(stopped)

    def _put_back(self, trial: TrialRecord, last_epoch: int) -> bool:
        """Put in a trial as it stood after an epoch, and the pruner's verdict on that.

        Its pruner state is that of the last recorded verdict; epochs that came later, but were
        journalled before the driver heard of them, are reported now.
        """
        recorded = [epoch for epoch in map(int, trial.pruner_state) if epoch <= last_epoch]
        state = dict(trial.pruner_state[str(max(recorded))]) if recorded else {}
        decided_at, keep_going = state.pop(VERDICT, (0, True))
        if decided_at:
            self._verdicts[trial.number] = (decided_at, keep_going)
        values = {
            record.epoch: record.val_rmse
            for record in trial.epochs
            if record.epoch <= last_epoch and math.isfinite(record.val_rmse)
        }
        known = {epoch: value for epoch, value in values.items() if epoch <= decided_at}
        self._put_in(trial.number, trial.values, known, state)
        for epoch in sorted(values.keys() - known.keys()):
            keep_going = self.report(trial.number, epoch, values[epoch]) and keep_going
        return bool(keep_going)

    def _put_in(
        self,
        number: int,
        values: Mapping[str, Value],
        intermediate_values: dict[int, float],
        system_attrs: dict[str, Any],
    ) -> None:
        """Add a running trial that no sampler was asked for; it is as live as an asked one."""
        params, distributions = to_params(self._space, values)
        self._study.add_trial(
            optuna.trial.create_trial(
                state=optuna.trial.TrialState.RUNNING,
                params=params,
                distributions=distributions,
                intermediate_values=intermediate_values,
                system_attrs=system_attrs,
            )
        )
        trial_id = self._frozen_trials()[number]._trial_id
        self._running[number] = optuna.trial.Trial(self._study, trial_id)

    def _frozen_trials(self) -> list[optuna.trial.FrozenTrial]:
        return self._study.get_trials(deepcopy=False)
