"""The one door for Python users: `import recsweep as rs`.

Importing it checks that the four packages behind it are recsweep's own; each name is imported when
it is first used, so that a notebook pays for what it touches.

    sweep = rs.Sweep("first", space=rs.space(architecture=rs.Choice(["plain", "dcn"])), trials=8)
    study = rs.run(sweep)
    study.trials()
"""

from __future__ import annotations

import html
import importlib
import importlib.util
import numbers
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

    from experiments.machine.resources import Resources
    from experiments.records import StudyRecord
    from experiments.running.stopping import StopCause
    from experiments.sweep import SweepConfig

# TensorFlow chooses its Keras once, when it is imported, and TensorFlow Recommenders needs Keras 2.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

_HOMES = {
    "Float": "search_spaces",
    "Int": "search_spaces",
    "Choice": "experiments.own.own_objects",
    "SearchSpace": "search_spaces",
    "space": "search_spaces",
    "shipped_space": "search_spaces",
    "Sweep": "experiments.request.config",
    "load_sweep": "experiments.request.config",
    "from_keras_tuner": "experiments.translate.keras_tuner",
    "to_keras_tuner": "experiments.translate.keras_tuner",
    "Resources": "experiments.machine.resources",
    "RankingConfig": "recommender.config",
    "TrainingConfig": "recommender.config",
    "DatasetConfig": "recommender.datasets.config",
    "ItemsConfig": "recommender.datasets.config",
    "UsersConfig": "recommender.datasets.config",
    "SplitConfig": "recommender.datasets.config",
    "load_dataset": "recommender.datasets.loading",
    "train_ranking": "recommender.training",
    "RecsweepError": "experiments.errors",
    "RequestError": "experiments.errors",
    "StateError": "experiments.errors",
    "StudyError": "experiments.errors",
    "SweepFileError": "experiments.errors",
    "SpaceError": "search_spaces",
    "DataError": "recommender.errors",
    "ModelError": "recommender.errors",
}

__all__ = ["Study", "StudyInterrupted", "load", "resume", "run", "verdict", *_HOMES]  # of a dict


class StudyInterrupted(KeyboardInterrupt):
    """Ctrl-C, or a notebook's stop button: what ran was checkpointed, and `resume` goes on.

    A KeyboardInterrupt, so that a script ends and a notebook runs no further cell.
    """

    def __init__(self, study: Study) -> None:
        from experiments.typed import from_here

        judged = study.record.verdict
        is_open = judged is not None and judged.results is None
        call = "verdict" if is_open else None if study.record.is_finished else "resume"
        way_on = f" Go on: rs.{call}({from_here(study.folder)!r})" if call else ""
        super().__init__(
            f"{study.record.name} was stopped with {study.record.n_done} of "
            f"{study.record.n_trials_asked_for} trials done; nothing is lost.{way_on}"
        )
        self.study = study
        """As it stands; `rs.load` gives the same."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the sentence alone."""
        return [str(self)]


@dataclass(frozen=True, slots=True, repr=False)
class Study:
    """The outcome of a sweep, as its folder tells it."""

    record: StudyRecord
    """Everything: trials with their epochs and attempts, baselines, provenance."""

    @property
    def folder(self) -> Path:
        return self.record.folder

    def trials(self) -> pd.DataFrame:
        """One row a trial, in order of number."""
        from reports.exports import trials_frame

        return trials_frame(self.record)

    def best(self, n: int = 1) -> pd.DataFrame:
        """The `n` COMPLETE trials with the lowest validation RMSE, best first, as rows of
        `trials`; fewer where there are not so many. One seed each."""
        from experiments.errors import RequestError
        from reports.exports import best_frame

        if isinstance(n, bool) or not isinstance(n, numbers.Integral) or n < 0:
            raise RequestError(f"best(n) takes a whole number of trials, got {n!r}")
        return best_frame(self.record, int(n))

    def curves(self) -> pd.DataFrame:
        """One row an epoch of a trial."""
        from reports.exports import curves_frame

        return curves_frame(self.record)

    def predictions(self, trial: int | str, *, train_again: bool = False) -> pd.DataFrame:
        """One row a validation rating, with what the trial's best epoch predicts for it.

        Stored predictions, else those of the trial's kept weights (TensorFlow is imported then);
        the data is read again. Ratings of the test split are not among them.

        Args:
            trial: its number, or its name (`"0007-v1"`: under the first seed of a verdict).
            train_again: where neither was kept, train it once more, in this process.

        Raises:
            RequestError: there is no such trial, or nothing of its model was kept.
            StateError: the data or the researcher's own code changed since.
        """
        from experiments.trials.predictions import validation_predictions
        from recommender.own_loading import imports_undone

        with imports_undone():
            return validation_predictions(self.record, trial, train_again=train_again)

    def column_definitions(
        self, of: Literal["trials", "best", "curves", "predictions"] = "trials"
    ) -> dict[str, str]:
        """What stands in each column of a data frame of this study.

        Raises:
            RequestError: there is no such data frame.
        """
        from experiments.errors import RequestError
        from experiments.trials.predictions import PREDICTION_COLUMNS
        from reports.exports import column_definitions, curve_definitions

        if of == "predictions":
            return dict(PREDICTION_COLUMNS)
        if of == "curves":
            return curve_definitions(self.record)
        if of not in ("trials", "best"):
            raise RequestError(f"of must be trials, best, curves or predictions, got {of!r}")
        return column_definitions(self.record)

    def report(self) -> Path:
        """Write the report anew; the path of its HTML."""
        from reports.render import write_report

        return write_report(self.record).html

    def __repr__(self) -> str:
        from experiments.cli.wording import counts_text, rmse_text

        trials, ranked = self.record.search_trials, self.record.ranked
        best = f", best {rmse_text(ranked[0].best_rmse)} (#{ranked[0].number})" if ranked else ""
        counts = counts_text(trials) or "no trials"
        return f"<recsweep study {self.record.name}, {self.record.state}: {counts}{best}>"

    def _repr_html_(self) -> str:
        """The first screen of the report in a notebook, shut off from the rest of its page."""
        from experiments.typed import from_here
        from reports.render import first_screen

        page = html.escape(first_screen(self.record))
        where = html.escape(from_here(self.folder / "report" / "report.html"))
        return (
            f'<iframe title="report" srcdoc="{page}" sandbox="allow-scripts" '
            'style="width: 100%; height: 640px; border: 0"></iframe>'
            f"<p>All of it: <code>{where}</code></p>"
        )


