"""`make torture`: every crash point, every cut, and three real sweeps with a nemesis.

python -m tests.torture            all of it, half an hour or so
python -m tests.torture points     the crash points and cuts alone
python -m tests.torture nemesis    the real sweeps alone
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tests.torture.counts import Counts


def main(kinds: list[str]) -> int:
    results: list[Counts] = []
    with tempfile.TemporaryDirectory(prefix="torture-") as scratch:
        root = Path(scratch)
        if not kinds or "points" in kinds:
            from tests.torture.crash_points import cut_every_record, walk_crash_points

            for name, kind in (("crash points", walk_crash_points), ("cuts", cut_every_record)):
                results.append(_timed(Counts(name), lambda c, kind=kind: kind(root, c)))
        if not kinds or "nemesis" in kinds:
            from tests.torture.nemesis import torture, torture_nodes

            for seed, n_workers in ((1, 1), (2, 2)):
                name = f"nemesis, {n_workers} worker{'s' * (n_workers > 1)}"
                results.append(
                    _timed(
                        Counts(name),
                        lambda c, s=seed, n=n_workers: torture(root / f"nemesis-{s}", s, c, n, 8),
                    )
                )
            results.append(
                _timed(
                    Counts("jobs of 90 s, queued again"),
                    lambda c: torture(root / "jobs", 4, c, 2, 0, job="90s"),
                )
            )
            results.append(
                _timed(Counts("nemesis, nodes"), lambda c: torture_nodes(root / "nodes", 3, c, 3))
            )
    print()
    for counts in results:
        print(counts)
    return 0 if all(counts.is_sound for counts in results) else 1


def _timed(counts: Counts, work: object) -> Counts:
    assert callable(work)
    began = time.monotonic()
    work(counts)
    print(f"{counts} ({time.monotonic() - began:.0f} s)", flush=True)
    return counts


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
