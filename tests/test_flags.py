"""The flags of an operation: given or by default, of their types, within their bounds, and referring to each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from operations.definitions import ChoiceDef, FlagDef, FlagValue, OperationDef
from operations.flags import FlagError, parse_assignments, parse_value, resolve_flags


def flag(name: str, default: FlagValue = None, description: str = "", *, required: bool = False) -> FlagDef:
    """Return the definition of a flag."""
    return FlagDef(name, default, description, required)


def operation(*flags: FlagDef) -> OperationDef:
    """Return an operation with these flags."""
    return OperationDef("train", "", "fit", flags)


# --- Flags of an operation ----------------------------------------------------------------------------------


def test_given_values_replace_defaults() -> None:
    """Flags that are not given have their default; one without a default is kept as None."""
    resolved = resolve_flags(operation(flag("epochs", 5), flag("lr", 0.1), flag("tag")), {"lr": 0.2})

    assert resolved == {"epochs": 5, "lr": 0.2, "tag": None}


def test_a_given_null_removes_a_default() -> None:
    """`lr=null` means that the process shall not get the flag."""
    assert resolve_flags(operation(flag("lr", 0.1)), {"lr": None}) == {"lr": None}


def test_an_undefined_flag_is_refused_with_a_suggestion() -> None:
    """A slip of the fingers must not start a run with the default instead."""
    with pytest.raises(FlagError) as caught:
        resolve_flags(operation(flag("epochs", 5)), {"epoch": 3, "zzz": 1})

    assert caught.value.message == "operation 'train' has no flag 'epoch' (did you mean 'epochs'?), 'zzz'"
    assert "--force-flags" in (caught.value.hint or "")


def test_force_passes_an_undefined_flag_on() -> None:
    """The user can insist."""
    assert resolve_flags(operation(flag("epochs", 5)), {"foo": 1}, force=True) == {"epochs": 5, "foo": 1}


def test_all_missing_required_flags_are_listed_with_their_descriptions() -> None:
    """One error tells everything that has to be added."""
    required = operation(
        flag("base", None, "Base checkpoint\n to start from", required=True),
        flag("epochs", 5),
        flag("tag", required=True),
    )

    with pytest.raises(FlagError) as caught:
        resolve_flags(required, {"epochs": 1})

    assert caught.value.message == (
        "Operation requires the following missing flags:\n\n  base  Base checkpoint to start from\n  tag\n"
    )
    assert caught.value.hint == "Run the command again with these flags specified as NAME=VAL."


@pytest.mark.parametrize("word", ["base=0", "base=no", "base=", "base=[]"])
def test_a_required_flag_may_be_given_a_false_value(word: str) -> None:
    """Zero, no and the empty text are values."""
    resolved = resolve_flags(operation(flag("base", required=True)), parse_assignments([word]))

    assert resolved["base"] is not None


def test_a_required_flag_with_a_default_is_not_missing() -> None:
    """The default is its value."""
    assert resolve_flags(operation(flag("base", "b", required=True)), {}) == {"base": "b"}


def test_a_required_flag_given_as_null_is_missing() -> None:
    """The process would not get it, and that is what `required` forbids."""
    with pytest.raises(FlagError, match="missing flags"):
        resolve_flags(operation(flag("base", required=True)), {"base": None})


def test_names_that_are_no_text_do_not_crash() -> None:
    """A flag name may hold undecodable bytes: refused legibly, or passed on by force."""
    given_flags = parse_assignments(["\udcff=1"])

    with pytest.raises(FlagError) as caught:
        resolve_flags(operation(flag("epochs", 5)), given_flags)
    assert "'\\xff'" in caught.value.message
    assert resolve_flags(operation(), given_flags, force=True) == {"\udcff": 1}


# --- Types, choices, bounds ---------------------------------------------------------------------------------


def resolve_word(definition: FlagDef, word: str, cwd: str = "") -> FlagValue:
    """Return what the flag is after `guild run train x=WORD`."""
    given_flags = parse_assignments([f"x={word}"], [definition])
    return resolve_flags(operation(definition), given_flags, cwd=cwd)["x"]


@pytest.mark.parametrize(
    ("kind", "word", "value"),
    [
        ("string", "007", "007"),
        ("string", "null", "null"),
        ("string", " 1e3 ", " 1e3 "),
        ("string", "[1]", "[1]"),
        ("string", "", ""),
        ("int", "5", 5),
        ("int", "1e3", 1000),
        ("int", "'12'", 12),
        ("int", "null", None),
        ("float", "5", 5.0),
        ("float", "1e-4", 0.0001),
        ("number", "5", 5),
        ("number", "0.5", 0.5),
        ("boolean", "yes", True),
        ("boolean", "false", False),
        ("boolean", "1", True),
        ("boolean", "0", False),
        ("filename", "007", "007"),
        ("path", "a/../b", "/home/u/b"),
        ("path", "/data/x", "/data/x"),
        ("path", "", ""),
        ("auto", "5", 5),
        (None, "5", 5),
        ("of the future", "5", 5),
        ("int", "[1, 2.0]", [1, 2]),
    ],
)
def test_a_value_becomes_what_its_type_says(kind: str | None, word: str, value: FlagValue) -> None:
    """Text stays as typed, numbers and truth values are converted, paths become absolute."""
    resolved = resolve_word(FlagDef("x", type=kind), word, cwd="/home/u")

    assert (type(resolved), resolved) == (type(value), value)


@pytest.mark.parametrize(
    ("kind", "word", "expected"),
    [
        ("int", "abc", "an integer"),
        ("int", "1.5", "an integer"),
        ("int", "yes", "an integer"),
        ("int", ".inf", "an integer"),
        ("int", "", "an integer"),
        ("float", "abc", "a number"),
        ("number", "[a]", "a number"),
        ("float", "1" + "0" * 400, "a number"),
        ("boolean", "2", "yes, no, true, false, 1 or 0"),
        ("boolean", "maybe", "yes, no, true, false, 1 or 0"),
        ("filename", "a/b", "the name of a file, without a slash"),
        ("filename", "..", "the name of a file, without a slash"),
    ],
)
def test_a_value_of_another_type_is_refused(kind: str, word: str, expected: str) -> None:
    """The message says what was expected, and by force the value goes through as it is."""
    definition = FlagDef("x", type=kind)

    with pytest.raises(FlagError) as caught:
        resolve_word(definition, word)

    assert caught.value.message.startswith("flag 'x' is '")
    assert caught.value.message.endswith(f"': expected {expected}")
    given_flags = parse_assignments([f"x={word}"], [definition])
    assert resolve_flags(operation(definition), given_flags, force=True) == given_flags


def test_an_existing_path_must_exist(tmp_path: Path) -> None:
    """The path is looked up from where the command was given."""
    (tmp_path / "data").mkdir()
    definition = FlagDef("x", type="existing-path")

    assert resolve_word(definition, "data", cwd=str(tmp_path)) == str(tmp_path / "data")
    with pytest.raises(FlagError, match=r"expected a path that exists, and .*/nope does not$"):
        resolve_word(definition, "nope", cwd=str(tmp_path))


def test_a_path_by_default_is_relative_to_the_project() -> None:
    """The model file does not know where its user stands."""
    train = operation(FlagDef("x", "data", type="path"), FlagDef("y", "${x}/y", type="path"))

    assert resolve_flags(train, {}, cwd="/home/u", project="/proj") == {"x": "/proj/data", "y": "/proj/data/y"}
    assert resolve_flags(train, {"x": "d"}, cwd="/home/u", project="/proj") == {"x": "/home/u/d", "y": "/home/u/d/y"}


def test_a_wrong_default_harms_only_who_uses_it() -> None:
    """The message blames the model file, not the user."""
    train = operation(FlagDef("x", "abc", type="int"))

    assert resolve_flags(train, {"x": 5}) == {"x": 5}
    with pytest.raises(FlagError) as caught:
        resolve_flags(train, {})
    assert caught.value.message == "default of flag 'x' is 'abc': expected an integer"
    assert (caught.value.hint or "").startswith("Mend it in the model file")


SIZES = (ChoiceDef("small", "Fits\n a laptop"), ChoiceDef("large"), ChoiceDef(0, "None at all"), ChoiceDef("10"))


def test_a_value_that_is_no_choice_is_refused_with_the_table() -> None:
    """Everything that could be typed instead is shown, with what it means."""
    with pytest.raises(FlagError) as caught:
        resolve_word(FlagDef("x", choices=SIZES), "smal")

    assert caught.value.message == (
        "Unsupported value for 'x' - supported values are:\n\n"
        "  small  Fits a laptop\n  large\n  0      None at all\n  10\n"
    )
    assert caught.value.hint == "Run the command again using one of these options (did you mean 'small'?)."


@pytest.mark.parametrize("word", ["no", "''", "", "0.5", "1", "[]", "[small,smal]"])
def test_values_that_count_as_false_are_checked_as_well(word: str) -> None:
    """Zero is a choice here; no, nothing and other numbers are not."""
    with pytest.raises(FlagError, match="Unsupported value"):
        resolve_word(FlagDef("x", choices=SIZES), word)


@pytest.mark.parametrize(
    ("word", "value"),
    [("small", "small"), ("0", 0), ("0.0", 0), ("10", "10"), ("[small,large]", ["small", "large"]), ("null", None)],
)
def test_a_choice_is_found_by_what_is_typed(word: str, value: FlagValue) -> None:
    """A choice that is quoted in the model file needs no quotes on the command line."""
    resolved = resolve_word(FlagDef("x", choices=SIZES), word)

    assert (type(resolved), resolved) == (type(value), value)


def test_a_choice_of_a_text_flag_is_text() -> None:
    """The type decides over how the model file spells the choice."""
    assert resolve_word(FlagDef("x", type="string", choices=(ChoiceDef(18), ChoiceDef(34))), "34") == "34"


def test_other_values_may_be_allowed_besides_the_choices() -> None:
    """They still have to be of the flag's type."""
    definition = FlagDef("x", type="int", choices=(ChoiceDef("auto"),), allow_other=True)

    assert resolve_word(definition, "auto") == "auto"
    assert resolve_word(definition, "7") == 7
    with pytest.raises(FlagError, match="expected an integer"):
        resolve_word(definition, "other")


