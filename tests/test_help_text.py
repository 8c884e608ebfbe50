"""Proves that what is about to run is shown honestly beforehand, and that help says what there is to know."""

from __future__ import annotations

from operations.definitions import FlagDef, FlagValue, ModelDef, OperationDef
from operations.help_text import operation_help, preview


def operation(cmd: str, *flags: FlagDef, description: str = "") -> OperationDef:
    """Return an operation that runs `cmd`."""
    return OperationDef("train", description, cmd, flags)


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
