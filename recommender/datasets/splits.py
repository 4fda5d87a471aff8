"""Which rating trains, which chooses, which is sealed."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from recommender.datasets.cleaning import Ratings
from recommender.datasets.config import PARTS, SplitConfig
from recommender.datasets.encoded import Ints
from recommender.datasets.own_split import labelled
from recommender.datasets.sources import NAME_TIME
from recommender.errors import DataError

TRAIN, VALIDATION, TEST, CONFIRM = range(len(PARTS))

Parts = npt.NDArray[np.int8]
"""For each rating TRAIN, VALIDATION, TEST or CONFIRM."""

Times = npt.NDArray[np.int64]

LAST_OF_USERS = 2
"""Ratings that `leave-last-out` takes from the end of each user's who has more."""
LAST_OF_TRAIN = 0.1
"""What `files` and `column` without validation rows take from the end of the train rows."""


def split_ratings(ratings: Ratings, split: SplitConfig) -> Parts:
    """The part of each rating; the same rows whatever their order in the file.

    Raises:
        DataError: a part would be empty.
    """
    assert ratings.time is not None or not split.needs_time, "checked before reading"
    time = ratings.time if ratings.time is not None else np.zeros(len(ratings), np.int64)
    if split.method == "time-range":
        parts = _by_time_range(time, split.train, split.validation)
    elif split.method == "time-fraction":
        parts = _by_rank(_in_order(time), split.train, split.validation)
    elif split.method == "leave-last-out":
        parts = _by_last_of_users(ratings.user, time)
    elif split.method == "random":
        parts = _by_rank(_shuffled(ratings, split), split.train, split.validation)
    elif split.method == "folds":
        parts = _by_fold(_shuffled(ratings, split), split.folds, split.fold)
    elif split.own is not None:
        parts = labelled(split.own, ratings)
    else:
        parts = _as_given(ratings)
    empty = [PARTS[part] for part in (TRAIN, VALIDATION, TEST) if not (parts == part).any()]
    if empty and split.own is not None:
        raise DataError([f"{split.own.where} leaves no row for {' and '.join(empty)}"])
    if empty:
        told = f"split {split.method} leaves no row for {' and '.join(empty)}"
        cure = {
            "files": "add rows, or give split.validation_path",
            "leave-last-out": "take another method: it needs three ratings of a user",
            "folds": "add rows, or take fewer folds",
            "column": "it must say train and test, and had better say validation, too",
        }.get(split.method, "change split.train and split.validation, or the method")
        raise DataError([f"{told} out of {len(ratings):,} ratings{_span(ratings)}; {cure}"])
    return _with_confirm(ratings, parts, split) if split.confirm else parts


def notes_on(ratings: Ratings, parts: Parts, split: SplitConfig) -> list[str]:
    """What is odd about a split by time: rows of one moment on both sides of a bound, users who are
    in train alone."""
    if ratings.time is None:
        return []
    if split.method == "leave-last-out":
        n_few = int((np.bincount(ratings.user) < LAST_OF_USERS + 1).sum())
        told = f"in train alone are users with fewer than three ratings: {n_few:,}"
        return [told] if n_few else []
    bounds = {
        "time-fraction": [(TRAIN, VALIDATION), (VALIDATION, TEST)],
        "files": [(TRAIN, VALIDATION)],
        "column": [(TRAIN, VALIDATION)],
    }.get(split.method, [])
    notes = []
    for earlier, later in bounds if not (ratings.part == VALIDATION).any() else []:
        of_earlier, of_later = (
            ratings.time[without_confirm(parts) == part] for part in (earlier, later)
        )
        moment = int(of_later.min())
        if n_earlier := int((of_earlier == moment).sum()):
            n_later = int((of_later == moment).sum())
            notes.append(
                f"{n_earlier + n_later:,} ratings have the time {_written(moment)} and lie on both "
                f"sides of the bound between {PARTS[earlier]} and {PARTS[later]}, which is which "
                "by chance"
            )
    return notes


def _span(ratings: Ratings) -> str:
    if ratings.time is None:
        return ""
    return f", from {_written(int(ratings.time.min()))} to {_written(int(ratings.time.max()))}"


def _written(time: int) -> str:
    return f"{np.datetime64(time, 's')}".replace("T", " ")


