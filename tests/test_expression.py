"""The expression language of filters: what is read, where errors point, and that its SQL means what it says."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import UTC
from operator import eq, ge, gt, le, lt
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.events.life import RunDeleted, RunStatusChanged
from ledger.events.notes import RunCommented, RunMarked, RunScalarsRecorded, RunTagged
from ledger.events.start import RunStarted
from projections import candidates
from projections.expression import All, Comparison, ExpressionError, Node, Not, parse
from projections.query import Query, RunFilter
from projections.rebuild import rebuild_in_memory
from tests.kit import NOON, append, happens, make_ledger, run_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.canonical import Value
    from projections.index import Index


def shape(node: Node) -> object:
    """Return a tree as nested lists."""
    if isinstance(node, Comparison):
        values = [value.text if value.number is None else value.number for value in node.values]
        return [f"{node.name.kind}:{node.name.text}".removeprefix(":"), node.operator, *values]
    if isinstance(node, Not):
        return ["not", shape(node.term)]
    return ["all" if isinstance(node, All) else "any", *map(shape, node.terms)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1", ["a", "=", 1]),
        ("a=1", ["a", "=", 1]),
        ("a == x", ["a", "=", "x"]),
        ("a <> -1.5", ["a", "!=", -1.5]),
        ("a != .5", ["a", "!=", 0.5]),
        ("a <= 1e-4", ["a", "<=", 1e-4]),
        ("a >= -inf", ["a", ">=", float("-inf")]),
        ("a = 123456789012345678", ["a", "=", 123456789012345678]),
        ("a = nan", ["a", "=", "nan"]),
        ("a = '1'", ["a", "=", "1"]),
        ('a = "it\'s"', ["a", "=", "it's"]),
        (r"a = 'it\'s'", ["a", "=", "it's"]),
        ("a = m:train", ["a", "=", "m:train"]),
        ("batch-size in [100,200]", ["batch-size", "in", 100, 200]),
        ("a not in [x, 'y z']", ["a", "not in", "x", "y z"]),
        ("a in []", ["a", "in"]),
        ("a contains x.y/z", ["a", "contains", "x.y/z"]),
        ("a is undefined", ["a", "undefined"]),
        ("a IS NOT undefined", ["a", "defined"]),
        ("flag:a = 1", ["flag:a", "=", 1]),
        ("scalar:train/loss < 1", ["scalar:train/loss", "<", 1]),
        ("scalar:'val loss' < 1", ["scalar:val loss", "<", 1]),
        ("'val loss' < 1", ["val loss", "<", 1]),
        ("other:a = 1", ["other:a", "=", 1]),
        ("started > last week and a = 1", ["all", ["started", ">", "last week"], ["a", "=", 1]]),
        ("not a = 1", ["not", ["a", "=", 1]]),
        ("a = 1 or b = 2 and c = 3", ["any", ["a", "=", 1], ["all", ["b", "=", 2], ["c", "=", 3]]]),
        ("(a = 1 or b = 2) and not c = 3", ["all", ["any", ["a", "=", 1], ["b", "=", 2]], ["not", ["c", "=", 3]]]),
        ("not (not a = 1)", ["not", ["not", ["a", "=", 1]]]),
        (" a\n=\t1 ", ["a", "=", 1]),
    ],
)
def test_an_expression_is_read(text: str, expected: object) -> None:
    """`and` binds closer than `or`, `not` closest; names may have dashes, dots, slashes and, in quotes, anything."""
    assert shape(parse(text)) == expected


@pytest.mark.parametrize(
    ("text", "column", "what"),
    [
        ("", 0, "expected the name"),
        ("  ", 0, "expected the name"),
        ("a", 1, "expected a comparison"),
        ("a <", 3, "expected a value"),
        ("a < and", 4, "expected a value"),
        ("a = 1 b", 6, "expected 'and', 'or' or the end"),
        ("a = 1 and", 9, "expected the name"),
        ("a = 1 or or", 9, "expected the name"),
        ("(a = 1", 6, "expected ')'"),
        ("a = 1)", 5, "expected 'and'"),
        ("a in 1", 5, "expected '['"),
        ("a in [1", 7, "expected ',' or ']'"),
        ("a in [1 2]", 8, "expected ',' or ']'"),
        ("a in [,]", 6, "expected a value"),
        ("a is", 4, "expected 'undefined'"),
        ("a not 1", 6, "expected 'in'"),
        ("a = 'x", 4, "quote is not closed"),
        ("a ! b", 2, "not understood"),
        ("flag: = 1", 5, "expected a name after 'flag:'"),
        ("= 1", 0, "expected the name"),
        ("not", 3, "expected the name"),
        ("(" * 21 + "a = 1" + ")" * 21, 20, "nested deeper"),
        (" or ".join(["a = 1"] * 201), 1800, "more than 200"),
    ],
)
def test_an_error_points_at_its_column(text: str, column: int, what: str) -> None:
    """The message repeats the expression, and a caret stands under what is wrong."""
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert caught.value.column == column
    said, shown, caret = caught.value.message.split("\n")
    assert what in said
    assert caret.endswith("^")
    assert shown[len(caret) - 1 :].startswith(text[column : column + 5])


@given(st.text("ab=<>!()[],'\" \\:-.1e\x1b\nnotandorisié", max_size=30))
def test_any_text_is_an_expression_or_an_error_at_a_column(text: str) -> None:
    """Never a failure of the program, and nothing in the message that could command a terminal."""
    try:
        parse(text)
    except ExpressionError as caught:
        error = caught
    else:
        return
    assert 0 <= error.column <= len(text)
    assert "\x1b" not in error.message


# --- What it means ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """A run of the plain model: texts and numbers by what they are called."""

    number: int
    values: dict[str, tuple[object, ...]]


OPERATIONS = ("train", "test")
TEXTS = ("adam", "Adam", "é", "a%_", "1", "true")


def _made(number: int) -> tuple[list[object], Run]:
    """Return the events of a run, and what the model knows of it."""
    operation = OPERATIONS[number % 2]
    label = (None, "good", "very good", "é")[number % 4]
    package = None if number % 3 else "pkg"
    flags: dict[str, Value] = {"text": TEXTS[number % 6]} if number % 5 else {}
    if number % 7:
        flags["lr"] = (0.1 * (number % 4), number % 3, True, "x", float("inf"), float("nan"), 2**62 + 1)[number % 7]
    start = RunStarted(None if package else "/p", package, "m", operation, (), flags, label)
    values: dict[str, tuple[object, ...]] = {
        "operation": (operation, f"m:{operation}"), "label": (label,) if label else (), "model": ("m",),
        "package": (package,) if package else (), "id": (run_id(number),),
    }  # fmt: skip
    for name in ("text", "lr"):
        value = flags.get(name)
        values[name] = () if value is None else (1, "true") if value is True else (value,)
        values[name] = ("nan",) if value != value else values[name]  # noqa: PLR0124 - that is what NaN is
    events: list[object] = [start]
    values["status"] = ("running",)
    values["exit_status"] = ()
    if number % 4 != 1:
        status = ("completed", "error", "terminated")[number % 3]
        events.append(RunStatusChanged(status=status, exit_status=number % 3))
        values |= {"status": (status,), "exit_status": (number % 3,)}
    tags = [tag for digit, tag in enumerate(("t", "u", "é")) if number >> digit & 1]
    comments = [text for digit, text in enumerate(("first words", "words")) if number >> digit & 2]
    events += [RunTagged(added=tuple(tags))] if tags else []
    events += [RunCommented(text=text) for text in comments]
    events += [RunMarked(marked=True)] if number % 3 == 1 else []
    values |= {"tag": tuple(tags), "comment": tuple(comments), "marked": ("true" if number % 3 == 1 else "false",)}
    values["loss"] = (number % 5 / 2,) if number % 2 else ()
    if number % 2:
        events.append(RunScalarsRecorded({"loss": {"last": [number % 5 / 2, 1]}}))
    return events, Run(number, values)


RUNS = 60


@pytest.fixture(scope="module")
def index() -> Iterator[Index]:
    """Give an index of runs that have all sorts of values."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = make_ledger(Path(folder))
        for number in range(RUNS):
            append(ledger, *(happens(number, event) for event in _made(number)[0]))  # type: ignore[arg-type]  # events
        append(ledger, happens(2, RunDeleted()))
        index = rebuild_in_memory(ledger)
        yield index
        index.close()
        ledger.store.close()


