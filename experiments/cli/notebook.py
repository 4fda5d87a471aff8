"""A notebook while a study runs: one piece of output that changes in place."""

from __future__ import annotations

import contextlib
import contextvars
import html
import importlib
import io
import logging
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console

from experiments.cli import wording
from experiments.cli.terminal import Terminal
from experiments.records import EpochRecord, StudyRecord, TrialRecord, TrialState

SHOW_EVERY_S = 0.25
N_RUNNING = 8

Show = Callable[[str, str], None]
"""Takes HTML and the same as plain text; shows it, later calls in the place of earlier ones."""


def kernel_shell() -> Any | None:
    """The shell of the notebook's kernel that this process is; None anywhere else."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell if getattr(shell, "kernel", None) is not None else None


def in_place() -> Show:
    """Shows under the running cell, from whatever thread."""
    # Installed wherever there is a kernel, and nowhere else.
    display = importlib.import_module("IPython.display").display

    handle: Any = None
    # Jupyter keeps in it which cell runs, and other threads know nothing of that.
    context = contextvars.copy_context()
    lock = threading.Lock()

    def show(page: str, text: str) -> None:
        nonlocal handle
        data = {"text/html": page, "text/plain": text}
        with lock:
            if handle is None:
                handle = context.run(display, data, raw=True, display_id=True)
            else:
                context.run(handle.update, data, raw=True)

    return show


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Without the libraries' advice on widgets, which would stand above the progress."""
    log = logging.getLogger("ray.widgets")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="IProgress not found")
            warnings.filterwarnings("ignore", message="SOCKS support in urllib3")
            yield
    finally:
        log.setLevel(level)


class Notebook(Terminal):
    """Watches a study for a person at a notebook: what is fixed, a bar, the best, who runs."""

    def __init__(self, show: Show, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(Console(file=io.StringIO()), clock)
        self._show_now = show
        self._said: list[str] = []
        self._running: dict[int, str] = {}
        self._shown_at = -SHOW_EVERY_S
        self._is_over = False

    def started(self, study: StudyRecord, estimate_s: float | None = None) -> None:
        super().started(study, estimate_s)
        self._tell_news()
        self._show(is_due=True)

    def trial_started(self, trial: TrialRecord) -> None:
        self._running[trial.number] = wording.named(trial, self._study)
        super().trial_started(trial)
        self._show()

    def epoch(self, trial: TrialRecord, epoch: EpochRecord) -> None:
        rmse = wording.rmse_text(epoch.val_rmse)
        self._running[trial.number] = (
            f"{wording.named(trial, self._study)} epoch {epoch.epoch} {rmse}"
        )
        self._show()

    def trial_ended(self, trial: TrialRecord) -> None:
        self._running.pop(trial.number, None)
        self._take(trial)
        if trial.state is TrialState.FAIL:
            self._print(self._trial_line(trial))
        self._show()

    def finished(self, study: StudyRecord) -> None:
        self._running.clear()
        self._is_over = True
        super().finished(study)
        self._show(is_due=True)

    def _print(self, line: str) -> None:
        self._said.append(line)
        self._show(is_due=True)

    def _show(self, *, is_due: bool = False) -> None:
        if not is_due and self._clock() - self._shown_at < SHOW_EVERY_S:
            return
        self._shown_at = self._clock()
        said = "\n".join(self._said)
        if not self._news or self._is_over:
            self._show_now(_pre(said), said)
            return
        counts, *news = (line.plain for line in self._news)
        bar_text = f"{self._n_done}/{self._n_total}  {self._time_text()} ·{counts}"
        running = list(self._running.values())
        if running:
            more = f", {len(running) - N_RUNNING} more" if len(running) > N_RUNNING else ""
            news.append(f" now   {' · '.join(running[:N_RUNNING])}{more}")
        below = "\n".join(news)
        page = (
            f"{_pre(said)}<progress value='{self._n_done}' max='{max(1, self._n_total)}' "
            f"style='width: 18em'></progress> <code>{html.escape(bar_text)}</code>{_pre(below)}"
        )
        self._show_now(page, f"{said}\n{bar_text}\n{below}")


def _pre(text: str) -> str:
    style = "margin: 0; white-space: pre-wrap; line-height: 1.4"
    return f'<pre style="{style}">{html.escape(text)}</pre>'
