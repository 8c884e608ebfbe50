"""From specs to columns: which attribute, flag or scalar of the index each of them shows, and what runs have there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ledger.dataclass import replace
from ledger.text import did_you_mean, printable
from projections.attributes import attribute, value_names
from projections.cells import ATTRIBUTES, Cell, Chunk, Reader, attribute_reader
from projections.column_specs import ANY, ATTRIBUTE, FLAG, LAST, SCALAR, ColumnSpec, quoted
from projections.details import Value, values_of
from projections.errors import index_errors
from projections.escaping import as_stored

if TYPE_CHECKING:
    import sqlite3

    from projections.rows import RunRow

CORE = ("run", "operation", "started", "time", "status", "label")
"""Columns that stand first unless they are left out, by the names of attributes."""

_SAID = {"run": "id", "time": "duration", "sourcecode_digest": "digest"}
"""Other words for attributes, as this kind of table calls them."""

_SUMMARY = {
    ("first", False): "first", ("first", True): "first_step", ("min", True): "min_step", ("max", True): "max_step",
    ("mean", False): "mean", ("count", False): "count", ("total", False): "total",
}  # fmt: skip
"""What is not in the table of values, but in that of summaries."""

_KINDS = {(LAST, False): "scalar", ("min", False): "min", ("max", False): "max", (LAST, True): "step"}


class Source(NamedTuple):
    """Where a cell comes from.

    Attributes:
        kind: `attribute`, `flag` or `scalar`.
        name: an attribute of `ATTRIBUTES`, a flag, or a scalar's key.
        part: what of a scalar, see `ColumnSpec`.
        step: its step.
        number: of the name in the index; 0 for one that no run has, and for attributes.
    """

    kind: str
    name: str
    part: str = LAST
    step: bool = False
    number: int = 0

    def sort(self) -> str:
        """Return what a query is sorted by to be in the order of this: see `projections.sorting`."""
        if self.kind == ATTRIBUTE:
            return self.name
        if self.kind == FLAG:
            return f'flag:"{self.name}"'
        return f'{_KINDS.get((self.part, self.step)) or _SUMMARY[self.part, self.step]}:"{self.name}"'

    def summary(self) -> str:
        """Return the column of the table of summaries that holds it; empty when another table does."""
        return _SUMMARY.get((self.part, self.step), "") if self.kind == SCALAR else ""


class Column(NamedTuple):
    """A column of a comparison.

    Attributes:
        header: what stands above it.
        spec: what it is called in `--columns`; of several with one heading the first.
        sources: what it shows: the first of them that a run has.
    """

    header: str
    spec: str
    sources: tuple[Source, ...]

    @property
    def kind(self) -> str:
        """What it shows first: `attribute`, `flag` or `scalar`."""
        return self.sources[0].kind

    def is_number(self) -> bool:
        """Tell whether it shows numbers only, as scalars and durations are."""
        return all(one.kind == SCALAR or one.name == "duration" for one in self.sources)


def resolved(database: sqlite3.Connection, spec: ColumnSpec) -> Source:
    """Return what a spec names in an index.

    Raises:
        ColumnError: there is no such attribute, or no flag or scalar of this bare name, though runs have others.
    """
    name = attribute(_SAID.get(spec.name, spec.name))
    if spec.kind == ATTRIBUTE:
        if name not in ATTRIBUTES:
            guess = did_you_mean(spec.name, (*ATTRIBUTES, *_SAID))
            raise spec.error(
                f"runs have no attribute '{printable(spec.name, 80)}'{guess}",
                hint=f"Attributes are {', '.join(ATTRIBUTES)}.",
            )
        return Source(ATTRIBUTE, name)
    if spec.kind != ANY:
        return Source(spec.kind, spec.name, spec.part, spec.step, _number(database, spec))
    for kind in (SCALAR, FLAG):
        number = _number(database, ColumnSpec(kind, spec.name))
        if number:
            return Source(kind, spec.name, number=number)
    if name in ATTRIBUTES:
        return Source(ATTRIBUTE, name)
    names = value_names(database, ("flag", "scalar"))
    if not names:
        return Source(SCALAR, spec.name)  # before the first run nothing can be called mistyped
    known = [f"={quoted(one[5:])}" if one.startswith("flag:") else one[7:] for one in names]
    guess = did_you_mean(spec.name, [*(one.partition(":")[2] for one in names), *known, *ATTRIBUTES, *_SAID])
    raise spec.error(
        f"no run has '{printable(spec.name, 80)}'{guess}",
        hint="A column is a scalar (loss, min loss, loss step), a flag (=lr) or an attribute (.label)."
        f" Write `last {printable(quoted(spec.name), 80)}` for a scalar that is still to come.",
    )


def columns_of(database: sqlite3.Connection, specs: Iterable[ColumnSpec]) -> tuple[Column, ...]:
    """Return the columns of specs, each source once; those with the same heading are one column.

    Raises:
        ColumnError: see `resolved`.
    """
    found: dict[Source, Column] = {}
    headed: dict[str, list[Source]] = {}
    for spec in specs:
        source = resolved(database, spec)
        if spec.heading:
            headed.setdefault(spec.heading, []).append(source)
        if source not in found or (spec.heading and found[source].header != spec.heading):
            found[source] = Column(spec.heading or _header(source, spec), str(_exact(source)), (source,))
    merged: dict[tuple[str, bool], Column] = {}
    for source, column in found.items():
        is_headed = source in headed.get(column.header, ())
        sources = tuple(dict.fromkeys(headed[column.header])) if is_headed else (source,)
        merged.setdefault((column.header if is_headed else column.spec, is_headed), column._replace(sources=sources))
    return _told_apart([*merged.values()])


def _told_apart(columns: Sequence[Column]) -> tuple[Column, ...]:
    """Return the columns, each with a header of its own: where two have the same, flags and attributes get their sign.

    Of a scalar and a flag `loss` the flag is `=loss`, of an attribute and a flag `label` too.
    """
    for kind in (FLAG, ATTRIBUTE):
        twice = {header for header, count in Counter(one.header for one in columns).items() if count > 1}
        columns = [
            one._replace(header=one.spec) if one.kind == kind and one.header in twice else one for one in columns
        ]
    taken: set[str] = set()
    apart = []
    for column in columns:
        header, number = column.header, 2
        while header in taken:
            header, number = f"{column.header} {number}", number + 1
        taken.add(header)
        apart.append(column._replace(header=header))
    return tuple(apart)


def looked_up(database: sqlite3.Connection, columns: Iterable[Column]) -> list[Column]:
    """Return columns as this index has them: in another one, or later, their flags and scalars have other numbers."""
    return [
        column._replace(sources=tuple(one._replace(number=_number(database, _exact(one))) for one in column.sources))
        for column in columns
    ]


def asked(column: Column) -> str:
    """Return what to ask for to be given this very column again, its header included, as `--columns` takes it."""
    specs = [_said_as(source, column.header) for source in column.sources]
    texts = [_unmistakable(*one) for one in zip(column.sources, specs, strict=True)]
    if len(texts) == 1 and column.header in (_header(column.sources[0], specs[0]), str(specs[0])):
        return texts[0]
    return ", ".join(f"{text} as {quoted(column.header)}" for text in texts)


def _said_as(source: Source, header: str) -> ColumnSpec:
    """Return what names a source: an attribute by the word that stands above it, if that is one for it."""
    spec = _exact(source)
    is_word = source.kind == ATTRIBUTE and attribute(_SAID.get(header, header)) == source.name
    return replace(spec, name=header) if is_word else spec


def _unmistakable(source: Source, spec: ColumnSpec) -> str:
    """Return a spec as text; a bare name would be refused of a scalar that no run has yet."""
    is_bare = source.kind == SCALAR and (source.part, source.step) == (LAST, False)
    return f"{LAST} {spec}" if is_bare and not source.number else str(spec)


def _exact(source: Source) -> ColumnSpec:
    return ColumnSpec(source.kind, source.name, source.part, source.step)


def _header(source: Source, spec: ColumnSpec) -> str:
    if source.kind == ATTRIBUTE:
        return spec.name
    if source.kind == FLAG:
        return source.name
    qualifier = "" if source.part == LAST else f"{source.part} "
    return f"{qualifier}{source.name}{' step' if source.step else ''}"


def _number(database: sqlite3.Connection, spec: ColumnSpec) -> int:
    """Return the number of a flag's or scalar's name; 0 when no run has it, and for attributes."""
    if spec.kind == ATTRIBUTE:
        return 0
    prefix = FLAG if spec.kind == FLAG else _KINDS.get((spec.part, spec.step), SCALAR)
    full = f"{prefix}:{spec.name}"
    with index_errors():
        row = database.execute("SELECT name FROM name WHERE text = ?", (as_stored(full),)).fetchone()
    return 0 if row is None else int(row[0])


def readers(columns: Sequence[Column], chunk: Chunk) -> list[Reader]:
    """Return, for each column, what tells its cell of the runs of a chunk: all that is read is read here."""
    from projections.summaries import summaries_of

    sources = [source for column in columns for source in column.sources]
    numbers = {one.number for one in sources if one.number and not one.summary()}
    values = values_of(chunk.index, chunk.numbers(), sorted(numbers)) if numbers else {}
    parts = {one.summary() for one in sources if one.number and one.summary()}
    keys = {one.number for one in sources if one.number and one.summary()}
    more = summaries_of(chunk.index, chunk.numbers(), sorted(keys), sorted(parts)) if parts else {}
    return [_first([_reader(one, chunk, values, more) for one in column.sources]) for column in columns]


def _reader(
    source: Source,
    chunk: Chunk,
    values: Mapping[tuple[int, int], Value],
    summaries: Mapping[tuple[int, int, str], Value],
) -> Reader:
    if source.kind == ATTRIBUTE:
        return attribute_reader(source.name, chunk)
    part = source.summary()
    if part:
        return lambda row: summaries.get((row.number, source.number, part))
    return lambda row: values.get((row.number, source.number))


def _first(readers: Sequence[Reader]) -> Reader:
    if len(readers) == 1:
        return readers[0]

    def read(row: RunRow) -> Cell:
        return next((cell for one in readers if (cell := one(row)) is not None), None)

    return read
