"""Where a dimension means something: `cross_layers` under a cross network, `weight_decay` under the
optimizer that knows it, a parameter of own code with that code. Elsewhere it would vary idly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from experiments.sweep_files.sweep_tables import Report, cases_of
from recommender.config import HYPERPARAMETERS
from search_spaces import SearchSpace

if TYPE_CHECKING:
    from experiments.own.own_code import OwnCode

DECAYING = "adamw"
"""The optimizer to which `weight_decay` means something."""

_NO_DIMENSIONS = ("use", "without", "architecture")


def make_conditional(space: object, own: OwnCode) -> None:
    """Dimensions that mean something to some of the compared architectures, only there."""
    if not isinstance(space, dict):
        return
    _make_decay_conditional(space, own)
    if not isinstance(space.get("architecture"), dict):
        return
    for name in space.keys() - set(_NO_DIMENSIONS):
        takers = own.takers(name)
        if not takers or len(takers) == len(own.choices):
            continue
        for _, case in cases_of(name, space[name]):
            when = case.setdefault("when", {})
            if isinstance(when, dict):
                when.setdefault("architecture", takers)


def with_conditions(space: SearchSpace, own: OwnCode) -> dict[str, Any]:
    """The table of a space whose dimensions, also those of a shipped space, are only where they
    mean something."""
    table = space.to_table()
    make_conditional(table, own)
    return table


def meaningless_in(space: Iterable[str], own: OwnCode) -> dict[str, dict[str, tuple[str, ...]]]:
    """By name of a dimension, the condition under which it means nothing: its architectures."""
    found = {}
    for name in set(space) - set(_NO_DIMENSIONS):
        takers = set(own.takers(name)) - own.mistaken
        if idle := tuple(choice for choice in own.choices if choice not in takers):
            found[name] = {"architecture": idle}
    return found


def refuse_idle(table: Mapping[str, Any], own: OwnCode, report: Report) -> None:
    """A dimension that means nothing to any architecture of the sweep, or of its condition, and a
    fixed value where every architecture that it means something to varies it."""
    space, model = table.get("space"), table.get("model")
    if not isinstance(space, dict) or own.mistaken or not own.choices:
        return
    known = {*HYPERPARAMETERS, *own.parameters}
    for name in space:
        if name in _NO_DIMENSIONS or not own.is_known(name):
            continue
        if not (takers := own.takers(name)):
            taken = sorted(other for other in known if own.takers(other))
            report(
                f"space.{name}",
                f"means nothing to {', '.join(own.choices)}; leave it out; known there: "
                f"{', '.join(taken) or 'nothing'}",
            )
            continue
        varying: set[str] = set()
        for key, case in cases_of(name, space[name]):
            named = architectures_of(case) or ()
            if isinstance(when := case.get("when", {}), dict) and when.keys() <= {"architecture"}:
                varying |= {*named} or {*takers}
            idle = [choice for choice in own.choices if choice in named and choice not in takers]
            if idle:
                report(
                    f"{key}.when.architecture",
                    f"{name} means nothing to {', '.join(idle)}, but to {', '.join(takers)}",
                )
        # Where all of them take it, `parse_space` tells.
        is_fixed = isinstance(model, dict) and name in model and len(takers) < len(own.choices)
        if is_fixed and varying.issuperset(takers):
            report(f"space.{name}", f"varied here, but [model] fixes {name!r}: drop one of them")
    _refuse_idle_decay(table, own, report)


def _make_decay_conditional(space: dict[str, Any], own: OwnCode) -> None:
    """`weight_decay` only where the optimizer knows it."""
    optimizer = space.get("optimizer")
    if "weight_decay" in own.parameters or not isinstance(optimizer, dict) or "when" in optimizer:
        return
    choices = optimizer.get("choices")
    if isinstance(choices, list) and DECAYING in choices and len(choices) > 1:
        for _, case in cases_of("weight_decay", space.get("weight_decay")):
            when = case.setdefault("when", {})
            if isinstance(when, dict):
                when.setdefault("optimizer", DECAYING)


def _refuse_idle_decay(table: Mapping[str, Any], own: OwnCode, report: Report) -> None:
    model, space = model_and_space(table)
    is_theirs = "weight_decay" in own.parameters
    if "weight_decay" not in space or is_theirs or not own.takers("weight_decay"):
        return
    optimizer = space.get("optimizer")
    if optimizer is None and "use" not in space:
        optimizer = {"choices": [model.get("optimizer", HYPERPARAMETERS["optimizer"])]}
    choices = optimizer.get("choices") if isinstance(optimizer, dict) else None
    if isinstance(choices, list) and DECAYING not in choices:
        report(
            "space.weight_decay",
            f"means nothing without the optimizer {DECAYING}; leave it out, or take that one",
        )


def architectures_of(case: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Those that a case is for; None: all."""
    when = case.get("when")
    named = when.get("architecture") if isinstance(when, dict) else None
    return None if named is None else texts_of(named if isinstance(named, list) else [named])


def model_and_space(table: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    model, space = table.get("model"), table.get("space")
    return model if isinstance(model, dict) else {}, space if isinstance(space, dict) else {}


def texts_of(named: Iterable[object]) -> tuple[str, ...]:
    """Of what should be names, those that can be; of the others `parse_space` tells."""
    return tuple(name for name in named if isinstance(name, str))
