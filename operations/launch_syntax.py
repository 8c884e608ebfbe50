"""Put values into the syntax tree of a program; loaded by `launch_program.py` alone, in the process of a run.

Like that program it imports nothing that the process does not have anyway.
"""

from __future__ import annotations

import _ast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

_JSON_NAMES = {
    "true": True,
    "false": False,
    "null": None,
    "NaN": float("nan"),
    "Infinity": float("inf"),
}
_SYNTAX = _ast.PyCF_ONLY_AST


def assigned(source: bytes, path: str, dest: str, values: str) -> CodeType:
    """Return the compiled program that assigns the values of a JSON mapping to its variables.

    Raises:
        SyntaxError: the program is none, as Python itself would say it.
    """
    tree = compile(source, path, "exec", _SYNTAX, dont_inherit=True)
    assign(tree, dest, parsed(values))
    code: CodeType = compile(tree, path, "exec", dont_inherit=True)
    return code


# --- Values -------------------------------------------------------------------------------------------------


def parsed(values: str) -> dict[str, _ast.expr]:
    """Return the values of a JSON mapping (ASCII, as `json.dumps` writes it) as expressions of a syntax tree.

    JSON of that kind is a Python expression but for a few names and the halves of surrogate pairs.
    """
    mapping = compile(values, "<flags>", "eval", _SYNTAX, dont_inherit=True).body
    _to_python(mapping)
    return {key.value: value for key, value in zip(mapping.keys, mapping.values, strict=True)}


