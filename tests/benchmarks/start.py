"""`python -m tests.benchmarks.start`: from the command to the first finished epoch.

Up to a minute a repetition. Against the bare start that nobody gets around: importing
`ray.tune`, `ray.init` and one actor that imports TensorFlow.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BARE = """
import os
os.environ.update(TF_USE_LEGACY_KERAS="1", RAY_USAGE_STATS_ENABLED="0", TF_CPP_MIN_LOG_LEVEL="3")
import ray
from ray import tune
ray.init(address="local", include_dashboard=False, log_to_driver=False)

@ray.remote(num_cpus=1)
class Actor:
    def begin(self):
        import tensorflow_recommenders
        return True

ray.get(Actor.remote().begin.remote())
print("ready", flush=True)
os._exit(0)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    ratios = []
    for _ in range(options.repeats):
        bare, ours = _bare(), _first_epoch()
        ratios.append(ours / bare)
        print(f"bare start {bare:.1f} s, first epoch of quickstart {ours:.1f} s: {ratios[-1]:.2f}")
    print(f"median ratio {statistics.median(ratios):.2f}")


def _bare() -> float:
    began = time.time()
    subprocess.run([sys.executable, "-c", BARE], check=True, capture_output=True)
    return time.time() - began


def _first_epoch() -> float:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "experiments.cli.main", "run", "quickstart"]
        began = time.time()
        process = subprocess.Popen(
            [*command, "--studies", folder],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"NO_COLOR": "1"},
        )
        try:
            while process.poll() is None:
                for at in _epochs(Path(folder)):
                    return at - began
                time.sleep(0.1)
        finally:
            process.kill()
            process.wait()
    raise SystemExit("quickstart ended before its first epoch")


def _epochs(studies: Path) -> list[float]:
    """When the workers' epochs ended, by their own journals."""
    lines = [
        line
        for path in studies.glob("*/journal/worker-*.jsonl")
        for line in path.read_text().splitlines()
        if '"epoch"' in line and line.endswith("}")
    ]
    events = [json.loads(line)["event"] for line in lines]
    return sorted(event["at"] for event in events if event["kind"] == "epoch")


if __name__ == "__main__":
    main()
