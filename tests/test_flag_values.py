"""What a word on the command line means as a value, and how words become assignments."""

from __future__ import annotations

import datetime as dt
import math
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from operations.definitions import FlagValue
from operations.flags import FlagError, flow_text, parse_assignments, parse_value
from operations.nodes import ScalarNode, compose

ROOT = Path(__file__).resolve().parent.parent


NO_VALUES = "x 2018-01-01 1:30 08 0x 0b2 1e + - . y n = << ! !! @x *x % &x ` | >5 #5 --- [ [1 ] {a ' 'tis ~/data"


NO_VALUES_WITH_BLANKS = (
    "",
    " ",
    "\n",
    " x ",
    "a: b",
    "a: b: c",
    "&x 5",
    "!x 5",
    "- x",
    "x # y",
    "--- a",
    '"a" b',
)


IMPOSSIBLE_VALUES = (
    *("{a: 1, a: 2}", "{<<: x}", '"a": b', "'a' # 'b'", "[1] # ]", "{a: 1}: 2", "[a]\n---\n[b]", "[*x]"),
    *("[&a [*a]]", "[!x 5]", "!!python/object:os.system x", "!!timestamp 2018-01-01", "!!int x", "1e999"),
    *("9" * 5000, "0x" + "f" * 5000, "[\udcff]", "\udcff", "[\x00]", "'\x1b'", "\ufeff5", "٣"),
)


# --- Values -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("-5", -5),
        ("+5", 5),
        ("0x10", 16),
        ("0b101", 5),
        ("010", 8),
        ("1_000", 1000),
        ("0", 0),
        ("0.1", 0.1),
        ("-.5", -0.5),
        ("1.", 1.0),
        ("1e-4", 0.0001),
        ("1E5", 100000.0),
        ("2e3", 2000.0),
        ("1.5e+3", 1500.0),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        (" 5 ", 5),
        ("yes", True),
        ("On", True),
        ("TRUE", True),
        ("no", False),
        ("off", False),
        ("~", None),
        ("null", None),
        ('"5"', "5"),
        ("'yes'", "yes"),
        ('"a\\tb"', "a\tb"),
        ("!!str 5", "5"),
        ("!!float 5", 5.0),
        ("[1,2]", [1, 2]),
        ("[]", []),
        ("{a: 1, b: [x, ~]}", {"a": 1, "b": ["x", None]}),
        ('{"a":1e3}', {"a": 1000.0}),
        ("[2018-01-01, 1:30]", ["2018-01-01", "1:30"]),
    ],
)
def test_values_are_read_as_yaml(text: str, value: FlagValue) -> None:
    """Numbers, truth values, nothing, quoted text, flow lists and flow mappings mean what YAML 1.1 says."""
    parsed = parse_value(text)

    assert (type(parsed), parsed) == (type(value), value)


def test_not_a_number_is_spelled_as_in_yaml() -> None:
    """`.nan` is the number; `nan` and `inf` are words."""
    parsed = parse_value(".nan")

    assert isinstance(parsed, float)
    assert math.isnan(parsed)
    assert (parse_value("nan"), parse_value("inf")) == ("nan", "inf")


@pytest.mark.parametrize("text", [*NO_VALUES.split(), *NO_VALUES_WITH_BLANKS, *IMPOSSIBLE_VALUES])
def test_what_is_no_value_is_the_text_as_typed(text: str) -> None:
    """Text that YAML refuses, reads as a block or would cut is kept exactly, and is never an error."""
    assert parse_value(text) == text


def test_nesting_that_would_overflow_the_stack_is_text() -> None:
    """The longest argument that a system passes on cannot crash the reader."""
    for text in ("[" * 130_000, "[" * 60_000 + "]" * 60_000, "{a: " * 30_000):
        assert parse_value(text) == text


def test_plain_values_load_no_yaml() -> None:
    """Words and numbers, nearly all flags, do not pay for a parser."""
    code = (
        "import sys; from operations.flags import parse_assignments;"
        "parse_assignments(['a=5', 'b=word', 'c=1e-4', 'd=yes', 'e=', 'f=a: b', 'g=-x']);"
        "sys.exit('yaml' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@settings(deadline=None)
@given(st.text("0123456789abcdefxonystrulXEN+-._~", min_size=1, max_size=8))
def test_words_and_numbers_agree_with_the_yaml_library(text: str) -> None:
    """Apart from dates, exponents and signed fractions, the quick way gives what the library gives."""
    assume(text not in ("-", "---", "...") and not text.startswith("- "))
    try:
        expected = yaml.safe_load(text)
    except (ValueError, yaml.YAMLError):
        return
    ours = parse_value(text)
    changed = isinstance(ours, float) and isinstance(expected, str)

    assert changed or isinstance(expected, dt.date) or repr(ours) == repr(expected)


@settings(deadline=None)
@given(st.text(st.characters(categories=["L", "N"], include_characters="+-._~"), min_size=1, max_size=8))
def test_the_command_line_and_the_model_file_read_scalars_alike(text: str) -> None:
    """A plain word means the same in both places."""
    assume(not text.startswith(("-", "...")))
    node = compose(f"[{text}]")

    assert node is not None
    inner = getattr(node, "items")[0]  # noqa: B009
    assert isinstance(inner, ScalarNode)
    assert repr(inner.value) == repr(parse_value(text))


_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"])),
)


_COLLECTIONS = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc:- é\n", max_size=5), inner),
    max_leaves=10,
)


@settings(deadline=None)
@given(_COLLECTIONS)
def test_written_values_are_read_back(value: FlagValue) -> None:
    """What a process or a person gets to see as text means the same value when it is typed again."""
    assert parse_value(flow_text(value)) == value


@settings(deadline=None)
@given(st.text(max_size=30))
def test_any_text_at_all_is_a_value(text: str) -> None:
    """There is no word on which reading fails, and what it means can be written and read again."""
    value = parse_value(text)
    assert repr(parse_value(flow_text(value))) == repr(value)  # not `==`: NaN, and 1 is not 1.0


# --- Assignments --------------------------------------------------------------------------------------------


def test_assignments_are_read_in_order() -> None:
    """Each word is cut at its first equals sign."""
    given_flags = parse_assignments(["epochs=3", "expr=a=b", "base=", "lr=1e-4"])

    assert list(given_flags.items()) == [("epochs", 3), ("expr", "a=b"), ("base", ""), ("lr", 0.0001)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["bar"], "'bar' is not a flag: expected NAME=VALUE"),
        ([""], "'' is not a flag: expected NAME=VALUE"),
        (["=5"], "'=5' has no name: expected NAME=VALUE"),
        ([" =5"], "' =5' has no name: expected NAME=VALUE"),
        (["a=1", "b=2", "a=1"], "flag 'a' is given twice: expected one value"),
        (["\udcff\x1b"], "'\\xff\\x1b' is not a flag: expected NAME=VALUE"),
    ],
)
def test_words_that_are_no_assignment_are_refused(words: list[str], message: str) -> None:
    """A word without an equals sign, without a name, or for a flag that has its value is an error."""
    with pytest.raises(FlagError) as caught:
        parse_assignments(words)

    assert caught.value.message == message
