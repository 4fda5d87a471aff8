"""Models of the researcher's own in a sweep's tables: named by reference, then by a name.

    [space.architecture]
    choices = ["plain", "gated.py:gated", "mf.py:MF"]

Within a sweep and its study such a function or class goes by its own name, `gated`; the resolved
sweep says under `[architectures]` where the name leads, in a study to the copy that
`experiments.own.kept_code` keeps. Nothing here runs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from experiments.own.idle_dimensions import (
    architectures_of,
    make_conditional,
    model_and_space,
    refuse_idle,
    texts_of,
)
from experiments.records.values import is_layer_size
from experiments.sweep_files.sweep_file import SweepSource
from experiments.sweep_files.sweep_tables import Report, cases_of
from experiments.translate.hypermodel_reader import with_hyperparameters
from recommender.config import (
    ARCHITECTURES,
    CROSS_VALUES,
    HYPERPARAMETERS,
    KERAS_OPTIMIZERS,
    OF_LAYERS,
    problem_with,
)
from recommender.errors import ModelError, unknown
from recommender.own import OwnDefinition, read_own
from search_spaces import SHIPPED, Dimension, shipped_space
from search_spaces.tables import write_dimension


@dataclass(frozen=True, slots=True)
class OwnCode:
    """What a sweep's tables may say beside the names that recsweep knows."""

    architectures: Mapping[str, OwnDefinition] = field(default_factory=dict)
    choices: tuple[str, ...] = ()
    """The architectures that the sweep is about, recsweep's too; empty where that is a mistake."""
    mistaken: frozenset[str] = frozenset()
    """References that lead nowhere; that has been told."""

    @property
    def parameters(self) -> frozenset[str]:
        """The names that only functions of the researcher's own give a meaning."""
        names = {p.name for own in self.architectures.values() for p in own.parameters}
        return frozenset(names - HYPERPARAMETERS.keys())

    def takers(self, name: str) -> list[str]:
        """The architectures to which a hyperparameter of this name means something."""
        return [choice for choice in self.choices if self._takes(choice, name)]

    def _takes(self, choice: str, name: str) -> bool:
        own = self.architectures.get(choice)
        if own is None:
            return _is_ours(name) and not (choice != "dcn" and name in CROSS_VALUES)
        if own.is_whole:
            return name in own.uses
        is_of_layers = name in OF_LAYERS or is_layer_size(name)
        is_theirs = name in {p.name for p in own.parameters}
        return is_theirs or (_is_ours(name) and not is_of_layers)

    def is_known(self, name: str) -> bool:
        """Also any name where a reference is mistaken: who knows what its function takes."""
        return _is_ours(name) or name in self.parameters or bool(self.mistaken)

    def unknown(self, kind: str, name: str) -> str:
        return unknown(kind, name, [*HYPERPARAMETERS, *self.parameters])

    def problem_with(
        self, name: str, value: object, among: Sequence[str] | None = None
    ) -> str | None:
        """What is wrong with the value of a known name, or None.

        Args:
            among: the architectures that it is for; None: all of the sweep's.
        """
        if name == "architecture":
            known = [*ARCHITECTURES, *self.architectures]
            if value in [*known, *self.mistaken]:
                return None
            return (
                f"{unknown('architecture', value, known)}; a model of your own is written "
                '"gated.py:gated" or "mypackage.models:gated"'
            )
        takers = [t for t in self.takers(name) if among is None or t in among]
        if _is_ours(name) and not (takers and all(self._is_theirs(t, name) for t in takers)):
            return problem_with(name, value) or self._problem_for_keras(name, value, takers)
        if not isinstance(value, bool | int | float | str):
            return f"{name} must be a single value, got {value!r}"
        parameters = [
            p
            for taker, own in self.architectures.items()
            if not takers or taker in takers
            for p in own.parameters
        ]
        told = (p.problem_with(value) for p in parameters if p.name == name)
        return next((problem for problem in told if problem), None)

    def _problem_for_keras(self, name: str, value: object, takers: Sequence[str]) -> str | None:
        own = [self.architectures[taker] for taker in takers if taker in self.architectures]
        models = [model.function for model in own if model.kind == "keras"]
        if name != "optimizer" or not models or value in KERAS_OPTIMIZERS:
            return None
        return (
            f"{value} is not one of Keras's, which {' and '.join(models)} would be trained with; "
            f"known there: {', '.join(KERAS_OPTIMIZERS)}"
        )

    def _is_theirs(self, choice: str, name: str) -> bool:
        """Whether a name of ours means a parameter of a whole model there, and nothing else."""
        own = self.architectures.get(choice)
        return own is not None and own.is_whole and name not in own.applied

    def is_number(self, name: str, among: Sequence[str] | None = None) -> bool:
        """Whether a name stands for a number that need not be whole.

        Args:
            among: the architectures that it is for; None: all of the sweep's.
        """
        if name in HYPERPARAMETERS:
            return isinstance(HYPERPARAMETERS[name], float)
        asked = [own for n, own in self.architectures.items() if among is None or n in among]
        parameters = [p for own in asked for p in own.parameters]
        return any(p.name == name and isinstance(p.default, float) for p in parameters)


