"""Models of the researcher's own: found, read and hashed without being run.

    "gated.py:gated"             a function of a file, or a class: a whole model
    "mypackage.models:gated"     the same of a module that Python finds

Standard library only. What a driver needs to know of them (keyword parameters and their defaults)
is read from the source; only a process that trains imports it.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.machinery
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from recommender.errors import ModelError
from recommender.own_classes import ClassSource, Kind, read_class

Value = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Parameter:
    """A keyword-only parameter: a name that a space or a `[model]` table may use."""

    name: str
    default: Value | None
    """None: there is none, or none that the source says as a plain value."""
    is_required: bool

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
class OwnArchitecture:
    """A function from the concatenated embeddings to ratings, or a class that is a whole model.

    Equal where its source is.
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
    def uses(self) -> frozenset[str] | None:
        """The hyperparameters of recsweep's own that mean something to it; None: all of them."""
        if not self.is_whole:
            return None
        return frozenset({p.name for p in self.parameters} | set(self.applied))

    @property
    def applied(self) -> tuple[str, ...]:
        """Those that recsweep itself puts into effect for a whole model."""
        if self.kind == "keras" and not self.compiles:
            return ("optimizer", "learning_rate", "weight_decay", "batch_size")
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


def read_own(reference: str, base: Path) -> OwnArchitecture:
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
        return replace(own, parameters=_parameters(node, place, "inputs", "the embeddings"))
    return _whole(own, read_class(node, tree), place)


def located(path: Path, node: ast.FunctionDef | ast.ClassDef) -> OwnArchitecture:
    """What a file defines, with the files that it needs; its parameters are left to the caller."""
    root = _root_of(path)
    files = tuple(sorted(_needed(path, root)))
    return OwnArchitecture(
        root=root,
        file=path.relative_to(root).as_posix(),
        function=node.name,
        parameters=(),
        files=files,
        digest=digest_of(root, files),
        uses_tensorflow=any(_uses_tensorflow(root / file) for file in files),
    )


def named_in(reference: str, base: Path) -> tuple[Path, ast.Module, ast.FunctionDef | ast.ClassDef]:
    """The file of a reference, its source, and what it names there."""
    where, _, name = reference.rpartition(":")
    path = _find(where, base)
    tree = _parse(path)
    found = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and node.name == name
    ]
    if not found:
        known = [n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
        listed = f"it has {', '.join(known)}" if known else "it has none at its top level"
        raise ModelError(f"{path} has no function or class {name!r}; {listed}")
    node = found[-1]
    if isinstance(node, ast.AsyncFunctionDef):
        raise ModelError(f"{path}:{node.lineno}: {name} is no plain function (def)")
    return path, tree, node


def _whole(own: OwnArchitecture, source: ClassSource, place: str) -> OwnArchitecture:
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
        raise ModelError(f"{place} has no __init__; write def __init__(self, data, *, ...)")
    parameters = _parameters(init, place, "data", "the data", method=True)
    return replace(own, parameters=parameters)


def _uses_tensorflow(path: Path) -> bool:
    roots = {parts[0] for parts in _imports(_parse(path), ()) if parts}
    return not roots.isdisjoint(
        ("tensorflow", "tensorflow_recommenders", "keras", "tf_keras", "keras_tuner")
    )


def digest_of(root: Path, files: Sequence[str]) -> str:
    """SHA-256 of the names and the contents of files under `root`.

    Raises:
        OSError: one cannot be read.
    """
    digest = hashlib.sha256()
    for name in files:
        digest.update(f"{name}\0".encode() + (root / name).read_bytes() + b"\0")
    return digest.hexdigest()


def module_of(file: str) -> str:
    """`mypackage.models` of `mypackage/models.py` and of `mypackage/models/__init__.py`."""
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _find(where: str, base: Path) -> Path:
    if where.endswith(".py") or "/" in where:
        path = (base / Path(where).expanduser()).absolute()
        if not path.is_file():
            raise ModelError(f"there is no file {path}")
        return path
    names = where.split(".")
    if not all(name.isidentifier() for name in names):
        raise ModelError(
            f"{where!r} is neither a Python file nor a module; write it as "
            '"gated.py:gated" or "mypackage.models:gated"'
        )
    places: Sequence[str] | None = [str(base), *sys.path]
    origin = None
    for i in range(len(names)):
        # Asking the finder part by part: `importlib.util.find_spec` would run the packages.
        spec = importlib.machinery.PathFinder.find_spec(".".join(names[: i + 1]), places)
        if spec is None or places is None:
            raise ModelError(f"Python finds no module {'.'.join(names[: i + 1])!r} from {base}")
        origin, places = spec.origin, spec.submodule_search_locations
    if origin is None or not origin.endswith(".py"):
        raise ModelError(f"the module {where!r} has no Python source")
    return Path(origin).absolute()


def _parse(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes(), str(path))
    except SyntaxError as error:
        raise ModelError(f"{path}:{error.lineno}: {error.msg}") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}") from None


