"""Follow the argument parsers of a script through its variables and functions, to know which one it lets parse.

The way of values is followed without regard to the order of statements; what cannot be followed is left out, except
that a function which only ever gets its parser from elsewhere is taken to get the one that counts.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from typing import TypeAlias

from operations.script_constants import assignments, dotted

_Scope: TypeAlias = ast.AST | None
_GROUPS = ("add_argument_group", "add_mutually_exclusive_group", "_add_container_actions")
_ROUNDS = 5
_UNKNOWN = -1
_SUB = -2

_Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


class Parsers:
    """The parsers of a script; each is known by a number, by the line it is made in."""

    def __init__(self, tree: ast.Module) -> None:
        self._constructors = _constructors(tree)
        self._scopes: dict[ast.AST, _Scope] = {}
        self._functions: dict[str, list[_Function]] = defaultdict(list)
        self._calls: list[ast.Call] = []
        self._bound: dict[tuple[_Scope, str], set[int]] = defaultdict(set)
        self._parents: dict[int, set[int]] = defaultdict(set)
        self._parsed: set[int] = set()
        if self._constructors:
            self._enter(tree, None)
            for _ in range(_ROUNDS):
                self._follow()

    def any_parsed(self) -> bool:
        """Return whether the script lets a parser parse."""
        return bool(self._parsed)

    def arguments(self) -> list[ast.Call]:
        """Return the calls that add arguments to the parsers that parse, in the order of their lines."""
        return self._calls_on_parsed("add_argument")

    def set_defaults(self) -> list[tuple[str, ast.expr]]:
        """Return what `set_defaults` of these parsers says."""
        calls = self._calls_on_parsed("set_defaults")
        return [(one.arg, one.value) for call in calls for one in call.keywords if one.arg]

    def _calls_on_parsed(self, method: str) -> list[ast.Call]:
        wanted = set(self._parsed)
        for _ in range(_ROUNDS):
            wanted |= {parent for one in wanted for parent in self._parents[one]}
        found = []
        for call in self._calls:
            if isinstance(call.func, ast.Attribute) and call.func.attr == method:
                holders = self._parsers(call.func.value, self._scopes[call])
                if holders & wanted or holders == {_UNKNOWN}:
                    found.append(call)
        return sorted(found, key=lambda call: (call.end_lineno or 0, call.end_col_offset or 0))

    def _enter(self, tree: ast.AST, scope: _Scope) -> None:
        """Note the scope of every node, without recursion: scripts may be nested as deep as they like."""
        waiting: list[tuple[ast.AST, _Scope]] = [(tree, scope)]
        while waiting:
            node, inside = waiting.pop()
            self._scopes[node] = inside
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self._functions[node.name].append(node)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                inside = node
            if isinstance(node, ast.Call):
                self._calls.append(node)
            waiting.extend((child, inside) for child in ast.iter_child_nodes(node))

    def _follow(self) -> None:
        for node, scope in self._scopes.items():
            if isinstance(node, ast.Assign | ast.AnnAssign):
                self._assign(node, scope)
            elif isinstance(node, ast.NamedExpr):
                self._bound[scope, node.target.id] |= self._parsers(node.value, scope)
            elif isinstance(node, ast.withitem) and isinstance(node.optional_vars, ast.Name):
                self._bound[scope, node.optional_vars.id] |= self._parsers(node.context_expr, scope)
        for call in self._calls:
            self._call(call, self._scopes[call])

    def _assign(self, node: ast.Assign | ast.AnnAssign, scope: _Scope) -> None:
        for name, value in assignments(node):
            if value is not None:
                self._bound[scope, name] |= self._parsers(value, scope)
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if isinstance(target, ast.Attribute) and dotted(target) and node.value is not None:
                self._bound[None, f".{target.attr}"] |= self._parsers(node.value, scope)

    def _call(self, call: ast.Call, scope: _Scope) -> None:
        if isinstance(call.func, ast.Attribute) and call.func.attr.startswith("parse_"):
            self._parsed |= {one for one in self._parsers(call.func.value, scope) if one > 0}
        if self._makes_parser(call):
            for keyword in call.keywords:
                if keyword.arg == "parents" and isinstance(keyword.value, ast.List | ast.Tuple):
                    for item in keyword.value.elts:
                        self._parents[call.lineno] |= {one for one in self._parsers(item, scope) if one > 0}
            return
        functions = self._functions.get(dotted(call.func).rpartition(".")[2], [])
        given = [*enumerate(call.args), *((one.arg, one.value) for one in call.keywords)]
        for position, value in given:
            parsers = self._parsers(value, scope) if isinstance(value, ast.Name | ast.Attribute | ast.Call) else set()
            for function in functions:
                name = _parameter(function, position)
                if name:
                    self._bound[function, name] |= parsers - {_UNKNOWN}
            if not functions:  # handed to code that is not here, which may let it parse
                self._parsed |= {one for one in parsers if one > 0}

    def _makes_parser(self, node: ast.Call) -> bool:
        return dotted(node.func) in self._constructors

    def _parsers(self, node: ast.expr, scope: _Scope, depth: int = 0) -> set[int]:
        """Return the parsers that an expression may be, `_SUB` for one of a subcommand."""
        if depth > 2 * _ROUNDS:
            return set()
        if isinstance(node, ast.Name):
            return self._named(node.id, scope)
        if isinstance(node, ast.Attribute):
            return set(self._bound.get((None, f".{node.attr}"), ()))
        if isinstance(node, ast.IfExp):
            return self._parsers(node.body, scope, depth + 1) | self._parsers(node.orelse, scope, depth + 1)
        return self._made(node, scope, depth + 1) if isinstance(node, ast.Call) else set()

    def _made(self, node: ast.Call, scope: _Scope, depth: int) -> set[int]:
        """Return the parsers that a call may give."""
        if self._makes_parser(node):
            return {node.lineno}
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("add_parser", "add_subparsers"):
            return {_SUB}
        if isinstance(node.func, ast.Attribute) and node.func.attr in _GROUPS:
            return self._parsers(node.func.value, scope, depth)
        found: set[int] = set()
        for function in self._functions.get(dotted(node.func).rpartition(".")[2], []):
            for inner, inside in self._returns(function):
                found |= self._parsers(inner, inside, depth)
        return found

    def _named(self, name: str, scope: _Scope) -> set[int]:
        while True:
            if (scope, name) in self._bound and (self._bound[scope, name] or scope is None):
                return set(self._bound[scope, name])
            if scope is None:
                return set()
            if isinstance(scope, _Function) and _parameter(scope, name):
                return {_UNKNOWN}
            scope = self._scopes[scope]

    def _returns(self, function: _Function) -> list[tuple[ast.expr, _Scope]]:
        found = []
        for node in ast.walk(function):
            if isinstance(node, ast.Return) and node.value is not None:
                values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
                found += [(value, self._scopes[node]) for value in values]
        return found


def _constructors(tree: ast.Module) -> set[str]:
    """Return the names by which the script calls the parser's class, its own subclasses included."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name == "argparse":
                    found.add(f"{alias.asname or 'argparse'}.ArgumentParser")
        elif isinstance(node, ast.ImportFrom) and node.module == "argparse":
            for alias in node.names:
                if alias.name in ("ArgumentParser", "*"):
                    found.add(alias.asname or "ArgumentParser")
        elif isinstance(node, ast.ClassDef) and any(dotted(base) in found for base in node.bases):
            found.add(node.name)
    return found


def _parameter(function: _Function, place: int | str | None) -> str | None:
    """Return the parameter that an argument at a position, or of a name, fills."""
    names = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
    if isinstance(place, str):
        return place if place in names or place in [one.arg for one in function.args.kwonlyargs] else None
    if place is None:
        return None
    if names[:1] in (["self"], ["cls"]):
        place += 1
    return names[place] if place < len(names) else None
