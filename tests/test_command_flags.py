"""How flags reach the process of a run: as arguments, switches, choices, globals, or in a configuration file."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from operations.command import CommandError, build_command, format_command
from operations.definitions import ChoiceDef, FlagDef, FlagValue, OperationDef
from operations.flags import resolve_flags
from tests.command_kit import keyed

# --- Flags as arguments -------------------------------------------------------------------------------------


def passed(
    *flags: FlagDef, values: dict[str, FlagValue] | None = None, dest: str | None = None, key: str = "cmd"
) -> str:
    """Return the arguments that the process of an operation with these flags gets."""
    train = keyed(key, "fit ${flag_args}" if key == "exec" else "fit", *flags, dest=dest)
    argv = build_command(train, resolve_flags(train, values or {}), "py", "/proj").argv
    return format_command(argv[1:] if key == "exec" else argv[4:])


OPTIMIZERS = (
    ChoiceDef("sgd"),
    ChoiceDef("adam", "Adam with decay", {"optimizer": "adam", "decay": 0.9}),
    ChoiceDef("scaled", "", {"rate": "${lr}", "name": "x-${lr}", "fast": True, "slow": False, "none": None}),
    ChoiceDef("nothing", "", {}),
)


PETALS = (
    FlagDef("batch", 32),
    FlagDef("epochs", 4, arg_name="num_epochs"),
    FlagDef("opt", "sgd", choices=OPTIMIZERS),
    FlagDef("tag", required=True, arg_skip=True),
    FlagDef("lr", 0.5, arg_skip=True),
)


@pytest.mark.parametrize(
    ("given_flags", "expected"),
    [
        ({}, "--batch 32 --num_epochs 4 --opt sgd"),
        ({"opt": "adam", "epochs": 9}, "--batch 32 --decay 0.9 --num_epochs 9 --optimizer adam"),
        ({"opt": "scaled"}, "--batch 32 --fast --name x-0.5 --num_epochs 4 --rate 0.5 --slow False"),
        ({"opt": "nothing"}, "--batch 32 --num_epochs 4"),
    ],
)
def test_names_and_choices_decide_what_is_passed(given_flags: dict[str, FlagValue], expected: str) -> None:
    """Flags go by the name that the process knows, some not at all, and a choice may bring others instead."""
    assert passed(*PETALS, values={"tag": "t1", **given_flags}) == expected


def test_what_a_choice_brings_wins_over_a_flag_of_that_name() -> None:
    """Otherwise the default of the flag would undo the choice."""
    opt = FlagDef("opt", choices=(ChoiceDef("fast", args={"lr": 1}),))

    assert passed(opt, FlagDef("lr", 0.1), values={"opt": "fast"}) == "--lr 1"


@pytest.mark.parametrize(
    ("key", "dest", "expected"),
    [
        ("cmd", None, "--no False --yes"),
        ("cmd", "args", "--no False --yes"),
        ("main", None, "--no '' --yes 1"),
        ("main", "args:click", "--yes"),
        ("exec", "args", "--no '' --yes 1"),
        ("exec", "args:click", "--yes"),
    ],
)
def test_truth_values_are_passed_as_the_format_says(key: str, dest: str | None, expected: str) -> None:
    """The early format has switches; the later one has what `bool` reads as it was meant; click has switches."""
    assert passed(FlagDef("yes", True), FlagDef("no", False), key=key, dest=dest) == expected


@pytest.mark.parametrize(
    ("switch", "value", "expected"),
    [
        (True, True, "--x"),
        (True, False, ""),
        (True, 1, ""),
        (False, False, "--x"),
        (False, True, ""),
        ("on", "on", "--x"),
        ("on", "off", ""),
    ],
)
@pytest.mark.parametrize("key", ["cmd", "main"])
def test_a_switch_is_passed_at_its_value_only(switch: FlagValue, value: FlagValue, expected: str, key: str) -> None:
    """`arg-switch` says at which value the bare option is passed."""
    assert passed(FlagDef("x", arg_switch=switch), key=key, values={"x": value}) == expected


def test_a_pair_of_switches_is_a_pair_of_choices() -> None:
    """`--x/--no-x` is written as what each truth value brings."""
    pair = FlagDef("x", choices=(ChoiceDef(True, args={"x": True}), ChoiceDef(False, args={"no-x": True})))

    assert (passed(pair, key="main", values={"x": True}), passed(pair, key="main", values={"x": False})) == (
        "--x",
        "--no-x",
    )


@pytest.mark.parametrize(
    ("separator", "value", "expected"),
    [
        (" ", "64 'a b'  32", "--x 64 'a b' 32"),
        (" ", "it's two", "--x 'it'\"'\"'s' two"),
        (",", "64, 32", "--x 64 32"),
        (",", [64, "a b"], "--x 64 'a b'"),
        (",", 64, "--x 64"),
        (" ", "", ""),
        (",", [], ""),
    ],
)
def test_a_value_may_be_passed_as_several_arguments(separator: str, value: FlagValue, expected: str) -> None:
    """`arg-split` says where it is taken apart; a list is taken apart anyway."""
    assert passed(FlagDef("x", arg_split=separator), values={"x": value}) == expected


@pytest.mark.parametrize("key", ["cmd", "main"])
@pytest.mark.parametrize("value", ["-x", "--yes", "-", "-1", -2, -0.5, -1e-05, "-5.", "-.5", "-1 2"])
def test_a_value_that_begins_with_a_dash_reaches_the_script(value: FlagValue, key: str) -> None:
    """It is not taken for an option; only what every parser reads as a number stays a word of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--x")
    command = build_command(keyed(key, "train", FlagDef("x", None)), {"x": value}, "py", "/proj")
    assert parser.parse_args(command.argv[4:]).x == str(value)
    assert (len(command.argv) == 6) == (value in {"-", "-1", -2, -0.5, "-.5"})


