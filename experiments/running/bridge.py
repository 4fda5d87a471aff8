"""Ray Tune on one side, the conductor on the other: a Searcher and a TrialScheduler around it.

Ray does not call the scheduler for a result with `done=True`, only the two `on_trial_complete`:
so a result is nothing but a bell, and what happened is read from the workers' journals.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import ray
from ray import tune
from ray.exceptions import RayError
from ray.tune import TuneError
from ray.tune.progress_reporter import TrialProgressCallback
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from experiments.errors import ClusterError, DiskError, lines_of
from experiments.machine.cluster import ready_workers
from experiments.machine.crew import Crew, dismiss_crew
from experiments.machine.ray_environment import environment
from experiments.machine.resources import Resources
from experiments.machine.scratch import scratch_folder
from experiments.machine.shared_cluster import n_that_fit
from experiments.running.conductor import LOST_WORKER_RETRIES, Conductor
from experiments.running.memory_kills import memory_kills_as_losses
from experiments.running.orders import WorkerSettings
from experiments.running.worker import Worker
from recommender.datasets.encoded import EncodedDataset

METRIC = "number"
"""Ray wants a metric named; it is never read."""
SCRATCH_PREFIX = "recsweep-trials-"
"""Of the temporary folder of a run, for Ray and its workers."""
_LISTEN_EVERY_S = 0.5
_UNASKED = {"TUNE_RESULT_BUFFER_LENGTH": "10", "TUNE_RESULT_BUFFER_MIN_TIME_S": "10"}
"""Where no pruner ends trials, a worker waits for Ray's word only after so many epochs or seconds:
the word takes 6 ms. Ray 2.60 mistakes one of the two for the other, so they are alike."""


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


class _Mute(TrialProgressCallback):
    """Ray would print a line, however quiet it is to be, of a trial that ends before it starts."""

    def on_trial_complete(self, *_: Any, **__: Any) -> None: ...


class _Asking(_Unpickled, Searcher):
    """Hands the conductor's orders to Ray, no more at a time than there are workers.

    Ray would ask one trial ahead of need, before the sampler heard of the last one's end.
    """

    def __init__(self, conductor: Conductor, crew: Crew, failure: _Failure) -> None:
        super().__init__(metric=METRIC, mode="min")
        self._conductor = conductor
        self._crew = crew
        self._failure = failure
        self._number_of: dict[str, int] = {}

    @property
    def has_enough(self) -> bool:
        """Whether no trial is to be added to those that run."""
        conductor = self._conductor
        if conductor.is_out_of_orders or conductor.is_held:
            return True
        return len(self._number_of) >= self._crew.size

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        if self._failure.error:
            return str(self.FINISHED)
        if self.has_enough:
            # A trial that runs may have to make room and be handed out again: asked once more
            # after the last one, Ray hears that there is none.
            return None if self._number_of else str(self.FINISHED)
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
            if result and "elsewhere" in result:
                raise ClusterError(result["elsewhere"])
            self._conductor.pump()
            # A trial whose worker was lost between two trials was not running yet, in Ray's eyes,
            # and Ray does not start it again.
            self._conductor.leave(self._number_of.pop(trial_id), is_lost=error)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the ledger is the record."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the ledger is the record."""


