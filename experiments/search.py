"""The search: what to try next, whether to go on, and what became of it.

One small protocol, `ask`, `report`, `tell`, with Optuna's samplers and pruners behind it, one
study in memory an arm. It knows no Ray and no files: `restore` rebuilds it from trial records so
that it goes on exactly as if it had never stopped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import optuna

from experiments.arms import arms_of
from experiments.grid import grid_points
from experiments.pruners import build_pruner
from experiments.records import Purpose, StopReason, TrialRecord, TrialState, Value
from experiments.samplers import SamplerFactory, sampler_factory, stable_seed
from experiments.sweep import SearchConfig
from experiments.translate.optuna import study_in_memory, suggest, to_params
from search_spaces import SearchSpace

# Hyperband hashes a study's name and a trial's number into a bracket, so the name stays the same,
# after a resume and between arms, which thereby get the same brackets for the same numbers.
STUDY_NAME = "recsweep"

VERDICT = "recsweep:verdict"
"""Beside Optuna's own entries of a trial's pruner state: [epoch, whether to keep going]."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """The values of a new trial and its place in the comparison."""

    values: dict[str, Value]
    """Active dimensions only, by column name."""
    arm: str | None
    arm_number: int
    is_default: bool
    """The default configuration, projected onto the space: the first of every arm."""


class Search(Protocol):
    """What proposes trials and stops weak ones.

    Numbers are those of the search's trials, from 0 without gaps; epochs count from 1.
    """

    def ask(self, number: int) -> Proposal | None:
        """The next trial, whose number is the one after the last; None when there is none left."""

    def report(self, number: int, epoch: int, value: float) -> bool:
        """Tell the pruner a running trial's `val_rmse` after an epoch. Whether to keep going.

        A value that is not finite is not told, and ends the trial. A second report of an epoch,
        from a later attempt, changes nothing and gets the first answer.
        """

    def tell(self, number: int, reason: StopReason, value: float | None) -> None:
        """The end of a trial, once, and its best `val_rmse`, which counts where it is COMPLETE.

        An attempt that ended (interrupted, recycled) leaves its trial running.
        """

    def pruner_state(self, number: int) -> dict[str, Any]:
        """What `restore` needs to know of a trial beside its record; plain JSON, often empty.

        To be recorded after each ask (as of epoch 0) and each report, where it changed.
        """

    def restore(
        self, trials: Sequence[TrialRecord], checkpoints: Mapping[int, int]
    ) -> tuple[int, ...]:
        """Rebuild a new search from the trials of an earlier one.

        Args:
            trials: those of other purposes than search are left out.
            checkpoints: by number, the epoch after which an unfinished trial goes on; what it
                reported later is forgotten. 0 where a number is missing.

        Returns:
            The unfinished trials that the pruner had stopped already: to be ended, not continued.
        """


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
        self._has_pruner = not isinstance(pruner, optuna.pruners.NopPruner)
        self._study = study_in_memory(STUDY_NAME, pruner)
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
        return Proposal(values, self._arm, number, is_default=number == 0)

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
        if self._has_pruner and number in self._verdicts:
            state[VERDICT] = list(self._verdicts[number])
        return state

    def restore(
        self, trials: Sequence[TrialRecord], checkpoints: Mapping[int, int]
    ) -> tuple[int, ...]:
        stopped = []
        for trial in _in_order(trials):
            is_finished = trial.state.is_finished
            keep_going = self._put_back(
                trial, math.inf if is_finished else checkpoints.get(trial.number, 0)
            )
            if is_finished:
                assert trial.stop_reason is not None
                self.tell(trial.number, trial.stop_reason, trial.best_rmse)
            elif not keep_going:
                stopped.append(trial.number)
        return tuple(stopped)

    def _put_back(self, trial: TrialRecord, last_epoch: float) -> bool:
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
            keep_going = self.report(trial.number, epoch, values[epoch])
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


class ArmedSearch:
    """One search an arm, taking turns: trial n is number n // k of arm n % k.

    Where arms run out (a grid with more points in one arm than in another), the others go on.
    """

    def __init__(self, arms: Mapping[str, OptunaSearch]) -> None:
        self._arms = dict(arms)
        self._turns = _turns({arm: search.n_trials for arm, search in arms.items()})

    def place(self, number: int) -> tuple[str, int] | None:
        """The arm of a trial and its number there; None after the last trial."""
        if self._turns is not None:
            return self._turns[number] if number < len(self._turns) else None
        names = list(self._arms)
        return names[number % len(names)], number // len(names)

    def ask(self, number: int) -> Proposal | None:
        place = self.place(number)
        return self._arms[place[0]].ask(place[1]) if place else None

    def report(self, number: int, epoch: int, value: float) -> bool:
        search, arm_number = self._at(number)
        return search.report(arm_number, epoch, value)

    def tell(self, number: int, reason: StopReason, value: float | None) -> None:
        search, arm_number = self._at(number)
        search.tell(arm_number, reason, value)

    def pruner_state(self, number: int) -> dict[str, Any]:
        search, arm_number = self._at(number)
        return search.pruner_state(arm_number)

    def restore(
        self, trials: Sequence[TrialRecord], checkpoints: Mapping[int, int]
    ) -> tuple[int, ...]:
        stopped: list[int] = []
        for name, search in self._arms.items():
            numbers = {t.arm_number: t.number for t in _searched(trials) if t.arm == name}
            stopped += (
                numbers[arm_number]
                for arm_number in search.restore(
                    [replace(t, number=t.arm_number) for t in _searched(trials) if t.arm == name],
                    {own: checkpoints.get(number, 0) for own, number in numbers.items()},
                )
            )
        return tuple(sorted(stopped))

    def _at(self, number: int) -> tuple[OptunaSearch, int]:
        place = self.place(number)
        assert place is not None, f"trial {number} was never asked for"
        return self._arms[place[0]], place[1]


def build_search(
    space: SearchSpace,
    config: SearchConfig,
    seed: int,
    compare: str | None,
    defaults: Mapping[str, Value],
) -> Search:
    """The search that a sweep asks for, one an arm where it compares a dimension.

    Args:
        defaults: the default configuration; each arm tries its projection onto its space first.

    Raises:
        SpaceError: the sampler is `grid` and a dimension has no finite grid.
    """
    sampler = sampler_factory(config.sampler, config.sampler_args)

    def one_arm(space: SearchSpace, arm: str | None) -> OptunaSearch:
        default = space.project(defaults)
        return OptunaSearch(
            space,
            planned=[default] if sampler else grid_points(space, default),
            sampler=sampler,
            pruner=build_pruner(config.pruner, config.pruner_args, config.max_epochs),
            seed=stable_seed(seed, "search", arm or ""),
            arm=arm,
        )

    if compare is None:
        return one_arm(space, None)
    return ArmedSearch({arm: one_arm(part, arm) for arm, part in arms_of(space, compare).items()})


def _turns(n_trials: Mapping[str, int | None]) -> list[tuple[str, int]] | None:
    """Each trial's arm and number in it, arms taking turns until each has run out."""
    counts = {arm: n for arm, n in n_trials.items() if n is not None}
    if not counts:
        return None
    rounds = range(max(counts.values()))
    return [(arm, i) for i in rounds for arm, n in counts.items() if i < n]


def _searched(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    return [trial for trial in trials if trial.purpose is Purpose.SEARCH]


def _in_order(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The search's own trials by number.

    Raises:
        ValueError: a number is missing, so that what came after it cannot be placed.
    """
    ordered = sorted(_searched(trials), key=lambda trial: trial.number)
    for number, trial in enumerate(ordered):
        if trial.number != number:
            raise ValueError(f"trial {number} is missing before trial {trial.number}")
    return ordered
