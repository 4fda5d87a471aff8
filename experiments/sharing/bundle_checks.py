"""Whether an unpacked bundle holds what it says: each part against the record it came from.

The journals are the record. Ledger, importance, verdict and predictions are held against them;
what the report says is held against the ledger in `reports.recheck`. No code of the bundle is run.
"""

from __future__ import annotations

import math
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from experiments.errors import RecsweepError
from experiments.ledger.journal import sound_events
from experiments.ledger.ledger import Ledger
from experiments.own.kept_code import refuse_damaged_code
from experiments.records import (
    DRIVER_JOURNAL,
    JOURNAL_NAME,
    LEDGER_NAME,
    SWEEP_NAME,
    ImportanceRecord,
    Purpose,
    StudyRecord,
    TrialRecord,
    TrialState,
)
from experiments.records.conditions import conditions, differing
from experiments.records.first_sweep import first_sweep, is_same_sweep
from experiments.records.values import plural
from experiments.request.frozen import difference
from experiments.request.space_checks import recorded_space
from experiments.search.importance import N_RESAMPLES, importance
from experiments.sharing.bundle import MANIFEST_NAME, Manifest, sha256_of
from recommender.checkpoints import CheckpointError, read_checkpoint, read_metadata
from recommender.epochs import derive_seed

CLOSE = 1e-9


@dataclass(frozen=True, slots=True)
class Check:
    """One kind of thing that was looked at."""

    subject: str
    holds: str
    """What holds, where nothing is wrong."""
    problems: tuple[str, ...] = ()


def check_files(folder: Path, manifest: Manifest) -> Check:
    """Every file is the one that was packed, and there is none besides."""
    found = {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.is_file() and path != folder / MANIFEST_NAME
    }
    problems = [f"{name} is missing" for name in sorted(manifest.files.keys() - found.keys())]
    problems += [f"{name} was not packed" for name in sorted(found.keys() - manifest.files.keys())]
    for name in sorted(manifest.files.keys() & found.keys()):
        size, digest = manifest.files[name]
        if found[name].stat().st_size != size or sha256_of(found[name]) != digest:
            problems.append(f"{name} is not what was packed: its SHA-256 differs")
    return Check("files", f"{len(found)} files, each with its SHA-256", tuple(problems))


def check_code(study: StudyRecord) -> Check:
    """The researcher's own code is that of which the hash is in the provenance."""
    names = list(study.provenance.get("code") or ())
    problems = []
    try:
        refuse_damaged_code(study.folder, study.provenance)
    except (RecsweepError, KeyError, TypeError) as error:
        problems.append(str(error).replace(f"{study.folder.parent}/", ""))
    what = f"{', '.join(names)}: as hashed when the study began" if names else "none"
    return Check("own code", what, tuple(problems))


def check_sweep(study: StudyRecord) -> Check:
    """The sweep is the one that the driver's journal says the study began with."""
    first = first_sweep(study.folder)
    if first is None:
        return Check("sweep", "the journals do not say what the study began with")
    now = (study.folder / SWEEP_NAME).read_text(encoding="utf-8")
    told = f"{SWEEP_NAME} is not what the study began with: {difference(first, now)}"
    holds = "what the study began with, as the journals say"
    return Check("sweep", holds, () if is_same_sweep(first, now) else (told,))


def check_ledger(study: StudyRecord) -> Check:
    """The ledger is what the journals, read anew, say."""
    problems: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        with Ledger(Path(scratch) / LEDGER_NAME) as ledger:
            ledger.catch_up(study.folder / JOURNAL_NAME)
            recorded = {trial.name: trial for trial in ledger.trials()}
            n_asked_for = ledger.n_trials_asked_for
        told = {trial.name: trial for trial in study.trials}
        problems += [
            f"trial {n}: the ledger has it, the journals have not"
            for n in told.keys() - recorded.keys()
        ]
        problems += [
            f"trial {n}: the journals have it, the ledger has not"
            for n in recorded.keys() - told.keys()
        ]
        for name in sorted(told.keys() & recorded.keys()):
            problems += _trial_differences(told[name], recorded[name])
        if n_asked_for is not None and n_asked_for != study.n_trials_asked_for:
            problems.append(
                f"trials asked for: {study.n_trials_asked_for}, {n_asked_for} in the journals"
            )
    n_epochs = sum(len(trial.epochs) for trial in study.trials)
    return Check(
        "ledger",
        f"{plural(len(told), 'trial')} and {plural(n_epochs, 'epoch')}, as the journals say",
        tuple(sorted(problems)),
    )