def _is_ours(name: str) -> bool:
    return name in HYPERPARAMETERS or is_layer_size(str(name))


def resolve_own(source: SweepSource, report: Report) -> tuple[dict[str, Any], OwnCode]:
    """A sweep's tables with references replaced by names, and what the names stand for.

    A dimension that only some of the compared architectures have a parameter for becomes
    conditional on them, unless it says so itself.
    """
    table = deepcopy(source.table)
    found: dict[str, OwnDefinition] = {}
    names: dict[str, str] = {}
    mistaken: set[str] = set()
    tuned: dict[OwnDefinition, tuple[Dimension, ...]] = {}

    def read(reference: str, key: str) -> OwnDefinition:
        own = read_own(reference, source.resolve(key, "."))
        if own.kind != "hypermodel":
            return own
        own, dimensions = with_hyperparameters(own)
        tuned[own] = dimensions
        return own

    def name_of(key: str, reference: str) -> str:
        if reference in names or reference in mistaken:
            return names.get(reference, reference)
        try:
            own = read(reference, key)
            name = next((n for n, known in found.items() if known == own), own.function)
            _add(found, name, own)
        except ModelError as error:
            report(key, str(error))
            mistaken.add(reference)
            return reference
        names[reference] = name
        return name

    for name, reference in _named(table.pop("architectures", {}), report):
        key = f"architectures.{name}"
        try:
            _add(found, name, read(reference, key))
        except ModelError as error:
            report(key, str(error))
            mistaken.add(name)
    for holder, entry, key in _places(table):
        holder[entry] = _replaced(holder[entry], lambda text, key=key: name_of(key, text))  # type: ignore[misc]
    own = OwnCode(found, _choices(table), frozenset(mistaken))
    for name, architecture in found.items():
        _add_dimensions(table, own, name, tuned.get(architecture, ()))
    _check_required(table, own, report)
    if not source.is_frozen:
        make_conditional(table.get("space"), own)
        refuse_idle(table, own, report)
    return table, own


def _choices(table: Mapping[str, Any]) -> tuple[str, ...]:
    """The architectures that a sweep chooses among, or the one that it fixes."""
    model, space = model_and_space(table)
    dimension = space.get("architecture")
    if isinstance(dimension, dict):
        choices = dimension.get("choices")
        return texts_of(choices) if isinstance(choices, list) else ()
    if "use" in space and "architecture" not in model:
        return ARCHITECTURES
    fixed = model.get("architecture", ARCHITECTURES[0])
    return (fixed,) if isinstance(fixed, str) else ()


def _add(found: dict[str, OwnDefinition], name: str, own: OwnDefinition) -> None:
    if name in ARCHITECTURES:
        raise ModelError(
            f"{own.reference} has the name of an architecture of recsweep; rename it, or "
            f'name it under [architectures]: my_{name} = "..."'
        )
    other = found.setdefault(name, own)
    if other != own:
        raise ModelError(
            f"{own.reference} and {other.reference} have one name; tell them apart under "
            f'[architectures], as in {name}_2 = "..."'
        )


