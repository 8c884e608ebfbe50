"""The command of a run: which program it is, where it lies, which references it holds, and its label and variables."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operations.command import Command, CommandError, build_command, format_command, label_of, operation_environment
from operations.definitions import FlagDef, FlagValue, OperationDef, SourceCodeDef, StepDef
from operations.templates import TemplateError
from tests.command_kit import keyed


def operation(cmd: str, *flags: FlagDef, description: str = "") -> OperationDef:
    """Return an operation that runs `cmd`."""
    return OperationDef("train", description, cmd, flags)


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