MODEL = [_made(number)[1] for number in range(RUNS) if number != 2]
ORDER = {"=": eq, "<": lt, "<=": le, ">": gt, ">=": ge}
TEXT_NAMES = ("operation", "label", "package", "tag", "comment", "model", "op", "attr:label")
VALUE_NAMES = ("text", "lr", "loss", "flag:lr", "flag:text", "scalar:loss", "scalar:none", "flag:unknown")
LITERALS = (
    "0", "1", "0.5", "1e-4", "-inf", "inf", "4611686018427387905", "adam", "'1'", "true", "nan", "é", "good",
    "'very good'", "train", "m:test", "t", "words", "pkg", "x", "''", "'%'",
)  # fmt: skip


def _number(literal: str) -> float | None:
    try:
        return None if literal == "nan" else (int(literal) if literal.isdecimal() else float(literal))
    except ValueError:
        return None


def _compares(value: object, operator: str, literal: str, *, text_only: bool) -> bool:
    number = None if text_only else _number(literal)
    if number is not None:
        return isinstance(value, int | float) and bool(ORDER[operator](value, number))
    return isinstance(value, str) and bool(ORDER[operator](value, literal.strip("'")))


def holds(run: Run, name: str, operator: str, literals: list[str]) -> bool:
    """Tell whether a comparison holds, in plain Python."""
    bare = name.partition(":")[2] or name
    values = run.values.get({"op": "operation"}.get(bare, bare), ())
    text_only = name in TEXT_NAMES
    if operator in ("is undefined", "is not undefined"):
        return (operator == "is undefined") == (not values)
    if operator == "contains":
        return any(isinstance(value, str) and literals[0].strip("'") in value for value in values)
    if operator in ("=", "!=", "in", "not in"):
        equal = any(_compares(value, "=", literal, text_only=text_only) for value in values for literal in literals)
        return bool(values) and equal == (operator in ("=", "in"))
    return any(_compares(value, operator, literals[0], text_only=text_only) for value in values)


