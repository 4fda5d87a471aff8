"""Architectures of the researcher's own: found, read and hashed without being run.

    "gated.py:gated"             a function of a file
    "mypackage.models:gated"     a function of a module that Python finds

Standard library only. What a driver needs to know of a function (its keyword parameters and their
defaults) is read from the source; only a process that trains imports it.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.machinery
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from recommender.errors import ModelError

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
    """A function from the concatenated embeddings to ratings; equal where its source is."""

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
    """The function that `"gated.py:gated"` or `"mypackage.models:gated"` names; nothing is run.

    Args:
        base: the folder that files and modules are looked for in first.

    Raises:
        ModelError: there is no such file or function, or it cannot be an architecture.
    """
    where, _, function = reference.rpartition(":")
    path = _find(where, base)
    tree = _parse(path)
    found = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and node.name == function
    ]
    if not found:
        known = [n.name for n in tree.body if isinstance(n, ast.FunctionDef)]
        listed = f"it has {', '.join(known)}" if known else "it has none at its top level"
        raise ModelError(f"{path} has no function {function!r}; {listed}")
    if not isinstance(found[-1], ast.FunctionDef):
        raise ModelError(f"{path}:{found[-1].lineno}: {function} is no plain function (def)")
    parameters = _parameters(found[-1], path)
    root = _root_of(path)
    files = tuple(sorted(_needed(path, root)))
    file = path.relative_to(root).as_posix()
    return OwnArchitecture(root, file, function, parameters, files, digest_of(root, files))


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


def _parameters(function: ast.FunctionDef, path: Path) -> tuple[Parameter, ...]:
    arguments = function.args
    positional = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
    place = f"{path}:{function.lineno}: {function.name}"
    if not positional:
        raise ModelError(f"{place} must take the embeddings first: def {function.name}(inputs, ...")
    if len(positional) > 1:
        raise ModelError(
            f"{place}: what can be varied must be keyword-only; "
            f"write def {function.name}({positional[0]}, *, {', '.join(positional[1:])}, ...)"
        )
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