class _Stopping(_Unpickled, TrialScheduler):
    """Stops what the pruner stops, and sends a trial whose worker was lost on its next attempt."""

    def __init__(
        self, conductor: Conductor, crew: Crew, asking: _Asking, failure: _Failure
    ) -> None:
        super().__init__()
        self._supports_buffered_results = not conductor.prunes
        self._conductor = conductor
        self._crew = crew
        self._asking = asking
        self._failure = failure
        self._controller: Any = None
        self._listened_at = 0.0

    def kill_worker(self, number: int) -> bool:
        """Kill the process that has this trial, on whatever node, also one that hangs or has not
        finished its start. Whether there is one. May be called from any thread."""
        controller = self._controller
        if controller is None:
            return False
        for trial in controller.get_trials():
            if trial.config["order"].number == number and not trial.is_finished():
                tracked = controller._trial_to_actor.get(trial)
                actors = controller._actor_manager._live_actors_to_ray_actors_resources
                if (found := actors.get(tracked)) is not None:
                    # A process that does not react is killed by its node after five seconds.
                    ray.kill(found[0])
                    return True
        return False

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        return True

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None: ...

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        # A worker catches its own exceptions: what fails here is a lost process.
        if trial.status == trial.PENDING:
            return  # Ray tells twice of one that died between two trials, and this is the second
        last = trial.config["order"]
        order = None
        if not self._failure.error:
            with self._failure.kept():
                order = self._conductor.lose(last.number, last.attempt)
        # Ray starts it again in any case.
        trial.set_config({"order": order or last.voided()})

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        if not self._failure.error:
            with self._failure.kept():
                self._conductor.pump()
                self._conductor.make_room(self._crew.size)
                if self._asking.has_enough and not _is_any_pending(tune_controller):
                    # The worker of a trial that made room: Ray would keep it for the next one.
                    tune_controller._cleanup_cached_actors(force_all=True)
                if not self._conductor.is_to_stop(trial.config["order"].number):
                    return str(self.CONTINUE)
        return str(self.STOP)

    def on_trial_complete(
        self, tune_controller: Any, trial: Any, result: dict[str, Any]
    ) -> None: ...

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None: ...

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """The first that waits. Ray asks several times a second, also while no result comes."""
        self._controller = tune_controller
        if time.monotonic() >= self._listened_at + _LISTEN_EVERY_S and not self._failure.error:
            self._listened_at = time.monotonic()
            with self._failure.kept():
                # A worker that hangs in its first epoch has said who it is, and rings no bell.
                self._conductor.pump()
        pending = [t for t in tune_controller.get_trials() if t.status == t.PENDING]
        if self._conductor.is_stopping:
            for trial in pending:  # it may wait for room until others end
                trial.init_local_path()  # or Ray fails where it lists its trials
                tune_controller.stop_trial(trial)
            return None
        return pending[0] if pending else None

    def debug_string(self) -> str:
        return "recsweep"

    def save(self, checkpoint_path: str) -> None: ...

    def restore(self, checkpoint_path: str) -> None: ...


def _is_any_pending(tune_controller: Any) -> bool:
    return any(trial.status == trial.PENDING for trial in tune_controller.get_trials())


def run_on_ray(
    conductor: Conductor,
    encoded: EncodedDataset,
    resources: Resources,
    settings: WorkerSettings,
    way_on: str,
) -> None:
    """Run the conductor's trials on Ray Tune workers until it has no more orders.

    Call it from a thread that is not the main one: there Ray installs no signal handlers.

    Args:
        way_on: the command that goes on with the study where Ray is lost.

    Raises:
        DiskError: a worker, or the driver, could not write.
        ClusterError: Ray is gone.
    """
    assert resources.workers is not None
    failure = _Failure()
    # Ray would print the traceback of each worker that is lost; the conductor says so in a line.
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(resources.workers)
    crew = Crew(settings.stop_file.parent, resources.workers, n_that_fit(ray.nodes(), resources))
    asking = _Asking(conductor, crew, failure)
    scheduler = _Stopping(conductor, crew, asking, failure)
    conductor.liveness.kill = scheduler.kill_worker
    with scratch_folder(SCRATCH_PREFIX) as scratch:
        settings = replace(settings, scratch=scratch)
        trainable = tune.with_resources(
            tune.with_parameters(Worker, encoded=encoded, settings=settings),
            {"CPU": resources.cpus, "GPU": resources.share},
        )
        tuner = tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=asking,
                scheduler=scheduler,
                num_samples=-1,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name="study",
                storage_path=str(scratch),
                verbose=0,
                callbacks=[_Mute()],
                # Retries are the conductor's to count: it knows a recycled worker from a lost one.
                # This is only the end of a trial that it has given up and no worker can void.
                failure_config=tune.FailureConfig(max_failures=LOST_WORKER_RETRIES + 3),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        )
        try:
            with (
                environment({} if conductor.prunes else _UNASKED),
                ready_workers(),
                memory_kills_as_losses(conductor.say),
            ):
                tuner.fit()
        except (RayError, TuneError) as error:
            raise ClusterError(
                f"Ray was lost while trials ran: {lines_of(error)[-1]}\n"
                f"Nothing that finished is lost; go on with: {way_on}"
            ) from error
        finally:
            dismiss_crew(settings.stop_file.parent)
    if failure.error is not None:
        raise failure.error
