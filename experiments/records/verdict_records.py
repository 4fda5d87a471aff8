"""A verdict as its study folder keeps it: who was frozen, and what became of them.

Standard library only; `experiments.records` hands it on to the reports.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from experiments.files import read_record
from experiments.ledger.trial_records import TrialRecord
from experiments.typed import typed

VERDICT_NAME = "verdict.json"
TEST_NAME = "test.json"
CONFIDENCE = 0.95
"""Of every interval of a verdict; p values are held against the rest."""


@dataclass(frozen=True, slots=True)
class Finalist:
    """A trial of the search, a size control beside one, or a baseline, that is to be judged."""

    name: str
    """The trial's (`0007`), the control's (`control-0007`) or the baseline's (`bias`)."""
    number: int | None
    """Of the trial, or of the one that a control belongs to; None for a baseline."""
    reasons: tuple[str, ...]
    """`place 1`, `best dcn`, `default`, `same as #3`, `size control`, `best baseline`."""
    values: Mapping[str, Any] | None = None
    """A control's own, by column name; empty until the list is frozen. None for the others."""

    @property
    def is_baseline(self) -> bool:
        return self.number is None

    @property
    def is_control(self) -> bool:
        """Whether the search never tried it: it was made to be as large as another."""
        return self.values is not None

    def replicate(self, index: int) -> str:
        """The name of the trial under the index-th fresh seed, from 0: `0007-v1`."""
        return f"{self.name}-v{index + 1}"


@dataclass(frozen=True, slots=True)
class FinalistResult:
    """How a finalist fared under the fresh seeds, on the validation rows."""

    name: str
    search_rmse: float | None
    """The RMSE for which it was chosen; a baseline's own; None for a size control."""
    rmse_by_seed: tuple[float | None, ...]
    """In the order of the seeds; None where it did not complete. One number for a baseline."""
    mean: float | None
    """None where it did not complete under every seed: it is then compared with nobody."""
    low: float | None
    """95 % interval of the mean over seeds, on these rows; None for a baseline."""
    high: float | None
    shrinkage: float | None
    """Mean over the fresh seeds minus `search_rmse`, both on the rows of the search: above 0 the
    search's number was too good."""
    p_best: float | None
    """Probability of the lowest RMSE of all, under other seeds and other users."""

    @property
    def is_random(self) -> bool:
        """Whether its seeds made a difference: to a baseline, and some models, they do not."""
        return len(set(self.rmse_by_seed)) > 1


class Answer(StrEnum):
    """What a comparison came to."""

    BETTER = "better"
    """Holm's p is below 0.05, and the first is better by at least the margin."""
    WORSE = "worse"
    TIE = "tie"
    """The whole interval lies within the margin."""
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class PairResult:
    """A finalist against another: RMSE of the first minus that of the second."""

    first: str
    second: str
    estimate: float
    low: float
    """95 % interval over other seeds and other users; not corrected."""
    high: float
    degrees_of_freedom: float | None
    """Satterthwaite's; None where nothing varies."""
    p: float
    holm_p: float
    bootstrap_low: float
    bootstrap_high: float
    answer: str
    """An `Answer`, of the first."""

    def turned(self) -> PairResult:
        """The same, of the second against the first."""
        other = {Answer.BETTER: Answer.WORSE, Answer.WORSE: Answer.BETTER}
        return replace(
            self,
            first=self.second,
            second=self.first,
            estimate=-self.estimate,
            low=-self.high,
            high=-self.low,
            bootstrap_low=-self.bootstrap_high,
            bootstrap_high=-self.bootstrap_low,
            answer=other.get(Answer(self.answer), self.answer),
        )


@dataclass(frozen=True, slots=True)
class VerdictResults:
    """What the errors of all finalists came to."""

    margin: float
    n_rows: int
    n_users: int
    finalists: tuple[FinalistResult, ...]
    """Best mean first, those without one last."""
    pairs: tuple[PairResult, ...]
    """All pairs of finalists with a mean, the better mean first."""
    is_confirmed: bool = False
    """Judged on the validation users of `split.confirm`, whom the search never saw."""
    baselines: Mapping[str, float] = field(default_factory=dict)
    """Their RMSE on the rows that judge; empty where these are the search's: the study's own."""
    optimism: float | None = None
    """How much too good the RMSE of the best is on the users who chose it: of all complete trials,
    or, where kept users judge and choose who leads, of the finalists; None: not known."""
    n_choosable: int = 0
    """Trials that `optimism` was worked out from."""

    def finalist(self, name: str) -> FinalistResult | None:
        return next((f for f in self.finalists if f.name == name), None)

    def pair(self, first: str, second: str) -> PairResult | None:
        """The one against the other, whichever has the better mean."""
        for pair in self.pairs:
            if {pair.first, pair.second} == {first, second}:
                return pair if pair.first == first else pair.turned()
        return None


