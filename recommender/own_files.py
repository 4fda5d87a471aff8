"""The files of a researcher's code: found by a reference, followed through imports, hashed.

Standard library only, and nothing is run.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.machinery
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from recommender.errors import ModelError

OURS = ("search_spaces", "recommender", "experiments", "reports")
"""The packages of recsweep, which no file of the same name takes the place of."""

SAVED = "notebook_"
"""How the names of files begin that hold the source of a notebook's or a script's objects."""


def found_source(where: str, base: Path) -> Path:
    """The file that the first part of a reference means: `gated.py`, `mypackage.models`."""
    if where.endswith(".py") or "/" in where:
        home = os.path.expanduser(where)  # noqa: PTH111  # pathlib's raises where there is none
        path = (base / home).absolute()
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


def parsed(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes(), str(path))
    except SyntaxError as error:
        raise ModelError(f"{path}:{error.lineno}: {error.msg}") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}") from None


def root_of(path: Path) -> Path:
    """The folder from which the file's package, if it is in one, is imported."""
    root = path.parent
    while (root / "__init__.py").is_file():
        root = root.parent
    return root


def needed_files(path: Path, root: Path) -> dict[str, set[str]]:
    """The file and, however far it leads, what it imports: of its own package or, where it is in
    none, of its folder; relative to `root`. With each, the packages whose modules it imports."""
    found: dict[str, set[str]] = {}
    waiting = [path]
    package = path.relative_to(root).parts[0] if path.parent != root else None
    while waiting:
        file = waiting.pop()
        name = file.relative_to(root).as_posix()
        if name in found:
            continue
        inside = file.relative_to(root).parts[:-1]
        waiting += [
            root.joinpath(*inside[: i + 1], "__init__.py")
            for i in range(len(inside))
            if root.joinpath(*inside[: i + 1], "__init__.py").is_file()
        ]
        modules = [module for module in _imports(parsed(file), inside) if module]
        found[name] = {module[0] for module in modules}
        for module in modules:
            if package is None or module[0] == package:
                waiting += _sources(root, module)
    return found


def files_beside(text: str, home: Path) -> list[str]:
    """The files under `home` that a source which lay there would need; relative to it."""
    found: set[str] = set()
    for module in _imports(ast.parse(text), ()):
        for path in _sources(home, module) if module else ():
            found |= needed_files(path, home).keys()
    return sorted(found)


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


def _sources(root: Path, module: tuple[str, ...]) -> list[Path]:
    """The files that importing a module runs, where it lies under `root`."""
    if module[0] in (*OURS, "recsweep"):
        return []
    stem = root.joinpath(*module)
    places = [stem.with_name(f"{stem.name}.py"), stem / "__init__.py"]
    return [place for place in places if place.is_file()]
