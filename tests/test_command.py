"""Proves that an operation and its flags become the right command, and are shown honestly beforehand."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operations.command import (
    Command,
    CommandError,
    build_command,
    format_command,
    label_of,
    operation_environment,
)
from operations.definitions import ChoiceDef, FlagDef, FlagValue, OperationDef, SourceCodeDef, StepDef
from operations.flags import resolve_flags
from operations.templates import TemplateError


def operation(cmd: str, *flags: FlagDef, description: str = "") -> OperationDef:
    """Return an operation that runs `cmd`."""
    return OperationDef("train", description, cmd, flags)


def keyed(key: str, text: str, *flags: FlagDef, dest: str | None = None) -> OperationDef:
    """Return an operation whose command is said by `cmd`, `main` or `exec`."""
    texts = {"cmd": "", "main": "", "exec": "", key: text}
    return OperationDef("train", "", texts["cmd"], flags, texts["main"], texts["exec"], flags_dest=dest)


def build(cmd: str, flags: dict[str, FlagValue] | None = None, project: str = "/proj") -> Command:
    """Build the command of `cmd` with the interpreter `py`."""
    return build_command(operation(cmd), flags or {}, "py", project)


# --- The command --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cmd", "argv"),
    [
        ("train", ["py", "-u", "-m", "train"]),
        ("pkg.mod --out .", ["py", "-u", "-m", "pkg.mod", "--out", "."]),
        ("train.py", ["py", "-u", "/proj/train.py"]),
        ("src/train.py -x 1", ["py", "-u", "/proj/src/train.py", "-x", "1"]),
        ("src/../train.py", ["py", "-u", "/proj/train.py"]),
        ("/proj/train.py", ["py", "-u", "/proj/train.py"]),
        (
            "train --name 'two words' \"a'b\" c\\ d ''",
            ["py", "-u", "-m", "train", "--name", "two words", "a'b", "c d", ""],
        ),
        (
            "train\n  --out . # not a comment",
            ["py", "-u", "-m", "train", "--out", ".", "#", "not", "a", "comment"],
        ),
    ],
)
def test_the_first_word_is_a_module_or_a_script_of_the_project(cmd: str, argv: list[str]) -> None:
    """The words of `cmd` are split as a shell would, and the first says what Python runs."""
    assert build(cmd) == Command(tuple(argv), ())


def test_flags_follow_sorted_by_name() -> None:
    """Each kind of value has one form; true is a switch and None is left out."""
    flags: dict[str, FlagValue] = {
        "z": "text with blanks",
        "lr": 1e-4,
        "rate": 0.1,
        "epochs": 3,
        "fast": True,
        "slow": False,
        "tag": None,
        "empty": "",
        "list": [1, "a", None, True, 0.5],
        "map": {"a": {"b": [1]}},
    }

    words = build("train --out .", flags).argv[4:]

    assert format_command(words) == (
        "--out . --empty '' --epochs 3 --fast --list '[1,\"a\",null,true,0.5]' --lr 0.0001 "
        "--map '{\"a\":{\"b\":[1]}}' --rate 0.1 --slow False --z 'text with blanks'"
    )


@pytest.mark.parametrize("cmd", ["train --rate 9", "train --rate=9", "train.py --rate"])
def test_a_flag_that_the_cmd_sets_is_ignored_with_a_warning(cmd: str) -> None:
    """What `cmd` spells out wins, and the user is told."""
    command = build(cmd, {"rate": 3, "rat": 1})

    assert command.argv[-2:] == ("--rat", "1")
    assert "3" not in command.argv
    assert command.warnings == ("flag rate=3 is ignored: the cmd of operation 'train' already sets --rate",)


def test_a_flag_without_a_value_is_not_warned_about() -> None:
    """Nothing is ignored when there was nothing to pass."""
    assert build("train --rate 9", {"rate": None}).warnings == ()


def test_a_value_in_a_warning_is_harmless() -> None:
    """A hostile or huge value cannot command the terminal by way of a warning."""
    (warning,) = build("train --x 1", {"x": "\x1b[2J\n" + "y" * 10_000}).warnings

    assert "\x1b" not in warning
    assert "\n" not in warning
    assert len(warning) < 250


@pytest.mark.parametrize("cmd", ["train 'open", 'train "open', "train \\"])
def test_an_open_quote_is_an_error(cmd: str) -> None:
    """A `cmd` that cannot be split is refused with its text."""
    with pytest.raises(CommandError, match="cmd of operation 'train' cannot be split") as caught:
        build(cmd)

    assert cmd in (caught.value.hint or "")


@pytest.mark.parametrize("cmd", ["", "  ", "''", "'' train"])
def test_a_cmd_without_a_first_word_is_an_error(cmd: str) -> None:
    """There is nothing to run."""
    with pytest.raises(CommandError, match="missing cmd for operation 'train'"):
        build(cmd)


@pytest.mark.parametrize("script", ["../train.py", "src/../../proj2/train.py", "/etc/train.py", "/proj2/train.py"])
def test_a_script_outside_the_project_is_refused(script: str) -> None:
    """A model file runs only what lies in its own directory, however the path is written."""
    with pytest.raises(CommandError, match="outside the project"):
        build(script)


def test_a_project_at_the_root_may_run_its_scripts() -> None:
    """The check holds for the shortest directory too."""
    assert build("train.py", project="/").argv[2] == "/train.py"


@pytest.mark.parametrize("value", ["a\0b", "\ud800"])
def test_a_value_that_no_process_can_take_is_an_error(value: str) -> None:
    """A zero character or half a surrogate pair is found before the start, not by a crash in it."""
    with pytest.raises(CommandError, match="cannot be passed to a process"):
        build("train", {"x": value})


def test_a_process_gets_what_was_given(tmp_path: Path) -> None:
    """The built command runs: blanks, quotes, line breaks, dashes and undecodable bytes arrive unchanged."""
    script = "import json, os, sys; print(json.dumps([os.fsencode(a).hex() for a in sys.argv[1:]]))"
    (tmp_path / "show me.py").write_text(script)
    flags: dict[str, FlagValue] = {"a": "x 'y' \"z\"\n$HOME", "b": "-1", "\udcff": "\udcfe", "é": "日本"}

    command = build_command(operation("'show me.py' first"), flags, sys.executable, str(tmp_path))
    output = subprocess.run(command.argv, capture_output=True, check=True).stdout

    expected = ["first", "--a", "x 'y' \"z\"\n$HOME", "--b", "-1", "--é", "日本", "--\udcff", "\udcfe"]
    assert [os.fsdecode(bytes.fromhex(word)) for word in json.loads(output)] == expected


def test_a_module_of_the_project_runs(tmp_path: Path) -> None:
    """`python -m` finds a module in a package of the project when the project is on its path."""
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "fit.py").write_text("import sys; print(sys.argv[1:])")

    command = build_command(operation("pkg.fit"), {"lr": 0.5}, sys.executable, str(tmp_path))
    output = subprocess.run(
        command.argv,
        capture_output=True,
        check=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    ).stdout

    assert output == "['--lr', '0.5']\n"


@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1))
def test_a_printed_command_can_be_typed_again(argv: list[str]) -> None:
    """What `--print-cmd` shows is split by a shell into the same words."""
    assert shlex.split(format_command(argv)) == argv


# --- References ---------------------------------------------------------------------------------------------


def test_references_in_a_command_become_values() -> None:
    """A value with blanks stays one word, an escaped reference is text, a number is written as such."""
    flags: dict[str, FlagValue] = {"lr": 0.1, "name": "two words", "unset": None, "$": 1}
    cmd = '${lr} ${name} "<${name}>" \\${lr} \'\\${lr}\' "\\${lr}" -${unset}-'

    words = build_command(
        OperationDef("train", cmd=f"train {cmd}", flags=tuple(FlagDef(name, arg_skip=True) for name in flags)),
        flags,
        "py",
        "/proj",
    ).argv[4:]

    assert words == ("0.1", "two words", "<two words>", "${lr}", "${lr}", "${lr}", "--")


@pytest.mark.parametrize("key", ["cmd", "main", "exec"])
def test_an_undefined_reference_in_a_command_is_an_error(key: str) -> None:
    """The message says which key of which operation refers to what."""
    train = keyed(key, "train ${lrr}")

    with pytest.raises(TemplateError) as caught:
        build_command(train, {"lr": 1}, "py", "/proj")

    assert caught.value.message == (
        f"{key} of operation 'train' refers to '${{lrr}}', which is not defined (did you mean 'lr'?)"
    )


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


# --- Where the program is -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("main", "argv", "python_path"),
    [
        ("train", ["py", "-u", "-m", "train"], ()),
        ("pkg/train -x", ["py", "-u", "-m", "train", "-x"], ("/proj/pkg",)),
        ("a/b/pkg.train", ["py", "-u", "-m", "pkg.train"], ("/proj/a/b",)),
        ("./train", ["py", "-u", "-m", "train"], ("/proj",)),
        ("src/train.py", ["py", "-u", "/proj/src/train.py"], ()),
    ],
)
@pytest.mark.parametrize("key", ["cmd", "main"])
def test_a_module_may_lie_in_a_directory(key: str, main: str, argv: list[str], python_path: tuple[str, ...]) -> None:
    """`dir/module` is a module that is searched for in that directory of the project."""
    command = build_command(keyed(key, main), {}, "py", "/proj")

    assert (list(command.argv), command.python_path) == (argv, python_path)


def test_the_root_of_the_source_code_is_where_main_is_looked_for() -> None:
    """The directories that the operation adds follow the module's own."""
    train = OperationDef("train", main="a/fit", python_path=("lib", "/opt/lib"), sourcecode=SourceCodeDef(root="src"))

    assert build_command(train, {}, "py", "/proj").python_path == ("/proj/src/a", "/proj/lib", "/opt/lib", "/proj/src")


