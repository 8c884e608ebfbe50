"""Proves what `${flag}` means in the texts of an operation and among the values of flags."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operations.definitions import FlagValue
from operations.templates import TemplateError, filled, filled_values, references, text_of

VALUES: dict[str, FlagValue] = {
    "lr": 0.1,
    "n": 3,
    "on": True,
    "off": False,
    "unset": None,
    "name": "a b",
    "list": [1, "x"],
    "model.dim": 8,
    "batch-size": 32,
    "raw": "${lr}",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("plain", "plain"),
        ("${lr}", "0.1"),
        ("a ${n}${n} b", "a 33 b"),
        ("${on} ${off}", "true false"),
        ("<${unset}>", "<>"),
        ("x ${name}", "x a b"),
        ("${list}", '[1,"x"]'),
        ("${model.dim}/${batch-size}", "8/32"),
        ("\\${lr}", "${lr}"),
        ("\\${nothing} ${n}", "${nothing} 3"),
        ("$lr $ { ${ {lr} } ${lr", "$lr $ { ${ {lr} } ${lr"),
        ("{{lr}} ${n}", "{{lr}} 3"),
        ("$${n}", "$3"),
    ],
)
def test_references_become_the_text_of_their_values(text: str, expected: str) -> None:
    """Each reference is replaced once; everything else, escapes and foreign braces included, stays."""
    assert filled(text, VALUES, what="label") == expected


def test_what_a_value_holds_is_not_looked_at_again() -> None:
    """A value that looks like a reference was meant as text by the time a command is written."""
    assert filled("${raw}", VALUES, what="label") == "${lr}"


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 1e-4, 0.1])
def test_numbers_are_written_as_python_reads_them(value: float) -> None:
    """A process that reads its argument with `float` gets the number."""
    assert repr(float(text_of(value))) == repr(value)


def test_an_undefined_name_is_an_error_that_says_where() -> None:
    """Nothing runs with an empty text in the place of a slip of the fingers."""
    with pytest.raises(TemplateError) as caught:
        filled("--rate ${lrr}", VALUES, what="cmd of operation 'train'")

    assert caught.value.message == (
        "cmd of operation 'train' refers to '${lrr}', which is not defined (did you mean 'lr'?)"
    )
    assert "\\${lrr}" in (caught.value.hint or "")


def test_names_are_found_in_order() -> None:
    """Repeated names are kept, escaped ones are none."""
    assert references("${b} \\${c} ${a}${b}") == ["b", "a", "b"]


def test_values_refer_to_values_in_any_order() -> None:
    """A chain is resolved from its end, and the order of the flags stays."""
    values: dict[str, FlagValue] = {"a": "x-${b}", "b": "y-${c}", "c": 5, "d": ["${c}", {"k": "${a}"}]}

    resolved = filled_values(values)

    assert list(resolved.items()) == [("a", "x-y-5"), ("b", "y-5"), ("c", 5), ("d", [5, {"k": "x-y-5"}])]


@pytest.mark.parametrize("value", [5, 0.5, True, None, [1, 2], {"a": 1}, "text"])
def test_a_lone_reference_keeps_the_kind_of_its_value(value: FlagValue) -> None:
    """`${x}` and nothing else is the value of x, not its text."""
    assert filled_values({"x": value, "y": "${x}"}) == {"x": value, "y": value}


def test_an_escaped_reference_among_values_is_text() -> None:
    """The backslash goes, whether or not any value holds a reference, and the text is not resolved later."""
    assert filled_values({"a": "\\${b}"}) == {"a": "${b}"}
    assert filled_values({"a": "\\${b}", "b": "${a}"}) == {"a": "${b}", "b": "${b}"}


@pytest.mark.parametrize(
    "values",
    [{"a": "${a}"}, {"a": "x${b}", "b": "${c}", "c": ["${a}"]}],
)
def test_a_circle_is_an_error(values: dict[str, FlagValue]) -> None:
    """Values that need each other have no value."""
    with pytest.raises(TemplateError, match=r"in a circle: .*a"):
        filled_values(values)


def test_an_undefined_name_among_values_names_the_flag() -> None:
    """The message says which flag is wrong."""
    with pytest.raises(TemplateError, match=r"value of flag 'a' refers to '\$\{zzz\}'"):
        filled_values({"a": "${zzz}", "b": "${a}"})


def test_a_long_chain_is_no_problem() -> None:
    """The depth of references is not limited by the stack."""
    values: dict[str, FlagValue] = {f"f{i}": f"${{f{i + 1}}}" for i in range(5000)}

    assert filled_values(values | {"f5000": 7})["f0"] == 7


def test_references_that_multiply_are_stopped() -> None:
    """A few short lines cannot make a text of gigabytes."""
    values: dict[str, FlagValue] = {f"f{i}": f"${{f{i + 1}}}" * 10 for i in range(20)}

    with pytest.raises(TemplateError, match="longer than 1000000 characters"):
        filled_values(values | {"f20": "x"})


@settings(deadline=None)
@given(st.text("ab${}\\ ", max_size=30))
def test_any_text_is_filled_or_refused(text: str) -> None:
    """No text leads to anything but a result or the one error."""
    try:
        result = filled(text, {"a": "1", "b": "2"}, what="label")
    except TemplateError:
        return
    assert "${" in text or result == text
