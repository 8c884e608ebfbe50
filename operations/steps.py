"""The command of an operation that runs others: a process that starts `guild` for each step."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from operations.command import Command
from operations.templates import filled

if TYPE_CHECKING:
    from operations.definitions import FlagValue, OperationDef, StepDef

_PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "launch_steps.py")


def steps_command(
    operation: OperationDef,
    flags: Mapping[str, FlagValue],
    interpreter: str,
    project: str,
    guild: Sequence[str],
    *,
    full_name: Callable[[str], str] = str,
    check: Callable[[str], None] = lambda _name: None,
) -> Command:
    """Return the command that runs the steps of an operation.

    Args:
        operation: one with steps.
        flags: its values, which the steps may refer to.
        interpreter: the Python to run with.
        project: absolute directory of the model file.
        guild: how `guild` itself is started.
        full_name: turns what a step calls an operation into what `guild` finds from the project's directory.
        check: refuses what a step calls an operation and is none.

    Raises:
        TemplateError: a step refers to a flag that does not exist.
    """
    import json

    steps = []
    for step in operation.steps:
        name, *words = _words(operation, step, flags)
        check(name)
        steps.append({"name": _name(step), "words": [full_name(name), *words]})
    text = json.dumps({"guild": list(guild), "project": project, "steps": steps})
    return Command((interpreter, "-u", _PROGRAM, text), ())


def _name(step: StepDef) -> str:
    return (step.name or step.run).replace("/", "-").replace(":", "-")


def _words(operation: OperationDef, step: StepDef, flags: Mapping[str, FlagValue]) -> list[str]:
    what = f"step '{step.run}' of operation '{operation.name}'"
    words = [filled(word, flags, what=what) for word in (step.run, *step.flags)]
    if step.label is not None:
        words += ["--label", filled(step.label, flags, what=what)]
    for tag in step.tags:
        words += ["--tag", tag]
    return [*words, "--needed"] if step.needed else words
