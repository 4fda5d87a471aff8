"""What a class of the researcher's own is, read from its source: a whole model, and of which kind.

Standard library only; nothing is run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["function", "model", "keras", "hypermodel", "helper"]
"""A function from embeddings to ratings; a class with `fit_epoch` and `predict`; a subclass of
`tfrs.Model` or `tf.keras.Model`; a `HyperModel` of KerasTuner; a function that is no model."""

_KERAS = ("tensorflow_recommenders", "tensorflow", "tf_keras", "keras")
_KERAS_TUNER = ("keras_tuner", "kerastuner")
_METHODS = {"model": ("fit_epoch", "predict"), "keras": ("call",), "hypermodel": ("build",)}


@dataclass(frozen=True, slots=True)
class ClassSource:
    """A class and those of its bases that the same file defines."""

    kind: Kind
    init: ast.FunctionDef | None
    """Its own or an inherited `__init__`; None where the file shows none."""
    compiles: bool
    """Whether it calls `compile` itself."""
    problem: str | None
    """What it lacks, a phrase."""


def read_class(node: ast.ClassDef, tree: ast.Module) -> ClassSource:
    classes = {n.name: n for n in tree.body if isinstance(n, ast.ClassDef)}
    family = list(_family(node, classes))
    methods: dict[str, ast.FunctionDef] = {}
    for member in family:
        for part in member.body:
            if isinstance(part, ast.FunctionDef):
                methods.setdefault(part.name, part)
    modules = _imported_names(tree)
    strangers = [
        _dotted(base, modules)
        for member in family
        for base in member.bases
        if not (isinstance(base, ast.Name) and base.id in classes)
    ]
    kind: Kind = "model"
    if any(_is_of(base, _KERAS_TUNER) and base.endswith("HyperModel") for base in strangers):
        kind = "hypermodel"
    elif "fit_epoch" not in methods and any(_is_of(base, _KERAS) for base in strangers):
        kind = "keras"
    # What a class of another file gives it, only that file says.
    is_certain = kind != "model" or all(base in ("object", "abc.ABC") for base in strangers)
    problem = _problem(kind, methods) if is_certain else None
    return ClassSource(kind, methods.get("__init__"), _compiles(family), problem)


def _problem(kind: Kind, methods: Mapping[str, ast.FunctionDef]) -> str | None:
    init, fit = methods.get("__init__"), methods.get("fit")
    made = _calls_of_init(init) if init is not None else []
    if kind == "keras" and init is not None and not made:
        return "has an __init__ that does not begin with super().__init__()"
    is_functional = any(
        len(call.args) > 1 or any(keyword.arg == "outputs" for keyword in call.keywords)
        for call in made
    )
    if kind == "keras" and is_functional:
        return None  # what it computes, it says there
    lacking = [name for name in _METHODS[kind] if name not in methods]
    if lacking:
        needed = " and ".join(f"{name}({_TAKES[name]})" for name in _METHODS[kind])
        return f"has no {' and no '.join(lacking)}; {_WHAT[kind]} has {needed}"
    if kind == "hypermodel" and fit is not None:
        required = len(fit.args.posonlyargs + fit.args.args) - len(fit.args.defaults)
        if required > len(_FIT):
            asked = ", ".join(a.arg for a in (*fit.args.posonlyargs, *fit.args.args)[:required])
            return (
                f"has fit({asked}); it is called with {', '.join(_FIT[1:])}, which are batches of "
                "(features, rating), and epochs, verbose and callbacks by name"
            )
    return None


_FIT = ("self", "hp", "model", "x")


def _calls_of_init(init: ast.FunctionDef) -> list[ast.Call]:
    """Those of the class above."""
    return [
        node
        for node in ast.walk(init)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "__init__"
    ]


_TAKES = {
    "fit_epoch": "self",
    "predict": "self, rows",
    "call": "self, features",
    "build": "self, hp",
}
_WHAT = {
    "model": "a whole model",
    "keras": "a Keras model that gives no outputs to super().__init__",
    "hypermodel": "a HyperModel",
}


def _family(node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> Iterator[ast.ClassDef]:
    """The class and its bases in the file, nearest first."""
    waiting, seen = [node], set[str]()
    while waiting:
        member = waiting.pop(0)
        if member.name in seen:
            continue
        seen.add(member.name)
        yield member
        waiting += [
            classes[b.id] for b in member.bases if isinstance(b, ast.Name) and b.id in classes
        ]


def _imported_names(tree: ast.Module) -> dict[str, str]:
    """What each name that the file imports stands for."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def _dotted(base: ast.expr, modules: dict[str, str]) -> str:
    parts: list[str] = []
    while isinstance(base, ast.Attribute):
        parts.insert(0, base.attr)
        base = base.value
    root = base.id if isinstance(base, ast.Name) else "?"
    return ".".join([modules.get(root, root), *parts])


def _is_of(name: str, packages: tuple[str, ...]) -> bool:
    return name.partition(".")[0] in packages


def _compiles(family: list[ast.ClassDef]) -> bool:
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "compile"
        for member in family
        for node in ast.walk(member)
    )
