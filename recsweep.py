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
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from experiments.cluster import Resources
    from experiments.records import StudyRecord, TrialRecord
    from experiments.sweep import SweepConfig

# TensorFlow chooses its Keras once, when it is imported, and TensorFlow Recommenders needs Keras 2.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

_HOMES = {
    "Float": "search_spaces",
    "Int": "search_spaces",
    "Choice": "search_spaces",
    "SearchSpace": "search_spaces",
    "space": "search_spaces",
    "shipped_space": "search_spaces",
    "Sweep": "experiments.config",
    "load_sweep": "experiments.config",
    "Resources": "experiments.cluster",
    "RankingConfig": "recommender.config",
    "TrainingConfig": "recommender.config",
    "DatasetConfig": "recommender.datasets.base",
    "SplitConfig": "recommender.datasets.base",
    "load_dataset": "recommender.datasets.loading",
    "train_ranking": "recommender.training",
}

__all__ = ["Study", "load", "resume", "run", "verdict", *_HOMES]  # names of a dict


@dataclass(frozen=True, slots=True)
class Study:
    """The outcome of a sweep, as its folder tells it."""

    record: StudyRecord
    """Everything: trials with their epochs and attempts, baselines, provenance."""

    @property
    def folder(self) -> Path:
        return self.record.folder

    def trials(self) -> pd.DataFrame:
        """One row a trial; `column_definitions` says what stands in each column."""
        from reports.exports import trials_frame

        return trials_frame(self.record)

    def column_definitions(self) -> dict[str, str]:
        from reports.exports import column_definitions

        return column_definitions(self.record)

    def curves(self) -> pd.DataFrame:
        """One row an epoch of a trial: number, epoch, val_rmse, train_rmse, n_updates, seconds."""
        from reports.exports import curves_frame

        return curves_frame(self.record)

    def best(self) -> TrialRecord | None:
        """The COMPLETE trial with the lowest validation RMSE; None without one. One seed."""
        return self.record.ranked[0] if self.record.ranked else None

    def report(self) -> Path:
        """Write the report anew; the path of its HTML."""
        from reports.render import write_report

        return write_report(self.record).html

    def _repr_html_(self) -> str:
        """The report, inline in a notebook; shut off from the rest of its page."""
        page = html.escape(self.report().read_text("utf-8"))
        return (
            f'<iframe title="report" srcdoc="{page}" sandbox="allow-scripts" '
            'style="width: 100%; height: 900px; border: 0"></iframe>'
        )


def run(
    sweep: SweepConfig | str | Path,
    *,
    studies: str | Path = "studies",
    resources: Resources | None = None,
    quiet: bool = False,
) -> Study:
    """Run a sweep (its file, a shipped one's name, or `Sweep(...)`) and write its report.

    Args:
        studies: the folder of all studies.
        quiet: no lines about progress.

    Raises:
        RecsweepError: of the kind that says what has to be mended.
    """
    from experiments.config import load_sweep
    from experiments.study import run_study

    config = load_sweep(sweep) if isinstance(sweep, str | Path) else sweep
    outcome = run_study(config, root=Path(studies), watcher=_watcher(quiet), resources=resources)
    return _reported(outcome.study)


def resume(study: str | Path, *, resources: Resources | None = None, quiet: bool = False) -> Study:
    """Go on with a study folder after any interruption, and write its report."""
    from experiments.study import resume_study

    outcome = resume_study(Path(study), watcher=_watcher(quiet), resources=resources)
    return _reported(outcome.study)


def verdict(
    study: Study | str | Path,
    *,
    top: int | None = None,
    seeds: int | None = None,
    resources: Resources | None = None,
    quiet: bool = False,
) -> Study:
    """Train a finished study's finalists again under fresh seeds, judge them, write the report.

    Called again it goes on, or reads what is there: `verdict(study).record.verdict.results`.

    Args:
        study: the outcome of `run` or `load`, or a study's folder.
        top: so many of the best trials; 5, or as the list was frozen.
        seeds: fresh seeds for each finalist; 5, or as the list was frozen.
    """
    from experiments.verdict import gather_evidence, write_verdict
    from reports.judging import judge

    folder = study.folder if isinstance(study, Study) else Path(study)
    ended = gather_evidence(
        folder, top=top, n_seeds=seeds, watcher=_watcher(quiet), resources=resources
    )
    if (evidence := ended.evidence) is not None:
        results = judge(
            ended.study,
            ended.frozen,
            predicted=evidence.predicted,
            rmse_by_seed=evidence.rmse_by_seed,
            actual=evidence.actual,
            users=evidence.users,
            on_searched=evidence.on_searched,
            baselines=evidence.baselines,
            searched=evidence.searched,
        )
        write_verdict(folder, ended.frozen, results)
    return _reported(load(folder).record)


def load(study: str | Path) -> Study:
    """A study from its folder, also while it runs."""
    from experiments.records import read_study

    return Study(read_study(Path(study)))


def _reported(record: StudyRecord) -> Study:
    study = Study(record)
    study.report()
    return study


def _watcher(quiet: bool) -> Any:
    if quiet:
        from experiments.watcher import Silent

        return Silent()
    from experiments.cli.terminal import Terminal

    return Terminal()


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
