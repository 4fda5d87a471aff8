"""A study folder, read whole as it stands now."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from experiments.durations import parse_duration
from experiments.errors import StateError, StudyError
from experiments.files import read_json
from experiments.ledger.ledger import Ledger
from experiments.ledger.lock import holder_of
from experiments.ledger.trial_records import (
    Purpose,
    TrialRecord,
    Value,
    first_runs,
)
from experiments.records.derived_records import (
    BoardCheck,
    CrossingRecord,
    NoiseRecord,
    SegmentsRecord,
    read_board_check,
    read_crossings,
    read_noise,
    read_segments,
)
from experiments.records.first_sweep import JOURNAL_NAME, first_sweep, is_same_sweep
from experiments.records.notes import read_note
from experiments.records.openings import Opening, openings_of
from experiments.records.verdict_records import (
    Finalist,
    UnsealedRecord,
    VerdictRecord,
    VerdictResults,
    read_test,
    read_verdict,
)
from experiments.resting import collector_resting
from experiments.typed import typed

SWEEP_NAME = "sweep.toml"
PROVENANCE_NAME = "provenance.json"
BASELINES_NAME = "baselines.json"
IMPORTANCE_NAME = "importance.json"
COLUMNS_NAME = "columns.json"
LEDGER_NAME = "study.db"


@dataclass(frozen=True, slots=True)
class BaselineRecord:
    """A model without a neural network, on the same rows."""

    name: str
    """`train_mean`, `item_mean`, `bias`, `matrix_factorisation`."""
    label: str
    val_rmse: float
    seconds: float


@dataclass(frozen=True, slots=True)
class ImportanceRecord:
    """How much of the spread of the objective a dimension explains (PED-ANOVA)."""

    MIN_TRIALS: ClassVar[int] = 12
    """Fewer complete trials in an arm say nothing about its dimensions: there is no record."""

    arm: str | None
    dimension: str
    importance: float
    """0 to 1; sums to 1 within an arm."""
    n_trials: int
    """COMPLETE trials it was computed from."""
    low: float | None = None
    high: float | None = None
    """95 % interval over resampled trials; None before the end and in studies of old versions."""
    n_draws: int | None = None
    """Resamples that the interval is of; None in studies of old versions."""


@dataclass(frozen=True, slots=True)
class ColumnRecord:
    """One dimension as table column: the union of its cases."""

    name: str
    kind: str
    """`float`, `int` or `choice`."""
    low: float | None
    high: float | None
    log: bool
    choices: tuple[Value, ...]
    is_always_there: bool = True
    """Every trial has a value of it."""


@dataclass(frozen=True)
class StudyRecord:
    """A study folder, read whole."""

    folder: Path
    name: str
    sweep: Mapping[str, Any]
    """The resolved sweep.toml."""
    provenance: Mapping[str, Any]
    """provenance.json: versions, git, seed, machine, dataset and split with fingerprints."""
    columns: tuple[ColumnRecord, ...]
    """The union of the space, in its order."""
    baselines: tuple[BaselineRecord, ...]
    importance: tuple[ImportanceRecord, ...]
    trials: tuple[TrialRecord, ...]
    """In order of number; purposes other than search last."""
    state: str
    """`running`, `finished` or `interrupted` (nobody runs it and trials are left)."""
    n_trials_asked_for: int
    is_out_of_time: bool = False
    """Whether the sweep's `search.timeout` is spent: without more, no new trial is asked for."""
    note: str = ""
    tags: tuple[str, ...] = ()
    verdict: VerdictRecord | None = None
    """None until finalists were frozen."""
    segments: SegmentsRecord | None = None
    """Where the finalists err, before a verdict the best trials; None until a driver ended."""
    noise: NoiseRecord | None = None
    """How far other users would move differences of RMSE; None until a driver ended."""
    crossings: Mapping[str, CrossingRecord] = field(default_factory=dict)
    """By finalist: what the cross layers of a judged DCN cross."""
    board_check: BoardCheck | None = None
    """Whether the dashboard showed what the ledger holds; None until a driver ended."""
    test: UnsealedRecord | None = None
    """None until this study's finalists were scored on the test split."""
    openings: tuple[Opening, ...] = ()
    """Of this study's test split, by it and by the studies beside it."""
    unreadable: tuple[str, ...] = ()
    """What could not be read of what recsweep works out itself: file and reason."""

    @cached_property
    def search_trials(self) -> tuple[TrialRecord, ...]:
        return tuple(trial for trial in self.trials if trial.purpose is Purpose.SEARCH)

    @property
    def dataset(self) -> Mapping[str, Any]:
        """What was read and how it was split, by the provenance."""
        data: Mapping[str, Any] = self.provenance.get("dataset") or {}
        return data

    @property
    def search_seed(self) -> int | None:
        """What the search drew under; the sweep's own where that is not on record."""
        seed: int | None = self.provenance.get("seed", self.sweep.get("seed"))
        return seed

    @cached_property
    def default_points(self) -> frozenset[frozenset[tuple[str, Value]]]:
        """Values of the default configurations; a search may try them under several seeds."""
        return frozenset(trial.point for trial in self.search_trials if trial.is_default)

    def is_default(self, trial: TrialRecord) -> bool:
        """Whether it has the values of a default configuration, whoever asked for it."""
        return trial.point in self.default_points

    @cached_property
    def ranked(self) -> tuple[TrialRecord, ...]:
        """COMPLETE search trials by best RMSE; ties by number."""
        ranked = [t for t in self.trials if t.is_ranked and t.best_rmse is not None]
        return tuple(sorted(ranked, key=lambda t: (t.best_rmse, t.number)))

    @cached_property
    def ranked_models(self) -> tuple[TrialRecord, ...]:
        """Of `ranked` the first run of each model."""
        return tuple(first_runs(self.ranked))

    @property
    def verdict_results(self) -> VerdictResults | None:
        """None without a verdict, and until all of it was trained."""
        return self.verdict.results if self.verdict else None

    @property
    def leader(self) -> TrialRecord | None:
        """The trial with the best mean of the verdict; None before one, and where no trial
        completed under every seed."""
        results = self.verdict_results
        by_name = {trial.name: trial for trial in self.search_trials}
        means = [f.name for f in results.finalists if f.mean is not None] if results else []
        return next((by_name[name] for name in means if name in by_name), None)

    def replicates(self, finalist: Finalist) -> list[TrialRecord]:
        """The verdict's trials of a finalist, seed by seed."""
        assert self.verdict is not None
        by_name = {trial.name: trial for trial in self.trials}
        return [by_name[finalist.replicate(i)] for i in range(len(self.verdict.seeds))]

    @property
    def late_trials(self) -> tuple[TrialRecord, ...]:
        """Trials of the search that had not ended when the verdict froze its list, of models that
        it did not judge."""
        verdict = self.verdict
        if verdict is None:
            return ()
        judged = {t.point for t in self.search_trials if verdict.finalist(t.name)}
        late = (t for t in self.search_trials if not verdict.knew(t))
        return tuple(trial for trial in late if trial.point not in judged)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The further metrics that the sweep asks for, by name, in its order."""
        also = (self.sweep.get("metrics") or {}).get("also", [])
        return tuple(reference.rpartition(":")[2] for reference in also)

    @property
    def compared_dimension(self) -> str | None:
        compare = self.sweep.get("compare") or {}
        return compare.get("dimension")

    @property
    def compared_choices(self) -> tuple[Value, ...]:
        """Of the compared dimension, an arm each; none where nothing is compared."""
        columns = (c.choices for c in self.columns if c.name == self.compared_dimension)
        return next(columns, ())

    @property
    def n_done(self) -> int:
        """How many trials of the search have ended, in whatever way."""
        return sum(trial.state.is_finished for trial in self.search_trials)

    @property
    def is_ended_by_time(self) -> bool:
        """Whether the search's time is over and every trial that it asked for has ended."""
        return self.is_out_of_time and all(t.state.is_finished for t in self.search_trials)

    @property
    def is_finished(self) -> bool:
        """Whether all trials that were asked for are done, also while its driver still runs."""
        has_all = len(self.search_trials) >= self.n_trials_asked_for
        return self.state == "finished" or (
            has_all and all(t.state.is_finished for t in self.search_trials)
        )

    @property
    def is_searched(self) -> bool:
        """Whether its search is at an end, by its trials or by its time: what follows judges."""
        return self.is_finished or self.is_ended_by_time

    @property
    def training_command(self) -> str:
        """What trains it further, or does so now: `resume`; after the search, `verdict`."""
        return "verdict" if self.is_searched else "resume"

    def trial(self, number: int) -> TrialRecord | None:
        return next((trial for trial in self.trials if trial.number == number), None)

    def baseline(self, name: str) -> BaselineRecord | None:
        return next((b for b in self.baselines if b.name == name), None)