def test_a_directory_outside_the_project_is_refused() -> None:
    """A module is looked for only where the model file is."""
    with pytest.raises(CommandError, match=r"directory '\.\./other' lies outside the project"):
        build_command(OperationDef("train", main="../other/train"), {}, "py", "/proj")


def test_an_operation_of_steps_has_no_command() -> None:
    """It is started another way."""
    with pytest.raises(CommandError, match="runs other operations"):
        build_command(OperationDef("all", steps=(StepDef("train"),)), {}, "py", "/proj")


# --- Any program --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("prog", "prog"),
        ("prog -n ${n} ${flag_args} end", "prog -n 5 --n 5 --s 'a b' end"),
        ("sh -c 'prog ${flag_args}'", "sh -c 'prog --n 5 --s '\"'\"'a b'\"'\"''"),
        ("prog --n 7 ${flag_args}", "prog --n 7 --s 'a b'"),
        ("echo \\${flag_args} '$HOME'", "echo '${flag_args}' '$HOME'"),
        ("${python_exe} -m x", "py -m x"),
    ],
)
def test_exec_runs_any_program(text: str, expected: str) -> None:
    """The flags stand where the command asks for them, and nowhere else."""
    command = build_command(OperationDef("train", exec=text), {"n": 5, "s": "a b"}, "py", "/proj")

    assert format_command(command.argv) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("./run.sh run.sh", "PROJ/run.sh run.sh"),
        ("run.sh run.sh", "run.sh run.sh"),
        ("bash -x run.sh run.sh", "bash -x PROJ/run.sh run.sh"),
        ("${python_exe} run.sh", "/usr/bin/python3.11 PROJ/run.sh"),
        ("python -c run.sh", "python -c run.sh"),
        ("python -m run.sh", "python -m run.sh"),
        ("bash other.sh", "bash other.sh"),
        ("cat run.sh", "cat run.sh"),
        ("bash", "bash"),
    ],
)
def test_a_script_of_the_project_is_found_from_the_run_directory(text: str, expected: str, tmp_path: Path) -> None:
    """The process starts elsewhere, so the program is named in full; its other arguments are left alone."""
    (tmp_path / "run.sh").touch()

    command = build_command(OperationDef("train", exec=text), {}, "/usr/bin/python3.11", str(tmp_path))

    assert format_command(command.argv) == expected.replace("PROJ", str(tmp_path))


