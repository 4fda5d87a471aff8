"""Functions of the researcher's own that are no models: data sets, splits, samplers, pruners.

    "mine.py:load"              a function of a file
    "mypackage.data:load"       a function of a module that Python finds

Standard library only, and nothing is run: what they may be told is read from their source.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from recommender.errors import ModelError, unknown
from recommender.own import OwnDefinition, keyword_parameters, located, named_in


def is_reference(name: object) -> bool:
    """Whether a name in a sweep leads to a function of the researcher's own."""
    return isinstance(name, str) and ":" in name


def read_function(
    reference: str, base: Path, takes: Sequence[str], further: Sequence[str] = ()
) -> OwnDefinition:
    """The function that a reference names; its keyword-only parameters are what it may be told.

    Args:
        base: the folder that files and modules are looked for in first.
        takes: what it is given by position.
        further: what it is given after that, if it asks for it (without a default).

    Raises:
        ModelError: there is no such file or function, or it takes something else.
    """
    path, tree, node = named_in(reference, base)
    place = f"{path}:{node.lineno}: {node.name}"
    if not isinstance(node, ast.FunctionDef):
        raise ModelError(f"{place} is a class; a function is wanted")
    arguments = node.args
    n_taken = len(arguments.posonlyargs) + len(arguments.args)
    n_required = n_taken - len(arguments.defaults)
    if not (n_required <= len(takes) + len(further) and len(takes) <= n_taken):
        wanted = ", ".join([*takes, "*"])
        also = f", or ({', '.join([*takes, *further])})" if further else ""
        raise ModelError(
            f"{place} is called with ({', '.join(takes)}){also}; all else must be keyword-only: "
            f"def {node.name}({wanted}, ...)"
        )
    own = located(path, node)
    return replace(own, kind="helper", parameters=keyword_parameters(node, tree))


def argument_problems(own: OwnDefinition, given: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with what a sweep tells a function, by name."""
    known = {p.name: p for p in own.parameters}
    problems = {
        name: f"is missing; {own.where} needs it"
        for name, p in known.items()
        if p.is_required and name not in given
    }
    for name, value in given.items():
        if name not in known:
            problems[name] = unknown(f"argument of {own.function}", name, known)
        elif problem := known[name].problem_with(value):
            problems[name] = problem
    return problems
