"""What expressions of a script stand for, as far as that can be said without running it."""

from __future__ import annotations

import ast
import math
import operator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from operations.definitions import FlagValue

_LARGEST = 2**64
_LONGEST = 10_000
_DEEPEST = 50
_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}


class UnknownError(Exception):
    """An expression has no value that could be known without running the script."""


class Constants:
    """The values of names that a script assigns at its top level, and of expressions in them.

    Args:
        names: expressions by the name that they are assigned to; empty where a name is no constant.
    """

    def __init__(self, names: Mapping[str, ast.expr] | None = None) -> None:
        self._names = names or {}

    def value(self, node: ast.expr | None, depth: int = 0) -> FlagValue:
        """Return what an expression stands for: a number, text, truth value, None, or a list or mapping of such.

        Tuples and sets are lists; a path is its text.

        Raises:
            UnknownError: that cannot be known, or is too large or too deep to be the default of a flag.
        """
        if node is None or depth > _DEEPEST:
            raise UnknownError
        if isinstance(node, ast.Constant):
            return _scalar(node.value)
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            return [self.value(item, depth + 1) for item in node.elts]
        if isinstance(node, ast.Dict):
            return {_key(self.value(key, depth + 1)): self.value(item, depth + 1) for key, item in _pairs(node)}
        if isinstance(node, ast.UnaryOp | ast.BinOp):
            return self._computed(node, depth + 1)
        if isinstance(node, ast.Name) and node.id in self._names:
            return self.value(self._names[node.id], depth + 1)
        if isinstance(node, ast.Call):
            return self._called(node, depth + 1)
        raise UnknownError

    def get(self, node: ast.expr | None) -> FlagValue:
        """Return the same, but None where nothing can be known."""
        try:
            return self.value(node)
        except UnknownError:
            return None

    def items(self, node: ast.expr | None) -> list[FlagValue]:
        """Return the items of an expression that is a list, a range, or the keys of a mapping; empty if unknown."""
        try:
            value = self.value(self._keys(node))
        except UnknownError:
            return []
        return list(value) if isinstance(value, list | dict) else []

    def _keys(self, node: ast.expr | None) -> ast.expr | None:
        """Return the keys of a mapping as a list of their own, because its values may be anything."""
        for _ in range(_DEEPEST):
            if isinstance(node, ast.Name) and node.id in self._names:
                node = self._names[node.id]
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "keys":
                node = node.func.value
            elif isinstance(node, ast.Call) and dotted(node.func) in ("list", "tuple") and len(node.args) == 1:
                node = node.args[0]
            else:
                break
        return ast.List([key for key in node.keys if key], ast.Load()) if isinstance(node, ast.Dict) else node

    def _computed(self, node: ast.UnaryOp | ast.BinOp, depth: int) -> FlagValue:
        if isinstance(node, ast.UnaryOp):
            value = self.value(node.operand, depth)
            if isinstance(node.op, ast.Not) and isinstance(value, bool):
                return not value
            number = _number(value)
            return -number if isinstance(node.op, ast.USub) else +number if isinstance(node.op, ast.UAdd) else _none()
        left, right = self.value(node.left, depth), self.value(node.right, depth)
        if isinstance(left, str) and isinstance(right, str) and isinstance(node.op, ast.Add):
            return _scalar(left + right)
        if isinstance(left, list) and isinstance(right, list) and isinstance(node.op, ast.Add):
            return left + right
        return _arithmetic(node.op, _number(left), _number(right))

    def _called(self, node: ast.Call, depth: int) -> FlagValue:
        name = dotted(node.func).rpartition(".")[2]
        if isinstance(node.func, ast.Attribute) and name in ("keys", "copy") and not node.args:
            return self.value(node.func.value, depth)
        if node.keywords or not node.args:
            raise UnknownError
        values = [self.value(one, depth) for one in node.args]
        if name == "range" and all(type(one) is int for one in values):
            return _range(values)
        if len(values) != 1:
            raise UnknownError
        return _converted(name, values[0])


def dotted(node: ast.AST | None) -> str:
    """Return `a.b.c` as text for such an expression, and '' for any other."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([node.id, *reversed(parts)])


def top_level_constants(tree: ast.Module) -> Constants:
    """Return the constants that a module assigns to names once."""
    found: dict[str, list[ast.expr | None]] = {}
    for node in tree.body:
        for name, value in assignments(node):
            found.setdefault(name, []).append(value)
    return Constants({name: values[0] for name, values in found.items() if len(values) == 1 and values[0] is not None})


def assignments(node: ast.stmt) -> list[tuple[str, ast.expr | None]]:
    """Return the names that a statement assigns plainly, each with its expression (None where it is a part)."""
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
        return [(node.target.id, node.value)]
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        return [(node.target.id, None)]
    if not isinstance(node, ast.Assign):
        return []
    found: list[tuple[str, ast.expr | None]] = []
    for target in node.targets:
        if isinstance(target, ast.Name):
            found.append((target.id, node.value))
        elif isinstance(target, ast.Tuple | ast.List):
            values: list[ast.expr] = node.value.elts if isinstance(node.value, ast.Tuple | ast.List) else []
            paired = len(values) == len(target.elts) and not any(isinstance(one, ast.Starred) for one in target.elts)
            for index, one in enumerate(target.elts):
                if isinstance(one, ast.Name):
                    found.append((one.id, values[index] if paired else None))
    return found


def _none() -> float:
    raise UnknownError


def _scalar(value: object) -> FlagValue:
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int) and abs(value) < _LARGEST:
        return value
    if isinstance(value, str) and len(value) <= _LONGEST:
        return value
    raise UnknownError


def _key(value: FlagValue) -> str:
    if isinstance(value, str):
        return value
    raise UnknownError


def _pairs(node: ast.Dict) -> list[tuple[ast.expr | None, ast.expr]]:
    return list(zip(node.keys, node.values, strict=True))


def _number(value: FlagValue) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnknownError
    return value


def _arithmetic(op: ast.operator, left: float, right: float) -> FlagValue:
    if type(op) not in _OPERATORS or (isinstance(op, ast.Pow) and abs(right) > math.log2(_LARGEST)):
        raise UnknownError
    try:
        value: object = _OPERATORS[type(op)](left, right)
    except (ArithmeticError, ValueError) as error:
        raise UnknownError from error
    return _scalar(value)


def _range(values: list[FlagValue]) -> FlagValue:
    numbers = range(*(one for one in values if isinstance(one, int)))
    if len(numbers) > _LONGEST:
        raise UnknownError
    return list(numbers)


def _converted(name: str, value: FlagValue) -> FlagValue:
    """Return what the calls that scripts make of constants return: `int(1e6)`, `float('inf')`, `Path('data')`."""
    if name in ("list", "tuple", "sorted", "set") and isinstance(value, list | dict):
        return sorted(value, key=str) if name == "sorted" else list(value)
    if name in ("Path", "PurePath", "str") and isinstance(value, str | int | float):
        return str(value)
    if name in ("int", "float") and isinstance(value, str | int | float):
        try:
            return _scalar(int(value) if name == "int" else float(value))
        except (ValueError, OverflowError) as error:
            raise UnknownError from error
    raise UnknownError
