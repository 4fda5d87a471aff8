"""A study, or one of its trials, as it goes on: read from its folder again and again.

Whoever watches from another shell sees what the shell that runs the study sees, from the ledger.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.text import Text

from experiments.cli import wording
from experiments.cli.show import trial_text
from experiments.cli.terminal import print_plain
from experiments.records import StudyRecord, read_study
from experiments.trials.choosing import trial_of
from experiments.watcher import StudyWatcher

POLL_S = 1.0


def watch_study(
    folder: Path, watcher: StudyWatcher, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Tell a watcher of a study that another process runs, until that process has left it."""
    readings = _readings(folder, sleep)
    study = next(readings)
    watcher.started(study)
    told = {trial.number: trial.state for trial in study.search_trials}
    while study.state == "running":
        study = next(readings)
        for trial in study.search_trials:
            if told.get(trial.number) is trial.state:
                continue
            if trial.number not in told:
                watcher.trial_started(trial)
            if trial.state.is_finished:
                watcher.trial_ended(trial)
            told[trial.number] = trial.state
    watcher.finished(study)


def watch_trial(
    folder: Path,
    number: int,
    console: Console,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Show a trial until it has ended: drawn anew on a terminal, else a line an epoch.

    Raises:
        RequestError: there is no such trial.
    """
    readings = _readings(folder, sleep)
    study = next(readings)
    trial = trial_of(study, number)
    if console.is_interactive:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            while study.state == "running" and not trial.state.is_finished:
                live.update(Text(_last_lines(trial_text(study, trial), console)), refresh=True)
                study = next(readings)
                trial = trial_of(study, number)
    else:
        n_told = 0
        while study.state == "running" and not trial.state.is_finished:
            for epoch in trial.epochs[n_told:]:
                print_plain(console, wording.epoch_text(trial.number, epoch))
            n_told = len(trial.epochs)
            study = next(readings)
            trial = trial_of(study, number)
    print_plain(console, trial_text(study, trial))


def _readings(folder: Path, sleep: Callable[[float], None]) -> Iterator[StudyRecord]:
    """The study as it stands, again and again: a large one less often, since who watches it takes
    a tenth of a core at most from those who train."""
    while True:
        began_s = time.process_time()
        study = read_study(folder)
        took_s = time.process_time() - began_s
        yield study
        sleep(max(POLL_S, 9 * took_s))


def _last_lines(text: str, console: Console) -> str:
    """What fits on the screen: the head of the trial, and the end of its curve."""
    lines = text.splitlines()
    room = console.height - 1
    if len(lines) <= room:
        return text
    n_head = min(room // 2, 4)
    return "\n".join([*lines[:n_head], "...", *lines[n_head + 1 - room :]])