Term = tuple[str, set[int]]
"""An expression as text, and the runs that it must find."""


@st.composite
def comparisons(draw: st.DrawFn) -> Term:
    """Return a comparison of a text attribute, a flag or a scalar."""
    name = draw(st.sampled_from((*TEXT_NAMES, *VALUE_NAMES)))
    operator = draw(
        st.sampled_from(
            ("=", "!=", "<", "<=", ">", ">=", "in", "not in", "contains", "is undefined", "is not undefined")
        )
    )
    literals = draw(st.lists(st.sampled_from(LITERALS), min_size=1, max_size=3))
    found = {run.number for run in MODEL if holds(run, name, operator, literals)}
    if operator.startswith("is"):
        return f"{name} {operator}", found
    if operator in ("in", "not in"):
        return f"{name} {operator} [{', '.join(literals)}]", found
    return f"{name} {operator} {literals[0]}", {run.number for run in MODEL if holds(run, name, operator, literals[:1])}


EVERYONE = {run.number for run in MODEL}
terms = st.recursive(
    comparisons(),
    lambda inner: st.one_of(
        st.builds(lambda one: (f"not ({one[0]})", EVERYONE - one[1]), inner),
        st.builds(lambda one, two: (f"({one[0]}) and ({two[0]})", one[1] & two[1]), inner, inner),
        st.builds(lambda one, two: (f"({one[0]}) or ({two[0]})", one[1] | two[1]), inner, inner),
    ),
    max_leaves=5,
)


def found(index: Index, expression: str, **more: object) -> set[int]:
    """Return the runs that an expression finds; and check that counts, rows and single runs agree."""
    query = Query(index, RunFilter(expression=expression, now=NOON, zone=UTC, **more))  # type: ignore[arg-type]
    rows = list(query.rows())
    assert query.count() == len(rows)
    assert sum(count for _, count in query.counts("status")) == len(rows)
    everything = list(Query(index, RunFilter()).rows())
    assert [row for row in everything if query.holds(row)] == rows
    assert [row.run_id for row in rows] == [row.run_id for row in everything if row in rows]
    assert sorted(query.rows(sort="lr", reverse=True)) == sorted(rows)
    numbers = {run_id(number): number for number in range(RUNS)}
    return {numbers[row.run_id] for row in rows}


