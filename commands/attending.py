"""The process beside a script or notebook that has begun a run by itself (`guild_ledger.start_run`).

It is told on standard input what to record, answers on standard output with the run's id and directory, and stays until
the run is over. It prints nothing else: what it has to say, the other side tells its user.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from commands.app import make_app
from commands.handed_over import shortened
from ledger.errors import GuildError
from ledger.ids import new_run_id
from operations.attending import Process, attend
from operations.process_info import start_ticks
from operations.run_plan import RunPlan
from operations.runner import run, status_of
from operations.signals import accept_signals

_MOST_ASKED = 4 * 1024 * 1024


def main() -> None:
    """Carry out what standard input says; the exit code tells nothing, the answer does."""
    accept_signals()
    _close_inherited()
    answers = os.dup(1)
    os.set_inheritable(answers, False)
    os.dup2(2, 1)  # a stray print is no answer
    try:
        _answer(answers, _attended(answers))
    except GuildError as error:
        _answer(answers, {"error": f"{error.message}. {error.hint}" if error.hint else error.message})


def _close_inherited() -> None:
    """Close what the script has open for what it starts itself: a pipe that stays open here would never end there."""
    with suppress(FileNotFoundError):  # a small container may have no such folder
        for name in os.listdir("/dev/fd"):
            if int(name) > 2:  # noqa: PLR2004 - standard error
                with suppress(OSError):  # the listing's own
                    os.close(int(name))


def _attended(answers: int) -> Mapping[str, object]:
    """Record the run, stay with it, and return how it ended."""
    asked = _asked()
    app = make_app(None, asked["home"], ())
    app.argv = shortened(asked["command"])
    plan = _plan(asked)
    app.home.ensure()
    told: list[bool] = []

    def begun() -> None:
        told.append(True)
        is_child = os.getppid() == asked["pid"]
        child = os.getpid() if is_child else 0
        _answer(answers, {"id": plan.run_id, "dir": app.home.run_dir(plan.run_id), "child": child})

    process = Process(asked["pid"], start_ticks(asked["pid"]) or 0, 0, begun)
    ending = run(plan, app.home, app.header(), app.take_ledger, partial(attend, process))
    if not told:
        raise GuildError(f"run {plan.run_id[:8]} failed: {ending.failure}", hint="It is listed with status error.")
    return {"status": status_of(plan, ending), "asked_by": ending.asked_by}


def _asked() -> dict[str, Any]:
    words = b""
    while b"\n" not in words:
        piece = os.read(0, 65_536)
        words += piece
        if not piece or len(words) > _MOST_ASKED:
            raise GuildError(
                "what the run was given is too long to be recorded",
                hint="Flags are for settings; data belongs in files.",
            )
    asked: dict[str, Any] = json.loads(words)
    return asked


def _plan(asked: Mapping[str, Any]) -> RunPlan:
    operation = asked["operation"]
    if not operation.strip():
        raise GuildError("the name of the operation is empty", hint="Leave it out for the name of the script.")
    if "" in asked["tags"] or (asked["label"] is not None and not asked["label"].strip()):
        raise GuildError("the label or tag is empty", hint="Leave it out to start a run without one.")
    return RunPlan(
        run_id=new_run_id(),
        project=asked["project"],
        model="",
        operation=operation,
        command=tuple(asked["command"]),
        flags=asked["flags"],
        flag_texts={},
        label=asked["label"],
        cmd_dir=os.getcwd(),
        environment=dict(os.environ),
        tags=tuple(dict.fromkeys(asked["tags"])),
        output_scalars=False,  # nothing that it prints passes through here
        stdout=None,
        stderr=None,
    )


def _answer(descriptor: int, answer: Mapping[str, object]) -> None:
    words = json.dumps(answer).encode() + b"\n"
    with suppress(BrokenPipeError):  # nobody is there to hear it, which is noticed elsewhere
        while words:
            words = words[os.write(descriptor, words) :]
