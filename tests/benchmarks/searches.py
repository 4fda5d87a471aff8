"""`python -m tests.benchmarks.searches`: what does each sampler find, and what does it cost?

Hours, and any number of processes may share the machine: epochs are counted, not seconds. Every
search tries the shipped space `ranking` on MovieLens, one trial at a time, without arms, under the
settings of a sweep that says nothing else. Searches of one seed start from the same random trials.
What a pruner does to a random search is replayed on the epochs of the one that was not pruned,
since neither its proposals nor its models depend on what was stopped. With `--one-seed` all trials
of a search share a seed, as they would without ADR 12.

A quarter of the validation users is kept from the searches (`split.confirm`). The best complete
trial of each is trained again under fresh seeds and judged on the rows of the search and on those
of the users that it never saw. Of a file (`--out`) that has some of the searches only the others
run.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import recsweep as rs
from experiments.records import StopReason, TrialState
from experiments.search.search import build_search
from experiments.search.search_protocol import Search
from experiments.sweep import SearchConfig, SweepConfig, defaults_of, model_of
from recommender.config import TrainingConfig
from recommender.datasets.config import DatasetConfig, SplitConfig
from recommender.datasets.confirming import ConfirmRows, load_with_confirm
from recommender.epochs import derive_seed
from recommender.metrics import rmse
from search_spaces import shipped_space

TRAINED = {
    "random": ("random", "none"),
    "tpe": ("tpe", "none"),
    "tpe, median": ("tpe", "median"),
    "tpe, successive-halving": ("tpe", "successive-halving"),
    "tpe, hyperband": ("tpe", "hyperband"),
}
REPLAYED = {
    "random, median": ("random", "median"),
    "random, successive-halving": ("random", "successive-halving"),
    "random, hyperband": ("random", "hyperband"),
}
FRESH_SEEDS = (1001, 1002, 1003)

Curves = Callable[[int, Mapping[str, Any]], Iterator[float]]
"""The validation RMSE of a trial's epochs, by its number and values."""


