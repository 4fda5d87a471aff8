"""A researcher's functions and classes given as the objects themselves, not by reference.

One of a module goes by its file. One of a notebook's cell or of the running script has its source
saved, with what it needs, to a file of its own, which is then like any other; what it imports from
beside the notebook or script lies beside it.
"""

from __future__ import annotations

import functools
import hashlib
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from experiments.errors import RequestError, StateError
from experiments.files import read_json
from experiments.own.kept_code import (
    CODE,
    SAVED_ROOT,
    is_saved,
    refuse_changed_code,
)
from experiments.own.notebook_source import source_with_needs
from experiments.records import PROVENANCE_NAME
from recommender.errors import ModelError
from recommender.own_files import SAVED, digest_of, files_beside
from search_spaces import Choice as PlainChoice
from search_spaces.values import as_python


class Named(str):
    """An object's name in a space, which also knows where the object is."""

    reference: str

    def __new__(cls, name: str, reference: str) -> Named:
        it = super().__new__(cls, name)
        it.reference = reference
        return it


def Choice(choices: Sequence[Any]) -> PlainChoice:  # noqa: N802  # it reads as what it makes
    """One of some values of one kind: text, numbers, true and false, or models of your own.

    A function or class is called by its name from then on.
    """
    choices = as_python(choices)
    if isinstance(choices, list | tuple):
        choices = [named(choice) if callable(choice) else choice for choice in choices]
        models: dict[str, str] = {}
        for choice in choices:
            if isinstance(choice, Named):
                _note(models, choice, choice.reference)
    return PlainChoice(choices)


def _note(models: dict[str, str], name: str, reference: str) -> None:
    """Where a model is, by its name. RequestError where another one has it."""
    if models.setdefault(str(name), reference) != reference:
        raise RequestError(
            f"two models are called {name}: {models[name]} and {reference}; give one another "
            f'name, as in rs.Sweep(..., architectures={{"{name}_2": ...}}), and put that name '
            "among the choices"
        )


def named(thing: Any) -> Named:
    reference = reference_of(thing)
    return Named(thing.__name__, reference)


def reference_of(thing: Any) -> str:
    """`"/home/me/mine.py:gated"`: where a function or class can be found again.

    Raises:
        RequestError: it has no name at the top of a module, a cell or a script, or its source
            cannot be saved.
    """
    name = getattr(thing, "__qualname__", None)
    if name is None or not name.isidentifier():
        raise RequestError(
            f"{name or repr(thing)} cannot be found again on a worker; give a function or class "
            "that is defined at the top level of a module, a cell or a script"
        )
    module = sys.modules.get(thing.__module__)
    file = getattr(module, "__file__", None)
    if thing.__module__ != "__main__" and getattr(module, name, None) is thing and file:
        return f"{Path(file).absolute()}:{name}"
    try:
        return f"{_saved(name, source_with_needs(thing), _home())}:{name}"
    except ModelError as error:
        raise RequestError(str(error)) from error


def without_objects(tables: dict[str, Any]) -> dict[str, Any]:
    """A sweep's tables with references in the place of objects.

    Models keep their names, which `[architectures]` explains; all else is named by reference.

    Raises:
        RequestError: two models of one name.
    """
    models: dict[str, str] = {}

    def plain(value: Any) -> Any:
        if isinstance(value, Named):
            _note(models, value, value.reference)
            return str(value)
        if isinstance(value, Mapping):
            return {key: plain(entry) for key, entry in value.items()}
        if isinstance(value, list | tuple):
            return [plain(entry) for entry in value]
        is_object = callable(value) or isinstance(value, ModuleType)
        return reference_of(value) if is_object else value

    model = tables.get("model")
    if isinstance(model, Mapping) and callable(model.get("architecture")):
        tables = tables | {"model": {**model, "architecture": named(model["architecture"])}}
    tables = plain(tables)
    if models:
        for name, reference in tables.get("architectures", {}).items():
            _note(models, name, reference)
        tables["architectures"] = models
    return tables


def refuse_changed_objects(folder: Path, own: Sequence[Any] | Literal["saved"] | None) -> None:
    """Objects of a notebook that a study was run with must be what the notebook has now.

    Args:
        own: the objects; None looks for their names in the notebook; `"saved"` goes on with the
            source in the study.

    Raises:
        RequestError: `own` is neither.
        StateError: one changed (shows the difference), or is not there.
    """
    if isinstance(own, str) and own == "saved":
        return
    passed = () if own is None else own
    if not isinstance(passed, list | tuple) or not all(hasattr(o, "__name__") for o in passed):
        raise RequestError(
            f'own is a list of functions and classes, as in own=[gated], or "saved"; got {own!r}'
        )
    given = {thing.__name__: thing for thing in passed}
    here = vars(sys.modules["__main__"])
    for name, record in read_json(folder / PROVENANCE_NAME).get("code", {}).items():
        file = Path(record["source"]).name
        if not is_saved(Path(record["root"]), file):
            continue
        function = record["function"]
        thing = given.get(function, here.get(function))
        if not callable(thing):
            raise StateError(
                f"{folder.name} was run with {function}, which a notebook or script defined; "
                f"run its cell again, or pass it: rs.resume(..., own=[{function}]). To go on "
                f'with the source in {folder / CODE / file}: rs.resume(..., own="saved")'
            )
        now = Path(reference_of(thing).rpartition(":")[0])
        refuse_changed_code(folder, [(name, now.parent, record["files"])])


def _home() -> Path:
    """Where the notebook or the script finds what it imports."""
    main = sys.modules["__main__"]
    script, spec = getattr(main, "__file__", None), getattr(main, "__spec__", None)
    if not script:
        return Path.cwd()
    # `python -m lab.train` looks above the package `lab`.
    n_above = spec.name.count(".") if spec is not None else 0
    return Path(script).absolute().parents[n_above]


def _saved(name: str, text: str, home: Path) -> Path:
    """The path of the saved source; what it imports from its home lies beside it."""
    beside = files_beside(text, home)
    if f"{SAVED}{name}.py" in beside:
        raise RequestError(
            f"{home / f'{SAVED}{name}.py'} has the name under which the source of {name} would be "
            "saved beside it; rename that file"
        )
    digest = hashlib.sha256(text.encode() + digest_of(home, beside).encode())
    folder = Path(_scratch().name) / digest.hexdigest()[:16]
    path = folder / f"{SAVED}{name}.py"
    if not path.exists():
        for file in beside:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(home / file, folder / file)
        folder.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return path


@functools.cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    """For the life of this process; a study keeps its own copy."""
    return tempfile.TemporaryDirectory(prefix=SAVED_ROOT)
