"""Writing a table and loading it, in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from recommender.datasets.config import DatasetConfig, SplitConfig
from recommender.datasets.description import LoadedDataset
from recommender.datasets.loading import load_dataset

NAMES = {"user": "user", "item": "item", "rating": "rating", "time": "time"}


def load_text(
    folder: Path,
    text: str | bytes,
    split: SplitConfig | None = None,
    *,
    name: str = "ratings.csv",
    **dataset: Any,
) -> LoadedDataset:
    """Load a file with this content; columns are named by role unless said otherwise."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_dataset(
        DatasetConfig(**{"path": path, "columns": NAMES} | dataset), split or SplitConfig()
    )


def load_table(
    folder: Path, ratings: pd.DataFrame, split: SplitConfig | None = None, **dataset: Any
) -> LoadedDataset:
    columns = {role: role for role in NAMES if role in ratings}
    text = ratings.to_csv(index=False)
    return load_text(folder, text, split, **{"columns": columns} | dataset)
