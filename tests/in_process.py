"""Runs a conductor's trials in this process: the real worker's bench, without Ray."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from experiments.running.conductor import Conductor
from experiments.running.driver import Driver
from experiments.running.orders import WorkerSettings
from experiments.running.worker import Workbench
from recommender.datasets.encoded import EncodedDataset

if TYPE_CHECKING:
    from recommender.device import DeviceData


class Died(BaseException):
    """The driver's process is gone."""


_KEPT: dict[bytes, DeviceData] = {}


def device_data(encoded: EncodedDataset) -> DeviceData:
    """One a data set: tracing a graph again costs more than training it here."""
    from recommender.device import DeviceData

    shown = (
        encoded.train.rating,
        encoded.validation.rating,
        *([c.item] if (c := encoded.confirm) else []),
    )
    key = b"".join(array.tobytes() for array in shown)
    if key not in _KEPT:
        _KEPT[key] = DeviceData(encoded)
    return _KEPT[key]


@dataclass
class InProcess:
    """Takes the place of `experiments.running.driver.run_trials`."""

    trained: list[str] = field(default_factory=list)
    """Names of the trials that were trained to their end, in order."""
    handed: list[object] = field(default_factory=list)
    """All that a worker gets: the data, its settings, its orders."""
    times_left_s: list[float | None] = field(default_factory=list)
    """What each run of a driver had for its trials; None: no limit."""
    dies_after: int | None = None
    """So many trials; None: it lives."""

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in ("experiments.study", "experiments.verdict.verdict"):
            monkeypatch.setattr(f"{module}.run_trials", self)
            monkeypatch.setattr(f"{module}.import_ray", lambda resources: None)
        monkeypatch.setattr("experiments.study.ray_beside", lambda *_: nullcontext())
        # A process settles its devices once, and other tests share this one.
        monkeypatch.setattr("recommender.runtime.configure_devices", lambda **_: None)
        monkeypatch.setattr(
            "recommender.runs.Trainer.device_data", lambda self: device_data(self.dataset)
        )

    def __call__(
        self, driver: Driver, conductor: Conductor, time_left_s: float | None = None
    ) -> None:
        self.times_left_s.append(time_left_s)
        settings = WorkerSettings(1, 0, 1e9, driver.switch.path)
        encoded = driver.loaded.encoded
        self.handed += [encoded, settings]
        bench = Workbench(encoded, settings)
        while not conductor.is_out_of_orders:
            if self.dies_after is not None and len(self.trained) >= self.dies_after:
                raise Died
            order = conductor.next_order()
            if order is None:
                return
            self.handed.append(order)
            while not bench.step(order)["done"]:
                conductor.pump()
                if conductor.is_to_stop(order.number):
                    break
            conductor.pump()
            conductor.leave(order.number)
            self.trained.append(order.name)