@pytest.mark.parametrize(
    ("least", "most", "good", "bad", "expected"),
    [
        (0, 1, "0", "1.5", "a number from 0 to 1"),
        (0, None, "1e9", "-1", "a number of at least 0"),
        (None, 0.5, "-7", ".nan", "a number of at most 0.5"),
        (0, 1, "[0,1]", "[0,2]", "a number from 0 to 1"),
        (0, 1, "null", "yes", "a number from 0 to 1"),
        (0, 1, "0.5", "text", "a number from 0 to 1"),
    ],
)
def test_numbers_stay_within_their_bounds(
    least: float | None, most: float | None, good: str, bad: str, expected: str
) -> None:
    """Both bounds are allowed values, and what is no number is never within them."""
    definition = FlagDef("x", minimum=least, maximum=most)

    assert resolve_word(definition, good) == parse_value(good)
    with pytest.raises(FlagError) as caught:
        resolve_word(definition, bad)
    assert caught.value.message.endswith(f"expected {expected}")


def test_a_text_that_is_split_is_checked_part_by_part() -> None:
    """The process gets the parts, so they are what the type is about."""
    definition = FlagDef("x", type="int", minimum=1, arg_split=" ")

    assert resolve_word(definition, "64  32") == "64  32"
    with pytest.raises(FlagError, match="at least 1"):
        resolve_word(definition, "64 0")