@settings(
    deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(terms, st.sampled_from([0, 3, 4_000]))
def test_the_sql_means_what_the_expression_says(index: Index, term: Term, most: int) -> None:
    """Whether runs are found by an index first or tested one by one: the same as a plain evaluation gives."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "MOST", most)
        assert found(index, term[0]) == term[1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("operation = m:train and not package = pkg", lambda n: n % 2 == 0 and n % 3),
        ("marked = true", lambda n: n % 3 == 1),
        ("marked != yes", lambda n: n % 3 != 1),
        ("status in [error, running]", lambda n: n % 4 == 1 or n % 3 == 1),
        ("status != running", lambda n: n % 4 != 1),
        ("exit_status > 0", lambda n: n % 4 != 1 and n % 3),
        ("exit-status is undefined", lambda n: n % 4 == 1),
        ("exit_status in [0, 2]", lambda n: n % 4 != 1 and n % 3 != 1),
        (f"id = {run_id(7)[:8]}", lambda n: n == 7),
        (f"id in [{run_id(7)}, '{run_id(9)[:9].upper()}']", lambda n: n in (7, 9)),
        (f"id != {run_id(7)[:8]}", lambda n: n != 7),
        ("digest is undefined", lambda _: True),
        ("digest = ab", lambda _: False),
        ("project = /p", lambda n: n % 3),
        ("started = today", lambda _: True),
        ("started < today or started = yesterday", lambda _: False),
        ("started <= 2026-01-01 12:00:03", lambda n: n <= 2),
        ("started > '2026-01-01 12:00:03'", lambda n: n > 2),
        ("started in ['2026-01-01 12:00:03', '2026-01-01 12:00:05']", lambda n: n in (2, 4)),
        ("started != 2026-01-01T12:00:03Z and started is not undefined", lambda n: n != 2),
        ("stopped >= '2026-01-01 12:00:58'", lambda n: n >= 57 and n % 4 != 1),
        ("stopped is undefined", lambda n: n % 4 == 1),
        ("stopped is not undefined and not stopped < 2026-01-01 12:01", lambda n: n >= 59 and n % 4 != 1),
        ("min:loss is undefined", lambda _: True),
        ("step:loss = 1", lambda n: n % 2),
        ("lr = 4611686018427387905", lambda n: n % 7 == 6),
        ("label in []", lambda _: False),
        ("label not in []", lambda n: n % 4),
    ],
)
def test_attributes_are_what_is_known_of_a_run(index: Index, text: str, expected: object) -> None:
    """Ids and digests by their beginning, times by the range that they name, seeds with all their digits."""
    assert callable(expected)
    numbers = {number for number in range(RUNS) if number != 2 and expected(number)}
    assert found(index, text) == numbers


@pytest.mark.parametrize(
    ("text", "column", "what"),
    [
        ("lr = 1 and attr:lable = x", 11, "there is no attribute 'lable' (did you mean 'label'?)"),
        ("status = complete", 9, "there is no status 'complete' (did you mean 'completed'?)"),
        ("marked = maybe", 9, "marked is true or false"),
        ("marked < true", 7, "compared with = or !="),
        ("id = xyz", 5, "hexadecimal"),
        ("id contains a", 3, "compared with"),
        ("digest = ''", 9, "hexadecimal"),
        ("started > soon", 10, "no range of time"),
        ("started contains x", 8, "no text"),
        ("exit_status = x", 14, "a number"),
        (
            "lr = 1 and not los > 3",
            15,
            "scalar 'los', and it is no attribute (did you mean 'loss'?)",
        ),
        ("protected = maybe", 12, "protected is true or false"),
        ("duration > 1h", 11, "a number of seconds"),
        ("duration contains 1", 9, "no text"),
        ("deleted = true", 0, "scalar 'deleted', and it is no attribute"),
        ("index < 3", 0, "scalar 'index', and it is no attribute"),
        ("unheard is undefined", 0, "no run has a flag or scalar 'unheard'"),
    ],
)
def test_a_comparison_without_meaning_is_an_error_at_its_column(
    index: Index, text: str, column: int, what: str
) -> None:
    """It says what would have one."""
    with pytest.raises(ExpressionError) as caught:
        Query(index, RunFilter(expression=text, now=NOON))
    assert (caught.value.column, what in caught.value.message) == (column, True)


@pytest.mark.parametrize(("text", "hint"), [("deleted = true", "--deleted"), ("attr:index < 3", "as an argument")])
def test_a_column_that_is_chosen_by_otherwise_says_how(index: Index, text: str, hint: str) -> None:
    """Positions and the trash are no attributes of a run: the hint names what chooses by them."""
    with pytest.raises(ExpressionError) as caught:
        Query(index, RunFilter(expression=text, now=NOON))
    assert hint in str(caught.value.hint)


def test_large_expressions_are_answered(index: Index) -> None:
    """As many comparisons and values as are read are also bound, with every other filter beside them."""
    values = ", ".join(map(str, range(1_000)))
    text = " or ".join([f"lr in [{values}]"] * 20 + ["label = good"] * 180)
    assert found(index, text) >= found(index, "label = good")
    nested = inner = "label = good"
    for level in range(6):
        nested = f"not (({nested}) and {inner})" if level % 2 else f"not ({nested} or {inner})"
    assert found(index, nested) == EVERYONE
    plain = inner
    for level in range(18):
        plain = f"({plain} {'or' if level % 2 else 'and'} {inner})"
    assert found(index, plain) == found(index, inner)
