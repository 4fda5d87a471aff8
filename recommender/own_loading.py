"""A researcher's own code in a process that trains: imported, and its mistakes told as theirs.

Imports no TensorFlow.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import linecache
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from recommender.errors import OwnCodeError, is_out_of_room
from recommender.own import OwnDefinition
from recommender.own_files import OURS, SAVED, module_of
from recommender.precision import Precision, precision, set_precision


def load(own: OwnDefinition) -> Callable[..., Any]:
    """Imports the function or class from its source, once.

    A precision that its module sets holds again.

    Raises:
        OwnCodeError: importing it fails.
    """
    found, wanted = _imported(own, str(own.root))
    if wanted is not None:
        set_precision(wanted)
    return found


@functools.cache
def _imported(own: OwnDefinition, root: str) -> tuple[Callable[..., Any], Precision | None]:
    """The function or class, and the precision that importing it set.

    The root is given beside it: equal ones may lie in two places, and errors tell the place.
    """
    before = precision()
    for file in own.files:
        # Another study's copy of the same module, or another folder's of this name.
        there = getattr(sys.modules.get(name := module_of(file)), "__file__", None)
        if there is not None and Path(there) != Path(root, file):
            del sys.modules[name]
            _DISPLACED.add(name)
    for package in OURS:
        # Held by Python from now on: a `reports.py` of theirs would come first.
        importlib.import_module(package)
    _ROOTS.add(root)
    if root in sys.path:
        sys.path.remove(root)
    sys.path.insert(0, root)
    with blamed_on(own), _without_bytecode():
        if "/" in own.file:
            module = importlib.import_module(own.module)
        else:
            # By its path: a file may have the name of any installed module.
            name = f"recsweep_own_{own.digest[:16]}_{Path(own.file).stem}"
            spec = importlib.util.spec_from_file_location(name, own.root / own.file)
            assert spec is not None and spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            spec.loader.exec_module(module)
        found: Callable[..., Any] = getattr(module, own.function)
    after = precision()
    return found, None if after == before else after


@contextlib.contextmanager
def imports_undone() -> Iterator[None]:
    """Modules of own code, which took the place of what the process had imported, go again."""
    modules, path = dict(sys.modules), [*sys.path]
    try:
        yield
    finally:
        roots = [root for root in _ROOTS if root not in path]
        inside = tuple(f"{root}/" for root in roots)
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", "")).startswith(inside):
                del sys.modules[name]
        sys.modules.update({n: modules[n] for n in _DISPLACED & modules.keys()})
        sys.path[:] = [place for place in sys.path if place not in roots]
        _ROOTS.clear()
        _DISPLACED.clear()
        _imported.cache_clear()


_ROOTS: set[str] = set()
"""Where own code was imported from."""
_DISPLACED: set[str] = set()
"""The names of modules that it took the place of."""


@contextlib.contextmanager
def _without_bytecode() -> Iterator[None]:
    """Nothing is written beside their files, nor into a study's `code/`."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


@contextlib.contextmanager
def blamed_on(own: OwnDefinition) -> Iterator[None]:
    """An error in the researcher's code is told by their file and line.

    Their `chdir` is undone, `exit` ends the trial and no more, and a process that they forked and
    let run on ends here: it would go on as a second worker.
    """
    process = os.getpid()
    try:
        with contextlib.chdir(Path.cwd()):
            yield
    except BaseException as error:
        passing = (OwnCodeError, KeyboardInterrupt, GeneratorExit)
        if isinstance(error, passing) or is_out_of_memory(error):
            raise
        raise _blame(own, error) from error
    finally:
        if os.getpid() != process:
            os._exit(0)


def is_out_of_memory(error: BaseException) -> bool:
    """By its name: TensorFlow's own class would need TensorFlow."""
    is_exhausted = type(error).__name__ == "ResourceExhaustedError" and not is_out_of_room(error)
    return is_exhausted or isinstance(error, MemoryError)


