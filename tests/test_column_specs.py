"""The language of columns: what a person types is understood, and what cannot be is pointed at."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.column_specs import (
    ANY,
    ATTRIBUTE,
    FLAG,
    QUALIFIERS,
    SCALAR,
    WITH_STEP,
    ColumnError,
    ColumnSpec,
    parse_columns,
)

UNDERSTOOD = {
    "loss": (ANY, "loss"),
    "train/loss": (ANY, "train/loss"),
    "min loss": (SCALAR, "loss", "min"),
    "max acc": (SCALAR, "acc", "max"),
    "first loss": (SCALAR, "loss", "first"),
    "last loss": (SCALAR, "loss", "last"),
    "mean loss": (SCALAR, "loss", "mean"),
    "avg loss": (SCALAR, "loss", "mean"),
    "total loss": (SCALAR, "loss", "total"),
    "count loss": (SCALAR, "loss", "count"),
    "loss step": (SCALAR, "loss", "last", True),
    "min loss step": (SCALAR, "loss", "min", True),
    "=lr": (FLAG, "lr"),
    ".label": (ATTRIBUTE, "label"),
    "min": (ANY, "min"),
    "step": (ANY, "step"),
    "min step": (SCALAR, "step", "min"),
    "'min' step": (SCALAR, "min", "last", True),
    "='two words'": (FLAG, "two words"),
    '"it\'s, here"': (ANY, "it's, here"),
    "flag:lr": (FLAG, "lr"),
    "attr:label": (ATTRIBUTE, "label"),
    "scalar:loss": (SCALAR, "loss"),
    "'min:loss'": (ANY, "min:loss"),
    "'.x'": (ANY, ".x"),
    "'a \"''b'": (ANY, "a \"'b"),
    "min:loss": (SCALAR, "loss", "min"),
    "step:loss": (SCALAR, "loss", "last", True),
    "step:min": (SCALAR, "min", "last", True),
}


def meaning(spec: ColumnSpec) -> tuple[object, ...]:
    """Return what a spec names, wherever it stood."""
    return spec.kind, spec.name, spec.part, spec.step, spec.heading


@pytest.mark.parametrize("text", UNDERSTOOD)
def test_a_column_is_a_scalar_a_flag_or_an_attribute(text: str) -> None:
    """A qualifier stands before a scalar, `step` behind it; words that stand alone, or in quotes, are names."""
    full = (*UNDERSTOOD[text], *(ANY, "", "last", False)[len(UNDERSTOOD[text]) :])
    assert [meaning(spec) for spec in parse_columns(text)] == [(*full, "")]
    assert [meaning(spec) for spec in parse_columns(f" {text} as 'a heading' ")] == [(*full, "a heading")]


def test_several_columns_have_commas_between() -> None:
    """Each knows where in the text it stands."""
    specs = parse_columns("loss as 'a, b',=lr, min loss step as best")
    assert [(spec.name, spec.heading, spec.column) for spec in specs] == [
        ("loss", "a, b", 0),
        ("lr", "", 15),
        ("loss", "best", 20),
    ]


REFUSED = {
    "": ("a column is missing", 0),
    "loss,": ("a column is missing", 4),
    ",loss": ("a column is missing", 0),
    "loss acc": ("expected a comma here", 5),
    "min loss acc": ("expected a comma here", 9),
    "loss as": ("expected a comma here", 5),
    "loss, 'acc": ("a quote is not closed", 6),
    "mean loss step": ("the mean of a scalar has no step", 0),
    "loss, =": ("a name is missing here", 7),
    "min =lr": ("only a scalar", 0),
    ".label step": ("only a scalar", 0),
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_understood_is_pointed_at(text: str) -> None:
    """The message shows the text, and a caret below the place."""
    what, column = REFUSED[text]
    with pytest.raises(ColumnError) as caught:
        parse_columns(text)
    assert what in caught.value.message
    assert caught.value.column == column
    assert caught.value.message.endswith(f"\n  {text}\n  {' ' * column}^")


NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)
SCALARS = st.builds(ColumnSpec, st.just(SCALAR), NAMES, st.sampled_from(sorted(set(QUALIFIERS.values()))))
STEPS = st.builds(ColumnSpec, st.just(SCALAR), NAMES, st.sampled_from(WITH_STEP), st.just(True))
OTHERS = st.builds(ColumnSpec, st.sampled_from([FLAG, ATTRIBUTE]), NAMES)


@given(st.lists(SCALARS | STEPS | OTHERS, min_size=1, max_size=4))
def test_a_spec_is_written_as_it_is_read(specs: list[ColumnSpec]) -> None:
    """Whatever the names hold, what a spec is called names that spec again."""
    read = parse_columns(", ".join(map(str, specs)))
    assert [(one.kind or SCALAR, *meaning(one)[1:]) for one in read] == [meaning(one) for one in specs]