def study_folders(root: Path) -> tuple[Path, ...]:
    """The study folders directly under a folder, by name; none where it does not exist."""
    if not root.is_dir():
        return ()
    return tuple(sorted(folder for folder in root.iterdir() if _is_study(folder)))


def find_studies(root: Path) -> tuple[StudyRecord, ...]:
    """The studies directly under a folder, by name; StudyError where one cannot be read."""
    return tuple(read_study(folder) for folder in study_folders(root))


def read_study(folder: Path) -> StudyRecord:
    """A study folder, read whole as it stands now, also while a driver runs it.

    Raises:
        StudyError: it is no study, or a file in it is missing or damaged; names the file. What
            recsweep worked out itself and can work out anew is left out instead (`unreadable`).
    """
    refuse_no_study(folder)
    unreadable: list[str] = []
    text = sweep_text(folder)
    if (first := first_sweep(folder)) is not None and not is_same_sweep(first, text):
        unreadable.append(
            f"{SWEEP_NAME} was changed since this study began: what it began with is shown; take "
            "the change back"
        )
        text = first
    if not (folder / COLUMNS_NAME).exists():  # it was there before this was a study
        unreadable.append(f"{COLUMNS_NAME} is missing: arms and dimensions are not told")
    sweep = _read_sweep(folder / SWEEP_NAME, text)
    # Asked before the ledger is read: a driver that ends in between left nothing out.
    is_running = holder_of(folder) is not None
    trials: tuple[TrialRecord, ...] = ()
    n_asked_for: int | None = None
    is_said_to_be_finished = is_out_of_time = False
    limit = sweep.get("search", {}).get("timeout")
    if (folder / LEDGER_NAME).exists():
        # Of the hundreds of thousands of objects that this makes all stay.
        with Ledger.reading(folder / LEDGER_NAME) as ledger, collector_resting():
            trials = ledger.trials()
            n_asked_for = ledger.n_trials_asked_for
            is_said_to_be_finished = ledger.is_said_to_be_finished
            is_out_of_time = limit is not None and ledger.elapsed_s() >= parse_duration(limit)
    elif any((folder / JOURNAL_NAME).glob("*.jsonl")) and not is_running:
        raise StudyError(
            f"{folder / LEDGER_NAME}: the ledger is missing; "
            f"`recsweep repair {typed(folder)}` rebuilds it from the journals"
        )
    about = read_json(folder / PROVENANCE_NAME)
    if not isinstance(about, dict):
        raise StudyError(f"{folder / PROVENANCE_NAME}: holds no JSON object: it was overwritten")
    noted = read_note(folder)

    def derived(read: Callable[[], _ReadT], missing: _ReadT) -> _ReadT:
        try:
            return read()
        except StateError as error:
            unreadable.append(error.message.replace(f"{folder}/", ""))
            return missing

    searched = [trial for trial in trials if trial.purpose is Purpose.SEARCH]
    if n_asked_for is None:
        n_asked_for = sweep.get("search", {}).get("trials", len(searched))
    has_all = is_said_to_be_finished or len(searched) >= n_asked_for
    is_finished = has_all and all(trial.state.is_finished for trial in searched)
    return StudyRecord(
        folder=folder,
        name=folder.resolve().name,
        sweep=sweep,
        provenance=about,
        columns=_read_records(folder / COLUMNS_NAME, ColumnRecord),
        baselines=derived(lambda: _read_records(folder / BASELINES_NAME, BaselineRecord), ()),
        importance=derived(lambda: _read_records(folder / IMPORTANCE_NAME, ImportanceRecord), ()),
        trials=trials,
        state="running" if is_running else "finished" if is_finished else "interrupted",
        n_trials_asked_for=n_asked_for,
        is_out_of_time=is_out_of_time,
        note=sweep.get("note", "") if noted.text is None else noted.text,
        tags=noted.tags,
        verdict=read_verdict(folder),
        segments=derived(lambda: read_segments(folder), None),
        noise=derived(lambda: read_noise(folder), None),
        crossings=derived(lambda: read_crossings(folder), {}),
        board_check=derived(lambda: read_board_check(folder), None),
        test=read_test(folder),
        openings=openings_of(folder, _sealed_fingerprint(about.get("dataset") or {})),
        unreadable=tuple(unreadable),
    )


