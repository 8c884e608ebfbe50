"""The command of an operation that runs others: a process that starts `guild` for each step."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from operations.command import Command
from operations.names import full_name
from operations.templates import filled

if TYPE_CHECKING:
    from operations.definitions import FlagValue, ModelDef, OperationDef, StepDef

_PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "launch_steps.py")


def steps_command(
    model: ModelDef,
    operation: OperationDef,
    flags: Mapping[str, FlagValue],
    *,
    interpreter: str,
    project: str,
    guild: Sequence[str],
) -> Command:
    """Return the command that runs the steps of an operation.

    Args:
        model: its model, whose operations a step means first.
        operation: one with steps.
        flags: its values, which the steps may refer to.
        interpreter: the Python to run with.
        project: absolute directory of the model file.
        guild: how `guild` itself is started.

    Raises:
        TemplateError: a step refers to a flag that does not exist.
    """
    import orjson

    steps = [{"name": _name(step), "words": _words(model, operation, step, flags)} for step in operation.steps]
    text = orjson.dumps({"guild": list(guild), "project": project, "steps": steps}).decode()
    return Command((interpreter, "-u", _PROGRAM, text), ())


def _name(step: StepDef) -> str:
    return (step.name or step.run).replace("/", "-").replace(":", "-")


def _words(model: ModelDef, operation: OperationDef, step: StepDef, flags: Mapping[str, FlagValue]) -> list[str]:
    what = f"step '{step.run}' of operation '{operation.name}'"
    words = [filled(word, flags, what=what) for word in (step.run, *step.flags)]
    for own in model.operations:
        if own.name == words[0] and model.name:
            words[0] = full_name(model, own)
    if step.label is not None:
        words += ["--label", filled(step.label, flags, what=what)]
    for tag in step.tags:
        words += ["--tag", tag]
    return [*words, "--needed"] if step.needed else words