def check_importance(study: StudyRecord) -> Check:
    """The importance of each dimension, computed anew from the ledger's trials."""
    space = recorded_space(study)
    there = {(r.arm, r.dimension): r for r in study.importance}
    n_resamples = N_RESAMPLES if any(r.low is not None for r in study.importance) else 0
    anew = {(r.arm, r.dimension): r for r in importance(space, study.trials, n_resamples)}
    problems = [
        f"{dimension}{f' of {arm}' if arm else ''}: {_importance(there.get(key))} there, "
        f"{_importance(anew.get(key))} computed anew"
        for key in sorted(there.keys() | anew.keys(), key=str)
        for arm, dimension in [key]
        if _importance(there.get(key)) != _importance(anew.get(key))
    ]
    return Check("importance", f"{plural(len(anew), 'share')}, computed anew", tuple(problems))


def check_provenance(study: StudyRecord) -> Check:
    """Versions, machine and seed are those that the driver's journal and the sweep have."""
    told = study.provenance
    first = next((e for e in sound_events(study.folder / DRIVER_JOURNAL) if "versions" in e), {})
    # A driver may have been killed before its first session, and gone on with elsewhere.
    then = [c for c in conditions(told) if c.since <= first.get("at", math.inf)][-1]
    names = {"python", "recsweep", *(told.get("versions") or {})}
    problems = [
        f"{name} {there} there, {in_journal} in the journals"
        for name, (there, in_journal) in differing(
            then.versions, first.get("versions") or {}
        ).items()
        if name in names
    ]
    if "machine" in first and replace(then, machine=first["machine"]).hardware != then.hardware:
        problems.append("the machine is not that of the journals")
    seed = told.get("seed") or 0
    for trial in study.search_trials[:1]:
        if trial.seed not in (derive_seed(seed, "trial", trial.number), seed):  # all had it, once
            problems.append(f"seed {seed} there, which trial {trial.name} does not follow from")
    is_kept = (study.sweep.get("split") or {}).get("confirm") is not None
    if is_kept != bool(study.dataset.get("confirm")):
        problems.append("kept users there and none in the sweep, or the other way round")
    return Check(
        "provenance",
        "versions, machine and seed as the journals say",
        tuple(problems),
    )


