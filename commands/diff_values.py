"""`guild diff` of what is recorded of two runs: attributes, flags, environment, requirements and scalars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

import click

from commands.run_table import clock
from commands.table import padded, text_width
from ledger.canonical import Value, encode
from ledger.dataclass import dataclass
from ledger.text import printable
from projections.query import RunRow

if TYPE_CHECKING:
    from operations.definitions import FlagValue

_LONGEST = 1_000_000
_READ_AT_ONCE = 80
_ORDER = (
    *("operation", "project", "status", "exit_status", "duration", "label", "tags", "marked", "protected", "comments"),
    "command",
)
_KEPT = ("first", "last", "min", "max")


class One(NamedTuple):
    """One of the two runs.

    Attributes:
        row: the run.
        details: all that is recorded of it.
        folder: its directory; None when there is none.
        trouble: why there is none.
    """

    row: RunRow
    details: Mapping[str, Value]
    folder: str | None
    trouble: str

    @property
    def name(self) -> str:
        """The beginning of its id."""
        return self.row.run_id[:8]


class Pair(NamedTuple):
    """The two runs, from the first to the second."""

    before: One
    after: One


@dataclass(frozen=True, slots=True)
class Values:
    """A section of names with values; what is missing in a mapping is not there. `runs` names the two."""

    name: str
    before: Mapping[str, Value]
    after: Mapping[str, Value]
    runs: tuple[str, str] = ("", "")

    def differing(self) -> list[str]:
        """Return the names whose values are not the same; 1, 1.0 and true are not."""
        return [name for name in sorted({**self.before, **self.after}, key=_place) if self._differs(name)]

    def _differs(self, name: str) -> bool:
        if name not in self.before or name not in self.after:
            return True
        return encode({"": self.before[name]}) != encode({"": self.after[name]})

    def lines(self, *, in_full: bool) -> Iterator[str]:
        """Yield a line for each name that differs."""
        del in_full  # it has no other form
        names = self.differing()
        if names:
            yield heading(self.name)
        for name in names:
            yield from _told(printable(name, _LONGEST), _text(self.before, name), _text(self.after, name))

    def text(self, *, is_after: bool) -> str:
        """Return one side as text, for other programs."""
        values = self.after if is_after else self.before
        return "".join(f"{printable(name, _LONGEST)}: {_text(values, name)}\n" for name in sorted(values))

    def data(self, *, in_full: bool) -> Value:
        """Return what differs, for JSON: by name what is there of `before` and `after`."""
        del in_full
        sides = (("before", self.before), ("after", self.after))
        return {name: {side: values[name] for side, values in sides if name in values} for name in self.differing()}


class Scalars(Values):
    """The section of scalars: their values are summaries, shown side by side."""

    __slots__ = ()

    def lines(self, *, in_full: bool) -> Iterator[str]:
        """Yield a table: of each scalar that differs first, last, minimum and maximum of both runs."""
        del in_full
        rows: list[tuple[str, ...]] = [(f"{self.name}:", "", *_KEPT)]
        for name in self.differing():
            for number, (run, values) in enumerate(zip(self.runs, (self.before, self.after), strict=True)):
                shown = [_point(values.get(name), kind) for kind in _KEPT]
                rows.append(("" if number else f"  {printable(name)}", run, *shown))
        if len(rows) == 1:
            return
        widths = [max(text_width(row[column]) for row in rows) for column in range(len(rows[0]))]
        for number, row in enumerate(rows):
            line = "  ".join(padded(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip()
            yield line if number else click.style(line, bold=True)


def heading(name: str, rest: str = "") -> str:
    """Return the first line of a section."""
    return click.style(f"{name}:", bold=True) + (f" {rest}" if rest else "")


def attributes(one: One) -> dict[str, Value]:
    """Return what a run is, how it ended and what was said of it; what nobody said is left out."""
    details, row = one.details, one.row
    command = details.get("command")
    found: dict[str, Value] = {key: details.get(key) for key in ("operation", "project", "status", "exit_status")}
    if row.stopped is not None and row.status != "staged":
        found["duration"] = clock((row.stopped - row.started) / 1_000_000)
    found |= {
        "label": details.get("label"),
        "tags": sorted(cast("list[str]", details.get("tags") or [])) or None,
        "marked": details.get("marked") or None,
        "protected": details.get("protected") or None,
        "comments": len(cast("list[Value]", details.get("comments") or [])) or None,
        "command": _command(command) if isinstance(command, list) else None,
    }
    found |= {f"git {key}": value for key, value in _mapping(details.get("git")).items()}
    return {key: value for key, value in found.items() if value is not None}


def environment(one: One) -> dict[str, Value]:
    """Return what is recorded of the surroundings of a run: versions, machine, and the variables that are kept."""
    host = _mapping(one.details.get("evidence")).get("host")
    found = {**_mapping(one.details.get("platform")), **({} if host is None else {"host": host})}
    return {**found, **_mapping(one.details.get("environment"))}


def requirements(one: One) -> dict[str, Value]:
    """Return what a run required, by its source, and what that was found to be."""
    found = one.details.get("dependencies")
    listed = [_mapping(value) for value in found] if isinstance(found, list) else []
    return {
        str(value.get("source")): {key: part for key, part in value.items() if key not in ("source", "resource")}
        for value in listed
    }


def value_sections(pair: Pair) -> dict[str, Values]:
    """Return the sections of values by their names, in the order in which they are shown."""
    before, after = pair
    found = [
        Values("attributes", attributes(before), attributes(after)),
        Values("flags", _mapping(before.details.get("flags")), _mapping(after.details.get("flags"))),
        Values("environment", environment(before), environment(after)),
        Values("dependencies", requirements(before), requirements(after)),
        Scalars(
            "scalars",
            _mapping(before.details.get("scalars")),
            _mapping(after.details.get("scalars")),
            (before.name, after.name),
        ),
    ]
    return {section.name: section for section in found}


def _place(name: str) -> tuple[int, str]:
    """Return what names are sorted by: attributes as `runs info` has them, all else by name."""
    return _ORDER.index(name) if name in _ORDER else len(_ORDER), name


def _told(name: str, before: str, after: str) -> Iterator[str]:
    """Yield one line, or of long values three."""
    if len(before) + len(after) <= _READ_AT_ONCE:
        yield f"  {name}: {before} -> {after}"
        return
    yield f"  {name}:"
    yield f"    - {before}"
    yield f"    + {after}"


def _command(words: Sequence[Value]) -> str:
    from operations.command import format_command

    return format_command([str(word) for word in words])


def _mapping(value: Value) -> Mapping[str, Value]:
    return value if isinstance(value, dict) else {}


def _text(values: Mapping[str, Value], name: str) -> str:
    """Return a value for people; `-` stands for none, and what is easily taken for something else is quoted."""
    if name not in values:
        return "-"
    from operations.flags import flow_text

    value = values[name]
    if name == "tags" and isinstance(value, list):
        return printable(", ".join(map(str, value)), _LONGEST)
    is_plain = isinstance(value, str) and value not in ("", "-") and value == value.strip()
    return printable(str(value) if is_plain else flow_text(cast("FlagValue", value)), _LONGEST)


def _point(summary: Value, kind: str) -> str:
    """Return one value of a summary with its step: `0.25 @100`."""
    point = _mapping(summary).get(kind)
    if not isinstance(point, list) or not point:
        return "-"
    value, step = point[0], point[1] if len(point) > 1 else None
    shown = f"{value:.6g}" if isinstance(value, float) else printable(str(value))
    return shown if step is None else f"{shown} @{step}"
