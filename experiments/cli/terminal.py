"""The terminal while a study runs: live lines on a terminal, else one plain line a trial.

All of it goes to stderr: stdout is for results.
"""

from __future__ import annotations

import atexit
import errno
import os
import stat
import sys
import time
from collections.abc import Callable
from typing import TextIO

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from experiments.cli import wording
from experiments.records import BaselineRecord, EpochRecord, StudyRecord, TrialRecord, TrialState
from experiments.records.values import values_text
from experiments.typed import typed
from experiments.watcher import StudyWatcher

BAR_WIDTH = 24
QUIET_S = 30.0
"""After so long without a line, a log tells of an epoch."""


class Stderr(Console):
    """Where progress is told; when its reader has gone, the trials go on unseen."""

    def __init__(self) -> None:
        super().__init__(stderr=True, highlight=False, force_jupyter=False)

    def on_broken_pipe(self) -> None:
        drop(sys.stderr)

    def _check_buffer(self) -> None:  # Rich's own, which knows of closed pipes alone
        try:
            super()._check_buffer()
        except OSError as error:
            if not has_gone(sys.stderr, error):
                raise
            drop(sys.stderr)


def has_gone(stream: TextIO, error: OSError) -> bool:
    """Whether who read a stream is there no more: a pipe was closed, or a terminal."""
    if error.errno != errno.EIO:
        return error.errno == errno.EPIPE
    return stat.S_ISCHR(os.fstat(stream.fileno()).st_mode)  # of a file it is a disk's error