def check_verdict(study: StudyRecord) -> Check:
    """Who was judged, and with which numbers of which trials."""
    verdict, results = study.verdict, study.verdict_results
    finalists = verdict.finalists if verdict else ()
    n_seeds = len(verdict.seeds) if verdict else 0
    listed = {f.replicate(i) for f in finalists if not f.is_baseline for i in range(n_seeds)}
    trained = {trial.name for trial in study.trials if trial.purpose is Purpose.VERDICT}
    problems = []
    if unlisted := sorted(trained - listed):
        problems.append(f"trained for a verdict and on no frozen list: {', '.join(unlisted)}")
    if verdict is None or results is None:
        return Check("verdict", "none", tuple(problems))
    judged = {found.name for found in results.finalists}
    problems += [
        f"{f.name} is on the frozen list, but was not judged"
        for f in finalists
        if f.name not in judged
    ]
    part = study.dataset.get("confirm") or study.dataset.get("validation") or {}
    problems += [
        f"{told} {of} judge, {part[key]} in provenance.json"
        for key, told, of in (
            ("n_rows", results.n_rows, "rows"),
            ("n_users", results.n_users, "users"),
        )
        if key in part and part[key] != told
    ]
    n_known = sum(map(verdict.knew, study.ranked))
    if not results.is_confirmed and results.n_choosable not in (0, n_known):
        problems.append(f"the best of {results.n_choosable} trials, {n_known} in the ledger")
    by_name = {trial.name: trial for trial in study.trials}
    # Of rows that the search never sees the ledger has no number.
    has_ledger_scores = not study.dataset.get("confirm")
    for found in results.finalists:
        frozen = verdict.finalist(found.name)
        if frozen is None:
            problems.append(f"{found.name} was judged, but is not on the frozen list")
        elif frozen.number is None:
            baseline = study.baseline(found.name)
            if not _same(baseline and baseline.val_rmse, found.search_rmse):
                problems.append(f"{found.name}: its RMSE is not that of baselines.json")
        else:
            replicas = [by_name.get(frozen.replicate(i)) for i in range(len(verdict.seeds))]
            scores = tuple(_score(trial) for trial in replicas)
            if has_ledger_scores and not _all_same(scores, found.rmse_by_seed):
                problems.append(
                    f"{found.name}: RMSE by seed {found.rmse_by_seed}, {scores} in the ledger"
                )
            seeds = tuple(trial.seed if trial else None for trial in replicas)
            if seeds != verdict.seeds:
                problems.append(f"{found.name}: seeds {verdict.seeds}, {seeds} in the ledger")
            # A control is no trial of the search: it has no number there, and the verdict none.
            searched = None if frozen.is_control else study.trial(frozen.number)
            if not _same(searched and searched.best_rmse, found.search_rmse):
                problems.append(f"{found.name}: its RMSE in the search is not that of the ledger")
    return Check(
        "verdict",
        f"{plural(len(results.finalists), 'finalist')} under {len(verdict.seeds)} seeds, as the "
        "ledger says"
        + ("" if has_ledger_scores else "; their RMSE on kept users are in no ledger"),
        tuple(problems),
    )


def check_test(study: StudyRecord) -> Check:
    """Who was scored on the test split, with what the kept predictions had, and on record."""
    verdict, test = study.verdict, study.test
    root = study.folder / "predictions" / "test"
    problems = []
    if (test is not None or root.is_dir()) and not study.openings:
        problems.append("it was scored, and no opening is on record")
    if test is not None and verdict is None:
        problems.append("it was scored without a verdict")
    if test is None or verdict is None:
        return Check("test split", "no scores", tuple(problems))
    if {f.name for f in test.results.finalists} != {f.name for f in verdict.finalists}:
        problems.append("not the finalists of the frozen list were scored")
    n_rows = (study.dataset.get("test") or {}).get("n_rows")
    if n_rows is not None and test.results.n_rows != n_rows:
        problems.append(f"{test.results.n_rows} rows scored, {n_rows} in provenance.json")
    for found in test.results.finalists:
        finalist = verdict.finalist(found.name)
        if finalist is None:
            continue
        if finalist.is_baseline:
            scores: tuple[float | None, ...] = (test.baselines.get(found.name),)
        else:
            replicates = [finalist.replicate(i) for i in range(len(verdict.seeds))]
            scores = tuple(_test_score(root / name) for name in replicates)
        if not _all_same(scores, found.rmse_by_seed):
            problems.append(f"{found.name}: RMSE by seed {found.rmse_by_seed}, {scores} kept")
    n_scored = sum(set(found.rmse_by_seed) != {None} for found in test.results.finalists)
    return Check(
        "test split",
        f"{plural(n_scored, 'finalist')} scored, as their predictions say, and "
        f"opened {plural(len(study.openings), 'time')} on record",
        tuple(problems),
    )


def _test_score(place: Path) -> float | None:
    if not (place / "metadata.json").is_file():
        return None
    score: float | None = read_metadata(place).get("test_rmse")
    return score


