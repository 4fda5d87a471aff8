"""`make torture`: every crash point, every cut, and real sweeps that are killed and haunted.

python -m tests.torture                    all of it, 20 minutes or so on two quiet cores
python -m tests.torture points kills       some kinds only: points, kills, jobs, nemesis
python -m tests.torture --seed 7           other random moments
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.torture.counts import Counts
from tests.torture.kills import Alone, end_jobs, kill_drivers, kill_workers, leave_alone
from tests.torture.progress import Part, run_parts

KINDS = ("points", "kills", "jobs", "nemesis")


@dataclass
class Torture:
    """All parts, in order; those that compare with a sweep left alone run one first."""

    scratch: Path
    seed: int
    _alone: list[Alone] = field(default_factory=list)

    def parts(self, kinds: list[str]) -> list[Part]:
        """Those of some kinds, each with the seconds that it takes on two quiet cores."""
        by_kind = {
            "points": [
                Part("every crash point", 85, self._crash_points),
                Part("every record cut", 35, self._cuts),
            ],
            "kills": [
                Part("killed with -9, one worker", 170, self._kills(1)),
                Part("killed with -9, two workers", 150, self._kills(2)),
                Part("workers killed, one worker", 90, self._worker_kills),
            ],
            "jobs": [
                Part("short jobs, one worker", 170, self._jobs(1)),
                Part("short jobs, two workers", 170, self._jobs(2)),
            ],
            "nemesis": [
                Part("nemesis, one worker", 240, self._nemesis(1)),
                Part("nemesis, two workers", 220, self._nemesis(2)),
                Part("nemesis, nodes", 120, self._nodes),
            ],
        }
        parts = [part for kind in kinds for part in by_kind[kind]]
        if {"kills", "jobs"} & set(kinds):
            parts.insert(0, Part("a sweep left alone", 60, self._leave_alone))
        return parts

    def _crash_points(self, counts: Counts) -> None:
        from tests.torture.crash_points import walk_crash_points

        walk_crash_points(self.scratch / "points", counts)

    def _cuts(self, counts: Counts) -> None:
        from tests.torture.crash_points import cut_every_record

        cut_every_record(self.scratch / "cuts", counts)

    def _leave_alone(self, counts: Counts) -> None:
        self._alone.append(leave_alone(self.scratch / "alone", counts))

    def _kills(self, n_workers: int) -> Callable[[Counts], None]:
        def kill(counts: Counts) -> None:
            root = self.scratch / f"killed-{n_workers}"
            kill_drivers(root, self.seed + n_workers, counts, self._alone[0], n_workers)

        return kill

    def _worker_kills(self, counts: Counts) -> None:
        kill_workers(self.scratch / "workers", counts, self._alone[0])

    def _jobs(self, n_workers: int) -> Callable[[Counts], None]:
        def end(counts: Counts) -> None:
            end_jobs(self.scratch / f"jobs-{n_workers}", counts, self._alone[0], n_workers)

        return end

    def _nemesis(self, n_workers: int) -> Callable[[Counts], None]:
        def haunt_it(counts: Counts) -> None:
            from tests.torture.nemesis import haunt

            haunt(self.scratch / f"nemesis-{n_workers}", self.seed + n_workers, counts, n_workers)

        return haunt_it

    def _nodes(self, counts: Counts) -> None:
        from tests.torture.nemesis import haunt_nodes

        haunt_nodes(self.scratch / "nodes", self.seed, counts, 3)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--seed", type=int, default=1, help="of the random moments")
    arguments = parser.parse_args()
    if unknown := set(arguments.kinds) - set(KINDS):
        parser.error(f"no such kind: {', '.join(unknown)}; known: {', '.join(KINDS)}")
    with tempfile.TemporaryDirectory(prefix="torture-", ignore_cleanup_errors=True) as scratch:
        torture = Torture(Path(scratch), arguments.seed)
        print(f"seed {arguments.seed}; studies and logs in {scratch} until the end", flush=True)
        results = run_parts(torture.parts(arguments.kinds or list(KINDS)))
    print()
    for counts in results:
        print(counts)
    total = Counts("in all")
    for name in ("faults", "finished", "lost", "twice", "repeated", "different"):
        setattr(total, name, sum(getattr(counts, name) for counts in results))
    print(total)
    return 0 if total.is_sound else 1


if __name__ == "__main__":
    sys.exit(main())
