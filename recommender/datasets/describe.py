"""What there is to tell about a data set and its split, as values and as lines of text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from recommender.datasets.cleaning import Ratings
from recommender.datasets.config import SPLIT_KEYS, SplitConfig
from recommender.datasets.description import DatasetDescription, LongTail, PartDescription
from recommender.datasets.encoded import Ints, Strings
from recommender.datasets.features import Side
from recommender.datasets.splits import (
    CONFIRM,
    TEST,
    TRAIN,
    VALIDATION,
    Parts,
    is_open,
    without_confirm,
)

MAX_RATINGS_TOLD = 20
"""More different ratings than these are told in bins."""
N_BINS = 10


def describe(
    *,
    name: str,
    ratings: Ratings,
    parts: Parts,
    sides: Sequence[Side],
    split: SplitConfig,
    features: Sequence[str],
    rating_range: tuple[float, float],
    notes: Sequence[str],
    rating_unit: float,
) -> DatasetDescription:
    """Counts, shares, times and fingerprints.

    Of the ratings of test and confirm rows only the fingerprint knows.
    """
    open_ratings = ratings.rating[is_open(parts)]
    has_confirm = bool((parts == CONFIRM).any())
    fingerprint = _ratings_fingerprint(ratings)
    return DatasetDescription(
        name=name,
        n_ratings=len(ratings),
        n_users=len(ratings.user_ids),
        n_items=len(ratings.item_ids),
        rating_range=rating_range,
        step=_step(open_ratings),
        split=_split_in_words(split, ratings),
        train=_describe_part(ratings, parts, TRAIN),
        validation=_describe_part(ratings, parts, VALIDATION),
        test=_describe_part(ratings, parts, TEST),
        rating_counts=_rating_counts(open_ratings),
        user_tail=_long_tail(ratings.user),
        item_tail=_long_tail(ratings.item),
        features=tuple(features),
        fingerprint=fingerprint,
        items_fingerprint=_side_fingerprint(sides),
        split_fingerprint=_sha256(fingerprint.encode(), parts.tobytes()),
        notes=tuple(notes),
        rating_unit=rating_unit,
        confirm=_describe_part(ratings, parts, CONFIRM) if has_confirm else None,
        whole_split_fingerprint=_sha256(fingerprint.encode(), without_confirm(parts).tobytes())
        if has_confirm
        else None,
    )


def description_lines(description: DatasetDescription) -> list[str]:
    """The description as `recsweep data describe` prints it: plain text, no colour."""
    d = description
    low, high = d.rating_range
    step = f", steps of {d.step:g}" if d.step else ""
    return [
        f"{d.name}: {d.n_ratings:,} ratings of {d.n_users:,} users and {d.n_items:,} items, "
        f"rated {low:g} to {high:g}{step}",
        f"density     {d.density:.2%} of all pairs are rated",
        f"features    {', '.join(d.features)}",
        _tail_line("users", d.user_tail),
        _tail_line("items", d.item_tail),
        "",
        "ratings of train and validation (test ratings are sealed)",
        *_histogram_lines(d.rating_counts),
        "",
        f"split       {_split_line(d.split)}",
        "part            rows   share    users    items  new users  new items  both seen  time (UTC)",  # noqa: E501
        *(_part_line(name, part, d.n_ratings) for name, part in d.parts.items()),
        "            new: in no train row; shares of the part's rows",
        *([_CONFIRM_LINE] if d.confirm is not None else []),
        "",
        f"fingerprint {d.fingerprint[:16]}  split {d.split_fingerprint[:16]}  "
        f"items {d.items_fingerprint[:16]}",
        *(f"note        {note}" for note in d.notes),
    ]


_CONFIRM_LINE = (
    "            confirm: validation users that no search sees; a verdict judges on them alone"
)


def _describe_part(ratings: Ratings, parts: Parts, part: int) -> PartDescription:
    chosen = parts == part
    is_train = parts == TRAIN
    user, item = ratings.user[chosen], ratings.item[chosen]
    user_is_seen = _is_among(ratings.user[is_train], ratings.user_ids)[user]
    item_is_seen = _is_among(ratings.item[is_train], ratings.item_ids)[item]
    time = None if ratings.time is None else ratings.time[chosen]
    return PartDescription(
        n_rows=int(chosen.sum()),
        n_users=int(_is_among(user, ratings.user_ids).sum()),
        n_items=int(_is_among(item, ratings.item_ids).sum()),
        unseen_users=float((~user_is_seen).mean()),
        unseen_items=float((~item_is_seen).mean()),
        both_seen=float((user_is_seen & item_is_seen).mean()),
        first_time=None if time is None else int(time.min()),
        last_time=None if time is None else int(time.max()),
    )


def _is_among(codes: Ints, ids: Strings) -> npt.NDArray[np.bool_]:
    """For each id whether one of the codes is its."""
    is_there = np.zeros(len(ids), bool)
    is_there[codes] = True
    return is_there


def _step(rating: npt.NDArray[np.float64]) -> float | None:
    """The distance between neighbouring ratings, if all of them are whole multiples of one."""
    levels = np.unique(rating)
    if not 1 < len(levels) <= MAX_RATINGS_TOLD:
        return None
    gaps = np.diff(levels)
    step = gaps.min()
    return float(step) if np.allclose(gaps / step, np.round(gaps / step), atol=1e-6) else None


def _rating_counts(rating: npt.NDArray[np.float64]) -> tuple[tuple[float, int], ...]:
    levels, counts = np.unique(rating, return_counts=True)
    if len(levels) > MAX_RATINGS_TOLD:
        counts, levels = np.histogram(rating, bins=N_BINS)
    return tuple((float(level), int(n)) for level, n in zip(levels, counts, strict=False))


def _long_tail(codes: Ints) -> LongTail:
    counts = np.sort(np.bincount(codes))[::-1]
    n_top = max(1, round(len(counts) / 10))
    return LongTail(
        minimum=int(counts[-1]),
        median=float(np.median(counts)),
        maximum=int(counts[0]),
        top_tenth_share=float(counts[:n_top].sum() / counts.sum()),
    )


def _split_in_words(split: SplitConfig, ratings: Ratings) -> dict[str, Any]:
    """What the method uses, and nothing that it ignores; of files their names."""
    words: dict[str, Any] = {"method": split.own.where if split.own else split.method}
    if split.method == "files":
        words |= {part: path.name for part, path in split.files.items()}
    else:
        words |= {key: getattr(split, key) for key in SPLIT_KEYS[split.method]}
    if split.method in ("files", "column") and not (ratings.part == VALIDATION).any():
        words["validation"] = "the last tenth of train by time"
    return words | ({"confirm": split.confirm} if split.confirm else {})


def _ratings_fingerprint(ratings: Ratings) -> str:
    """`ratings` is sorted by pair and its codes by id, so that equal rows give equal bytes."""
    time = b"" if ratings.time is None else ratings.time.astype("<i8").tobytes()
    return _sha256(
        json.dumps([ratings.user_ids.tolist(), ratings.item_ids.tolist()]).encode(),
        ratings.user.astype("<i4").tobytes(),
        ratings.item.astype("<i4").tobytes(),
        ratings.rating.astype("<f8").tobytes(),
        time,
    )


def _side_fingerprint(sides: Sequence[Side]) -> str:
    frames = {side.of: side.frame for side in sides}
    told = [_of_frame(frames.get("item", pd.DataFrame()))]
    if len(frames.get("user", pd.DataFrame()).columns):
        told.append(_of_frame(frames["user"]))
    return _sha256(*told)


def _of_frame(frame: pd.DataFrame) -> bytes:
    ordered = frame.sort_index()
    columns = {str(name): [str(v) for v in column] for name, column in ordered.items()}
    return json.dumps([list(ordered.index), columns]).encode()


def _sha256(*pieces: bytes) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(len(piece).to_bytes(8, "little"))
        digest.update(piece)
    return digest.hexdigest()


def _tail_line(what: str, tail: LongTail) -> str:
    return (
        f"{what:<12}{tail.minimum:,} to {tail.maximum:,} ratings each, median {tail.median:g}; "
        f"the busiest tenth has {tail.top_tenth_share:.0%}"
    )


def _histogram_lines(counts: Sequence[tuple[float, int]]) -> list[str]:
    total = sum(n for _, n in counts)
    most = max(n for _, n in counts)
    return [
        f"{rating:>9g}   {n:>10,} {n / total:>6.1%}  {'#' * round(40 * n / most)}".rstrip()
        for rating, n in counts
    ]


def _split_line(split: Any) -> str:
    details = ", ".join(f"{key} {value}" for key, value in split.items() if key != "method")
    return f"{split['method']}: {details}" if details else str(split["method"])


def _part_line(name: str, part: PartDescription, n_ratings: int) -> str:
    times = ""
    if part.first_time is not None and part.last_time is not None:
        times = f"{_day(part.first_time)} to {_day(part.last_time)}"
    shares = [part.unseen_users, part.unseen_items, part.both_seen]
    return (
        f"{name:<11}{part.n_rows:>9,} {part.n_rows / n_ratings:>7.1%} {part.n_users:>8,} "
        f"{part.n_items:>8,} {shares[0]:>10.1%} {shares[1]:>10.1%} {shares[2]:>10.1%}  {times}"
    ).rstrip()


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
