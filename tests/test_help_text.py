"""Proves that what is about to run is shown honestly beforehand, and that help says what there is to know."""

from __future__ import annotations

from ledger.dataclass import replace
from operations.definitions import (
    ChoiceDef,
    FlagDef,
    FlagValue,
    ModelDef,
    OperationDef,
    RequirementDef,
    ResourceDef,
    SourceDef,
)
from operations.help_text import directory_help, model_help, operation_help, preview, preview_trials


def operation(cmd: str, *flags: FlagDef, description: str = "") -> OperationDef:
    """Return an operation that runs `cmd`."""
    return OperationDef("train", description, cmd, flags)


# --- Help of an operation -------------------------------------------------------------------------------------

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


def test_the_help_of_an_operation_without_a_model_has_no_colon() -> None:
    """`guild run train` is what to type."""
    assert operation_help(ModelDef(""), operation("fit")).splitlines()[0] == (
        "Usage: guild run [OPTIONS] train [FLAG=VALUE]..."
    )


def test_the_help_of_an_operation_shows_what_values_a_flag_may_have() -> None:
    """Type, bounds and choices, each choice with what it means."""
    train = operation(
        "fit",
        FlagDef("lr", 0.1, "Rate", type="float", minimum=0, maximum=1),
        FlagDef("n", minimum=1),
        FlagDef("auto", type="auto"),
        FlagDef("opt", "sgd", choices=(ChoiceDef("sgd"), ChoiceDef("adam", "Adam\nwith decay"), ChoiceDef(""))),
        FlagDef("size", choices=(ChoiceDef(1, "Small"),), allow_other=True, required=True),
    )

    assert operation_help(IRIS, train).split("Flags:\n")[1].splitlines() == [
        "  auto",
        "  lr    Rate (float from 0 to 1) (default is 0.1)",
        "  n     (number of at least 1)",
        '  opt   (default is "sgd")',
        "          sgd",
        "          adam  Adam with decay",
        '          ""',
        "  size  (required)",
        "          1  Small",
        "          or another value",
    ]


PETALS = ResourceDef("petals", (SourceDef("file", "petals.csv"),), "Petal\nmeasurements")
FITTED = ResourceDef("fitted", (SourceDef("operation", "train"),), "A fitted model")


def test_the_help_of_an_operation_shows_its_dependencies() -> None:
    """What a requirement says of itself wins over the description of the resource."""
    score = OperationDef(
        "score",
        requires=(
            RequirementDef("petals"),
            RequirementDef("other:x"),
            RequirementDef("weights", FITTED),
            RequirementDef("fitted", description="Why"),
        ),
    )

    shown = operation_help(ModelDef("m", resources=(PETALS, FITTED)), score)

    assert shown.split("Dependencies:\n")[1].splitlines() == [
        "  petals   Petal measurements",
        "  other:x",
        "  weights  A fitted model",
        "  fitted   Why",
    ]


# --- Help of models -----------------------------------------------------------------------------------------

TULIPS = ModelDef(
    "tulip",
    "Petal classifier.\nTrains on a CSV file.",
    (
        OperationDef("train", "Fit it\nto the data", flags=(FlagDef("batch", 32), FlagDef("epochs", 4, "Passes"))),
        OperationDef("score", flags=(FlagDef("batch", 32),)),
    ),
    resources=(PETALS, ResourceDef("hidden", (), private=True)),
)


def test_the_help_of_an_operation_shows_how_its_output_is_read() -> None:
    """The patterns by key, or that there are none; nothing is said of the usual form."""
    patterns: tuple[FlagValue, ...] = (None, False, [r"(\key)=(\value)", {"loss": r"is \value"}])
    said = [
        operation_help(IRIS, replace(operation("fit"), output_scalars=written)).partition("options.")[2]
        for written in patterns
    ]
    assert said == [
        "",
        "\n\nScalars:\n  none are read from the output",
        "\n\nScalars (patterns in the output):\n  -     (\\key)=(\\value)\n  loss  is \\value",
    ]


