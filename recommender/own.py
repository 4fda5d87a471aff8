"""Models of the researcher's own: found, read and hashed without being run.

    "gated.py:gated"             a function of a file, or a class: a whole model
    "mypackage.models:gated"     the same of a module that Python finds

Standard library only. What a driver needs to know of them (keyword parameters and their defaults)
is read from the source; only a process that trains imports it. `OwnDefinition` also stands for
functions that are no models: see `recommender.own_functions`.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from recommender.errors import ModelError
from recommender.own_classes import ClassSource, Kind, read_class
from recommender.own_constants import constant
from recommender.own_files import digest_of, found_source, module_of, needed_files, parsed, root_of

Value = bool | int | float | str

_TENSORFLOW = {"tensorflow", "tensorflow_recommenders", "keras", "tf_keras", "keras_tuner"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A keyword-only parameter: a name that a space or a `[model]` table may use."""

    name: str
    default: Value | None
    """None: there is none, or none that is a plain value."""
    is_required: bool
    is_readable: bool = True
    """False: only running the file would tell the default."""

    def problem_with(self, value: object) -> str | None:
        """What keeps a value from being one of the default's type, or None."""
        kinds = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
        kind = type(self.default)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        fits = is_number if kind is float else type(value) is kind
        if kind not in kinds or fits:
            return None
        return f"{self.name} must be {kinds[kind]}, as its default {self.default!r}, got {value!r}"


@dataclass(frozen=True, slots=True)
class OwnDefinition:
    """A function or class of the researcher's own, as its file has it; equal where its source is.

    Who holds it says what it is for: a function from the concatenated embeddings to ratings, a
    whole model, a data set, a split, a metric, a sampler or a pruner.
    """

    root: Path = field(compare=False)
    """The folder that its imports begin from."""
    file: str
    """Relative to `root`, with slashes."""
    function: str
    parameters: tuple[Parameter, ...]
    files: tuple[str, ...]
    """Its file and those beside it that it imports, relative to `root`."""
    digest: str
    """SHA-256 of all of them."""
    kind: Kind = "function"
    compiles: bool = False
    """Only a Keras model: it says itself how it is trained."""
    takes_data: bool = True
    """False only for a HyperModel whose constructor wants nothing."""
    uses_tensorflow: bool = True
    """Whether any of its files imports TensorFlow or Keras."""

    @property
    def is_whole(self) -> bool:
        """Whether it makes do without our embeddings, loss and optimizer."""
        return self.kind in ("model", "keras", "hypermodel")

    @property
    def uses(self) -> frozenset[str]:
        """The hyperparameters that mean something to a whole model: its own and `applied`."""
        return frozenset({p.name for p in self.parameters} | set(self.applied))

    @property
    def applied(self) -> tuple[str, ...]:
        """Those that recsweep itself puts into effect for a whole model."""
        if self.kind == "keras" and not self.compiles:
            return (
                "optimizer",
                "learning_rate",
                "learning_rate_decay",
                "weight_decay",
                "batch_size",
            )
        return ("batch_size",) if self.kind in ("keras", "hypermodel") else ()

    @property
    def where(self) -> str:
        """`mf.py: MF`, for messages."""
        return f"{self.file}: {self.function}"

    @property
    def reference(self) -> str:
        return f"{self.root / self.file}:{self.function}"

    @property
    def module(self) -> str:
        """Its name where it is imported from `root`."""
        return module_of(self.file)

    def defaults(self) -> dict[str, Value]:
        return {p.name: p.default for p in self.parameters if p.default is not None}

    def arguments(self, values: Mapping[str, Value]) -> tuple[tuple[str, Value], ...]:
        """What a trial's values give its parameters; the function's own defaults do the rest.

        Raises:
            ModelError: a required one is missing, or a value is of another type.
        """
        problems = [
            f"{self.function} needs {p.name}: give it in [space] or [model]"
            for p in self.parameters
            if p.is_required and p.name not in values
        ]
        given = [p for p in self.parameters if p.name in values]
        problems += [text for p in given if (text := p.problem_with(values[p.name]))]
        if problems:
            raise ModelError("; ".join(problems))
        return tuple(
            (p.name, float(v) if isinstance(p.default, float) else v)
            for p in given
            for v in [values[p.name]]
        )


