"""What an expression in the researcher's own code stands for, told without running it."""

from __future__ import annotations

import ast
import operator

_ARITHMETIC = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Pow: operator.pow,
}


def constant(node: ast.expr, tree: ast.Module) -> object:
    """The value of a literal, of arithmetic on numbers, or of a name that the file gives one value.

    Raises:
        ValueError: only running the file would tell.
    """
    if isinstance(node, ast.Name):
        return constant(_assigned(node, tree), tree)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_number(node.operand, tree)
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        left, right = _number(node.left, tree), _number(node.right, tree)
        try:
            return _ARITHMETIC[type(node.op)](left, right)
        except ArithmeticError as error:
            raise ValueError(str(error)) from None
    return ast.literal_eval(node)


def _number(node: ast.expr, tree: ast.Module) -> int | float:
    value = constant(node, tree)
    if type(value) in (int, float):
        return value  # type: ignore[return-value]  # as was just seen
    raise ValueError(f"{value!r} is no number")


def _assigned(name: ast.Name, tree: ast.Module) -> ast.expr:
    """What the file's top level, above a name, assigns to it; nothing else may anywhere."""
    stored = [node for node in ast.walk(tree) if _binds(node, name.id)]
    for line in tree.body:
        if isinstance(line, ast.Assign | ast.AnnAssign) and line.lineno < name.lineno:
            targets = line.targets if isinstance(line, ast.Assign) else [line.target]
            if targets == stored and line.value is not None:
                return line.value
    raise ValueError(f"{name.id} is not assigned once")


def _binds(node: ast.AST, name: str) -> bool:
    if isinstance(node, ast.alias):
        return (node.asname or node.name) in (name, "*")
    return isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
