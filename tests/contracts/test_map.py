"""The map of `experiments`, for whoever reads it for the first time, shows all that there is."""

from __future__ import annotations

import re
from pathlib import Path

import experiments


def test_every_package_and_module_stands_on_the_map_once() -> None:
    assert experiments.__doc__ is not None
    folder = Path(experiments.__file__).parent
    there = sorted(
        path.stem
        for path in folder.iterdir()
        if not path.name.startswith("__") and (path.suffix == ".py" or path.is_dir())
    )
    lines = re.findall(r"^    ([a-z_]+(?:, [a-z_]+)*)  ", experiments.__doc__, re.MULTILINE)
    assert sorted(", ".join(lines).split(", ")) == there
