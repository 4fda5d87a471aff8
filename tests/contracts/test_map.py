"""The map of `experiments`, for whoever reads it for the first time, shows all that there is."""

from __future__ import annotations

import re
from pathlib import Path

import experiments


def test_every_module_stands_on_the_map_once() -> None:
    assert experiments.__doc__ is not None
    folder = Path(experiments.__file__).parent
    there = sorted(
        path.stem
        for path in folder.iterdir()
        if not path.name.startswith("__") and (path.suffix == ".py" or path.is_dir())
    )
    lines = [line[19:] for line in experiments.__doc__.splitlines() if line.startswith("    ")]
    assert sorted(re.findall(r"[a-z_]+", " ".join(lines))) == there
