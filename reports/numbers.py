"""How numbers and values are written, once for all renderings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from experiments.records import Value, is_layer_size
from experiments.records.values import layers_text
from experiments.records.values import plural as plural

NOTHING = "–"
"""Stands where a value does not exist: an inactive dimension, a trial without epochs."""


def rmse(value: float | None) -> str:
    """Four decimals: `1.0298`."""
    if value is None:
        return NOTHING
    return f"{value:.4f}" if math.isfinite(value) else "not finite"


def gap(value: float | None) -> str:
    """A signed difference with four decimals and a true minus: `−0.0102`; below is better."""
    if value is None:
        return NOTHING
    rounded = round(value, 4)
    return "0.0000" if rounded == 0 else f"{rounded:+.4f}".replace("-", "−")


def gap_of_range(value: float) -> str:
    """A signed difference in hundredths of the rating range: `−0.33 %`."""
    return f"{value:+.2f} %".replace("-", "−")


def ahead(apart: float) -> str:
    """How one RMSE stands to a worse one: `0.0102 RMSE ahead of`, `within 0.0001 RMSE of`."""
    return f"{apart:.4f} RMSE ahead of" if round(apart, 4) else "within 0.0001 RMSE of"


def two_digits(value: float) -> str:
    """How large noise or a margin is: `0.0078`, `0.000043`, `530`."""
    text = f"{value:.2g}"
    return f"{Decimal(text):,f}" if "e" in text else text


def count(value: int | None) -> str:
    return NOTHING if value is None else f"{value:,}"


def share(value: float | None) -> str:
    """`90.3 %`, of a share from 0 to 1."""
    return NOTHING if value is None else f"{100 * value:.1f} %"


def seconds(value: float | None) -> str:
    """`<0.1 s`, `0.8 s`, `42 s`, `3 min 10 s`, `2 h 05 min`."""
    if value is None:
        return NOTHING
    if value < 0.05:
        return "<0.1 s"
    if value < 10:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def moment(value: float | None) -> str:
    """Seconds since 1970 as `2025-03-01 14:02:09 UTC`."""
    if not value:
        return NOTHING
    return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S} UTC"


def day(value: float | None) -> str:
    """Seconds since 1970 as `1998-03-14`."""
    return NOTHING if value is None else f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d}"


def value(value: Value | None) -> str:
    """A hyperparameter to three significant digits: `0.00113`, `1.1e-6`, `adam`, `yes`."""
    return _short(f"{value:.3g}") if isinstance(value, float) else exact(value)


def exact(value: Value | None) -> str:
    """A hyperparameter with all its digits, for whoever sets it again: `0.0011317`."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _short(repr(value).removesuffix(".0")) if isinstance(value, float) else str(value)


def _short(text: str) -> str:
    """`1.1e-6` of `1.1e-06`."""
    mantissa, e, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent)}" if e else text


def summary(
    values: Mapping[str, Value], *, leave_out: str | None = None, at_most: int | None = None
) -> str:
    """A trial's values in a line: `adam 0.0011, 64-32, embedding_size 16, dropout 0.2`."""
    rest = {name: v for name, v in values.items() if name != leave_out and not is_layer_size(name)}
    parts = []
    if "optimizer" in rest and "learning_rate" in rest:
        parts.append(f"{rest.pop('optimizer')} {value(rest.pop('learning_rate'))}")
    if widths := layers_text(values):
        rest.pop("n_layers", None)
        parts.append("no dense layer" if widths == "none" else widths)
    parts += [f"{name} {value(v)}" for name, v in rest.items()]
    return ", ".join(parts[:at_most]) or "nothing varies"


def plain(value: float) -> str:
    """Four decimals with a true minus and no plus: `0.0021`, `−0.0004`."""
    rounded = round(value, 4)
    return "0.0000" if rounded == 0 else f"{rounded:.4f}".replace("-", "−")


def apart(estimate: float, low: float, high: float) -> str:
    """How far two are apart, whichever is the better one: `0.0170 apart (0.0126 to 0.0213)`."""
    if estimate < 0:
        estimate, low, high = -estimate, -high, -low
    return f"{plain(estimate)} apart ({plain(low)} to {plain(high)})"


def p_value(value: float) -> str:
    """`0.034`, `<0.001`."""
    return "<0.001" if value < 0.001 else f"{value:.3f}"
