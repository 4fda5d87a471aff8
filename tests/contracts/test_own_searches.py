"""A researcher's own sampler and pruner are held to what ours are."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.search.search import build_search
from experiments.search.search_protocol import Search
from experiments.sweep import SearchConfig
from recommender.own_functions import read_function
from tests.contracts.test_search_rebuilds import N_TRIALS, essence, runner
from tests.made_up_spaces import CONDITIONAL, DEFAULTS, FINITE
from tests.own_helpers import write_helpers


@pytest.mark.filterwarnings("ignore:`constraints_func`:FutureWarning")
@pytest.mark.parametrize(
    ("sampler", "args"), [("warm_random", {"n_random": 4}), ("constrained", {})]
)
def test_an_own_sampler_and_pruner_go_on_after_kills_as_if_nothing_had_happened(
    sampler: str, args: dict[str, int], tmp_path: Path
) -> None:
    folder = write_helpers(tmp_path)
    config = SearchConfig(
        trials=N_TRIALS,
        max_epochs=9,
        sampler_own=read_function(f"mine.py:{sampler}", folder, ("seed",)),
        sampler_args=args,
        pruner_own=read_function("mine.py:strict", folder, ("max_epochs",)),
    )

    def make() -> Search:
        return build_search(CONDITIONAL, config, 42, None, DEFAULTS)

    whole = runner(checkpoint_every=2)
    uninterrupted = whole.run(make())
    kills = range(67, whole.n_writes, 61)
    resumed = runner(checkpoint_every=2).run_through_kills(make, kills)
    assert essence(resumed) == essence(uninterrupted)
    assert len({repr(t.values) for t in resumed}) == N_TRIALS
    assert {str(t.stop_reason) for t in resumed} >= {"pruner"}


def test_a_sampler_that_has_nothing_left_to_try_ends_no_search(tmp_path: Path) -> None:
    own = read_function("mine.py:exhaustive", write_helpers(tmp_path), ("seed",))
    config = SearchConfig(trials=30, max_epochs=9, sampler_own=own)
    whole = runner()
    whole.n_trials = 30
    trials = whole.run(build_search(FINITE, config, 42, None, DEFAULTS))
    tried = [repr(sorted(t.values.items())) for t in trials]
    assert (len(tried), len(set(tried[:27]))) == (30, 27)
