"""The precision that Keras computes in. It is global there, and here each model's own."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

Precision = Mapping[str, tuple[str, str]]
"""By version of Keras: `floatx`, and the policy of layers. What is not there is float32."""

_OURS = ("float32", "float32")


def precision() -> Precision:
    found = {}
    for name, keras in _imported():
        floatx, policy = keras.backend.floatx(), keras.mixed_precision.global_policy().name
        # Whoever sets floatx alone means the layers, too: they follow it until a policy is set, and
        # ours was.
        found[name] = (floatx, floatx if policy == "float32" else policy)
    return {name: set_to for name, set_to in found.items() if set_to != _OURS}


def set_precision(wanted: Precision) -> None:
    for name, keras in _imported():
        floatx, policy = wanted.get(name, _OURS)
        keras.backend.set_floatx(floatx)
        keras.mixed_precision.set_global_policy(policy)


def _imported() -> list[tuple[str, Any]]:
    return [(name, sys.modules[name]) for name in ("tf_keras", "keras") if name in sys.modules]
