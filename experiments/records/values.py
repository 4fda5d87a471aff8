"""A trial's values in words: one short line instead of a dozen columns.

Standard library only; the board's `layers` column and every terminal line speak through this.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from experiments.ledger.trial_records import Value

_LAYER_SIZE = re.compile(r"layer_size_\d+")


def plural(count: int, noun: str) -> str:
    """`1 trial`, `1,200 trials`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def is_layer_size(name: str) -> bool:
    """Whether a column holds the width of one layer: `layer_size_0`, `layer_size_1`, ..."""
    return _LAYER_SIZE.fullmatch(name) is not None


def layers_text(values: Mapping[str, Value]) -> str | None:
    """The widths of the dense layers as one word: `256-64`, or `none` for a model without any.

    None where the widths are not among the values (the sweep fixes them).
    """
    widths: list[str] = []
    while (width := values.get(f"layer_size_{len(widths)}")) is not None:
        widths.append(str(width))
    if widths:
        return "-".join(widths)
    return "none" if values.get("n_layers") == 0 else None


def value_text(value: Value) -> str:
    """A value as one reads it: `1.1e-3`, `0.25`, `64`, `true`, `adam`."""
    if not isinstance(value, float):
        return exact_text(value)
    if value != 0 and not 1e-2 <= abs(value) < 999.5:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent)}"
    return f"{value:.3g}"


def exact_text(value: Value) -> str:
    """A value with all its digits: `0.0011317`, `64`, `true`, `adam`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def values_text(values: Mapping[str, Value], *, without: str | None = None) -> str:
    """What one remembers a trial by: `adam 1.1e-3, 64-32, 1 cross layer`.

    Optimizer and learning rate, layers, cross layers; where there is only one of them, at most
    three other values by their names.

    Args:
        without: a name that the line already shows elsewhere, such as the compared dimension.
    """
    known = {name: value for name, value in values.items() if name != without}
    parts = []
    if (rate := known.pop("learning_rate", None)) is not None:
        parts.append(f"{known.pop('optimizer', 'learning rate')} {value_text(rate)}")
    if (layers := layers_text(known)) is not None:
        parts.append("no dense layer" if layers == "none" else layers)
        known = {n: v for n, v in known.items() if n != "n_layers" and not is_layer_size(n)}
    if (n_cross := known.pop("cross_layers", None)) is not None:
        parts.append(f"{n_cross} cross layer{'' if n_cross == 1 else 's'}")
    if len(parts) < 2:
        parts += [f"{name} {value_text(value)}" for name, value in list(known.items())[:3]]
    return ", ".join(parts)
