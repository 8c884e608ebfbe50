"""Canonical bytes: each value comes back as it was, equal values have equal bytes, nothing becomes null in silence."""

from __future__ import annotations

import json
import math
import struct
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger import canonical
from ledger.canonical import Value, decode, encode
from ledger.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_LEVELS = 100

texts = st.text(st.characters(exclude_categories=()), max_size=8)
"""Any text, lone surrogates included: undecodable bytes of paths come as such."""

keys = st.one_of(texts, st.sampled_from(["$", "$int", "$float", "$map", "$bytes", "$text", "plain"]))
odd_keys = st.one_of(keys, st.integers(), st.binary(max_size=4), st.none())
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-(2**200), 2**200), st.floats(), texts, st.binary(max_size=8)
)


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(keys, inner, max_size=4),
        st.dictionaries(odd_keys, inner, max_size=3),
    )


values: st.SearchStrategy[Value] = st.recursive(scalars, _nested, max_leaves=12)


def same(left: object, right: object) -> bool:
    """Tell whether two values are the same in type and content; unlike `==`, 1 is not 1.0 and NaN is NaN."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float) and isinstance(right, float):
        return (math.isnan(left) and math.isnan(right)) or struct.pack("d", left) == struct.pack("d", right)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        typed = {(type(key), key): item for key, item in right.items()}
        return len(left) == len(typed) and all(
            (type(key), key) in typed and same(item, typed[type(key), key]) for key, item in left.items()
        )
    return left == right


def _shuffled(value: object) -> object:
    """Return the same value with every mapping in reverse order of insertion."""
    if isinstance(value, list):
        return [_shuffled(item) for item in value]
    if isinstance(value, dict):
        return {key: _shuffled(item) for key, item in reversed(value.items())}
    return value


def _levels(depth: int, wrap: Callable[[Value], Value]) -> Value:
    value: Value = 1
    for _ in range(depth):
        value = wrap(value)
    return value


@given(values)
@example([math.nan, math.inf, -math.inf, -0.0, 5e-324])
@example([2**63, -(2**63) - 1, 2**63 - 1, 10**5000])
@example({"$int": "0x1", "$float": {"$float": "nan"}})
@example({"\udcff": "\ud800", "": b""})
def test_every_value_comes_back_as_it_was(value: Value) -> None:
    """What is decoded is what was encoded, whatever JSON itself can say."""
    assert same(decode(encode(value)), value)


@given(values)
def test_equal_values_have_equal_bytes(value: Value) -> None:
    """The order in which a mapping was filled does not show, and encoding again changes nothing."""
    data = encode(value)
    assert encode(_shuffled(value)) == data  # type: ignore[arg-type]  # the same kinds of values
    assert encode(decode(data)) == data


@given(values, values)
def test_different_values_have_different_bytes(one: Value, other: Value) -> None:
    """No explicit form can be mistaken for a value that merely looks like it."""
    assert (encode(one) == encode(other)) == same(one, other)


@given(values)
def test_bytes_are_strict_json_with_sorted_keys(value: Value) -> None:
    """Any JSON reader takes them: UTF-8, no NaN or Infinity, keys in the order of their bytes and none twice."""
    text = encode(value).decode("utf-8")
    mappings: list[list[str]] = []
    constants: list[str] = []
    json.loads(
        text,
        object_pairs_hook=lambda pairs: mappings.append([key for key, _ in pairs]),
        parse_constant=constants.append,
    )
    assert constants == []
    for names in mappings:
        assert names == sorted(names, key=str.encode)
        assert len(names) == len(set(names))


def _nulls(value: object) -> int:
    if isinstance(value, dict):
        return sum(_nulls(key) + _nulls(item) for key, item in value.items())
    if isinstance(value, list):
        return sum(map(_nulls, value))
    return value is None


@given(values)
def test_nothing_becomes_null_in_silence(value: Value) -> None:
    """There are as many nulls in the bytes as Nones in the value."""
    assert _nulls(json.loads(encode(value))) == _nulls(value)


@given(values)
@example({"a": None, "b": "null", "c": [None], "d": math.nan})
@example({"a": None, "b": math.nan})
@example([2**53 - 1, 2**53, 2**64 - 1, "$x", {"a$": 1}])
def test_the_short_way_gives_the_bytes_of_the_long_one(value: Value) -> None:
    """What JSON says as it is needs no form of its own; that is found out without a look at each part."""
    short, explicit = canonical._said_at_once(value), canonical._plain(value, 0)
    assert short in (None, orjson.dumps(explicit, option=canonical._OPTIONS))


def test_the_short_way_is_taken_by_what_is_recorded_of_runs() -> None:
    """Otherwise the law above would hold of nothing."""
    assert canonical._said_at_once({"label": None, "flags": {"lr": 0.1, "layers": (1, 2)}, "dirty": False}) is not None


@pytest.mark.parametrize(
    ("value", "data"),
    [
        ({"b": 1, "a": [True, None, "é"]}, '{"a":[true,null,"é"],"b":1}'.encode()),
        (math.nan, b'{"$float":"nan"}'),
        (-math.inf, b'{"$float":"-inf"}'),
        (2**64, b'{"$int":"0x10000000000000000"}'),
        (-(2**64), b'{"$int":"-0x10000000000000000"}'),
        (2**63 - 1, b"9223372036854775807"),
        (-(2**63), b"-9223372036854775808"),
        (2**63, b'{"$int":"0x8000000000000000"}'),
        (-(2**63) - 1, b'{"$int":"-0x8000000000000001"}'),
        (b"\xff\x00", b'{"$bytes":"/wA="}'),
        ("\udcff", b'{"$text":"7bO/"}'),
        ({"$x": 1, "a": 2}, b'{"$map":[["$x",1],["a",2]]}'),
        ({2: "two", None: "none"}, b'{"$map":[[2,"two"],[null,"none"]]}'),
        (1.0, b"1.0"),
        ((1, (2,)), b"[1,[2]]"),
        ({"😀": 1, "\uffff": 2}, '{"\uffff":2,"😀":1}'.encode()),
    ],
)
def test_the_written_forms_never_change(value: Value, data: bytes) -> None:
    """These bytes are in ledgers for ever."""
    assert encode(value) == data


class Colour(Enum):
    """What a JSON library would turn into a text of its own accord."""

    RED = "red"


@pytest.mark.parametrize(
    "value",
    [
        {1, 2}, object(), 1j, bytearray(b"x"), [print], {"a": {"b": range(3)}}, [Colour.RED], {"a": UUID(int=1)},
        {"a": datetime(2000, 1, 1, tzinfo=UTC)}, [orjson.Fragment(b"1")],
    ],
)  # fmt: skip
def test_a_value_without_a_canonical_form_is_refused(value: Value) -> None:
    """An unknown type is an error that names it, not its `repr` or null."""
    with pytest.raises(LedgerError, match="cannot be recorded"):
        encode(value)


@pytest.mark.parametrize("value", [{(1, 2): "x"}, [{"a": {(): 1}}]])
def test_a_key_that_could_not_be_read_back_is_refused(value: Value) -> None:
    """Decoding would make a list of a tuple, which no mapping takes as a key: such a record would be lost."""
    with pytest.raises(LedgerError, match="key"):
        encode(value)


@pytest.mark.parametrize(
    ("wrap", "most"),
    [
        (lambda inner: [inner], MOST_LEVELS),
        (lambda inner: {"a": inner}, MOST_LEVELS),
        (lambda inner: {"$a": inner}, MOST_LEVELS // 3),
        (lambda inner: {1: inner}, MOST_LEVELS // 3),
    ],
    ids=["lists", "mappings", "dollar keys", "number keys"],
)
def test_values_nest_to_a_hundred_levels_and_no_further(wrap: Callable[[Value], Value], most: int) -> None:
    """A hundred levels as written come back; one more is a clear refusal and no failure of a library."""
    deepest = _levels(most, wrap)
    assert same(decode(encode(deepest)), deepest)
    for too_deep in (wrap(deepest), _levels(5000, wrap)):
        with pytest.raises(LedgerError, match="deeper"):
            encode(too_deep)


@given(st.one_of(st.binary(max_size=40), values.map(encode).map(lambda data: data[:-1])))
@example(b'{"$int":"zz"}')
@example(b'{"$int":1e400}')
@example(b'{"$map":[[[1],2]]}')
@example(b'{"$map":3}')
@example(b'{"$map":[[]]}')
@example(b'{"$bytes":"a"}')
@example(b'{"$text":"/w=="}')
@example(b'{"$float":"fast"}')
@example(b'{"$new":1}')
def test_bytes_that_are_not_canonical_are_an_error_or_a_value(data: bytes) -> None:
    """Whatever a damaged row holds, reading it ends in a sound value or in the ledger's own error."""
    try:
        value = decode(data)
    except LedgerError as error:
        assert error.message  # noqa: PT017 - an error is one of the two right ends
    else:
        assert same(decode(encode(value)), value)


@pytest.mark.parametrize("levels", [900, 5000])
def test_bytes_that_nest_too_deeply_are_an_error(levels: int) -> None:
    """A forged body cannot exhaust the interpreter's stack."""
    with pytest.raises(LedgerError, match="cannot be decoded"):
        decode(b"[" * levels + b'{"$int":"0x1"}' + b"]" * levels)


def test_subclasses_are_recorded_as_what_they_are() -> None:
    """An enumeration's member or a subclass of a number has the bytes of its plain value."""

    class Word(str):
        __slots__ = ()

    class Count(int):
        pass

    assert encode([Word("a"), Count(3), Count(2**70)]) == encode(["a", 3, 2**70])