def _in_order(time: Times) -> npt.NDArray[np.intp]:
    """By time; where that is the same by chance, since rows come in the order of their users."""
    # As np.lexsort((place, time)) has it, which would sort the places, too.
    place = np.random.default_rng(0).permutation(len(time))
    row_at = np.empty_like(place)
    row_at[place] = np.arange(len(time))
    return np.asarray(row_at[np.argsort(time[row_at], kind="stable")], np.intp)


def is_open(parts: Parts) -> npt.NDArray[np.bool_]:
    """The rows whose ratings a search may know: those of train and validation."""
    return np.isin(parts, (TRAIN, VALIDATION))


def without_confirm(parts: Parts) -> Parts:
    """The same split, were no users kept for the verdict."""
    return np.where(parts == CONFIRM, np.int8(VALIDATION), parts)


def _with_confirm(ratings: Ratings, parts: Parts, split: SplitConfig) -> Parts:
    """Validation rows of a share of their users, as `CONFIRM`.

    The users follow from their ids and the split's seed, whatever else is in the data.

    Raises:
        DataError: fewer than two users would be left on either side.
    """
    users = np.unique(ratings.user[parts == VALIDATION])
    n_confirm = round(split.confirm * len(users))
    if min(n_confirm, len(users) - n_confirm) < 2:
        raise DataError(
            [
                f"split.confirm {split.confirm:g} of {len(users):,} validation users leaves "
                f"{len(users) - n_confirm:,} for the search and {n_confirm:,} for the verdict; "
                "both need at least 2: change split.confirm, or the split"
            ]
        )
    by_hash = sorted(users, key=lambda user: _hash(str(ratings.user_ids[user]), split.seed))
    is_confirm = np.isin(ratings.user, by_hash[:n_confirm]) & (parts == VALIDATION)
    return np.where(is_confirm, np.int8(CONFIRM), parts)


def _hash(user_id: str, seed: int) -> bytes:
    return hashlib.sha256(f"confirm {seed} {user_id}".encode()).digest()


def _by_time_range(time: Times, train: float, validation: float) -> Parts:
    """Cut the span from the first to the last time, not the rows: bounds belong to the earlier."""
    first, last = int(time.min()), int(time.max())
    bounds = [first + share * (last - first) for share in (train, train + validation)]
    return np.searchsorted(bounds, time, side="left").astype(np.int8)


def _by_rank(order: npt.NDArray[np.intp], train: float, validation: float) -> Parts:
    """Cut rows in the given order; shares are rounded to whole rows."""
    n_rows = len(order)
    ends = [round(share * n_rows) for share in (train, train + validation)]
    parts = np.empty(n_rows, np.int8)
    parts[order] = np.searchsorted(ends, np.arange(n_rows), side="right")
    return parts


def _shuffled(ratings: Ratings, split: SplitConfig) -> npt.NDArray[np.int64]:
    return np.random.default_rng(split.seed).permutation(len(ratings))


def _by_fold(order: npt.NDArray[np.int64], folds: int, fold: int) -> Parts:
    """One of the folds, counted from 1, as test and the next as validation."""
    parts = np.full(len(order), TRAIN, np.int8)
    parts[order[fold - 1 :: folds]] = TEST
    parts[order[fold % folds :: folds]] = VALIDATION
    return parts


def _by_last_of_users(user: Ints, time: Times) -> Parts:
    """Of each user the last rating for the test and the one before for the validation."""
    in_order = _in_order(time)
    rows = in_order[np.argsort(user[in_order], kind="stable")]  # by user, then by time
    counts = np.bincount(user)
    from_end = np.cumsum(counts)[user[rows]] - 1 - np.arange(len(rows))
    is_long = counts[user[rows]] > LAST_OF_USERS
    parts = np.empty(len(rows), np.int8)
    parts[rows] = np.select(
        [is_long & (from_end == 0), is_long & (from_end == 1)], [TEST, VALIDATION], TRAIN
    )
    return parts


def _as_given(ratings: Ratings) -> Parts:
    """As files or a column say; where they name no validation rows, the latest train rows are.

    Raises:
        DataError: a column names none, and there are no times.
    """
    parts = ratings.part.copy()
    if (parts == VALIDATION).any():
        return parts
    if ratings.time is None:
        raise DataError(
            [
                "columns.part names no validation rows, and without times none are the latest of "
                f"train; call some of them validation, or {NAME_TIME}"
            ]
        )
    rows = np.flatnonzero(parts == TRAIN)
    by_time = rows[_in_order(ratings.time[rows])]
    parts[by_time[len(rows) - round(LAST_OF_TRAIN * len(rows)) :]] = VALIDATION
    return parts
