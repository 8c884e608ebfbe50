"""Proves that an operation and its flags become the right command, and are shown honestly beforehand."""

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

from operations.command import Command, CommandError, build_command, format_command
from operations.definitions import FlagDef, FlagValue, ModelDef, OperationDef
from operations.help_text import operation_help, preview


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


# --- Help and preview ---------------------------------------------------------------------------------------

IRIS = ModelDef("iris-cnn", "", ())


def test_the_help_of_an_operation_shows_usage_description_and_flags() -> None:
    """Defaults are shown, text in quotes, and required flags are marked."""
    train = operation(
        "fit",
        FlagDef("opt", "sgd", "Optimizer", required=False),
        FlagDef("epochs", 5, "Passes over\nthe data", required=False),
        FlagDef("base", None, "Base checkpoint", required=True),
        FlagDef("fast", False, "", required=False),
        FlagDef("tag", None, "", required=False),
        description="Train it.\nTakes an hour.",
    )

    assert operation_help(IRIS, train).splitlines() == [
        "Usage: guild run [OPTIONS] iris-cnn:train [FLAG=VALUE]...",
        "",
        "Train it.",
        "Takes an hour.",
        "",
        "Use 'guild run --help' for a list of options.",
        "",
        "Flags:",
        "  base    Base checkpoint (required)",
        "  epochs  Passes over the data (default is 5)",
        "  fast    (default is false)",
        '  opt     Optimizer (default is "sgd")',
        "  tag",
    ]


def test_the_help_of_an_operation_without_flags_has_no_list() -> None:
    """Nothing is announced that is not there."""
    assert operation_help(IRIS, operation("fit")).splitlines() == [
        "Usage: guild run [OPTIONS] iris-cnn:train [FLAG=VALUE]...",
        "",
        "Use 'guild run --help' for a list of options.",
    ]


def test_help_cannot_command_the_terminal() -> None:
    """Descriptions and defaults are shown escaped and shortened."""
    flag = FlagDef("a", "\x1b]0;x\x07" + "y" * 10_000, "\x1b[2J", required=False)

    shown = operation_help(IRIS, operation("fit", flag, description="\x1b[31mred\x9b"))

    assert "\x1b" not in shown
    assert "\x9b" not in shown
    assert max(map(len, shown.splitlines())) < 200


def test_the_preview_lists_what_the_process_gets() -> None:
    """Flags are sorted, a switch is called one, text that looks like a number is quoted, None is left out."""
    flags: dict[str, FlagValue] = {
        "lr": 0.1,
        "epochs": 5,
        "fast": True,
        "slow": False,
        "opt": "sgd",
        "size": "5",
        "empty": "",
        "sizes": [1, 2],
        "tag": None,
    }

    assert preview("./iris-cnn:train", flags).splitlines() == [
        "You are about to run ./iris-cnn:train",
        '  empty: ""',
        "  epochs: 5",
        "  fast: (boolean switch)",
        "  lr: 0.1",
        "  opt: sgd",
        '  size: "5"',
        "  sizes: [1,2]",
        "  slow: false",
    ]


def test_a_value_cannot_forge_a_line_of_the_preview() -> None:
    """Line breaks, control characters and huge values stay on one short line of their own flag."""
    flags: dict[str, FlagValue] = {
        "a": "1\n  b: 2\r\x1b[A",
        "c": "x" * 10_000,
        "d": ["y" * 10_000, "\x1b"],
        "e\n  f": 1,
        "\udcff": "\udcfe\u202e",
    }

    shown = preview("./m:train\n  g: 1", flags)

    assert len(shown.splitlines()) == 1 + len(flags)
    assert "\x1b" not in shown
    assert max(map(len, shown.splitlines())) < 120
    shown.encode("utf-8")