def test_the_help_of_a_model_lists_operations_and_resources() -> None:
    """Both by name, with the first line of their descriptions; private resources are left out."""
    assert model_help(TULIPS).splitlines() == [
        "Usage: guild run [OPTIONS] tulip:OPERATION [FLAG=VALUE]...",
        "",
        "Petal classifier.",
        "Trains on a CSV file.",
        "",
        "Use 'guild run tulip:OPERATION --help-op' for help on an operation.",
        "",
        "Operations:",
        "  score",
        "  train  Fit it",
        "",
        "Resources:",
        "  petals  Petal",
    ]


def test_the_help_of_operations_without_a_model_names_none() -> None:
    """There is nothing to put before a colon."""
    assert model_help(ModelDef("")).splitlines() == [
        "Usage: guild run [OPTIONS] OPERATION [FLAG=VALUE]...",
        "",
        "Use 'guild run OPERATION --help-op' for help on an operation.",
    ]


def test_the_help_of_a_directory_shows_all_its_models() -> None:
    """Flags that all operations share are the model's, and private models are not shown."""
    models = [TULIPS, ModelDef("hidden", private=True), ModelDef("", operations=(OperationDef("prepare"),))]

    intro = "You are viewing help for models defined in the current directory."
    lines = directory_help(models, intro, lambda _, operation: operation.flags).splitlines()

    assert lines[:3] == ["OVERVIEW", "", "  You are viewing help for models defined in the current directory."]
    assert lines[lines.index("MODELS") :] == [
        "MODELS",
        "",
        "  (operations without a model)",
        "",
        "    Operations:",
        "",
        "      prepare",
        "",
        "  tulip",
        "",
        "    Petal classifier.",
        "    Trains on a CSV file.",
        "",
        "    Operations:",
        "",
        "      score",
        "",
        "      train",
        "        Fit it",
        "        to the data",
        "        Flags:",
        "          epochs  Passes (default is 4)",
        "",
        "    Model flags:",
        "      batch  (default is 32)",
    ]


def test_a_directory_without_models_has_no_help() -> None:
    """A private model alone is nothing to show."""
    assert directory_help([ModelDef("x", private=True)], "Intro.", lambda *_: ()) == (
        "No help available (the current directory does not contain a model file)"
    )


# --- Preview ------------------------------------------------------------------------------------------------


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


def test_the_preview_shows_label_and_tags_apart_from_flags() -> None:
    """A flag named label is indented, the label is not."""
    assert preview("./train", {"label": 1}, label="good\nrun", tags=["a", "b"]).splitlines() == [
        "You are about to run ./train",
        "  label: 1",
        "Label: good\\nrun",
        "Tags: a, b",
    ]


def test_the_preview_of_trials_is_a_table_of_what_differs() -> None:
    """Flags that are the same in all trials are listed once, and rows beyond the limit are counted."""
    rows: list[dict[str, FlagValue]] = [
        {"lr": lr, "n": 3, "opt": opt, "fast": True, "tag": None} for lr in (0.1, 0.01) for opt in ("sgd", "5", None)
    ]

    assert preview_trials("./train", rows, 4, tags=["a"]).splitlines() == [
        "You are about to run ./train as a batch of 6 trials",
        "  fast: (boolean switch)",
        "  n: 3",
        "    lr    opt",
        "    0.1   sgd",
        '    0.1   "5"',
        "    0.1",
        "    0.01  sgd",
        "  ... and 2 more",
        "Tags: a",
    ]


def test_equal_trials_need_no_table() -> None:
    """One trial, or several that are the same, are their flags."""
    assert preview_trials("./train", [{"n": 3}], label="x").splitlines() == [
        "You are about to run ./train as a batch of 1 trial",
        "  n: 3",
        "Label: x",
    ]


def test_long_values_that_differ_at_their_end_differ() -> None:
    """What is cut off in the table still tells trials apart."""
    rows: list[dict[str, FlagValue]] = [{"x": "a" * 100 + end} for end in "bc"]

    shown = preview_trials("./train", rows).splitlines()

    assert (len(shown), shown[1]) == (4, "    x")
    assert max(map(len, shown)) < 60
