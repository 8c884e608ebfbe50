"""A worker of a batch: reads ids of staged runs, carries each out, and answers with what became of it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from commands.batch import Outcome, outcome_of
from commands.handed_over import unpacked
from commands.run_again import Stager
from operations.signals import stopping_raises

if TYPE_CHECKING:
    import io

    from commands.app import App
    from ledger.ids import RunId


def main() -> None:
    """Work until there is nothing more to read; the argument is what the parent says of options and home, as JSON."""
    import json

    app, options = unpacked(json.loads(sys.argv[1]))
    orders, answers = _streams()
    stager = Stager(app, options)
    try:
        with stopping_raises():
            while line := orders.readline():
                answer = json.dumps(_carried_out(app, stager, line.strip().decode()))  # its escapes hold any text
                answers.write(f"{answer}\n".encode())
    except (KeyboardInterrupt, BrokenPipeError):
        os._exit(0)  # asked to stop between two trials, or nobody is there to hear of this one, which is recorded
    app.close()


def _streams() -> tuple[io.BufferedReader, io.FileIO]:
    """Return what the parent writes, and where it reads; the standard streams lead nowhere from here on.

    A trial has the standard input of its worker, and one that reads it would take the ids of those to come.
    Nothing that is printed by mistake may be taken for an answer.
    """
    orders = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return orders, answers


def _carried_out(app: App, stager: Stager, text: str) -> Outcome:
    from artifacts.home import check_run_id

    run_id: RunId = check_run_id(text)
    return outcome_of(app, run_id, lambda: stager.plan(run_id))