def drop(stream: TextIO) -> None:
    """What is written to it goes nowhere from now on: its reader has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def say(line: str) -> None:
    """A result on stdout; when its reader has gone, the command goes on to its own end and code."""
    try:
        typer.echo(line)
    except OSError as error:
        if not has_gone(sys.stdout, error):
            raise
        drop(sys.stdout)


class Terminal(StudyWatcher):
    """Watches a study for a person at a keyboard, or for a log file.

    Args:
        console: stderr where None; it honours NO_COLOR and knows whether it is a terminal.
        clock: seconds that only ever grow.
    """

    def __init__(
        self, console: Console | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console or Stderr()
        self._clock = clock
        self._live: Live | None = None
        self._study: StudyRecord | None = None
        self._trials: dict[int, TrialRecord] = {}
        self._n_before = 0
        self._estimate_s: float | None = None
        self._began_at = self._said_at = 0.0
        # What the refreshing thread reads: replaced whole, never changed.
        self._news: tuple[Text, ...] = ()

    def started(self, study: StudyRecord, estimate_s: float | None = None) -> None:
        self._study = study
        self._trials = {trial.number: trial for trial in study.search_trials}
        self._n_before = self._n_done
        self._estimate_s = estimate_s
        self._began_at = self._clock()
        for line in wording.header_lines(study, estimate_s):
            self._print(line)
        if self._n_before:
            self._print(f"{self._n_before} of {study.n_trials_asked_for} trials are done already")
        if self._console.is_interactive:
            self._print("")
            self._tell_news()
            self._live = Live(
                get_renderable=self._bottom, console=self._console, refresh_per_second=4
            )
            self._live.start()
            atexit.register(self._stop_live)  # an error must not leave the cursor hidden

    def trial_started(self, trial: TrialRecord) -> None:
        self._take(trial)

    def epoch(self, trial: TrialRecord, epoch: EpochRecord) -> None:
        """A trial counts when it has ended; long before, a log says that it goes on."""
        if self._live is None and self._clock() - self._said_at >= QUIET_S:
            self._print(wording.epoch_text(trial.number, epoch))

    def trial_ended(self, trial: TrialRecord) -> None:
        self._take(trial)
        if self._live is None:
            self._print(f"{self._n_done}/{self._n_total} {self._trial_line(trial)}")
        elif trial.state is TrialState.FAIL:
            self._print(self._trial_line(trial))

    def message(self, text: str) -> None:
        self._print(text)

    def finished(self, study: StudyRecord) -> None:
        self._stop_live()
        for line in closing_lines(study):
            self._print(line)

    def _stop_live(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
            atexit.unregister(self._stop_live)

    # Lines

    def _trial_line(self, trial: TrialRecord) -> str:
        """`#19 dcn complete 1.0298 .0102 under bias, epoch 7 of 11, 3.2 s, adam 1.1e-3, 64-32`."""
        head = [wording.named(trial, self._study), wording.outcome_text(trial)]
        if trial.state is TrialState.FAIL:
            said = (trial.error or "").strip().splitlines()
            head.append(f"({trial.stop_reason}){f': {said[-1]}' if said else ''}")
        elif trial.best_rmse is not None:
            head.append(wording.rmse_text(trial.best_rmse))
            if bias := self._study and self._study.baseline("bias"):
                head.append(f"{wording.gap_text(trial.best_rmse, bias.val_rmse)} bias")
        described = [
            " ".join(part for part in head if part),
            f"epoch {trial.best_epoch} of {len(trial.epochs)}" if trial.best_epoch else "",
            f"{trial.seconds:.1f} s",
            values_text(trial.values, without=self._compared),
        ]
        return ", ".join(part for part in described if part)

    def _take(self, trial: TrialRecord) -> None:
        self._trials[trial.number] = trial
        self._tell_news()

    def _tell_news(self) -> None:
        """Write the lines below the bar anew."""
        assert self._study is not None
        trials = list(self._trials.values())
        ranked = [t for t in trials if t.is_ranked and t.best_rmse is not None]
        best = min(ranked, key=lambda t: (t.best_rmse, t.number), default=None)
        lines = [Text(f" {wording.counts_text(trials)}", style="dim")]
        if best is None:
            lines.append(Text(" best  no trial is complete yet"))
        else:
            line = Text(" best  ")
            line.append(wording.best_text(best, self._study), style="bold")
            lines.append(line)
        if arms := wording.arms_of(self._study):
            lines.append(Text(f" {wording.arms_text(trials, arms)}"))
        for line in lines:
            line.no_wrap, line.overflow = True, "ellipsis"
        self._news = tuple(lines)

    def _bottom(self) -> RenderableType:
        counts, *others = self._news
        line = Text(f" {self._n_done}/{self._n_total} ", no_wrap=True, overflow="ellipsis")
        share = self._n_done / self._n_total if self._n_total else 1.0
        line.append_text(bar(share)).append(f" {self._time_text()} ·").append_text(counts)
        return Group(line, *others)

    def _time_text(self) -> str:
        gone_s = self._clock() - self._began_at
        left_s = self._left_s(gone_s)
        left = f", about {wording.clock(left_s)} left" if left_s is not None else ""
        return f"{wording.clock(gone_s)} gone{left}"

    def _left_s(self, gone_s: float) -> float | None:
        n_left = self._n_total - self._n_done
        if n_here := self._n_done - self._n_before:
            return gone_s / n_here * n_left
        if self._estimate_s is None or gone_s > self._estimate_s:
            return None  # a guess that was too low says nothing more
        return self._estimate_s - gone_s

    @property
    def _n_total(self) -> int:
        return self._study.n_trials_asked_for if self._study else 0

    @property
    def _n_done(self) -> int:
        return sum(trial.state.is_finished for trial in tuple(self._trials.values()))

    @property
    def _compared(self) -> str | None:
        return self._study.compared_dimension if self._study else None

    def _print(self, line: str) -> None:
        self._said_at = self._clock()
        print_plain(self._console, line)


def print_plain(console: Console, line: str) -> None:
    """As it is: no markup from a file name or an error, no breaks in a log file."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def bar(share: float, width: int = BAR_WIDTH) -> Text:
    """`━━━━━━━━╸───────────────`: how much of the whole is done, to half a character."""
    halves = round(min(max(share, 0.0), 1.0) * width * 2)
    done = "━" * (halves // 2) + "╸" * (halves % 2)
    return Text().append(done, style="green").append("─" * (width - len(done)), style="dim")


def closing_lines(study: StudyRecord) -> list[str]:
    """What the study has shown, and what to type next."""
    counts = wording.counts_text(study.search_trials, is_live=False)
    lines = [f"{study.name}: {counts or 'no trial was run'}"]
    n_left = study.n_trials_asked_for - study.n_done
    if n_left > 0 and study.is_finished:
        lines.append(f"         {study.n_trials_asked_for} were asked for: the sampler has no more")
    ranked = study.ranked
    if ranked:
        best = ranked[0]
        assert best.best_rmse is not None
        lines.append(f"best     {wording.best_text(best, study)}")
        others = [b for b in study.baselines if b.name != "bias"]
        if gaps := [f"{wording.gap_text(best.best_rmse, b.val_rmse)} {_label(b)}" for b in others]:
            lines.append(f"         {', '.join(gaps)}")
        ahead = sorted(
            (b for b in study.baselines if best.best_rmse >= b.val_rmse),
            key=lambda b: (b.name != "bias", b.val_rmse),
        )
        if ahead:
            named = " nor the ".join(f"{_label(b)} baseline" for b in ahead)
            lines.append(f"         no trial beats the {named}")
    else:
        lines.append("best     no trial is complete")
    if arms := wording.arms_of(study):
        said = wording.arms_text(study.search_trials, arms, is_judged=study.leader is not None)
        lines.append(f"{study.compared_dimension}: {said}")
    if go_on := wording.resume_step(study):
        lines.append(f"go on    {go_on}")
    if ranked and (go_on is None or study.is_ended_by_time):
        # After a verdict, `best` without a number is its leader, which need not be the best above.
        number = f":{ranked[0].number}" if study.leader not in (None, ranked[0]) else ""
        take = f"recsweep best {typed(study.folder)}{number} > best.toml"
        steps = [wording.verdict_step(study), take]
        first, *rest = [step for step in steps if step]
        lines += [f"next     {first}", *(f"         {step}" for step in rest)]
    return lines


def _label(baseline: BaselineRecord) -> str:
    return baseline.name.replace("_", " ")
