"""The maps of packages, for whoever reads them for the first time, show all that there is."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

import experiments
import reports


@pytest.mark.parametrize("package", [experiments, reports])
def test_every_package_and_module_stands_on_the_map_once(package: ModuleType) -> None:
    assert package.__doc__ is not None and package.__file__ is not None
    folder = Path(package.__file__).parent
    there = sorted(
        path.stem
        for path in folder.iterdir()
        if not path.name.startswith("__") and (path.suffix == ".py" or path.is_dir())
    )
    lines = re.findall(r"^    ([a-z_]+(?:, [a-z_]+)*)  ", package.__doc__, re.MULTILINE)
    assert sorted(", ".join(lines).split(", ")) == there