def _parameters(
    function: ast.FunctionDef, place: str, first: str, what: str, *, method: bool = False
) -> tuple[Parameter, ...]:
    """The keyword-only parameters, where `first` is all that comes by its position."""
    arguments = function.args
    positional = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
    taken = positional[1:] if method else positional
    head = f"def {function.name}({'self, ' if method else ''}"
    if not taken:
        raise ModelError(f"{place} must take {what} first: {head}{first}, *, ...)")
    if len(taken) > 1:
        raise ModelError(
            f"{place}: what can be varied must be keyword-only; "
            f"write {head}{taken[0]}, *, {', '.join(taken[1:])}, ...)"
        )
    return keyword_parameters(function)


def keyword_parameters(function: ast.FunctionDef) -> tuple[Parameter, ...]:
    arguments = function.args
    return tuple(
        Parameter(argument.arg, _plain(default), is_required=default is None)
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    )


def _plain(default: ast.expr | None) -> Value | None:
    try:
        value = None if default is None else ast.literal_eval(default)
    except ValueError:
        return None
    return value if isinstance(value, bool | int | float | str) else None


def _root_of(path: Path) -> Path:
    """The folder from which the file's package, if it is in one, is imported."""
    root = path.parent
    while (root / "__init__.py").is_file():
        root = root.parent
    return root


def _needed(path: Path, root: Path) -> set[str]:
    """The file and, however far it leads, what it imports: of its own package or, where it is in
    none, of its folder."""
    found: set[str] = set()
    waiting = [path]
    package = path.relative_to(root).parts[0] if path.parent != root else None
    while waiting:
        file = waiting.pop()
        name = file.relative_to(root).as_posix()
        if name in found:
            continue
        found.add(name)
        inside = file.relative_to(root).parts[:-1]
        waiting += [
            root.joinpath(*inside[: i + 1], "__init__.py")
            for i in range(len(inside))
            if root.joinpath(*inside[: i + 1], "__init__.py").is_file()
        ]
        for module in _imports(_parse(file), inside):
            if module and (package is None or module[0] == package):
                waiting += _sources(root, module)
    return found


def _imports(tree: ast.Module, inside: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """All modules that the source may mean, as the parts of their names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = inside[: len(inside) - node.level + 1] if node.level else ()
            module = (*above, *(node.module.split(".") if node.module else ()))
            yield module
            yield from ((*module, alias.name) for alias in node.names)


_OURS = ("search_spaces", "recommender", "experiments", "reports", "recsweep")


def _sources(root: Path, module: tuple[str, ...]) -> list[Path]:
    """The files that importing a module runs, where it lies under `root`."""
    if module[0] in _OURS:
        return []
    stem = root.joinpath(*module)
    places = [stem.with_name(f"{stem.name}.py"), stem / "__init__.py"]
    return [place for place in places if place.is_file()]