def test_an_option_is_spelled_out_by_the_name_that_the_process_knows() -> None:
    """What counts is the option, not the flag's own name."""
    train = OperationDef("train", main="fit --num=3", flags=(FlagDef("epochs", 4, arg_name="num"), FlagDef("num2", 1)))

    command = build_command(train, {"epochs": 4, "num2": 1}, "py", "/proj")

    assert command.argv[4:] == ("--num=3", "--num2", "1")
    assert command.warnings == ("flag epochs=4 is ignored: the main of operation 'train' already sets --num",)


# --- Other ways to pass flags -------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["main", "exec"])
def test_flags_that_go_into_a_configuration_file_are_no_arguments(key: str, tmp_path: Path) -> None:
    """The file itself is among what the operation requires."""
    train = keyed(
        key,
        "fit --x 1",
        FlagDef("dim", arg_name="model.dim"),
        FlagDef("lr"),
        FlagDef("skip", arg_skip=True),
        dest="config:conf/train.json",
    )

    command = build_command(train, {"dim": 16, "lr": None, "skip": 1}, "py", str(tmp_path))

    assert command.argv[-3:] == ("fit", "--x", "1")


def test_a_configuration_file_outside_the_project_is_refused() -> None:
    """Its copy would be written outside the run directory."""
    with pytest.raises(CommandError, match=r"file '\.\./c\.yml' lies outside the project"):
        build_command(OperationDef("train", main="fit", flags_dest="config:../c.yml"), {}, "py", "/proj")


@pytest.mark.parametrize(
    ("dest", "script", "output"),
    [
        ("globals", "lr = 1\nhidden = 2\nprint(lr, hidden, sys.argv[1:])", "0.5 2 ['-x', '7']\n"),
        ("global:opts", "opts = {'lr': 1, 'b': 2}\nprint(opts, sys.argv[1:])", "{'lr': 0.5, 'b': 2} ['-x', '7']\n"),
    ],
)
@pytest.mark.parametrize("main", ["fit.py", "fit"])
def test_flags_may_be_assigned_as_globals(dest: str, script: str, output: str, main: str, tmp_path: Path) -> None:
    """A script without a parser gets its values all the same; its own arguments remain what they are."""
    (tmp_path / "fit.py").write_text(f"import sys\n{script}\n")
    flags = (FlagDef("rate", arg_name="lr"), FlagDef("hidden", arg_skip=True), FlagDef("n"))
    train = OperationDef("train", main=f"{main} -x ${{n}}", flags_dest=dest, flags=(*flags, FlagDef("unset")))
    values: dict[str, FlagValue] = {"rate": 0.5, "hidden": 9, "n": 7, "unset": None}

    command = build_command(train, values, sys.executable, str(tmp_path))
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    shown = subprocess.run(command.argv, capture_output=True, check=True, text=True, env=environment).stdout

    assert shown == (output if dest == "globals" else output.replace("'b': 2}", "'b': 2, 'n': 7}"))


@pytest.mark.parametrize("dest", ["arg", "global:", "namespace", "config: ", "globals:x", "args:fire"])
def test_an_unknown_way_to_pass_flags_is_an_error(dest: str) -> None:
    """All ways that there are, are named."""
    with pytest.raises(CommandError, match=r"expected args, args:click, globals, global:NAME, namespace:NAME or con"):
        build_command(OperationDef("train", main="fit", flags_dest=dest), {}, "py", "/proj")
