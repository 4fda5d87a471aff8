"""What a whole model of the researcher's own is given: rated pairs, as numbers and as text.

Plain NumPy. The ratings of the rows that it is to predict are not among it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from recommender.datasets.encoded import EncodedDataset, Floats, Ints, Rows, Strings

Array = npt.NDArray[Any]

UNSEEN = "[UNK]"
"""What stands for the id of a user without train rows, and for a category that train lacks; also
what Keras's `StringLookup` calls the unknown word."""


class _TellsWhatItHas:
    """What a model is given, with names to get wrong."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if hasattr(type(self), name):
                return object.__getattribute__(self, name)  # raises what the property does
            known = [n for n in (*dir(type(self)), *vars(self)) if not n.startswith("_")]
            raise AttributeError(f"{self._called} have no {name!r}; they have {', '.join(known)}")


class ModelRows(_TellsWhatItHas):
    """Pairs of a user and an item. Every array has one entry a pair, all in one order."""

    _called = "rows"

    def __init__(self, dataset: EncodedDataset, rows: Rows, *, is_rated: bool = False) -> None:
        self._dataset = dataset
        self._rows = rows
        self._is_rated = is_rated

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, part: slice) -> ModelRows:
        """Some of the rows: `rows[:100]`."""
        if isinstance(part, str):
            raise TypeError(f"rows[{part!r}]: a column is an attribute, as rows.user, or a feature")
        return ModelRows(self._dataset, self._rows[part], is_rated=self._is_rated)

    @property
    def user(self) -> Ints:
        """(n_rows,) int32: 1 to `data.n_users`, 0 for a user without train rows."""
        return self._rows.user

    @property
    def item(self) -> Ints:
        """(n_rows,) int32: 1 to `data.n_items`, 0 for an item without train rows."""
        return self._rows.item

    @property
    def rating(self) -> Floats:
        """(n_rows,) float32, in stars. Only of train rows: the others are to be predicted."""
        if not self._is_rated:
            raise AttributeError("rows to be predicted have no rating; data.train has ratings")
        return self._rows.rating

    @property
    def user_id(self) -> Strings:
        """(n_rows,) text: the raw ids; `[UNK]` for a user without train rows."""
        return _with_unseen(self._dataset.user_vocabulary)[self._rows.user]

    @property
    def item_id(self) -> Strings:
        """(n_rows,) text: the raw ids, also of items without train rows."""
        return self._dataset.catalog[self._rows.catalog - 1]

    def feature(self, name: str) -> Array:
        """One side feature of `data.features`.

        (n_rows, n_words) float32 of 0 and 1 where there are several words (`genres`; the words
        are `data.words(name)`); (n_rows,) text where there is one; (n_rows,) float32 for a number,
        standardised over train. `hour_of_day_sin` and its like are numbers of the moment.

        Raises:
            KeyError: names the features there are.
        """
        if name in self._dataset.context_columns:
            return self._rows.context[:, self._dataset.context_columns.index(name)]
        table = feature_table(self._dataset, name)
        return table[self._rows.ids[self._dataset.side_tables[name].index]]

    def numbers(self) -> dict[str, Array]:
        """What `data.tables` looks columns up by: `user`, `item`, `catalog`, where users have
        features `roster`, and `context`."""
        return {**self._rows.ids, "context": self._rows.context}


class ModelData(_TellsWhatItHas):
    """The first argument of a whole model: what there is to train on."""

    _called = "data"

    def __init__(self, dataset: EncodedDataset, seed: int) -> None:
        self._dataset = dataset
        self.seed = seed
        """The trial's. Python's and NumPy's generators, and those of TensorFlow and PyTorch where
        they are imported, are seeded from it before the model is made and before each epoch."""
        self.train = ModelRows(dataset, dataset.train, is_rated=True)
        """The rated pairs to train on."""

    @property
    def n_users(self) -> int:
        """Users with train rows."""
        return self._dataset.n_users

    @property
    def n_items(self) -> int:
        """Items with train rows."""
        return self._dataset.n_items

    @property
    def user_ids(self) -> Strings:
        """(n_users,) text: entry i is the raw id of user i + 1."""
        return self._dataset.user_vocabulary

    @property
    def item_ids(self) -> Strings:
        """(n_items,) text: entry i is the raw id of item i + 1."""
        return self._dataset.item_vocabulary

    @property
    def rating_range(self) -> tuple[float, float]:
        """Lowest and highest rating there is, in stars."""
        return self._dataset.rating_range

    @property
    def train_mean(self) -> float:
        """The mean rating of the train rows, in stars."""
        return self._dataset.train_mean

    @property
    def features(self) -> tuple[str, ...]:
        """The side features that `rows.feature` gives."""
        return feature_names(self._dataset)

    def words(self, name: str) -> tuple[str, ...]:
        """The words of a feature, in the order of its columns: those of train rows.

        Raises:
            KeyError: there is no such feature, or it is a number.
        """
        table = self._dataset.side_tables.get(name)
        if table is None or table.kind == "number":
            raise KeyError(f"no feature {name!r} with words; features: {', '.join(self.features)}")
        return table.columns

    @property
    def context_columns(self) -> tuple[str, ...]:
        """The features of the moment, in the order of `rows.numbers()["context"]`."""
        return self._dataset.context_columns

    def tables(self) -> dict[str, tuple[Array, str]]:
        """By column that is looked up: the table, and which of `rows.numbers` is its index."""
        dataset = self._dataset
        return {
            "user_id": (_with_unseen(dataset.user_vocabulary), "user"),
            "item_id": (_with_unseen(dataset.catalog), "catalog"),
            **{
                name: (feature_table(dataset, name), side.index)
                for name, side in dataset.side_tables.items()
            },
        }


def _with_unseen(ids: Strings) -> Strings:
    return np.concatenate([[UNSEEN], ids])


class StandIn(ModelData):
    """Two users, two items, and one word for whatever feature is asked for: to build models on
    whose shape alone matters."""

    def __init__(self) -> None:
        ids = np.array([1, 2], np.int32)
        rows = Rows(ids, ids, ids, np.zeros((2, 0), np.float32), np.array([1, 5], np.float32))
        words = np.array(["1", "2"])
        dataset = EncodedDataset(
            train=rows,
            validation=rows,
            validation_users=ids - 1,
            user_vocabulary=words,
            item_vocabulary=words,
            catalog=words,
            catalog_item=np.array([0, 1, 2], np.int32),
            side_tables={},
            context_columns=(),
            rating_range=(1.0, 5.0),
            train_mean=3.0,
        )
        super().__init__(dataset, seed=0)
        self.train = _StandInRows(dataset, rows, is_rated=True)

    def words(self, name: str) -> tuple[str, ...]:  # noqa: ARG002  # each has the same
        return ("word",)


class _StandInRows(ModelRows):
    def feature(self, name: str) -> Array:  # noqa: ARG002  # each is the same
        return np.array([[0], [1]], np.float32)[: len(self)]


def feature_names(dataset: EncodedDataset) -> tuple[str, ...]:
    return (*dataset.side_tables, *dataset.context_columns)


def feature_table(dataset: EncodedDataset, name: str) -> Array:
    """A feature with an entry an item of the catalog, or a user of the roster; the first is what is
    unknown.

    Raises:
        KeyError: names the features there are.
    """
    table = dataset.side_tables.get(name)
    if table is None:
        known = ", ".join(feature_names(dataset)) or "none in this sweep"
        raise KeyError(f"no feature {name!r}; features: {known}")
    if table.kind == "number":
        return table.matrix[:, 0]
    if table.kind in ("list", "text"):
        return table.matrix
    words = np.array([*table.columns, UNSEEN])
    has_none = ~table.matrix.any(axis=1, keepdims=True)
    number: Array = np.hstack([table.matrix, has_none]).argmax(axis=1)
    return words[number]