def _named(raw: object, report: Report) -> Iterator[tuple[str, str]]:
    if not isinstance(raw, dict):
        report(
            "architectures", f'must be a table of lines as gated = "gated.py:gated", got {raw!r}'
        )
        return
    for name, reference in raw.items():
        key = f"architectures.{name}"
        if not name.replace("-", "_").isidentifier():  # as a function's, of which it may come
            report(key, "a name has letters, digits, _ and -, and begins with a letter")
        elif not isinstance(reference, str) or ":" not in reference:
            report(key, f'must be a reference as "gated.py:gated", got {reference!r}')
        else:
            yield name, reference


def _places(table: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Where an architecture may be named: table, entry, and the key for messages."""
    model, space = model_and_space(table)
    if "architecture" in model:
        yield model, "architecture", "model.architecture"
    for name, dimension in space.items():
        for key, case in cases_of(name, dimension):
            if name == "architecture" and "choices" in case:
                yield case, "choices", f"{key}.choices"
            if isinstance(case.get("when"), dict) and "architecture" in case["when"]:
                yield case["when"], "architecture", f"{key}.when.architecture"


def _replaced(value: object, name_of: Callable[[str], str]) -> object:
    if isinstance(value, list | tuple):
        return [_replaced(entry, name_of) for entry in value]
    return name_of(value) if isinstance(value, str) and ":" in value else value


def _check_required(table: Mapping[str, Any], own: OwnCode, report: Report) -> None:
    model, space = model_and_space(table)
    given = {*model, *space}
    place = "space.architecture" if "architecture" in space else "model.architecture"
    for name, architecture in own.architectures.items():
        lacking = [p.name for p in architecture.parameters if p.is_required and p.name not in given]
        if lacking and "use" not in given:
            report(place, f"{name} needs {', '.join(lacking)}: give it in [space] or [model]")


def _add_dimensions(
    table: Mapping[str, Any], own: OwnCode, name: str, dimensions: Iterable[Dimension]
) -> None:
    """What a HyperModel says may vary; what the sweep says of a name of its goes before that."""
    model, space = model_and_space(table)
    if name not in own.choices or not space:
        return
    use = space.get("use")
    shipped = shipped_space(use).to_table() if isinstance(use, str) and use in SHIPPED else {}
    left_out = texts_of(listed) if isinstance(listed := space.get("without"), list) else ()
    left_out = tuple(shipped.keys() & {*left_out})
    shipped = {n: cases for n, cases in shipped.items() if n not in left_out}
    for dimension in dimensions:
        if dimension.name in model:
            continue
        given = space.get(dimension.name, shipped.get(dimension.name, []))
        cases = given if isinstance(given, list) else [given]
        if dimension.name not in space:
            others = [taker for taker in own.takers(dimension.name) if taker != name]
            cases = [_only(case, others) for case in cases if others]
        if any(_is_for(case, name) for case in cases):
            continue
        added = write_dimension(dimension)
        its = [
            {key: value for key, value in case.items() if key != "when"}
            | ({"when": when} if when else {})
            for case in (added if isinstance(added, list) else [added])
            if (when := _possible(case.get("when", {}), model, space)) is not None
        ]
        if not its:
            continue
        if dimension.name in left_out:
            space["without"] = [other for other in space["without"] if other != dimension.name]
        if len(own.choices) > 1:
            its = [_only(case, name) for case in its]
        space[dimension.name] = [*cases, *its] if len(cases) + len(its) > 1 else its[0]


def _possible(
    when: Mapping[str, Any], model: Mapping[str, Any], space: Mapping[str, Any]
) -> dict[str, Any] | None:
    """A condition of a HyperModel's where the sweep fixes or narrows what it looks at; None: it
    never holds."""
    left = {}
    for name, value in when.items():
        wanted = value if isinstance(value, list) else [value]
        if name in model:
            if model[name] not in wanted:
                return None
            continue
        given = space.get(name)
        choices = given.get("choices") if isinstance(given, dict) else None
        if isinstance(choices, list):
            wanted = [choice for choice in wanted if choice in choices]
        if not wanted:
            return None
        left[name] = wanted
    return left


def _only(case: Mapping[str, Any], architecture: str | list[str]) -> dict[str, Any]:
    return {**case, "when": {"architecture": architecture, **case.get("when", {})}}


def _is_for(case: object, name: str) -> bool:
    named = architectures_of(case) if isinstance(case, dict) else None
    return named is None or name in named