def test_a_choice_may_be_named_by_its_alias() -> None:
    """The value is what counts, also of each item of a list; a value is found before an alias."""
    choices = (ChoiceDef("stochastic", alias="sgd"), ChoiceDef("adam", alias=1), ChoiceDef("sgd-2"))
    definition = FlagDef("x", choices=choices)

    assert [resolve_word(definition, text) for text in ("sgd", "1", "adam")] == ["stochastic", "adam", "adam"]
    assert resolve_flags(operation(definition), {"x": ["sgd", "adam"]}) == {"x": ["stochastic", "adam"]}


# --- References ---------------------------------------------------------------------------------------------


def test_values_may_refer_to_other_flags() -> None:
    """Given or default, in any order, and a lone reference keeps the kind of value."""
    train = operation(flag("out", "${name}-${lr}"), flag("name", "cnn"), flag("lr", 0.1), flag("rate", "${lr}"))

    assert resolve_flags(train, {"name": "x${lr}"}) == {"out": "x0.1-0.1", "name": "x0.1", "lr": 0.1, "rate": 0.1}


def test_what_references_become_is_checked() -> None:
    """A type holds for the result, and a required flag that refers to nothing is missing."""
    size = FlagDef("size", "${half}0", type="int", maximum=100)

    assert resolve_flags(operation(size, flag("half", 5)), {}) == {"size": 50, "half": 5}
    with pytest.raises(FlagError, match="at most 100"):
        resolve_flags(operation(size, flag("half", 50)), {})
    with pytest.raises(FlagError, match="missing flags"):
        resolve_flags(operation(flag("base", "${other}", required=True), flag("other")), {})


def test_a_forced_flag_may_refer_and_be_referred_to() -> None:
    """What is passed on by force is a flag like any other."""
    assert resolve_flags(operation(flag("a", "${b}")), {"b": 1, "c": "${a}"}, force=True) == {"a": 1, "b": 1, "c": 1}


def test_an_escaped_reference_is_text() -> None:
    """`\\${x}` gives `${x}`."""
    assert resolve_flags(operation(flag("a")), {"a": "\\${x}"}) == {"a": "${x}"}
