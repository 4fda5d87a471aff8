"""What is odd about ratings as numbers: a 0, -1 or 99 that may stand for none, a tail of a few, a
spread that four decimals hardly show."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.datasets.sources import counted

LEAST_LEVELS = 5
"""Of which the lowest may be no rating: thumbs (-1, 0, 1) are ratings."""
MOST_STARS = 10.0
"""Where the highest is more, 0 is as good as any."""
LEAST_ROWS = 10
"""Of a number far from all others: of fewer rows it is an outlier."""


FEW, MOST = 0.01, 0.5
"""Share of the ratings that makes so much of all squared deviations; of stars 1 % makes a tenth."""


def note_on_tail(name: str, rating: npt.NDArray[np.float64]) -> list[str]:
    """A note where the RMSE is that of a few large ratings.

    Args:
        name: of the table.
        rating: of the rows whose ratings may be known.
    """
    squares = np.sort((rating - rating.mean()) ** 2)[::-1]
    n_few = max(1, round(FEW * len(rating)))
    is_scale = len(np.unique(rating)) >= LEAST_LEVELS and rating.min() >= 0
    if not is_scale or len(rating) < 1 / FEW:
        return []
    share = squares[:n_few].sum() / squares.sum()
    if share <= MOST:
        return []
    return [
        f"{name}: {FEW:.0%} of the ratings makes {share:.0%} of their spread, so that an RMSE "
        "tells little of the others; their logarithm may be the better rating"
    ]


LEAST_SPREAD = 0.1
"""Of which the last digit of four decimals is a thousandth; of stars it is a ten-thousandth."""


def note_on_spread(name: str, rating: npt.NDArray[np.float64]) -> list[str]:
    """A note where the four decimals of every report are too few for these ratings.

    Args:
        name: of the table.
        rating: of the rows whose ratings may be known.
    """
    spread = float(rating.std())
    if not 0 < spread < LEAST_SPREAD:
        return []
    factor = 10.0 ** round(-np.log10(spread))
    return [
        f"{name}: the ratings have a standard deviation of {spread:.2g}, and an RMSE is told in "
        f"four decimals: multiply them by {factor:,.0f} to see differences between models"
    ]


def note_on_stand_in(name: str, rating: npt.NDArray[np.float64]) -> list[str]:
    """A note where a number may stand for "not rated", as 0 does in Goodreads and Book-Crossing, -1
    in MyAnimeList and 99 in Jester; with what leaves it out.

    Args:
        name: of the table.
        rating: of the rows whose ratings may be known.
    """
    levels, counts = np.unique(rating, return_counts=True)
    if len(levels) < LEAST_LEVELS:
        return []
    if _may_be_none(levels) or _is_apart(-levels[::-1], counts[::-1]):
        odd, n_rows, rest = levels[0], counts[0], levels[1:]
    elif _is_apart(levels, counts):
        odd, n_rows, rest = levels[-1], counts[-1], levels[:-1]
    else:
        return []
    share = f"{n_rows / len(rating):.0%} of train and validation"
    low, high = _ends(rest)
    return [
        f"{counted(int(n_rows), 'rating is', 'ratings are')} {odd:g} ({share}): where that stands "
        f"for none, leave it out: recsweep data clean {name} --range {low:g} {high:g}"
    ]


def _ends(levels: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Of a scale whose ends need not all have been seen: test rows may have them."""
    low, high = float(np.floor(levels[0])), float(np.ceil(levels[-1]))
    if levels[0] > 0:
        low = min(levels[0], 1.0)
    return low, next((end for end in (5.0, MOST_STARS) if high <= end), high)


def _may_be_none(levels: npt.NDArray[np.float64]) -> bool:
    """Whether the lowest is a 0 below stars, or alone below 0."""
    is_zero = levels[0] == 0 and levels[-1] <= MOST_STARS and not (levels * 2 % 1).any()
    return bool(is_zero or levels[0] < 0 <= levels[1])


def _is_apart(levels: npt.NDArray[np.float64], counts: npt.NDArray[np.int64]) -> bool:
    """Whether the highest is further above the others than they are apart."""
    return bool(counts[-1] >= LEAST_ROWS and levels[-1] - levels[-2] > levels[-2] - levels[0])
