"""The test rows, once they are opened: whose they are, and what a refit trains on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recommender.datasets import unsealing
from recommender.datasets.config import DatasetConfig, SplitConfig
from recommender.datasets.encoded import EncodedDataset, Rows
from recommender.datasets.unsealing import open_test
from tests.recommender.datasets.tables import NAMES, load_table
from tests.synthetic import synthetic_ratings

RATINGS = synthetic_ratings(60, 40, 400)
SPLIT = SplitConfig("time-fraction", 0.5, 0.2)


def decoded(rows: Rows, encoded: EncodedDataset) -> pd.DataFrame:
    """Ids as the vocabularies have them, `?` where they are not among them."""
    users, items = (
        np.append("?", vocabulary).astype(object)
        for vocabulary in (encoded.user_vocabulary, encoded.item_vocabulary)
    )
    return pd.DataFrame({"user": users[rows.user], "item": items[rows.item], "rating": rows.rating})


def test_the_test_rows_are_told_in_the_words_of_train_and_of_a_refit(tmp_path: Path) -> None:
    loaded, told = load_table(tmp_path, RATINGS, SPLIT), []
    config = DatasetConfig(path=tmp_path / "ratings.csv", columns=NAMES)
    opened = open_test(config, SPLIT, record=told.append, is_refit=True)
    assert told == [loaded.description] and opened.refit is not None
    train, validation, test = RATINGS[:200], RATINGS[200:280], RATINGS[280:]
    test = test.sort_values(["user", "item"], ignore_index=True)
    assert opened.rows.rating.tolist() == test["rating"].tolist()
    assert pd.factorize(opened.users)[0].tolist() == pd.factorize(test["user"])[0].tolist()
    for encoded, rows, trained in (
        (opened.encoded, opened.rows, train),
        (opened.refit.encoded, opened.refit.rows, pd.concat([train, validation])),
    ):
        known = {name: test[name].where(test[name].isin(trained[name]), "?") for name in test}
        shown = decoded(rows, encoded)
        assert shown["user"].tolist() == known["user"].tolist()
        assert shown["item"].tolist() == known["item"].tolist()
        assert shown["rating"].tolist() == test["rating"].tolist()
        assert encoded.train_mean == pytest.approx(trained["rating"].mean())
        trained = trained.sort_values(["user", "item"])
        assert decoded(encoded.train, encoded)["rating"].tolist() == trained["rating"].tolist()
        assert decoded(encoded.train, encoded)["user"].tolist() == trained["user"].tolist()
    assert "?" in set(decoded(opened.rows, opened.encoded)["user"])


def test_what_cannot_be_put_on_record_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_table(tmp_path, RATINGS, SPLIT)
    monkeypatch.setattr(unsealing, "encode_test", lambda *_: pytest.fail("it was opened"))

    def full(_: object) -> None:
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        open_test(DatasetConfig(path=tmp_path / "ratings.csv", columns=NAMES), SPLIT, record=full)
