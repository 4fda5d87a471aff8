"""The source of a function or class that no module holds: one of a notebook's cell or of a script.

What is saved is the last statement at the top of a cell (or of the script) that defines it and,
however far that leads, the last ones that bind the names it uses: imports, functions, classes, and
assignments that call nothing. So a saved file can be imported without running the notebook.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import linecache
import symtable
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from recommender.errors import ModelError


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement at the top of a cell."""

    node: ast.stmt
    text: str
    took: Mapping[str, Statement] = field(default_factory=dict)
    """What had bound the names that a definition uses when it is run, not when it is called."""


def source_with_needs(thing: Any) -> str:
    """The source of a module that defines the object as its notebook or script does now.

    Raises:
        ModelError: its source is not to be found, or it uses what the notebook computes.
    """
    name = thing.__name__
    namespace = namespace_of(thing)
    statements: dict[str, Statement] = {}
    futures: list[str] = []
    for text in _sources(thing, namespace):
        for statement in _statements(text):
            if isinstance(statement.node, ast.ImportFrom) and statement.node.module == "__future__":
                futures.append(statement.text)
            took = {n: statements[n] for n in _used_at_once(statement.node) if n in statements}
            for bound in _bound(statement.node):
                statements[bound] = replace(statement, took=took)
            for changed in _changed(statement.node):
                made = statements.get(changed)
                # What an assignment made is compared by its value.
                if made is None or not isinstance(made.node, ast.Assign | ast.AnnAssign):
                    statements[changed] = statement
    found = statements.get(name)
    if (
        found is None
        or not isinstance(found.node, _DEFINITIONS)
        or namespace.get(name) is not thing
    ):
        raise ModelError(
            f"{name}: no cell that was run defines it at its top level as it is now; run its cell "
            f'again, or put it into a file and name it there: "mine.py:{name}"'
        )
    needed = _with_needs(name, found, statements, namespace)
    head = [*dict.fromkeys(futures)]
    imports = [s.text for s in needed if isinstance(s.node, ast.Import | ast.ImportFrom)]
    others = [s.text for s in needed if not isinstance(s.node, ast.Import | ast.ImportFrom)]
    blocks = ["\n".join(part) for part in (head, imports) if part] + others
    return "\n\n".join(blocks) + "\n"


def namespace_of(thing: Any) -> Mapping[str, Any]:
    """The names that the object sees."""
    function = _some_function(thing)
    if function is not None:
        return dict(function.__globals__)
    return dict(vars(sys.modules.get(thing.__module__, builtins)))


_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_ASSIGNMENTS = (ast.Assign, ast.AnnAssign, ast.AugAssign)


def _some_function(thing: Any) -> Any | None:
    """The function, or one of the class's methods."""
    members = [thing] if not isinstance(thing, type) else list(vars(thing).values())
    unwrapped = (getattr(m, "__func__", getattr(m, "fget", m)) for m in members)
    return next((m for m in unwrapped if hasattr(m, "__globals__")), None)


def _sources(thing: Any, namespace: Mapping[str, Any]) -> Iterator[str]:
    cells = namespace.get("In")
    if isinstance(cells, list) and "get_ipython" in namespace:
        yield from (cell for cell in cells if isinstance(cell, str))
        return
    function: Callable[..., Any] | None = _some_function(thing)
    if function is not None:
        yield "".join(linecache.getlines(function.__code__.co_filename))


def _statements(text: str) -> Iterator[Statement]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return
    for node in tree.body:
        decorators = getattr(node, "decorator_list", [])
        heads = [f"@{ast.get_source_segment(text, decorator)}" for decorator in decorators]
        yield Statement(node, "\n".join([*heads, ast.get_source_segment(text, node) or ""]))


def _bound(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, _DEFINITIONS):
        yield node.name
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from ((alias.asname or alias.name).partition(".")[0] for alias in node.names)
    elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        for target in _targets(node):
            for part in ast.walk(target):
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                    yield part.id


def _changed(node: ast.stmt) -> Iterator[str]:
    """Names of what an assignment changes something of, as `Config.width = 64` does."""
    for part in ast.walk(node) if isinstance(node, _ASSIGNMENTS) else ():
        root = part
        if isinstance(part, ast.Attribute | ast.Subscript) and isinstance(part.ctx, ast.Store):
            while isinstance(root, ast.Attribute | ast.Subscript):
                root = root.value
        if root is not part and isinstance(root, ast.Name):
            yield root.id


