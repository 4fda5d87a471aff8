"""How much memory a model takes to train at the least, known before it is built.

Linux grants memory that is not there and later kills the process that uses it: what cannot fit is
better refused. No TensorFlow.
"""

from __future__ import annotations

from recommender.config import RankingConfig
from recommender.datasets.encoded import EncodedDataset
from recommender.epochs import CHUNK_ROWS
from recommender.sizes import feature_widths, n_of_ids, n_parameters

_PROCESS_BYTES = 700_000_000
"""Of a process with TensorFlow, before it has data."""
_CHUNK_ROW_BYTES = 60
"""Of each train row of the chunk that is trained on at once."""
_COPIES = 2
"""Of every trained number: itself, and its value in the best epoch."""
_SLOTS = {"adagrad": 1, "sgd": 1}
"""Numbers that an optimizer keeps for each; the others keep two."""


def sizes_text(config: RankingConfig, dataset: EncodedDataset) -> str:
    """`batch 8,192 × width 65,536, 4,299,161,859 parameters`: what memory is spent on."""
    batch = min(config.batch_size, len(dataset.train))
    if config.own is not None:
        return f"batch {batch:,}"
    width = max(sum(feature_widths(config, dataset).values()), *config.layer_sizes, 0)
    return f"batch {batch:,} × width {width:,}, {n_parameters(config, dataset):,} parameters"


def worker_bytes(dataset: EncodedDataset) -> int:
    """What a process that trains on these data takes at the least, its model not counted.

    The data are there twice, as they were handed over and as tensors, and so is an epoch's order.
    """
    parts = (dataset.train, dataset.validation)
    arrays = (a for rows in parts for a in (*rows.ids.values(), rows.context, rows.rating))
    n_bytes = sum(int(array.nbytes) for array in arrays)
    n_train = len(dataset.train)
    chunk = _CHUNK_ROW_BYTES * min(n_train, CHUNK_ROWS)
    return _PROCESS_BYTES + 2 * n_bytes + 8 * n_train + chunk


def least_bytes(config: RankingConfig, dataset: EncodedDataset) -> int:
    """Weights with their gradients, but for those of users and items, of which some steps hold the
    batch's alone, the optimizer's slots, and one batch forward and back; 0 where the model is not
    one of ours."""
    if config.own is not None:
        return 0
    n_trained = n_parameters(config, dataset)
    n_gradients = n_trained - n_of_ids(config, dataset)
    n_numbers = n_trained * (_COPIES + _SLOTS.get(config.optimizer, 2)) + n_gradients
    width = sum(feature_widths(config, dataset).values()) + sum(config.layer_sizes)
    return 4 * (n_numbers + 2 * width * min(config.batch_size, len(dataset.train)))


def refuse_what_cannot_fit(
    config: RankingConfig, dataset: EncodedDataset, free_bytes: float
) -> None:
    """Raises MemoryError where training would need more than there is."""
    needed = least_bytes(config, dataset)
    if needed > free_bytes:
        raise MemoryError(
            f"training needs at least {needed / 1e9:.1f} GB and {free_bytes / 1e9:.1f} GB are free"
        )