@dataclass(frozen=True, slots=True)
class VerdictRecord:
    """A frozen list, and its results once every replicate has ended."""

    frozen_at: float
    """Wall clock, seconds since 1970."""
    top: int
    seeds: tuple[int, ...]
    finalists: tuple[Finalist, ...]
    results: VerdictResults | None = None

    def knew(self, trial: TrialRecord) -> bool:
        """Whether a trial of the search had ended before the list was frozen; one that had failed
        and was tried again since had not."""
        return trial.ended_at is not None and trial.ended_at <= self.frozen_at

    def finalist(self, name: str) -> Finalist | None:
        return next((f for f in self.finalists if f.name == name), None)


@dataclass(frozen=True, slots=True)
class RefitResult:
    """The leader, trained on train and validation together, on the test rows."""

    name: str
    rmse_by_seed: tuple[float, ...]

    @property
    def mean(self) -> float:
        return sum(self.rmse_by_seed) / len(self.rmse_by_seed)


@dataclass(frozen=True, slots=True)
class UnsealedRecord:
    """The frozen finalists on the test rows, once these were opened."""

    results: VerdictResults
    """As of the verdict, on the test rows; `search_rmse` is still the search's, on validation, and
    `shrinkage` what the mean on the test rows lies above it."""
    baselines: Mapping[str, float]
    """Test RMSE by name."""
    refit: RefitResult | None
    apart: Mapping[str, float] = field(default_factory=dict)
    """By trial, of those whose weights were gone: what the validation RMSE of the model that was
    trained again lies above that of the one judged, where it does not come to the same."""


def read_test(folder: Path) -> UnsealedRecord | None:
    """A study's scores on the test split; None where it did not open it."""
    cure = (
        f"without the file, `recsweep unseal {typed(folder)}` scores anew, which is put on record"
    )
    return read_record(folder / TEST_NAME, _test, "test scores", cure)


def read_verdict(folder: Path) -> VerdictRecord | None:
    """A study's verdict; None where none was begun."""
    cure = (
        f"without it, `recsweep verdict {typed(folder)}` writes it anew: what was trained for it "
        "is kept"
    )
    return read_record(folder / VERDICT_NAME, _verdict, "verdict", cure)


def _test(plain: Mapping[str, Any]) -> UnsealedRecord:
    refit = plain["refit"]
    return UnsealedRecord(
        results=_results(plain["results"]),
        baselines=dict(plain["baselines"]),
        refit=RefitResult(refit["name"], tuple(refit["rmse_by_seed"])) if refit else None,
        apart=dict(plain.get("apart") or {}),
    )


def _verdict(plain: Mapping[str, Any]) -> VerdictRecord:
    return VerdictRecord(
        frozen_at=plain["frozen_at"],
        top=plain["top"],
        seeds=tuple(plain["seeds"]),
        finalists=tuple(
            Finalist(row["name"], row["number"], tuple(row["reasons"]), row.get("values"))
            for row in plain["finalists"]
        ),
        results=_results(plain["results"]) if plain["results"] else None,
    )


def _results(plain: Mapping[str, Any]) -> VerdictResults:
    finalists = (row | {"rmse_by_seed": tuple(row["rmse_by_seed"])} for row in plain["finalists"])
    parts = {
        "finalists": tuple(FinalistResult(**_known(FinalistResult, row)) for row in finalists),
        "pairs": tuple(PairResult(**_known(PairResult, row)) for row in plain["pairs"]),
    }
    return VerdictResults(**_known(VerdictResults, plain) | parts)


def _known(kind: type[Any], plain: Mapping[str, Any]) -> dict[str, Any]:
    """What this version knows of a record: an older one wrote less of it, a newer one more."""
    return {field.name: plain[field.name] for field in fields(kind) if field.name in plain}
