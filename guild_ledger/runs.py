"""Runs that a script or a notebook begins itself, whoever has started it.

    from guild_ledger import log_scalars, start_run

    with start_run(flags={"lr": 0.1}):
        log_scalars(loss=0.31, step=100)

The work is done by a process of guild's beside this one: it records the start, takes the snapshot of the source, reads
the numbers, and notices when this process is gone. Nothing of the ledger is loaded here, no thread is started, and no
database is open in a process that may fork whenever it likes.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from guild_ledger.run_facts import ending_of, fate, plain_flags, whereabouts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from subprocess import Popen
    from types import TracebackType
    from typing import IO, Any, Self

_CODE = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from guild_ledger.main import claim_packages; claim_packages(); "
    "from commands.attending import main; main()"
)
_VARIABLES = ("RUN_ID", "RUN_DIR")
_MOST_TOLD = 2_000
_SILENT = "the process that looks after runs ended without a word"
_current: Run | None = None


def start_run(
    operation: str | None = None,
    *,
    flags: Mapping[str, object] | None = None,
    label: str | None = None,
    tags: Iterable[str] = (),
    home: str | os.PathLike[str] | None = None,
) -> Run:
    """Begin a run of this process, and return it; from here on `log_scalars` reports for it.

        run = start_run(flags=vars(arguments), label="first try")

    A process that guild has started belongs to a run already: then that one is returned, nothing else happens, and the
    same script works both ways. A process has one run at a time: another call ends the one before.

    The run ends with its `with` block, with `end()`, or with the process. When an exception that nobody has caught ends
    the block or the process, the run's status is error, after Ctrl-C terminated, else completed.

    Args:
        operation: what the run is called; when None the script or notebook.
        flags: what the run was given, by name: numbers, texts, truth values, lists and mappings of them. Anything else
            is recorded as the text that `str` makes of it.
        label: its label.
        tags: its tags.
        home: where runs are kept; when None: GUILD_HOME, else the nearest `.guild` folder, else `~/.guild`.

    Raises:
        TypeError: a flag's name, the label or a tag is no text.
        RuntimeError: the run could not be recorded; its message says why.
    """
    global _current  # noqa: PLW0603 - a process has one run at a time, like one working directory
    if _current is not None:
        _current.finish(fate(_current.since))
        _current = None
    run_id, run_dir = (os.environ.get(name) for name in _VARIABLES)
    if run_id and run_dir:
        return Run(run_id, run_dir, None)
    project, name, command = whereabouts()
    asked = {
        "project": project,
        "operation": name if operation is None else _text("operation", operation),
        "command": command,
        "flags": plain_flags(flags or {}),
        "label": None if label is None else _text("label", label),
        "tags": [_text("tag", tag) for tag in ([tags] if isinstance(tags, str) else tags)],
        "home": None if home is None else os.fspath(home),
        "pid": os.getpid(),
    }
    _current = _begun(asked)
    return _current


class Run:
    """A run that this process belongs to.

    Attributes:
        id: its id.
        dir: its directory, for whatever it leaves behind.
        since: what `fate` needs to know an exception that was raised later.
    """

    __slots__ = ("_keeper", "dir", "id", "since")

    def __init__(self, run_id: str, run_dir: str, keeper: Popen[bytes] | None) -> None:
        self.id = run_id
        self.dir = run_dir
        self.since = id(getattr(sys, "last_value", None))
        self._keeper = keeper

    def end(self, exit_status: int = 0) -> None:
        """End the run, and wait until that is recorded; again, or in a run that guild has started, do nothing.

        Args:
            exit_status: 0 for completed, anything else for error.
        """
        self.finish({"exit_status": int(exit_status)})

    def finish(self, ending: Mapping[str, object]) -> None:
        """End the run in one of the ways that `run_facts` knows."""
        global _current  # noqa: PLW0603 - see `start_run`
        keeper, self._keeper = self._keeper, None
        if keeper is None:
            return
        if _current is self:
            _current = None
        _forget_variables(self)
        _said_goodbye(keeper, json.dumps(ending), self.id)

    def let_go(self) -> None:
        """Leave the run to the process that this one was forked from."""
        if self._keeper is not None:
            for stream in (self._keeper.stdin, self._keeper.stdout):
                if stream is not None:
                    os.close(stream.fileno())
            self._keeper.returncode = 0  # not ours to wait for
            self._keeper = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish(ending_of(value))

    def __repr__(self) -> str:
        return f"<run {self.id[:8]} in {self.dir}>"


def _text(what: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"start_run: the {what} {value!r} is no text")
    return value


def _begun(asked: Mapping[str, object]) -> Run:
    """Start the process beside this one and wait until it has recorded the run."""
    from subprocess import PIPE, Popen
    from tempfile import TemporaryFile

    if not sys.executable:
        raise RuntimeError("start_run: there is no Python to be started beside this one (sys.executable is empty)")
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    words = json.dumps(asked).encode() + b"\n"
    with TemporaryFile() as told:
        # -P: a file of the working directory may have the name of a module that is needed.
        program = [sys.executable, "-P", "-c", _CODE, folder]
        keeper = Popen(program, stdin=PIPE, stdout=PIPE, stderr=told, start_new_session=True)
        answer = _answered(keeper, words)
        if "id" not in answer:
            keeper.wait()
            told.seek(0)
            lines = told.read()[-_MOST_TOLD:].decode(errors="replace").strip().splitlines()
            raise RuntimeError(f"start_run: {answer.get('error') or (lines or [_SILENT])[-1]}")
    _register_once()
    os.environ.update(RUN_ID=answer["id"], RUN_DIR=answer["dir"])
    return Run(answer["id"], answer["dir"], keeper)


def _answered(keeper: Popen[bytes], words: bytes) -> dict[str, Any]:
    """Say something to the process beside this one, and return what it answers; nothing when it is gone."""
    heard, said = _ends(keeper)
    with suppress(BrokenPipeError):  # what it has said before is still there
        said.write(words)
        said.flush()
    try:
        answer: dict[str, Any] = json.loads(heard.readline())
    except ValueError:
        return {}
    return answer


def _ends(keeper: Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    assert keeper.stdout is not None  # noqa: S101 - for the type checker: both are pipes
    assert keeper.stdin is not None  # noqa: S101
    return keeper.stdout, keeper.stdin


def _said_goodbye(keeper: Popen[bytes], ending: str, run_id: str) -> None:
    import warnings

    answer = _answered(keeper, ending.encode() + b"\n")
    heard, said = _ends(keeper)
    heard.close()
    with suppress(BrokenPipeError):
        said.close()
    keeper.wait()
    name = run_id[:8]
    if not answer:
        warnings.warn(f"what looked after run {name} is gone; the next command records its end", stacklevel=4)
    elif "error" in answer:
        warnings.warn(answer["error"], stacklevel=4)
    elif answer.get("asked_by"):
        warnings.warn(f"run {name} was stopped before ({answer['asked_by']}), and is {answer['status']}", stacklevel=4)


def _forget_variables(run: Run) -> None:
    """What comes now belongs to no run; the file of its numbers is not needed any more."""
    if os.environ.get("RUN_ID") == run.id:
        for name in _VARIABLES:
            os.environ.pop(name, None)
    scalars = sys.modules.get("guild_ledger.scalars")
    if scalars is not None:
        scalars.let_go(run.dir)


_registered: list[bool] = []


def _register_once() -> None:
    if not _registered:
        _registered.append(True)
        atexit.register(_at_exit)
        os.register_at_fork(after_in_child=_after_fork)


def _at_exit() -> None:
    if _current is not None:
        _current.finish(fate(_current.since))


def _after_fork() -> None:
    """A forked process belongs to the run, but does not end it: its copy of the pipe would keep the run going."""
    global _current  # noqa: PLW0603 - see `start_run`
    if _current is not None:
        _current.let_go()
        _current = None
