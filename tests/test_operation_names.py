"""Proves which operation a name means, and that a name that means none or several starts nothing."""

from __future__ import annotations

import pytest

from operations.definitions import ModelDef, OperationDef
from operations.names import OperationNameError, full_name, resolve_operation


def model(name: str, *operations: str) -> ModelDef:
    """Return a model with these operations."""
    return ModelDef(name, "", tuple(OperationDef(operation, "", "fit", ()) for operation in operations))


IRIS = (model("iris-cnn", "train", "finetune", "test"), model("iris-svm", "train"))


def resolve(spec: str, models: tuple[ModelDef, ...] = IRIS) -> str:
    """Return the full name of what a name means."""
    return full_name(*resolve_operation(spec, models))


def refusal(spec: str, models: tuple[ModelDef, ...] = IRIS) -> tuple[str, str]:
    """Return message and hint of a name that is refused."""
    with pytest.raises(OperationNameError) as caught:
        resolve_operation(spec, models)
    return caught.value.message, caught.value.hint or ""


@pytest.mark.parametrize(
    ("spec", "meant"),
    [
        ("finetune", "./iris-cnn:finetune"),
        ("test", "./iris-cnn:test"),
        ("iris-cnn:train", "./iris-cnn:train"),
        ("cnn:train", "./iris-cnn:train"),
        ("svm:train", "./iris-svm:train"),
        ("./iris-cnn:train", "./iris-cnn:train"),
        ("./iris-svm:train", "./iris-svm:train"),
        ("iris:finetune", "./iris-cnn:finetune"),
        ("i:test", "./iris-cnn:test"),
    ],
)
def test_a_name_may_be_as_short_as_it_is_unique(spec: str, meant: str) -> None:
    """A bare operation, part of a model's name, its name and its full name find the one they fit."""
    assert resolve(spec) == meant


def test_a_bare_name_runs_when_there_is_one_model() -> None:
    """With one model there is nothing to choose."""
    assert resolve("train", IRIS[1:]) == "./iris-svm:train"


def test_an_equal_model_name_wins_over_names_that_contain_it() -> None:
    """`cnn` means the model of that name even when `iris-cnn` contains it."""
    assert resolve("cnn:train", (*IRIS, model("cnn", "train"))) == "./cnn:train"


def test_an_equal_model_name_is_not_given_up_for_another() -> None:
    """A model named in full that lacks the operation is an error, not a reason to run another model."""
    message, hint = refusal("cnn:finetune", (*IRIS, model("cnn", "train")))

    assert message == "operation 'finetune' is not defined for model './cnn'"
    assert hint == "Available operations:\n  ./cnn:train"


def test_part_of_a_model_name_is_narrowed_by_the_operation() -> None:
    """Of two models that fit, the one that has the operation is meant."""
    assert resolve("cnn:train", (model("a-cnn", "train"), model("b-cnn", "test"))) == "./a-cnn:train"


def test_an_ambiguous_bare_name_lists_the_candidates() -> None:
    """No model is preferred in silence, not even the first."""
    message, hint = refusal("train")

    assert message == "several models have an operation 'train'"
    assert hint == "Try specifying one of the following:\n  ./iris-cnn:train\n  ./iris-svm:train"


def test_an_ambiguous_model_lists_the_candidates() -> None:
    """Part of a name that fits several models with the operation is refused with their full names."""
    message, hint = refusal("iris:train")

    assert message == "there are multiple models that match 'iris' and have 'train'"
    assert hint == "Try specifying one of the following:\n  ./iris-cnn:train\n  ./iris-svm:train"


def test_a_model_with_a_slash_must_be_the_full_name() -> None:
    """Part of a name is looked for in bare names only."""
    message, hint = refusal("./cnn:train")

    assert message.startswith("cannot find a model matching './cnn'")
    assert "  ./iris-cnn:train" in hint


def test_an_unknown_operation_suggests_a_near_one_and_lists_all() -> None:
    """A slip is answered with the word that was probably meant, and with what there is."""
    message, hint = refusal("fintune")

    assert message == "cannot find operation 'fintune' (did you mean 'finetune'?)"
    assert hint.splitlines() == [
        "Available operations:",
        "  ./iris-cnn:finetune",
        "  ./iris-cnn:test",
        "  ./iris-cnn:train",
        "  ./iris-svm:train",
    ]


def test_an_operation_is_never_matched_in_part() -> None:
    """`tune` is not `finetune`: what starts must have been named exactly."""
    assert refusal("tune")[0].startswith("cannot find operation 'tune'")
    assert refusal("Train")[0].startswith("cannot find operation 'Train'")


def test_an_unknown_model_suggests_a_near_one() -> None:
    """The suggestion is a model's name."""
    assert refusal("iris-cn2:train")[0] == "cannot find a model matching 'iris-cn2' (did you mean 'iris-cnn'?)"


def test_an_operation_that_no_fitting_model_has_is_refused() -> None:
    """The message says that the model part was understood."""
    assert refusal("iris:nope")[0] == "operation 'nope' is not defined for any model that matches 'iris'"
    assert refusal("svm:nope")[0] == "operation 'nope' is not defined for model './iris-svm'"


@pytest.mark.parametrize("spec", ["", " ", ":", ":train", "iris-cnn:", "a:b:c", "::train", " :train"])
def test_a_text_that_is_no_name_is_refused(spec: str) -> None:
    """Empty parts and a second colon are errors of their own."""
    message, hint = refusal(spec)

    assert message == f"'{spec}' is not the name of an operation: expected OPERATION or MODEL:OPERATION"
    assert "iris-cnn:train" in hint


def test_without_models_the_message_says_so() -> None:
    """A directory without a model file, or a model without operations, gets its own words."""
    assert refusal("train", ()) == (
        "there are no operations here because no model file defines any",
        "Change to a directory with a model file (MODELS, MODEL or guild.yml), or write one",
    )
    assert refusal("train", (model("m"),))[1] == "No operation is defined: add one to the model file"


def test_a_long_list_of_operations_is_cut() -> None:
    """Twenty names are shown, the others are counted."""
    lines = refusal("nope", (model("m", *(f"op-{n:03}" for n in range(50))),))[1].splitlines()

    assert len(lines) == 22
    assert lines[-1] == "  ... and 30 more"


def test_bytes_that_are_no_text_are_shown_escaped() -> None:
    """An undecodable or hostile name neither crashes the message nor reaches the terminal."""
    for spec in ("\udcff\x1b[2J", "\udcff:train", "./\udcff:train", "iris:\udcff", "x" * 100_000):
        message, hint = refusal(spec)

        (message + hint).encode("utf-8")
        assert "\x1b" not in message
        assert len(message) < 400


def test_an_operation_without_a_model_is_named_by_itself() -> None:
    """There is no model to put before a colon."""
    assert full_name(ModelDef(""), OperationDef("train")) == "./train"
