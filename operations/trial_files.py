"""Read the trials that a file lists: rows of a CSV file, items of a JSON or YAML file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NoReturn

from ledger.text import printable
from operations.flags import FlagError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from operations.definitions import FlagValue

MAX_TRIAL_FILE_BYTES = 20 * 1024 * 1024
"""The largest file of trials that is read."""

_MOST_ROWS = 100_000
_HINT = "A file of trials has a header and rows (.csv), or is a mapping or a list of mappings (.json, .yml, .yaml)."


class Typed(str):
    """A value as a user would type it; any other text in a row is text."""

    __slots__ = ()


def read_rows(path: str, shown: str) -> list[dict[str, FlagValue]]:
    """Return what a file says of each trial: values by the names of flags, those of a CSV file as `Typed`.

    A cell that is empty gives no value. A JSON or YAML file that is one mapping is one row.

    Args:
        path: the file; its ending says what it is.
        shown: how messages call it.

    Raises:
        FlagError: the file cannot be read, is above `MAX_TRIAL_FILE_BYTES`, lists nothing, or is not what its
            name says.
    """
    readers: dict[str, Callable[[str, str], list[dict[str, FlagValue]]]] = {
        ".csv": _csv_rows,
        ".json": _json_rows,
        ".yml": _yaml_rows,
        ".yaml": _yaml_rows,
    }
    reader = readers.get(os.path.splitext(path)[1].lower())
    if reader is None:
        _refuse(shown, "not a file of trials: expected a name that ends in .csv, .json, .yml or .yaml")
    rows = reader(_text(path, shown), shown)
    if not rows:
        _refuse(shown, "it lists no trials")
    if len(rows) > _MOST_ROWS:
        _refuse(shown, f"it lists {len(rows)} trials: expected at most {_MOST_ROWS}")
    return rows


def _refuse(place: str, problem: str) -> NoReturn:
    raise FlagError(f"{printable(place, 4096)}: {problem}", hint=_HINT)


def _text(path: str, shown: str) -> str:
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_TRIAL_FILE_BYTES + 1)
        if len(content) > MAX_TRIAL_FILE_BYTES:
            _refuse(shown, f"larger than {MAX_TRIAL_FILE_BYTES} bytes")
        return content.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = "it is not UTF-8 text" if isinstance(error, ValueError) else (error.strerror or str(error)).lower()
        raise FlagError(f"{printable(shown, 4096)}: cannot be read: {reason}", hint=_HINT) from error


def _csv_rows(text: str, shown: str) -> list[dict[str, FlagValue]]:
    import csv
    import io

    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[dict[str, FlagValue]] = []
    try:
        names = [name.strip() for name in next((cells for cells in reader if cells), [])]
        _refuse_header(names, f"{shown}:{reader.line_num}")
        for cells in reader:
            if len(cells) > len(names):
                _refuse(f"{shown}:{reader.line_num}", f"{len(cells)} cells: expected the {len(names)} of the header")
            if cells:
                rows.append({name: Typed(cell) for name, cell in zip(names, cells, strict=False) if cell})
    except csv.Error as error:
        _refuse(f"{shown}:{reader.line_num}", f"not valid CSV: {error}")
    return rows


def _refuse_header(names: list[str], place: str) -> None:
    if not names:
        _refuse(place, "it lists no trials")
    for position, name in enumerate(names):
        if not name:
            _refuse(place, f"column {position + 1} has no name: expected the name of a flag")
        if name in names[:position]:
            _refuse(place, f"column '{printable(name)}' stands there twice: expected it once")


def _json_rows(text: str, shown: str) -> list[dict[str, FlagValue]]:
    import json

    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        _refuse(f"{shown}:{error.lineno}", f"not valid JSON: {error.msg}")
    except (ValueError, RecursionError) as error:
        _refuse(shown, f"not valid JSON: {'nested too deeply' if isinstance(error, RecursionError) else error}")
    items = content if isinstance(content, list) else [content]
    for number, item in enumerate(items, 1):
        if not isinstance(item, dict):
            _refuse(shown, f"item {number} is not a mapping: expected flags with their values")
    return items


def _yaml_rows(text: str, shown: str) -> list[dict[str, FlagValue]]:
    return list(_yaml_items(text, shown))


def _yaml_items(text: str, shown: str) -> Iterator[dict[str, FlagValue]]:
    from operations.nodes import NodeError, SequenceNode, compose, kind_of, value_of

    try:
        root = compose(text)
    except NodeError as error:
        _refuse(f"{shown}:{error.place.line + 1}", error.problem)
    nodes = root.items if isinstance(root, SequenceNode) else () if root is None else (root,)
    for node in nodes:
        value = value_of(node)
        if not isinstance(value, dict):
            _refuse(f"{shown}:{node.place.line + 1}", f"this is {kind_of(node)}: expected flags with their values")
        yield value