def _used_at_once(node: ast.stmt) -> Iterator[str]:
    """Names that a definition uses when it is run: in a class's body, in defaults of arguments."""
    waiting: list[ast.AST] = [node] if isinstance(node, _DEFINITIONS) else []
    while waiting:
        part = waiting.pop()
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):
            yield part.id
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += part.decorator_list
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += (d for d in (*part.args.defaults, *part.args.kw_defaults) if d is not None)
        else:
            waiting += ast.iter_child_nodes(part)


def _targets(node: ast.Assign | ast.AnnAssign) -> list[ast.expr]:
    return node.targets if isinstance(node, ast.Assign) else [node.target]


def _with_needs(
    name: str,
    first: Statement,
    statements: Mapping[str, Statement],
    namespace: Mapping[str, Any],
) -> list[Statement]:
    """The statement after all that it needs, each once."""
    ordered: list[Statement] = []
    named: dict[str, Statement] = {}
    seen: set[int] = set()

    def visit(statement: Statement) -> None:
        if id(statement) in seen:
            return
        seen.add(id(statement))
        for used in sorted(_global_names(statement.text)):
            needed = statements.get(used)
            if needed is not None and used not in _bound(needed.node):
                raise ModelError(
                    f"{name} uses {used}, which {needed.text!r:.80} changed, and workers do not "
                    f"run that; import or define {used} again after it, or in {name} itself"
                )
            if needed is not None and _is_plain(needed.node):
                took = statement.took.get(used, needed)
                if took.text != needed.text:
                    raise ModelError(
                        f"{name} uses {used}, which was {took.text!r:.80} when what takes it was "
                        f"defined, and {needed.text!r:.80} since; define it again, too"
                    )
                named[used] = needed
                visit(needed)
            elif used in namespace and not hasattr(builtins, used):
                raise ModelError(
                    f"{name} uses {used}, which the notebook computes and workers do not have; "
                    f"make it in {name} itself, or put both into a file and name it: "
                    f'"mine.py:{name}"'
                )
        ordered.append(statement)

    visit(first)
    there = _values_of(ordered, namespace)
    for used, needed in named.items():
        if used in there and _is_other(there[used], namespace.get(used)):
            raise ModelError(
                f"{name} uses {used}, which is {namespace.get(used)!r:.80} now and not what "
                f"{needed.text!r:.80} made it; assign it anew and run its cell again"
            )
    return ordered


def _is_plain(node: ast.stmt) -> bool:
    """Whether running it is no work: it defines, imports, or names something without a call."""
    if isinstance(node, ast.Assign | ast.AnnAssign):
        if any(isinstance(target, ast.Subscript | ast.Attribute) for target in _targets(node)):
            return False
        work = (ast.Call, ast.Await, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
        return not any(isinstance(part, work) for part in ast.walk(node))
    return True


def _values_of(
    statements: Sequence[Statement], namespace: Mapping[str, Any]
) -> Mapping[str, object]:
    """What the assignments among them, which call nothing, make of their names in this order."""
    names, bound = dict(namespace), set[str]()
    for statement in statements:
        if isinstance(statement.node, ast.Assign | ast.AnnAssign):
            bound.update(_bound(statement.node))
            with contextlib.suppress(Exception):  # told where a worker imports it
                exec(statement.text, names)  # noqa: S102
    return {name: names[name] for name in bound if name in names}


def _is_other(made: object, value: object) -> bool:
    """Whether a name has another value by now than its assignment gives it: `WIDTH += 1`."""
    if made is value or " at 0x" in repr(made):  # a function is what its text says
        return False
    return type(value) is not type(made) or repr(value) != repr(made)


def _global_names(text: str) -> set[str]:
    """The names that a statement takes from its module."""
    top = symtable.symtable(text, "cell", "exec")
    names = {s.get_name() for s in top.get_symbols() if s.is_referenced()}
    waiting = list(top.get_children())
    while waiting:
        table = waiting.pop()
        names |= {s.get_name() for s in table.get_symbols() if s.is_global() and s.is_referenced()}
        waiting += table.get_children()
    return names
