from __future__ import annotations

from experiments.sharing.bundle import requirements


def test_what_a_study_began_with_is_pinned_and_what_came_later_told_above_it() -> None:
    began = {"python": "3.11.7", "recsweep": "0.1.0", "packages": {"numpy": "2.3.1", "ray": "2.60"}}
    upgrade = {"at": 1_772_323_200.0, "versions": {"ray": ["2.60", "2.61"], "commit": ["a", None]}}
    text = requirements({**began, "git": {"commit": "a"}, "changes": [upgrade]})
    assert text.splitlines() == [
        "# Python 3.11.7, recsweep 0.1.0 (commit a)",
        "# since 2026-03-01: ray 2.61",
        "# since 2026-03-01: commit none",
        "numpy==2.3.1",
        "ray==2.60",
    ]
