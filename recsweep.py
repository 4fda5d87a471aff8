"""The one door for Python users: `import recsweep as rs`.

Importing it checks that the four packages behind it are recsweep's own.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

# TensorFlow chooses its Keras once, when it is imported, and TensorFlow Recommenders needs Keras 2.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")


def _refuse_strangers() -> None:
    """Another folder of the same name, earlier on the path, would hide one of ours."""
    home = Path(__file__).resolve().parent
    for name in ("search_spaces", "recommender", "experiments", "reports"):
        spec = importlib.util.find_spec(name)
        places = (
            [Path(p).resolve() for p in (spec.submodule_search_locations or [])] if spec else []
        )
        if home / name not in places[:1]:
            found = f"{places[0]} hides it" if places else "it is not there"
            raise ImportError(
                f"recsweep needs its own package {name!r} in {home}, but {found}; rename that "
                "folder, or start Python from another one"
            )


_refuse_strangers()