def run(
    sweep: SweepConfig | str | Path,
    *,
    studies: str | Path = "studies",
    resources: Resources | None = None,
    stop_at: str | None = None,
    quiet: bool = False,
) -> Study:
    """Run a sweep (its file, a shipped one's name, or `Sweep(...)`) and write its report.

    In a notebook progress shows under the cell, elsewhere as lines on stderr. A study that
    `recsweep stop` or its own timeout ended is given back as it stands: `record.state` says so.

    Args:
        studies: the folder of all studies.
        stop_at: checkpoint and leave this process with 143 after so long, such as "11h30m"; None:
            two minutes before the end of a Slurm job.
        quiet: nothing about progress.

    Raises:
        RecsweepError: of the kind that says what has to be mended.
        StudyInterrupted: Ctrl-C or the stop button; the running trials were checkpointed.
    """
    with _in_this_process():
        from experiments.errors import RequestError
        from experiments.request.config import checked, load_sweep
        from experiments.running.sessions import deadline_of
        from experiments.study import run_study
        from experiments.waiting import waits_told

        config = load_sweep(sweep) if isinstance(sweep, str | Path) else sweep
        _refuse_no_sweep(config)
        if config is sweep:
            config = checked(sweep)
        watcher = _watcher(quiet)
        if not isinstance(studies, str | Path):
            raise RequestError(f"studies is the folder of all studies, got {studies!r:.80}")
        with waits_told(watcher.message):
            ended = run_study(
                config,
                root=Path(studies).absolute(),
                watcher=watcher,
                resources=resources,
                deadline=deadline_of(stop_at),
            )
    return _reported(ended.study, ended.stopped_by)


def _refuse_no_sweep(config: Any) -> None:
    from experiments.errors import RequestError
    from experiments.sweep import SweepConfig

    if not isinstance(config, SweepConfig):
        raise RequestError(
            f"a sweep is a Sweep(...), its file or the name of a shipped one, got {config!r:.80}"
        )
    if config.space is None:
        raise RequestError(
            f"{config.name} has no space and no search: it is one model; give it a space, or train "
            "it with: recsweep train FILE"
        )


def resume(
    study: Study | str | Path,
    *,
    trials: int | None = None,
    timeout: str | float | None = None,
    retry_failed: bool = False,
    own: Sequence[Any] | Literal["saved"] | None = None,
    resources: Resources | None = None,
    stop_at: str | None = None,
    quiet: bool = False,
) -> Study:
    """Go on with a study (or its folder) after any interruption, and write its report.

    Args:
        trials: so many search trials in all, which extends it.
        timeout: another so much time, such as "2h" or 90 (seconds).
        retry_failed: try failed trials once more, from their start.
        own: the functions and classes of a notebook that the sweep was given; looked up by name in
            the notebook unless they are passed. `"saved"` goes on with their source as it lies in
            the study's `code/`.
        stop_at: as of `run`.

    Raises:
        As `run`.
        StateError: it is running, or its data, its sweep or the researcher's own code changed.
    """
    folder = _folder(study)
    with _in_this_process():
        from experiments.durations import parse_duration
        from experiments.own.own_objects import refuse_changed_objects
        from experiments.running.sessions import deadline_of
        from experiments.study import resume_study
        from experiments.waiting import waits_told

        refuse_changed_objects(folder, own)
        watcher = _watcher(quiet)
        with waits_told(watcher.message):
            ended = resume_study(
                folder,
                watcher=watcher,
                resources=resources,
                n_trials=trials,
                more_s=None if timeout is None else parse_duration(timeout, "timeout"),
                retry_failed=retry_failed,
                deadline=deadline_of(stop_at),
            )
    return _reported(ended.study, ended.stopped_by)