def _blame(own: OwnDefinition, error: BaseException) -> OwnCodeError:
    frames = list(traceback.extract_tb(error.__traceback__))
    theirs = [i for i, f in enumerate(frames) if Path(f.filename).is_relative_to(own.root)]
    graph = _in_graph(own, error)
    if lacking := re.findall(r"No registered '(\w+)' OpKernel for XLA", _text_of(error)):
        return OwnCodeError(
            f"{own.where}: XLA cannot compile {', '.join(dict.fromkeys(lacking))}; leave out "
            "jit_compile"
        )
    if isinstance(error, SyntaxError) and error.filename:
        place = f"{Path(error.filename).name}:{error.lineno}"
    elif graph is not None:
        return graph
    elif theirs:
        last = frames[theirs[-1]]
        place = _place(own, Path(last.filename), last.lineno or 0)
    else:
        return OwnCodeError(f"{own.where}: {_told(own, error)}")
    lines = traceback.format_list(frames[theirs[0] :]) if theirs else []
    log = ["Traceback (most recent call last):\n", *lines, *traceback.format_exception_only(error)]
    return OwnCodeError(f"{place}: {_told(own, error)}", without_colours("".join(log)))


def _in_graph(own: OwnDefinition, error: BaseException) -> OwnCodeError | None:
    """What TensorFlow says of an error in a graph: where it is stands in the text, if anywhere."""
    text = _text_of(error)
    if text.startswith("in user code:"):
        found = re.findall(r"^\s*(\w+(?:Error|Exception): .+)$", text, re.MULTILINE)
        told = found[-1].strip() if found else None
    elif text.startswith("Graph execution error:"):
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        plain = [line for line in lines[1:] if not line.startswith("[[")]
        told = f"{type(error).__name__}: {plain[-1]}" if plain else None
    else:
        return None
    places = re.findall(r'File "([^"]+)", line (\d+)', text)
    theirs = [(Path(file), line) for file, line in places if Path(file).is_relative_to(own.root)]
    if told is None:
        return None
    place = own.where
    if theirs:
        file, line = theirs[-1]
        place = _place(own, file, int(line))
    return OwnCodeError(f"{place}: {told}{_off_by_one(told)}", text)


def _place(own: OwnDefinition, file: Path, line: int) -> str:
    """`mine.py:7`; of saved source, whose lines nobody numbered, the line itself, too."""
    place = f"{file.relative_to(own.root).as_posix()}:{line}"
    if not file.name.startswith(SAVED):
        return place
    return f"{place} ({linecache.getline(str(file), line).strip()})"


def _off_by_one(told: str) -> str:
    """What to say to one index too many, of TensorFlow or NumPy."""
    found = re.search(r"indices\[.*\] = (\d+) is not in \[0, \1\)", told) or re.search(
        r"index (\d+) is out of bounds for axis 0 with size \1$", told
    )
    if found is None:
        return ""
    return "; tables of users and items need n + 1 rows: row 0 is for those without train rows"


def _told(own: OwnDefinition, error: BaseException) -> str:
    lines = [line.strip() for line in _text_of(error).splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].startswith("Exception encountered when calling"):
        del lines[0]  # Keras's own words around what happened.
    told = ": ".join([type(error).__name__, *lines[:1]])
    told += _off_by_one(told)
    if "You are passing KerasTensor" in told:  # and on for ten lines
        told = f"{type(error).__name__}: what is called here takes no KerasTensor"
    if own.kind == "function" and "KerasTensor" in told:
        told += (
            "; a function is given the embeddings, which have no numbers yet: use Keras layers and "
            "TensorFlow's operations on them (a model that asks the data is a class)"
        )
    if re.search(r"multiple values for keyword argument '(epochs|verbose|callbacks)'", told):
        told += (
            "; recsweep calls fit with epochs=1, verbose and callbacks itself: hand them on alone; "
            "how many epochs there are says [search]"
        )
    if isinstance(error, ImportError):
        told += (
            "; install it, or, where it is your own and not installed, keep it in the same package "
            "(of folders with an __init__.py) or, if that file is in none, beside it"
        )
    return told


def _text_of(error: BaseException) -> str:
    try:
        return without_colours(str(error))
    except Exception:  # their class's, and it must not hide where the error was raised
        return ""


def without_colours(text: str) -> str:
    """Keras 3 writes its errors for terminals."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
