"""Ray Tune on one side, the conductor on the other: a Searcher and a TrialScheduler around it.

Ray does not call the scheduler for a result with `done=True`, only the two `on_trial_complete`:
so a result is nothing but a bell, and what happened is read from the workers' journals.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ray import tune
from ray.exceptions import RayError
from ray.tune import TuneError
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from experiments.cluster import Resources
from experiments.conductor import LOST_WORKER_RETRIES, Conductor
from experiments.errors import ClusterError, DiskError
from experiments.orders import WorkerSettings
from experiments.worker import Worker
from recommender.datasets.base import EncodedDataset

METRIC = "number"
"""Ray wants a metric named; it is never read."""


class _Unpickled:
    """Ray pickles searcher and scheduler for a restore of its own, which nobody will ask for."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class _Failure:
    """What ended the run on the driver's side; raised when the workers have come to rest.

    Ray would turn an exception in a callback into a text of its own and leave the workers behind.
    """

    def __init__(self) -> None:
        self.error: Exception | None = None

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # raised again by `run_on_ray`
            self.error = self.error or error


class _Asking(_Unpickled, Searcher):
    """Hands the conductor's orders to Ray, no more at a time than there are workers.

    Ray would ask one trial ahead of need, before the sampler heard of the last one's end.
    """

    def __init__(self, conductor: Conductor, n_workers: int, failure: _Failure) -> None:
        super().__init__(metric=METRIC, mode="min")
        self._conductor = conductor
        self._n_workers = n_workers
        self._failure = failure
        self._number_of: dict[str, int] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        if self._failure.error or self._conductor.is_out_of_orders:
            return str(self.FINISHED)
        if len(self._number_of) >= self._n_workers:
            return None
        with self._failure.kept():
            order = self._conductor.next_order()
            if order is not None:
                self._number_of[trial_id] = order.number
                return {"order": order}
        return str(self.FINISHED)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        if self._failure.error:
            return
        with self._failure.kept():
            if result and "disk" in result:
                raise DiskError(result["disk"])
            self._conductor.pump()
            self._conductor.leave(self._number_of.pop(trial_id))

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the ledger is the record."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the ledger is the record."""


class _Stopping(_Unpickled, TrialScheduler):
    """Stops what the pruner stops, and sends a trial whose worker was lost on its next attempt."""

    _supports_buffered_results = False

    def __init__(self, conductor: Conductor, failure: _Failure) -> None:
        super().__init__()
        self._conductor = conductor
        self._failure = failure

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        return True

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None: ...

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        # A worker catches its own exceptions: what fails here is a lost process.
        last = trial.config["order"]
        order = None
        if not self._failure.error:
            with self._failure.kept():
                order = self._conductor.lose(last.number)
        # Ray starts it again in any case.
        trial.set_config({"order": order or last.voided()})

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        if not self._failure.error:
            with self._failure.kept():
                self._conductor.pump()
                if not self._conductor.is_to_stop(trial.config["order"].number):
                    return str(self.CONTINUE)
        return str(self.STOP)

    def on_trial_complete(
        self, tune_controller: Any, trial: Any, result: dict[str, Any]
    ) -> None: ...

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None: ...

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        return next(
            (t for t in tune_controller.get_trials() if t.status == t.PENDING),
            None,
        )

    def debug_string(self) -> str:
        return "recsweep"

    def save(self, checkpoint_path: str) -> None: ...

    def restore(self, checkpoint_path: str) -> None: ...


def run_on_ray(
    conductor: Conductor, encoded: EncodedDataset, resources: Resources, settings: WorkerSettings
) -> None:
    """Run the conductor's trials on Ray Tune workers until it has no more orders.

    Call it from a thread that is not the main one: there Ray installs no signal handlers.

    Raises:
        DiskError: a worker, or the driver, could not write.
        ClusterError: Ray is gone.
    """
    assert resources.workers is not None
    failure = _Failure()
    # Ray would print the traceback of each worker that is lost; the conductor says so in a line.
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    trainable = tune.with_resources(
        tune.with_parameters(Worker, encoded=encoded, settings=settings),
        {"CPU": resources.cpus, "GPU": resources.gpus or 0},
    )
    with tempfile.TemporaryDirectory(prefix="recsweep-tune-") as scratch:
        tuner = tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=_Asking(conductor, resources.workers, failure),
                scheduler=_Stopping(conductor, failure),
                num_samples=-1,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name="study",
                storage_path=str(Path(scratch)),
                verbose=0,
                # Retries are the conductor's to count: it knows a recycled worker from a lost one.
                # This is only the end of a trial that it has given up and no worker can void.
                failure_config=tune.FailureConfig(max_failures=LOST_WORKER_RETRIES + 3),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        )
        try:
            tuner.fit()
        except (RayError, TuneError) as error:
            line = str(error).strip().splitlines()[-1]
            raise ClusterError(
                f"Ray was lost while trials ran: {line}\nNothing that finished is lost; go on "
                f"with: recsweep resume {settings.stop_file.parent.name}"
            ) from error
    if failure.error is not None:
        raise failure.error