def _sealed_fingerprint(dataset: Mapping[str, Any]) -> str | None:
    """What the openings of the test part are counted under, with and without `split.confirm`."""
    return dataset.get("whole_split_fingerprint") or dataset.get("split_fingerprint")


def refuse_no_study(folder: Path) -> None:
    """Raises StudyError where it is none."""
    if not _is_study(folder):
        raise StudyError(
            f"{folder}: this is no study (a study's folder holds {SWEEP_NAME} and "
            f"{PROVENANCE_NAME})",
            exit_code=2,
        )


def _is_study(folder: Path) -> bool:
    return (folder / SWEEP_NAME).is_file() and (folder / PROVENANCE_NAME).is_file()


def sweep_text(folder: Path) -> str:
    """The text of a study's sweep. StudyError where it cannot be read."""
    path = folder / SWEEP_NAME
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise StudyError(f"{path}: cannot be read as TOML: {error}") from error


def _read_sweep(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except ValueError as error:
        raise StudyError(f"{path}: cannot be read as TOML: {error}") from error


_RecordT = TypeVar("_RecordT", ColumnRecord, BaselineRecord, ImportanceRecord)
_ReadT = TypeVar("_ReadT")


def _read_records(path: Path, kind: type[_RecordT]) -> tuple[_RecordT, ...]:
    """The records in a JSON file; none where it has not been written yet."""
    if not path.exists():
        return ()
    try:
        return tuple(kind(**_frozen(row)) for row in read_json(path))
    except (TypeError, AttributeError) as error:
        raise StudyError(f"{path}: not the records that belong there: {error}") from error


def _frozen(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