@pytest.mark.parametrize("text", ["${flag_args}", "''", " "])
def test_exec_without_a_program_is_an_error(text: str) -> None:
    """There is nothing to run."""
    with pytest.raises(CommandError, match="missing exec for operation 'train'"):
        build_command(OperationDef("train", exec=text), {}, "py", "/proj")


def test_exec_cannot_have_its_globals_assigned() -> None:
    """Only Python has them; the user is told that the flags do not arrive."""
    command = build_command(OperationDef("train", exec="prog ${flag_args}", flags_dest="globals"), {"a": 1}, "py", "/p")

    assert command.argv == ("prog",)
    assert command.warnings == ("flags-dest 'globals' of operation 'train' is ignored: exec takes only arguments",)


# --- Other ways to pass flags -------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["main", "exec"])
def test_flags_may_be_written_into_a_configuration_file(key: str, tmp_path: Path) -> None:
    """The run directory gets a copy with the values in place, and the process no arguments."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "train.json").write_text('{"model": {"dim": 8, "name": "a"}, "lr": 0.1}')
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
    assert {name: json.loads(text) for name, text in command.files.items()} == {
        "conf/train.json": {"model": {"dim": 16, "name": "a"}, "lr": 0.1}
    }


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


# --- Environment and label ----------------------------------------------------------------------------------


def test_an_operation_adds_variables() -> None:
    """Those of `env` may refer to flags; flags without a value set nothing."""
    train = OperationDef(
        "train",
        env={"RATE": "lr ${lr}", "EMPTY": "", "RAW": "\\${lr}"},
        flags=(FlagDef("lr", env_name="LEARN"), FlagDef("fast", env_name="FAST"), FlagDef("x", env_name="X")),
    )

    assert operation_environment(train, {"lr": 0.1, "fast": True, "x": None}) == {
        "RATE": "lr 0.1",
        "EMPTY": "",
        "RAW": "${lr}",
        "LEARN": "0.1",
        "FAST": "true",
    }


def test_a_variable_that_no_process_can_have_is_an_error() -> None:
    """It is found before the start."""
    with pytest.raises(CommandError, match="cannot be passed to a process"):
        operation_environment(OperationDef("train", env={"A": "${x}"}), {"x": "a\0"})


@pytest.mark.parametrize(
    ("template", "label"),
    [
        (None, None),
        ("", None),
        ("${unset}", None),
        ("lr ${lr}", "lr 0.1"),
        ("{{lr}} 100%", "{{lr}} 100%"),
        ("<${default_label}>", "<lr=0.1 name=x>"),
    ],
)
def test_a_label_is_made_from_its_template(template: str | None, label: str | None) -> None:
    """A template of which nothing remains gives no label."""
    train = OperationDef("train", label=template)

    assert label_of(train, {"name": "x", "lr": 0.1, "unset": None}) == label


def test_a_label_with_an_undefined_reference_is_an_error() -> None:
    """The message names the label."""
    with pytest.raises(TemplateError, match=r"^label of operation 'train' refers to '\$\{x\}'"):
        label_of(OperationDef("train", label="${x}"), {})
