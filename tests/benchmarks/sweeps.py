"""`python -m tests.benchmarks.sweeps`: the same trials by recsweep and by its peers.

Run it alone on the machine. Every tool gets a process of its own, the same configurations (the
ones recsweep's random search drew), the same epochs, no pruning. With one worker each tool has one
thread; with more, recsweep and Ray Tune run so many trials at once, each with one thread, and those
that run one trial at a time leave TensorFlow all cores. Printed are medians over the repetitions,
with the least and the most; ratios travel between machines, seconds do not. `products` is no tool:
the bare matrix products of the same steps on one thread, one trial after another.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from experiments.sweep import SweepConfig

TOOLS = ("recsweep", "optuna", "keras-tuner", "ray-reuse", "ray-defaults", "products")
BATCH_SIZE = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--tools", nargs="+", default=list(TOOLS), choices=TOOLS)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(_run_one(options)))
        return
    rows: dict[str, list[dict[str, Any]]] = {tool: [] for tool in options.tools}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.repeats):
            for tool in options.tools:
                rows[tool].append(_in_a_process(tool, folder, options))
    print(
        f"\n{options.trials} trials x {options.epochs} epochs, {options.workers} worker(s), "
        f"medians of {options.repeats} (least to most)\n"
    )
    print("| tool | s a trial after the first | times ours | all of it, s | best RMSE |")
    print("| --- | --- | --- | --- | --- |")
    base = _median(rows["recsweep"], "warm_s") if "recsweep" in rows else None
    for tool, runs in rows.items():
        ratio = f"{_median(runs, 'warm_s') / base:.1f}" if base else ""
        rmse = f"{_median(runs, 'rmse'):.4f}" if "rmse" in runs[0] else ""
        warm, total = _spread(runs, "warm_s", 2), _spread(runs, "total_s", 0)
        print(f"| {tool} | {warm} | {ratio} | {total} | {rmse} |")


def _spread(runs: list[dict[str, Any]], key: str, digits: int) -> str:
    values = [run[key] for run in runs]
    middle, low, high = (f"{f(values):.{digits}f}" for f in (statistics.median, min, max))
    return f"{middle} ({low} to {high})" if len(runs) > 1 else middle


def _median(runs: list[dict[str, Any]], key: str) -> float:
    return statistics.median(run[key] for run in runs)


def _in_a_process(tool: str, folder: str, options: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.sweeps", "--one", f"{tool}:{folder}"]
    for name in ("trials", "epochs", "workers"):
        command += [f"--{name}", str(getattr(options, name))]
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{tool} failed:\n{done.stderr[-3000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    result["total_s"] = time.monotonic() - began - result.pop("for_peers_s", 0.0)
    print(f"{tool}: {result}", flush=True)
    return result


def _run_one(options: argparse.Namespace) -> dict[str, Any]:
    tool, _, name = options.one.partition(":")
    folder = Path(name)
    if tool == "recsweep":
        return _recsweep(folder, options)
    from tests.benchmarks import peers

    trials = json.loads((folder / "trials.json").read_text())
    if tool == "products":
        return {"warm_s": _after_the_first(_products(trials, folder / "data.npz", options.epochs))}
    common = (trials, folder / "data.npz", options.epochs, BATCH_SIZE)
    if options.workers == 1 or tool.startswith("ray"):
        os.environ.update({"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"})
    if tool == "optuna":
        run = peers.optuna_in_one_process(*common)
    elif tool == "keras-tuner":
        run = peers.keras_tuner(*common)
    else:
        reuse = tool == "ray-reuse"
        run = peers.ray_tune(*common, reuse_actors=reuse, n_workers=options.workers)
    return {"warm_s": _after_the_first(run.ended_at), "rmse": min(run.rmse)}


def bench_sweep(n_trials: int, n_epochs: int) -> SweepConfig:
    """Plain and DCN models of many shapes, without what the peers' tutorials do not have."""
    import recsweep as rs

    space = rs.space(
        architecture=rs.Choice(["plain", "dcn"]),
        optimizer=rs.Choice(["adam", "adagrad"]),
        learning_rate=[
            rs.Float(5e-4, 3e-3, log=True).when(optimizer="adam"),
            rs.Float(0.03, 0.2, log=True).when(optimizer="adagrad"),
        ],
        embedding_size=rs.Choice([8, 16, 32]),
        n_layers=rs.Int(1, 3),
        layer_size=rs.Choice([32, 64, 128]).each("n_layers"),
        dropout=rs.Float(0.0, 0.5),
        cross_layers=rs.Int(1, 2).when(architecture="dcn"),
    )
    plain = {"input_dropout": 0.0, "embedding_l2": 0.0, "dense_l2": 0.0, "user_oov_rate": 0.0}
    return rs.Sweep(
        "bench",
        space=space,
        dataset={"name": "movielens-small", "features": ["user_id", "item_id"]},
        model={**plain, "item_oov_rate": 0.0, "biases": False, "side_features": False},
        trials=n_trials,
        max_epochs=n_epochs,
        patience=0,
        sampler="random",
        pruner="none",
    )


def _recsweep(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Runs the sweep, and leaves its configurations and data for the peers."""
    import recsweep as rs
    from experiments.data.study_data import load_data

    sweep = bench_sweep(options.trials, options.epochs)
    studies = Path(tempfile.mkdtemp(dir=folder))
    resources = rs.Resources(workers=options.workers)
    study = rs.run(sweep, studies=studies, resources=resources, quiet=True)
    done = time.monotonic()
    trials = study.record.trials
    (folder / "trials.json").write_text(json.dumps([dict(trial.values) for trial in trials]))
    encoded = load_data(sweep).encoded
    arrays = {"users": encoded.user_vocabulary, "items": encoded.item_vocabulary}
    for part in ("train", "validation"):
        rows = getattr(encoded, part)
        for key, vocabulary in (("user", arrays["users"]), ("item", arrays["items"])):
            known = np.concatenate([np.array(["?"], vocabulary.dtype), vocabulary])
            arrays[f"{part}_{key}"] = known[getattr(rows, key)]
        arrays[f"{part}_rating"] = rows.rating
    np.savez(folder / "data.npz", **arrays)  # type: ignore[arg-type]  # NumPy's own keyword
    best = study.record.ranked[0]
    return {
        "warm_s": _after_the_first([t.ended_at for t in trials if t.ended_at is not None]),
        "rmse": best.best_rmse,
        "for_peers_s": time.monotonic() - done,
    }


def _products(trials: Sequence[dict[str, Any]], data: Path, n_epochs: int) -> list[float]:
    """When the products of each trial were done."""
    from recommender.runtime import configure_devices
    from tests.benchmarks.products import epoch_of_products

    configure_devices(gpu=False, threads=1)
    n_rows = len(np.load(data)["train_rating"])
    ended_at = []
    for values in trials:
        width = 2 * values["embedding_size"]
        sizes = (width, *(values[f"layer_size_{i}"] for i in range(values["n_layers"])), 1)
        crosses = [(width, width)] * values.get("cross_layers", 0)
        epoch = epoch_of_products([*crosses, *itertools.pairwise(sizes)], BATCH_SIZE, n_rows)
        for _ in range(n_epochs):
            epoch()
        ended_at.append(time.time())
    return ended_at


def _after_the_first(ended_at: Sequence[float]) -> float:
    """Seconds a trial, from the end of the first to the end of the last."""
    return (max(ended_at) - min(ended_at)) / (len(ended_at) - 1)


if __name__ == "__main__":
    main()