def _to_python(node: _ast.AST) -> None:
    for field in node._fields:
        held = getattr(node, field)
        items = held if isinstance(held, list) else [held]
        for index, item in enumerate(items):
            if isinstance(item, _ast.Name):
                items[index] = _ast.Constant(_JSON_NAMES[item.id])
            elif isinstance(item, _ast.AST):
                _to_python(item)
        if isinstance(held, _ast.Name):
            setattr(node, field, items[0])
        elif isinstance(held, str):
            setattr(node, field, held.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass"))


# --- Assignments --------------------------------------------------------------------------------------------


def assign(tree: _ast.Module, dest: str, values: dict[str, _ast.expr]) -> None:
    """Change a program so that its variables have these values from where it sets them itself.

    With `globals` each value takes the place of the constants that the name gets at the top level. With
    `global:NAME` and `namespace:NAME` they are set in NAME, right behind its assignments. What the program does
    not assign at all is set before its first statement.
    """
    kind, _, holder = dest.partition(":")
    if kind == "globals":
        for name, value in values.items():
            _set_global(tree.body, name, value)
        return
    found = _found(tree.body, holder)
    if not found:
        empty = "{}" if kind == "global" else "__import__('types').SimpleNamespace()"
        first = _statement(f"{holder} = {empty}")
        _insert(tree.body, _start(tree.body), [first], None)
        found = [(tree.body, first)]
    for body, statement in found:
        setters = [_setter(kind, holder, name, value, statement) for name, value in values.items()]
        _insert(body, body.index(statement) + 1, setters, statement)


def _set_global(program: list[_ast.stmt], name: str, value: _ast.expr) -> None:
    found = _found(program, name)
    swapped = [_swap(body, statement, name, value) for body, statement in found]
    if not found:
        _insert(program, _start(program), [_assignment(name, value)], None)
    elif not any(swapped):
        body, statement = found[0]
        _insert(body, body.index(statement) + 1, [_assignment(name, value)], statement)


def _swap(body: list[_ast.stmt], statement: _ast.stmt, name: str, value: _ast.expr) -> bool:
    """Put the value in place of the constant that the statement gives the name; False when it gives none."""
    if isinstance(statement, _ast.AnnAssign) and statement.value is not None and _is_constant(statement.value):
        statement.value = _like(statement.value, value)
        return True
    if not isinstance(statement, _ast.Assign) or not _is_constant(statement.value):
        return False
    for target in statement.targets:
        if isinstance(target, _ast.Name) and target.id == name:
            if len(statement.targets) == 1:
                statement.value = _like(statement.value, value)
            else:
                statement.targets.remove(target)
                _insert(body, body.index(statement) + 1, [_assignment(name, _like(statement.value, value))], statement)
            return True
    return _swap_in_pair(statement, name, value)


def _swap_in_pair(statement: _ast.Assign, name: str, value: _ast.expr) -> bool:
    """Do the same for `a, b = 1, 2`."""
    old = statement.value
    for target in statement.targets:
        names = [getattr(one, "id", None) for one in getattr(target, "elts", ())]
        if name in names and isinstance(old, _ast.Tuple | _ast.List) and len(names) == len(old.elts):
            index = names.index(name)
            old.elts[index] = _like(old.elts[index], value)
            return True
    return False


def _like(old: _ast.expr, value: _ast.expr) -> _ast.expr:
    """Return the value for the place of `old`; JSON has no tuples, so a list becomes one where one stood."""
    if isinstance(old, _ast.Tuple) and isinstance(value, _ast.List):
        value = _ast.Tuple(value.elts, _ast.Load())
    _place(value, old)
    return value


def _is_constant(node: _ast.expr) -> bool:
    if isinstance(node, _ast.Constant):
        return True
    if isinstance(node, _ast.UnaryOp):
        return _is_constant(node.operand)
    if isinstance(node, _ast.BinOp):
        return _is_constant(node.left) and _is_constant(node.right)
    if isinstance(node, _ast.Dict):
        return all(key is not None and _is_constant(key) for key in node.keys) and all(map(_is_constant, node.values))
    return isinstance(node, _ast.Tuple | _ast.List | _ast.Set) and all(map(_is_constant, node.elts))


def _setter(kind: str, holder: str, name: str, value: _ast.expr, statement: _ast.stmt) -> _ast.stmt:
    """Return the statement that sets an entry, or an attribute, of what `statement` assigns to `holder`."""
    attribute = f"{holder}.{name}"
    if kind == "namespace":
        return _statement(f"{attribute} = None", value)
    path = name.split(".") if _is_nested(getattr(statement, "value", None), name) else [name]
    entry = _statement(holder + "".join(f"[{part!a}]" for part in path) + " = None", value)
    if isinstance(getattr(statement, "value", None), _ast.Dict) or not name.isidentifier():
        return entry
    either = f"if hasattr({holder}, '__setitem__'): pass\nelse: pass"
    is_mapping: _ast.If = compile(either, "<flags>", "exec", _SYNTAX, dont_inherit=True).body[0]
    is_mapping.body, is_mapping.orelse = [entry], [_statement(f"{attribute} = None", value)]
    return is_mapping


def _is_nested(node: _ast.expr | None, name: str) -> bool:
    """Return whether a mapping as written has no entry of this name, but a mapping for its first part."""
    if not isinstance(node, _ast.Dict):
        return False
    entries = {getattr(key, "value", None): value for key, value in zip(node.keys, node.values, strict=True)}
    return name not in entries and isinstance(entries.get(name.partition(".")[0]), _ast.Dict)


def _found(program: list[_ast.stmt], name: str) -> list[tuple[list[_ast.stmt], _ast.stmt]]:
    """Return the statements that bind a name, with the list each stands in: those in blocks only without others."""
    found = [(program, one) for one in program if name in _bound(one)]
    return found or [(body, one) for body, one in _in_blocks(program) if name in _bound(one)]


def _in_blocks(body: list[_ast.stmt]) -> Iterator[tuple[list[_ast.stmt], _ast.stmt]]:
    for statement in body:
        yield body, statement
        if isinstance(statement, _ast.If | _ast.Try | _ast.With | _ast.For | _ast.While):
            for holder in (statement, *getattr(statement, "handlers", ())):
                for field in ("body", "orelse", "finalbody"):
                    yield from _in_blocks(getattr(holder, field, []))


def _bound(statement: _ast.stmt) -> list[str | None]:
    if isinstance(statement, _ast.Assign):
        targets = [one for target in statement.targets for one in getattr(target, "elts", [target])]
        return [getattr(target, "id", None) for target in targets]
    if isinstance(statement, _ast.AnnAssign) and statement.value is not None:
        return [getattr(statement.target, "id", None)]
    if isinstance(statement, _ast.Import | _ast.ImportFrom):
        return [alias.asname or alias.name for alias in statement.names]
    return [statement.name] if isinstance(statement, _ast.ClassDef) else []


def _start(program: list[_ast.stmt]) -> int:
    """Return where the first statement may stand that is neither the docstring nor an import from the future."""
    index = 0
    for statement in program:
        is_text = index == 0 and isinstance(getattr(statement, "value", None), _ast.Constant)
        if not is_text and getattr(statement, "module", None) != "__future__":
            break
        index += 1
    return index


def _assignment(name: str, value: _ast.expr) -> _ast.stmt:
    return _statement(f"{name} = None", value)


def _statement(text: str, value: _ast.expr | None = None) -> _ast.stmt:
    statement: _ast.Assign = compile(text, "<flags>", "exec", _SYNTAX, dont_inherit=True).body[0]
    if value is not None:
        statement.value = value
    return statement


def _insert(body: list[_ast.stmt], index: int, statements: list[_ast.stmt], place: _ast.stmt | None) -> None:
    for statement in statements:
        _place(statement, place)
    body[index:index] = statements


def _place(node: _ast.AST, place: _ast.stmt | _ast.expr | None) -> None:
    """Let a tree stand where another one does, so that an error in it is shown with that line."""
    if isinstance(node, _ast.expr | _ast.stmt):
        node.lineno = getattr(place, "lineno", 1)
        node.col_offset = getattr(place, "col_offset", 0)
        node.end_lineno = getattr(place, "end_lineno", 1)
        node.end_col_offset = getattr(place, "end_col_offset", 0)
    for field in node._fields:
        held = getattr(node, field, None)
        for item in held if isinstance(held, list) else [held]:
            if isinstance(item, _ast.AST):
                _place(item, place)