@dataclass(frozen=True, slots=True)
class Trial:
    values: dict[str, Any]
    curve: list[float]
    is_complete: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=7)
    parser.add_argument("--jobs", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--out", type=Path, default=Path("searches.jsonl"))
    parser.add_argument("--dataset", default="movielens-small")
    parser.add_argument("--path", type=Path)
    parser.add_argument("--one-seed", action="store_true", help="for all trials of a search")
    options = parser.parse_args()
    data = (options.dataset, options.path)
    with multiprocessing.get_context("spawn").Pool(options.jobs, _one_thread) as pool:
        known = {(line["method"], line["seed"]): line for line in _lines(options.out)}
        asked = [
            (data, method, seed, options.trials, options.one_seed)
            for seed in range(options.seeds)
            for method in TRAINED
            if (method, seed) not in known
        ]
        for line in pool.imap_unordered(_searched, asked):
            _append(options.out, line)
            known[line["method"], line["seed"]] = line
            print(f"{line['method']}, seed {line['seed']}", flush=True)
        searches = {key: [Trial(**t) for t in line["trials"]] for key, line in known.items()}
        for seed in range(options.seeds):
            for method, names in REPLAYED.items():
                searches[method, seed] = _replayed(searches["random", seed], names, seed)
        found = {key: _best(trials, len(trials)) for key, trials in searches.items()}
        points = {json.dumps(trial.values, sort_keys=True) for trial in found.values()}
        points.add(json.dumps(searches["random", 0][0].values, sort_keys=True))
        judged = dict(pool.imap_unordered(_judged, [(data, point) for point in sorted(points)]))
    _tell(searches, judged)


def _tell(
    searches: Mapping[tuple[str, int], Sequence[Trial]], judged: Mapping[str, tuple[float, float]]
) -> None:
    """A line a method: means over the searches and, in brackets, their standard deviation."""
    seeds = sorted({seed for _, seed in searches})
    n_trials = len(searches["random", seeds[0]])
    marks = [*(n for n in (20, 50, 100) if n < n_trials), n_trials]
    print(f"{len(seeds)} searches each, {n_trials} trials\n")
    heads = [f"best of {n}" for n in marks]
    print(" | ".join(["| method", "epochs", *heads, "fresh seeds", "kept users |"]))
    print("| --- " * (len(heads) + 4) + "|")
    default = judged[json.dumps(searches["random", seeds[0]][0].values, sort_keys=True)]
    print("| defaults | | " + "| " * len(heads) + f"{default[0]:.4f} | {default[1]:.4f} |")
    for method in [*TRAINED, *REPLAYED]:
        own = [searches[method, seed] for seed in seeds]
        epochs = statistics.mean(sum(len(trial.curve) for trial in trials) for trials in own)
        bests = [[min(_best(trials, n).curve) for trials in own] for n in marks]
        ends = [judged[json.dumps(_best(t, n_trials).values, sort_keys=True)] for t in own]
        cells = [_mean_sd(values) for values in (*bests, *zip(*ends, strict=True))]
        print(f"| {method} | {epochs:.0f} | " + " | ".join(cells) + " |")


def _mean_sd(values: Sequence[float]) -> str:
    sd = statistics.stdev(values) if len(values) > 1 else float("nan")
    return f"{statistics.mean(values):.4f} ({sd:.4f})"


def _best(trials: Sequence[Trial], n: int) -> Trial:
    """Of the first n; the default configuration, which no pruner stops, is among them."""
    return min((t for t in trials[:n] if t.is_complete), key=lambda trial: min(trial.curve))


def _searched(asked: tuple[tuple[str, Path | None], str, int, int, bool]) -> dict[str, Any]:
    data, method, seed, n_trials, has_one_seed = asked
    device, _ = _data(*data)
    sweep = _sweep()

    def curves(number: int, values: Mapping[str, Any]) -> Iterator[float]:
        from recommender.training import TrainingRun

        training = TrainingConfig(seed=seed if has_one_seed else derive_seed(seed, "trial", number))
        run = TrainingRun(model_of(sweep, values), training, device)
        while run.stop_reason is None:
            yield run.step().val_rmse

    trials = _drive(_search(TRAINED[method], seed), curves, n_trials)
    as_json = [{name: getattr(t, name) for name in Trial.__slots__} for t in trials]
    return {"method": method, "seed": seed, "trials": as_json}


def _replayed(trials: Sequence[Trial], names: tuple[str, str], seed: int) -> list[Trial]:
    def curves(number: int, values: Mapping[str, Any]) -> Iterator[float]:
        assert trials[number].values == values, "a random search follows from its seed"
        yield from trials[number].curve
        if not trials[number].is_complete:  # it diverged; nothing else ended one that no pruner saw
            yield np.nan

    return _drive(_search(names, seed), curves, len(trials))


def _drive(search: Search, curves: Curves, n_trials: int) -> list[Trial]:
    trials = []
    for number in range(n_trials):
        proposal = search.ask(number)
        assert proposal is not None, "neither sampler runs out"
        curve: list[float] = []
        reason = StopReason.MAX_EPOCHS
        for value in curves(number, proposal.values):
            if not np.isfinite(value):
                reason = StopReason.DIVERGED
                break
            curve.append(value)
            if not search.report(number, len(curve), value):
                reason = StopReason.PRUNER
                break
        is_complete = reason.state is TrialState.COMPLETE
        search.tell(number, reason, min(curve) if is_complete else None)
        trials.append(Trial(dict(proposal.values), curve, is_complete))
    return trials


def _judged(asked: tuple[tuple[str, Path | None], str]) -> tuple[str, tuple[float, float]]:
    """A configuration's RMSE on the rows of the search and on the kept users', means of seeds."""
    data, point = asked
    device, kept = _data(*data)
    model = model_of(_sweep(), json.loads(point))
    results = [rs.train_ranking(model, TrainingConfig(seed=seed), device) for seed in FRESH_SEEDS]
    there = statistics.mean(float(result.best_rmse or np.nan) for result in results)
    rows = kept.rows
    elsewhere = [rmse(result.run.predict(rows), rows.rating) for result in results]
    return point, (there, statistics.mean(elsewhere))


def _search(names: tuple[str, str], seed: int) -> Search:
    sampler, pruner = names
    config = SearchConfig(trials=1, sampler=sampler, pruner=pruner)
    return build_search(shipped_space("ranking"), config, seed, None, defaults_of(_sweep()))


def _sweep() -> SweepConfig:
    return rs.Sweep("searches", space=shipped_space("ranking"), trials=1)


@cache
def _data(dataset: str, path: Path | None) -> tuple[Any, ConfirmRows]:
    from recommender.device import DeviceData

    config = DatasetConfig(dataset, path, features=("user_id", "item_id", "genres", "year"))
    split = SplitConfig("time-range", confirm=0.25)
    loaded, kept = load_with_confirm(config, split, before=lambda _: None)
    assert kept is not None
    return DeviceData(loaded.encoded), kept


def _one_thread() -> None:
    from recommender.runtime import configure_devices

    configure_devices(gpu=False, threads=1)


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _append(path: Path, line: Mapping[str, Any]) -> None:
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