def check_predictions(study: StudyRecord) -> Check:
    """Stored predictions: whole, one for each validation row, and of the trial they name."""
    root = study.folder / "predictions"
    data = study.dataset
    n_rows = {
        array: part["n_rows"]
        for array, name in (("predicted", "validation"), ("confirm", "confirm"))
        if (part := data.get(name))
    }
    tested = data.get("test") or {}
    on_test = {"predicted": tested["n_rows"]} if "n_rows" in tested else {}
    by_name = {trial.name: trial for trial in study.trials}
    problems: list[str] = []
    places = sorted(path.parent for path in root.glob("*/*/metadata.json"))
    for place in places:
        name = place.relative_to(study.folder).as_posix()
        try:
            arrays, metadata = read_checkpoint(place)
        except (CheckpointError, TypeError, AttributeError) as error:
            problems.append(f"{name}: {str(error).replace(str(study.folder) + '/', '')}")
            continue
        if "predicted" not in arrays:
            problems.append(f"{name}: no predictions in it")
            continue
        if any(rows.ndim != 1 or not np.isfinite(rows).all() for rows in arrays.values()):
            problems.append(f"{name}: not one finite number a row")
        trial = by_name.get(place.name)
        wanted = n_rows if place.parent.name == "validation" else on_test
        problems += [
            f"{name}: {rows.size} predictions of {wanted[array]} rows"
            for array, rows in arrays.items()
            if rows.size != wanted.get(array, rows.size)
        ]
        if place.parent.name != "validation":
            continue
        if trial is None or not _same(trial.best_rmse, metadata.get("val_rmse")):
            problems.append(f"{name}: not of the epoch that the ledger has as its trial's best")
    return Check("predictions", f"{len(places)} sets, whole", tuple(problems))


CHECKS: tuple[Callable[[StudyRecord], Check], ...] = (
    check_code,
    check_sweep,
    check_provenance,
    check_ledger,
    check_importance,
    check_verdict,
    check_test,
    check_predictions,
)


def run_checks(study: StudyRecord) -> Iterator[Check]:
    """All of them; one that cannot be made does not hold."""
    for check in CHECKS:
        try:
            yield check(study)
        except Exception as error:  # whatever a stranger's file makes of our readers
            what = str(error).replace(f"{study.folder.parent}/", "") or type(error).__name__
            yield Check(check.__name__.removeprefix("check_"), "", (f"cannot be read: {what}",))


def _trial_differences(told: TrialRecord, recorded: TrialRecord) -> list[str]:
    """repr, since NaN is not equal to itself."""
    problems = []
    for field in fields(TrialRecord):
        one, other = getattr(told, field.name), getattr(recorded, field.name)
        if repr(one) == repr(other):
            continue
        if field.name == "epochs":
            pairs = {e.epoch: [e, None] for e in one}
            for e in other:
                pairs.setdefault(e.epoch, [None, None])[1] = e
            problems += [
                f"trial {told.name}, epoch {n}: {_epoch(a)}, {_epoch(b)} in the journals"
                for n, (a, b) in sorted(pairs.items())
                if repr(a) != repr(b)
            ]
        else:
            one, other = (textwrap.shorten(repr(value), 80) for value in (one, other))
            problems.append(f"trial {told.name}: {field.name} is {one}, {other} in the journals")
    return problems


def _epoch(epoch: object) -> str:
    return "nothing" if epoch is None else str(epoch).removeprefix("EpochRecord")


def _score(trial: TrialRecord | None) -> float | None:
    is_complete = trial is not None and trial.state is TrialState.COMPLETE
    return trial.best_rmse if is_complete and trial and trial.purpose is Purpose.VERDICT else None


def _same(one: object, other: object) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=CLOSE, abs_tol=CLOSE)
    return one is None and other is None


def _all_same(some: tuple[float | None, ...], others: tuple[float | None, ...]) -> bool:
    return len(some) == len(others) and all(map(_same, some, others))


def _importance(record: ImportanceRecord | None) -> str:
    if record is None:
        return "nothing"
    span = "" if record.low is None else f" ({record.low:.6f} to {record.high:.6f})"
    return f"{record.importance:.6f}{span} from {plural(record.n_trials, 'trial')}"
