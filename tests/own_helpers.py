"""Functions that are no models, as a researcher brings them, as source."""

from __future__ import annotations

from pathlib import Path

MINE = """\
import numpy as np
import pandas as pd

from more import ratings


def load():
    return ratings()


def with_ages():
    frame = ratings()
    ages = {user: 20.0 + n for n, user in enumerate(frame["user"].unique())}
    return frame.assign(age=frame["user"].map(ages))


def arrow_lists():
    import pyarrow as pa

    frame = ratings()
    tags = pd.array(frame["tags"], dtype=pd.ArrowDtype(pa.list_(pa.string())))
    return frame.assign(tags=tags)


def from_path(path, *, best=5):
    frame = pd.read_csv(path)
    return frame.assign(rating=frame["rating"].clip(upper=best))


def latest_last(frame):
    share = frame["time"].groupby(frame["user"]).rank(pct=True, method="first")
    shuffled = share.sample(frac=1.0, random_state=0)
    return shuffled.map(lambda s: "train" if s <= 0.6 else "validation" if s <= 0.8 else "test")


def warm_random(seed, *, n_random=4):
    from optuna.samplers import RandomSampler, TPESampler

    return TPESampler(n_startup_trials=n_random, seed=seed) if n_random else RandomSampler(seed)


def constrained(seed):
    from optuna.samplers import TPESampler

    def excess(trial):
        return (0.45 - trial.params["dropout"],)

    return TPESampler(n_startup_trials=4, multivariate=True, constraints_func=excess, seed=seed)


def exhaustive(seed):
    from optuna.samplers import BruteForceSampler

    return BruteForceSampler(seed)


def strict(max_epochs, *, percent=50.0):
    from optuna.pruners import PercentilePruner

    return PercentilePruner(percent, n_startup_trials=2, n_warmup_steps=1)
"""

MORE = """\
import numpy as np
import pandas as pd


def ratings(n=900):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"user": rng.integers(0, 40, n), "item": rng.integers(0, 30, n)})
    frame = frame.drop_duplicates()
    frame["rating"] = rng.integers(1, 6, len(frame)).astype(float)
    frame["time"] = rng.integers(1_000_000_000, 1_100_000_000, len(frame))
    frame["roast"] = np.where(frame["item"] % 2, "dark", "light")
    frame["price"] = frame["item"] * 1.5
    frame["tags"] = [["a", "b"] if item % 3 else ["c"] for item in frame["item"]]
    return frame
"""

BAD = """\
import numpy as np
import pandas as pd
import optuna
from more import ratings


def no_frame():
    return [1, 2]


def no_rating():
    return ratings().rename(columns={"rating": "stars"})


def two_prices():
    frame = ratings()
    frame.loc[frame.index[3], "price"] = -1.0
    return frame


def two_spellings():
    frame = ratings()
    frame["item"] = frame["item"].astype(str)
    frame.loc[frame.index[3], "item"] += " "
    return frame


def bad_price():
    return ratings().assign(price=float("inf")).sort_values("item", ascending=False)


def vectors():
    frame = ratings()
    return frame.assign(tags=[np.zeros((2, 2))] * len(frame))


def sampled():
    return ratings().sample(frac=0.9)


def fails():
    frame = ratings()
    return frame["nothing"]


def two_without_items():
    frame = ratings()
    frame["item"] = frame["item"].astype(object)
    frame.loc[frame.index[3:5], "item"] = None
    return frame


def one_without_item():
    frame = pd.DataFrame({"user": 1, "item": [None, "a", "b", "b", "c", "c"], "rating": 3.0})
    return frame.assign(year=[7, 1990, 1980, 1980, 2000, 2001])


def none_dated():
    frame = ratings()
    return frame.assign(bought=pd.Timestamp("2020-01-01")).iloc[:0]


def elsewhere():
    with open("/data/of/mine/ratings.csv") as file:
        return file.read()


def too_few(frame):
    return ["train"] * 3


def keeps_users(frame):
    return (["train", "validation", "test", "confirm"] * len(frame))[: len(frame)]


def other_words(frame):
    return ["train"] * (len(frame) - 1) + ["dev"]


def all_train(frame):
    return ["train"] * len(frame)


def dice(frame):
    return np.random.default_rng().choice(["train", "validation", "test"], len(frame))


def peeks(frame):
    return frame["rating"] > 3


def unseeded(seed):
    from optuna.samplers import RandomSampler

    return RandomSampler()


def counting(seed):
    return optuna.samplers.QMCSampler(seed=seed)


def no_sampler(seed):
    return "tpe"


def beside():
    import pandas

    return pandas.read_csv(__file__.replace("bad.py", "ratings.csv"))


class Vocabulary:
    def __init__(self, data, *, size=8, place="beside"):
        open(__file__.replace("bad.py", "ratings.csv") if place == "beside" else "ratings.csv")

    def fit_epoch(self): ...

    def predict(self, rows): ...


class Late(optuna.samplers.RandomSampler):
    def sample_independent(self, study, trial, name, distribution):
        if trial.number > 10:
            import only_elsewhere
        return super().sample_independent(study, trial, name, distribution)


def late(seed):
    return Late(seed)


def raises(seed):
    raise ValueError(f"not {seed}")


def wants_more(frame, other):
    return None
"""


def write_helpers(folder: Path) -> Path:
    """`mine.py` and `bad.py`, which import `more.py`."""
    for name, text in {"mine": MINE, "more": MORE, "bad": BAD}.items():
        (folder / f"{name}.py").write_text(text)
    return folder