def read_own(reference: str, base: Path) -> OwnDefinition:
    """The function or class that `"gated.py:gated"` or `"mypackage.models:gated"` names.

    Nothing is run. The parameters of a HyperModel are not in its source: they are left empty.

    Args:
        base: the folder that files and modules are looked for in first.

    Raises:
        ModelError: there is no such file, function or class, or it cannot be a model.
    """
    path, tree, node = named_in(reference, base)
    place = f"{path}:{node.lineno}: {node.name}"
    own = located(path, node)
    if isinstance(node, ast.FunctionDef):
        if [a.arg for a in node.args.args[:1]] == ["hp"]:
            raise ModelError(
                f"{place} takes hp, and a function is given the embeddings; make it the build of a "
                "class: class Model(keras_tuner.HyperModel): def build(self, hp): ..."
            )
        return replace(own, parameters=_parameters(node, tree, place, "inputs", "the embeddings"))
    return _whole(own, read_class(node, tree), tree, place)


def located(path: Path, node: ast.FunctionDef | ast.ClassDef) -> OwnDefinition:
    """What a file defines, with the files that it needs; its parameters are left to the caller."""
    root = root_of(path)
    needed = needed_files(path, root)
    files = tuple(sorted(needed))
    return OwnDefinition(
        root=root,
        file=path.relative_to(root).as_posix(),
        function=node.name,
        parameters=(),
        files=files,
        digest=digest_of(root, files),
        uses_tensorflow=any(packages & _TENSORFLOW for packages in needed.values()),
    )


def named_in(reference: str, base: Path) -> tuple[Path, ast.Module, ast.FunctionDef | ast.ClassDef]:
    """The file of a reference, its source, and what it names there."""
    where, _, name = reference.rpartition(":")
    path = found_source(where, base)
    tree = parsed(path)
    found = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and node.name == name
    ]
    if not found:
        known = [n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
        listed = f"it has {', '.join(known)}" if known else "it has none at its top level"
        imports = [n for n in tree.body if isinstance(n, ast.ImportFrom)]
        if any((alias.asname or alias.name) == name for n in imports for alias in n.names):
            listed = "it imports it: name the file that defines it"
        raise ModelError(f"{path} has no function or class {name!r}; {listed}")
    node = found[-1]
    if isinstance(node, ast.AsyncFunctionDef):
        raise ModelError(f"{path}:{node.lineno}: {name} is no plain function (def)")
    return path, tree, node


def _whole(own: OwnDefinition, source: ClassSource, tree: ast.Module, place: str) -> OwnDefinition:
    if source.problem is not None:
        raise ModelError(f"{place} {source.problem}")
    own = replace(own, kind=source.kind, compiles=source.compiles)
    init = source.init
    if source.kind == "hypermodel":
        n_positional = 0 if init is None else len(init.args.posonlyargs + init.args.args)
        if n_positional > 2 or (init is not None and init.args.kwonlyargs):
            raise ModelError(
                f"{place}: what varies is said with hp; write def __init__(self, data) or none"
            )
        return replace(own, takes_data=n_positional == 2, uses_tensorflow=True)
    if init is None:
        raise ModelError(
            f"{place} has no __init__ in its file, which is read without running it; write "
            "def __init__(self, data, *, ...)"
        )
    parameters = _parameters(init, tree, place, "data", "the data", method=True)
    return replace(own, parameters=parameters)


def _parameters(
    function: ast.FunctionDef,
    tree: ast.Module,
    place: str,
    first: str,
    what: str,
    *,
    method: bool = False,
) -> tuple[Parameter, ...]:
    """The keyword-only parameters, where `first` is all that comes by its position."""
    arguments = function.args
    positional = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
    taken = positional[1:] if method else positional
    head = f"def {function.name}({'self, ' if method else ''}"
    if not taken:
        raise ModelError(f"{place} must take {what} first: {head}{first}, *, ...)")
    may_vary = len(taken) > 1 or len(arguments.defaults) >= len(taken)
    if method and may_vary and first not in taken[0]:
        raise ModelError(
            f"{place} must take {what} first, and what can be varied must be keyword-only; "
            f"write {head}{first}, *, {', '.join(taken)}, ...)"
        )
    if len(taken) > 1:
        raise ModelError(
            f"{place}: what can be varied must be keyword-only; "
            f"write {head}{taken[0]}, *, {', '.join(taken[1:])}, ...)"
        )
    return keyword_parameters(function, tree)


def keyword_parameters(function: ast.FunctionDef, tree: ast.Module) -> tuple[Parameter, ...]:
    arguments = function.args
    return tuple(
        _parameter(argument.arg, default, tree)
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    )


def _parameter(name: str, default: ast.expr | None, tree: ast.Module) -> Parameter:
    if default is None:
        return Parameter(name, None, is_required=True)
    try:
        value = constant(default, tree)
    except ValueError:
        return Parameter(name, None, is_required=False, is_readable=False)
    plain = value if isinstance(value, bool | int | float | str) else None
    return Parameter(name, plain, is_required=False)
