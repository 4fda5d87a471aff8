"""Begins training runs in one process; TensorFlow is imported when a model needs it."""

from __future__ import annotations

import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from recommender.config import RankingConfig, TrainingConfig
from recommender.datasets.encoded import EncodedDataset
from recommender.epochs import Run
from recommender.precision import set_precision

if TYPE_CHECKING:
    from recommender.device import DeviceData


class Trainer:
    """One data set and the models trained on it, one after another.

    Args:
        configure: settles the devices of the process; called once, before TensorFlow touches them.
    """

    def __init__(self, dataset: EncodedDataset, configure: Callable[[], None]) -> None:
        self.dataset = dataset
        self.has_begun = False
        self._configure = configure
        self._is_configured = False
        self._data: DeviceData | None = None

    def begin(self, config: RankingConfig, training: TrainingConfig) -> Run:
        """A run before its first epoch.

        Raises:
            OwnCodeError: the researcher's own code is at fault.
        """
        self.has_begun = True
        set_precision({})  # whatever the last model set
        own = config.own
        if own is None or not own.is_whole:
            data = self.device_data()
            from recommender.training import TrainingRun

            return TrainingRun(config, training, data)
        if own.uses_tensorflow:
            self._configure_once()
        from recommender.whole import WholeRun

        return WholeRun(config, training, self.dataset)

    def device_data(self) -> DeviceData:
        """The data as tensors, copied once."""
        if self._data is None:
            self._configure_once()
            from recommender.device import DeviceData

            self._data = DeviceData(self.dataset)
        return self._data

    def most_kept_bytes(self) -> int:
        """What models that are kept to be used again may hold, beside one like the largest now."""
        if self._data is None:
            return 0
        from recommender.graph import most_kept_bytes

        return most_kept_bytes(self._data)

    def forget_graphs(self) -> None:
        """Give back the memory of the models that are kept to be used again."""
        if self._data is not None:
            self._data.graphs.clear()
            gc.collect()

    def _configure_once(self) -> None:
        if not self._is_configured:
            # What TensorFlow's import makes is no garbage. To look through it takes a fifth of the
            # import's time, and later a quarter of a second whenever graphs make way for others.
            gc.disable()
            try:
                # On a stack of its own: the import leaves tracebacks behind, and their frames would
                # hold all that its callers do, the first run and its graph, too.
                with ThreadPoolExecutor(1) as thread:
                    thread.submit(self._configure).result()
            finally:
                gc.freeze()
                gc.enable()
            self._is_configured = True