def verdict(
    study: Study | str | Path,
    *,
    top: int | None = None,
    seeds: int | None = None,
    retry_failed: bool = False,
    resources: Resources | None = None,
    stop_at: str | None = None,
    quiet: bool = False,
) -> Study:
    """Train a finished study's finalists again under fresh seeds, judge them, write the report.

    Called again it goes on, or reads what is there: `verdict(study).record.verdict.results`.

    Args:
        study: the outcome of `run` or `load`, or a study's folder.
        top: so many of the best trials; 5, or as the list was frozen.
        seeds: fresh seeds for each finalist; 5, or as the list was frozen.
        retry_failed: try those trainings once more that failed of the machine, under their seeds.
        stop_at: as of `run`.
    """
    folder = _folder(study)
    with _in_this_process():
        from experiments.cli.judged import Progress, write_judged
        from experiments.records.finalists import left_to_train
        from experiments.running.sessions import deadline_of
        from experiments.verdict.frozen_finalists import frozen_or_chosen
        from experiments.verdict.verdict import gather_evidence
        from experiments.waiting import waits_told
        from experiments.watcher import Silent

        record = load(folder).record
        frozen = frozen_or_chosen(record, top, seeds)
        n_left = len(left_to_train(record, frozen, retry_failed=retry_failed))
        watcher = Silent() if quiet else Progress(n_left)
        with waits_told(watcher.message):
            ended = gather_evidence(
                folder,
                top=top,
                n_seeds=seeds,
                retry_failed=retry_failed,
                watcher=watcher,
                resources=resources,
                deadline=deadline_of(stop_at),
            )
    if ended.evidence is not None:
        write_judged(folder, ended, ended.evidence)
    return _reported(load(folder).record, ended.stopped_by)


def load(study: Study | str | Path) -> Study:
    """A study from its folder, as it stands now, also while it runs."""
    from experiments.records import read_study

    return Study(read_study(_folder(study)))


def _folder(study: Study | str | Path) -> Path:
    from experiments.errors import RequestError
    from experiments.records import refuse_no_study
    from experiments.typed import with_its_name

    if isinstance(study, Study):
        return study.folder
    if not isinstance(study, str | Path):
        raise RequestError(f"a study is what rs.run gave or its folder, got {study!r}")
    refuse_no_study(Path(study))
    return with_its_name(Path(study).absolute())


def _reported(record: StudyRecord, stopped_by: StopCause | None) -> Study:
    """Write the report; where a signal or the end of the job stopped the study, leave now."""
    from experiments.running.stopping import StopCause
    from reports.render import write_report

    study = Study(record)
    write_report(record, with_prints=False)
    if stopped_by is StopCause.SIGINT:
        raise StudyInterrupted(study)
    if stopped_by in (StopCause.SIGTERM, StopCause.SIGUSR1, StopCause.DEADLINE):
        raise SystemExit(stopped_by.exit_code)
    return study


@contextmanager
def _in_this_process() -> Iterator[None]:
    """A kernel, or a Python at a prompt, is never ended by us; a script may be.

    The modules that it imported stay what they are.
    """
    from experiments.cli.notebook import kernel_shell, quiet_libraries
    from experiments.running.stopping import as_guest
    from recommender.own_loading import imports_undone

    is_kernel = kernel_shell() is not None
    quiet = quiet_libraries() if is_kernel else nullcontext()
    with as_guest(is_kernel or hasattr(sys, "ps1")), quiet, imports_undone():
        yield


def _watcher(quiet: bool) -> Any:
    if quiet:
        from experiments.watcher import Silent

        return Silent()
    from experiments.cli.notebook import Notebook, in_place, kernel_shell
    from experiments.cli.terminal import Terminal

    return Notebook(in_place()) if kernel_shell() is not None else Terminal()


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"recsweep has no {name!r}; it has {', '.join(sorted(__all__))}")


def __dir__() -> list[str]:
    return sorted(__all__)


def _refuse_strangers() -> None:
    """Another folder of the same name, earlier on the path, would hide one of ours."""
    home = Path(__file__).resolve().parent
    for name in ("search_spaces", "recommender", "experiments", "reports"):
        spec = importlib.util.find_spec(name)
        places = [Path(p).resolve() for p in spec.submodule_search_locations or ()] if spec else []
        if home / name not in places[:1]:
            found = f"{places[0]} hides it" if places else "it is not there"
            raise ImportError(
                f"recsweep needs its own package {name!r} in {home}, but {found}; rename that "
                "folder, or start Python from another one"
            )


_refuse_strangers()

if __name__ == "__main__":
    from experiments.cli.main import main

    main()
