"""Proves which trials the words of a command line ask for, and that chance repeats itself with its seed."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operations.definitions import FlagDef, FlagValue, OperationDef
from operations.flags import FlagError, parse_value
from operations.trials import Trials, plan_trials

NOWHERE = "/nonexistent"


def plan(
    *words: str,
    flags: tuple[FlagDef, ...] = (),
    cwd: str = NOWHERE,
    max_trials: int | None = None,
    seed: int = 1,
) -> Trials:
    """Return the trials of an operation with these flags."""
    return plan_trials(OperationDef("train", "", "fit", flags), words, cwd=cwd, max_trials=max_trials, seed=seed)


def values_of(word: str, *flags: FlagDef) -> list[FlagValue]:
    """Return what `x` is in each trial of `x=WORD`."""
    return [row["x"] for row in plan(f"x={word}", flags=flags).rows]


# --- One run or several -------------------------------------------------------------------------------------


def test_plain_words_are_one_run() -> None:
    """Without a list there is no batch, and no limit matters."""
    assert plan("a=1", "b=x y", "c=", max_trials=5) == Trials(({"a": 1, "b": "x y", "c": ""},))
    assert plan() == Trials(({},))


def test_a_list_means_one_trial_for_each_item() -> None:
    """All combinations, in the order typed, the last flag changing fastest."""
    trials = plan("lr=[0.1,0.01]", "n=3", "opt=[sgd,adam]")

    assert [list(row.items()) for row in trials.rows] == [
        [("lr", 0.1), ("n", 3), ("opt", "sgd")],
        [("lr", 0.1), ("n", 3), ("opt", "adam")],
        [("lr", 0.01), ("n", 3), ("opt", "sgd")],
        [("lr", 0.01), ("n", 3), ("opt", "adam")],
    ]
    assert (trials.is_batch, trials.random, trials.total) == (True, False, 4)


def test_a_list_of_one_is_a_batch_of_one() -> None:
    """Whoever writes a list wants trials; an empty one is a value."""
    assert plan("x=[5]") == Trials(({"x": 5},), is_batch=True)
    assert plan("x=[]") == Trials(({"x": []},))


@pytest.mark.parametrize("flag", [FlagDef("x", [64, 32]), FlagDef("x", [], type="int"), FlagDef("x", 5, arg_split=" ")])
def test_a_list_for_a_flag_that_has_lists_is_one_value(flag: FlagDef) -> None:
    """There, a list of lists asks for trials."""
    assert plan("x=[1,2]", flags=(flag,)) == Trials(({"x": [1, 2]},))
    assert values_of("[[1,2],[3]]", flag) == [[1, 2], [3]]
    assert values_of("[[1,2],3]", flag) == [[[1, 2], 3]]


def test_the_items_of_a_text_flag_stay_as_typed() -> None:
    """A list of text is spelled as it will be passed; rules and numbers mean nothing there."""
    text = FlagDef("x", type="string")

    assert values_of("[007,1e3,yes,'a b',null]", text) == ["007", "1e3", "yes", "a b", "null"]
    assert values_of("007", text) == ["007"]
    assert values_of("range[1:3]", text) == ["range[1:3]"]
    assert values_of("[[a],b]", text) == ["[[a],b]"]
    assert values_of("[a", text) == ["[a"]


@pytest.mark.parametrize("word", ["x", "=5", "x=1 x=2"])
def test_words_that_are_no_flag_are_refused(word: str) -> None:
    """The same rules hold as for a plain run."""
    with pytest.raises(FlagError):
        plan(*word.split())


# --- Rules --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("range[1:5]", "[1,2,3,4,5]"),
        ("range[0:10:3]", "[0,3,6,9]"),
        ("range[5:1:-2]", "[5,3,1]"),
        ("range[2:2]", "[2]"),
        ("range[0:0.3:0.1]", "[0.0,0.1,0.2,0.3]"),
        ("range[0.5:2.5]", "[0.5,1.5,2.5]"),
        ("range[1e-3:3e-3:1e-3]", "[0.001,0.002,0.003]"),
        ("linspace[0:1:5]", "[0.0,0.25,0.5,0.75,1.0]"),
        ("linspace[1:5]", "[1,2,3,4,5]"),
        ("linspace[0:1:1]", "[0]"),
        ("linspace[1.0:3:3]", "[1.0,2.0,3.0]"),
        ("logspace[-4:-1:4]", "[0.0001,0.001,0.01,0.1]"),
        ("logspace[0:2:3]", "[1,10,100]"),
        ("logspace[0:3:4:2]", "[1,2,4,8]"),
        ("'range[1:5]'", '["range[1:5]"]'),
        ("orange[1:5]", '["orange[1:5]"]'),
        ("[a:b]", '["a:b"]'),
        ("[1:2,3]", '["1:2",3]'),
        ("[1:2:3:4]", '["1:2:3:4"]'),
    ],
)
def test_rules_write_lists(word: str, expected: str) -> None:
    """Both ends are values, steps are exact, and whole numbers stay whole; anything else is what it was."""
    values = values_of(word)

    assert repr(values) == repr(parse_value(expected))


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("range[1]", "expected range[START:END or START:END:STEP] with numbers"),
        ("range[1,5]", "expected range[START:END or START:END:STEP] with numbers"),
        ("range[a:b]", "expected range["),
        ("range[1:yes]", "expected range["),
        ("range[1:.inf]", "expected range["),
        ("range[1:2:3:4]", "expected range["),
        ("range[]", "expected range["),
        ("range[1:5:0]", "expected a step other than 0"),
        ("range[5:1]", "it has no values"),
        ("range[1:1e12]", "it has 1000000000000 values: expected at most 100000"),
        ("range[0:1e300:1e-300]", "it has more than 10^15 values"),
        ("linspace[0:1:0]", "expected a count of at least 1"),
        ("linspace[0:1:2.5]", "expected a count of at least 1"),
        ("linspace[0:1:1e9]", "values: expected at most 100000"),
        ("logspace[0:1:2:-1]", "expected a base above 0"),
        ("logspace[0:1e9:2]", "too large to be numbers"),
        ("logspace[0:400:2]", "too large to be numbers"),
        ("uniform[1]", "expected uniform[LOW:HIGH or LOW:HIGH:FIRST] with numbers"),
        ("uniform[2:1]", "expected its low end first"),
        ("[1:2:3]", "expected a first value within its ends"),
        ("loguniform[0:1]", "expected ends above 0"),
    ],
)
def test_rules_that_make_no_sense_are_errors(word: str, problem: str) -> None:
    """What is nearly a rule is not passed on as text, and nothing huge is made first."""
    with pytest.raises(FlagError) as caught:
        plan(f"x={word}")

    assert caught.value.message.startswith(f"flag 'x' is '{word}': ")
    assert problem in caught.value.message


@settings(deadline=None)
@given(st.from_regex(r"(range|linspace|logspace|uniform|loguniform)?\[[0-9e.:+-]{1,12}\]", fullmatch=True))
def test_any_rule_gives_trials_or_the_one_error(word: str) -> None:
    """There are no numbers on which a rule fails in another way, and all it gives are numbers."""
    try:
        rows = plan(f"x={word}").rows
    except FlagError:
        return
    if word[0] != "[":
        assert all(isinstance(row["x"], int | float) and math.isfinite(row["x"]) for row in rows)


# --- Chance -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "flag", "kind", "low", "high"),
    [
        ("[0.1:0.5]", FlagDef("x"), float, 0.1, 0.5),
        ("uniform[0.1:0.5]", FlagDef("x"), float, 0.1, 0.5),
        ("uniform[1:3]", FlagDef("x"), int, 1, 3),
        ("uniform[1:3]", FlagDef("x", 0.5), float, 1, 3),
        ("uniform[1:3]", FlagDef("x", type="float"), float, 1, 3),
        ("[0.5:3.5]", FlagDef("x", type="int"), int, 1, 3),
        ("loguniform[1e-5:0.1]", FlagDef("x"), float, 1e-5, 0.1),
        ("loguniform[1:1000]", FlagDef("x", type="int"), int, 1, 1000),
        ("[-1.7e308:1.7e308]", FlagDef("x"), float, -1.7e308, 1.7e308),
        ("[2:2]", FlagDef("x"), int, 2, 2),
    ],
)
def test_values_are_drawn_within_their_ends(word: str, flag: FlagDef, kind: type, low: float, high: float) -> None:
    """Twenty trials when nothing is said, whole numbers where the flag has whole numbers."""
    trials = plan(f"x={word}", flags=(flag,))

    drawn = [row["x"] for row in trials.rows]
    assert (trials.is_batch, trials.random, trials.total, len(drawn)) == (True, True, 20, 20)
    assert {type(value) for value in drawn} == {kind}
    assert all(isinstance(value, int | float) and low <= value <= high for value in drawn)


def test_the_seed_decides_what_is_drawn() -> None:
    """The same words and the same seed give the same trials, another seed gives others."""
    words = ("lr=loguniform[1e-5:0.1]", "n=[1:100]", "opt=[sgd,adam]")

    first, again, other = (plan(*words, max_trials=6, seed=seed) for seed in (7, 7, 8))

    assert first == again
    assert first != other
    assert len(first.rows) == 6


def test_lists_beside_what_is_drawn_are_drawn_from() -> None:
    """Each trial has one of the items, and a plain value is the same in all."""
    rows = plan("x=[0.0:1.0]", "opt=[sgd,adam]", "n=3", max_trials=50).rows

    assert {row["opt"] for row in rows} == {"sgd", "adam"}
    assert {row["n"] for row in rows} == {3}


def test_the_first_trial_takes_the_first_value() -> None:
    """`[a:b:first]` begins with what is known to be good."""
    rows = plan("x=[0.0:1.0:0.25]", "y=[0.0:1.0]").rows

    assert rows[0]["x"] == 0.25
    assert len({row["x"] for row in rows}) == 20


def test_whole_numbers_need_one_within_the_ends() -> None:
    """Nothing can be drawn from no number at all."""
    with pytest.raises(FlagError, match=r"no integer from 0\.2 to 0\.8"):
        plan("x=[0.2:0.8]", flags=(FlagDef("x", type="int"),))


def test_a_default_may_be_a_rule(tmp_path: Path) -> None:
    """It counts unless the flag is given, on the command line or in a row; a text flag keeps it as text."""
    flags = (FlagDef("x", "range[1:3]"), FlagDef("text", "range[1:3]", type="string"))

    assert plan("y=5", flags=flags).rows == tuple({"x": x, "y": 5} for x in (1, 2, 3))
    assert plan("x=7", flags=flags) == Trials(({"x": 7},))
    (tmp_path / "rows.csv").write_text("x,y\n4,1\n,2\n")
    rows = plan("@rows.csv", flags=flags, cwd=str(tmp_path)).rows
    assert [(row["x"], row["y"]) for row in rows] == [(4, 1), (1, 2), (2, 2), (3, 2)]


# --- Limits -------------------------------------------------------------------------------------------------


def test_a_limit_takes_a_sample_of_the_combinations() -> None:
    """Which ones is up to the seed; they keep their order, and none comes twice."""
    words = ("a=range[1:10]", "b=range[1:10]")

    trials = plan(*words, max_trials=7, seed=3)

    numbers = [(row["a"], row["b"]) for row in trials.rows]
    assert numbers == sorted(set(numbers), key=numbers.index)
    assert (len(numbers), trials.total, trials.random) == (7, 100, False)
    assert trials == plan(*words, max_trials=7, seed=3)
    assert trials != plan(*words, max_trials=7, seed=4)


def test_a_limit_above_the_number_of_combinations_changes_nothing() -> None:
    """All of them are run, in order."""
    assert plan("a=[1,2,3]", max_trials=3) == plan("a=[1,2,3]", max_trials=99) == plan("a=[1,2,3]")


@pytest.mark.parametrize("flags", [3, 10])
def test_too_many_combinations_are_refused_before_they_are_made(flags: int) -> None:
    """The number is said, and a sample of even the largest grid can be run."""
    words = [f"f{number}=range[1:1000]" for number in range(flags)]

    with pytest.raises(FlagError, match=r"ask for (1000000000|more than 10\^15) trials: expected at most 100000"):
        plan(*words)
    assert len(plan(*words, max_trials=5).rows) == 5


@pytest.mark.parametrize("max_trials", [0, -1, 100_001])
def test_an_impossible_limit_is_refused(max_trials: int) -> None:
    """There is at least one trial, and never an absurd number."""
    with pytest.raises(FlagError, match="expected 1 to 100000"):
        plan("x=[1,2]", max_trials=max_trials)


# --- Files --------------------------------------------------------------------------------------------------


def in_file(directory: Path, name: str, text: str | bytes) -> str:
    """Write a file of trials, and return the word that names it."""
    (directory / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return f"@{name}"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rows.csv", "lr,opt,n\n0.1,sgd,1\n0.01,adam,\n\n0.5,sgd,[2]\n"),
        ("rows.csv", '\ufefflr, opt ,n\r\n0.1,sgd,1\r\n0.01,"adam"\r\n0.5,sgd,[2]'),
        ("rows.JSON", '[{"lr":0.1,"opt":"sgd","n":1},{"lr":0.01,"opt":"adam"},{"lr":0.5,"opt":"sgd","n":[2]}]'),
        ("rows.yml", "- {lr: 0.1, opt: sgd, n: 1}\n- lr: 1e-2\n  opt: adam\n- {lr: 0.5, opt: sgd, n: [2]}\n"),
        ("rows.yaml", "- {lr: 0.1, opt: sgd, n: 'range[1:1]'}\n- {lr: 1e-2, opt: adam}\n- {lr: 0.5, opt: sgd, n: 2}"),
    ],
)
def test_files_list_trials(name: str, text: str, tmp_path: Path) -> None:
    """Rows, items and mappings say the same; an empty cell gives no value, and cells mean what they mean typed."""
    trials = plan(in_file(tmp_path, name, text), cwd=str(tmp_path))

    assert trials.rows == (
        {"lr": 0.1, "opt": "sgd", "n": 1},
        {"lr": 0.01, "opt": "adam"},
        {"lr": 0.5, "opt": "sgd", "n": 2},
    )
    assert (trials.is_batch, trials.total) == (True, 3)


def test_other_words_are_combined_with_every_row_and_win(tmp_path: Path) -> None:
    """What is typed is what the user wants now; rows change slowest."""
    word = in_file(tmp_path, "rows.csv", "lr,n\n0.1,1\n0.2,2\n")

    rows = plan("n=[7,8]", word, "opt=sgd", cwd=str(tmp_path)).rows

    assert [(row["lr"], row["n"], row["opt"]) for row in rows] == [
        (0.1, 7, "sgd"),
        (0.1, 8, "sgd"),
        (0.2, 7, "sgd"),
        (0.2, 8, "sgd"),
    ]


def test_one_mapping_with_lists_is_a_grid(tmp_path: Path) -> None:
    """A file may hold what would be typed."""
    word = in_file(tmp_path, "grid.yml", "lr: [0.1, 0.2]\nopt: [sgd, adam]\nlayers: [64, 32]\n")

    rows = plan(word, flags=(FlagDef("layers", [8]),), cwd=str(tmp_path)).rows

    assert [(row["lr"], row["opt"], row["layers"]) for row in rows] == [
        (lr, opt, [64, 32]) for lr in (0.1, 0.2) for opt in ("sgd", "adam")
    ]


def test_several_files_follow_each_other(tmp_path: Path) -> None:
    """Each row is combined with the words, not with the rows of another file."""
    words = in_file(tmp_path, "a.csv", "x\n1\n2\n"), in_file(tmp_path, "b.json", '{"y": null}')

    assert plan(*words, cwd=str(tmp_path)).rows == ({"x": 1}, {"x": 2}, {"y": None})
    assert plan(*words, cwd=str(tmp_path), max_trials=2).total == 3


def test_rows_take_turns_when_values_are_drawn(tmp_path: Path) -> None:
    """The limit counts all trials, whatever the number of rows."""
    word = in_file(tmp_path, "rows.csv", "a\n1\n2\n3\n")

    rows = plan(word, "x=[0.0:1.0:0.5]", cwd=str(tmp_path), max_trials=5).rows

    assert [row["a"] for row in rows] == [1, 2, 3, 1, 2]
    assert [row["x"] == 0.5 for row in rows] == [True, True, True, False, False]


def test_text_in_a_file_stays_text(tmp_path: Path) -> None:
    """A quoted value of a JSON file is no number, and a text flag takes a cell as it is."""
    flags = (FlagDef("id", type="string"),)

    assert plan(in_file(tmp_path, "a.json", '{"x": "5"}'), cwd=str(tmp_path)).rows == ({"x": "5"},)
    assert plan(in_file(tmp_path, "a.csv", "id\n007\n"), flags=flags, cwd=str(tmp_path)).rows == ({"id": "007"},)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "x", "a.txt: not a file of trials: expected a name that ends in .csv, .json, .yml or .yaml"),
        ("a.csv", "", "a.csv:0: it lists no trials"),
        ("a.csv", "x\n", "a.csv: it lists no trials"),
        ("a.csv", "x,y\n1,2\n1,2,3\n", "a.csv:3: 3 cells: expected the 2 of the header"),
        ("a.csv", "x,,y\n", "a.csv:1: column 2 has no name: expected the name of a flag"),
        ("a.csv", "x,x\n1,2\n", "a.csv:1: column 'x' stands there twice: expected it once"),
        ("a.csv", 'x\n"1\n', "a.csv:2: not valid CSV: unexpected end of data"),
        ("a.csv", b"x\n\xff\n", "a.csv: cannot be read: it is not UTF-8 text"),
        ("a.json", "[{},\n{x}]", "a.json:2: not valid JSON: Expecting property name enclosed in double quotes"),
        ("a.json", "[1]", "a.json: item 1 is not a mapping: expected flags with their values"),
        ("a.json", "[" * 100_000, "a.json: not valid JSON: nested too deeply"),
        ("a.json", "[]", "a.json: it lists no trials"),
        ("a.yml", "- x: 1\n- [1]\n", "a.yml:2: this is a list: expected flags with their values"),
        ("a.yml", "x: 1\nx: 2\n", "a.yml:2: duplicate key 'x': expected it once, it already stands in line 1"),
        ("a.yml", "# nothing\n", "a.yml: it lists no trials"),
    ],
)
def test_a_file_that_lists_no_trials_is_an_error(name: str, text: str | bytes, message: str, tmp_path: Path) -> None:
    """The message has the file, the line where one is known, and what was expected."""
    with pytest.raises(FlagError) as caught:
        plan(in_file(tmp_path, name, text), cwd=str(tmp_path))

    assert caught.value.message == message


@pytest.mark.parametrize("name", ["missing.csv", ".csv", "directory.csv"])
def test_a_file_that_cannot_be_read_is_an_error(name: str, tmp_path: Path) -> None:
    """The system's reason is given."""
    (tmp_path / "directory.csv").mkdir()

    with pytest.raises(FlagError, match=r"cannot be read: (no such file|is a directory)|not a file of trials"):
        plan(f"@{name}", cwd=str(tmp_path))
