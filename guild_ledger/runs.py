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
import os
import sys
import threading
import warnings
from typing import TYPE_CHECKING

from guild_ledger.beside import Beside, close_all
from guild_ledger.run_facts import ending_of, fate, mark_shown, plain_flags, whereabouts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType
    from typing import Self

_VARIABLES = ("RUN_ID", "RUN_DIR")
_current: Run | None = None
_lock = threading.RLock()
"""Held while a run begins or ends. Not a plain lock: a signal may come meanwhile, and its handler end the run."""
_worker = 0


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
    with _lock:
        if _current is not None:
            _current._finish(fate())  # noqa: SLF001 - the rest of the class, which is no affair of its users
        run_id, run_dir = (os.environ.get(name) for name in _VARIABLES)
        if run_id and run_dir:
            return Run(run_id, run_dir)
        return _begun(_asked(operation, flags, label, tags, home))


class Run:
    """A run that this process belongs to.

    Attributes:
        id: its id.
        dir: its directory, for whatever it leaves behind.
    """

    __slots__ = ("_beside", "dir", "id")

    def __init__(self, run_id: str, run_dir: str) -> None:
        self.id = run_id
        self.dir = run_dir
        self._beside: Beside | None = None

    def end(self, exit_status: int = 0) -> None:
        """End the run, and wait until that is recorded; again, or in a run that guild has started, do nothing.

        Args:
            exit_status: 0 for completed, anything else for error.
        """
        self._finish({"exit_status": int(exit_status)})

    def _finish(self, ending: Mapping[str, object]) -> None:
        """End the run in one of the ways that `run_facts` knows."""
        global _current  # noqa: PLW0603 - a process has one run at a time, like one working directory
        with _lock:
            beside, self._beside = self._beside, None
            if beside is None:
                return
            if _current is self:
                _current = None
            _forget_variables(self)
            try:
                answer = beside.ask(ending)
            finally:
                beside.close()
            beside.wait()
        name = self.id[:8]
        if not answer:
            warnings.warn(f"what looked after run {name} is gone; the next command records its end", stacklevel=3)
        elif "error" in answer:
            warnings.warn(answer["error"], stacklevel=3)
        elif answer.get("asked_by"):
            said = f"run {name} was stopped before ({answer['asked_by']}), and is {answer['status']}"
            warnings.warn(said, stacklevel=3)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finish(ending_of(value))

    def __reduce__(self) -> tuple[type[Run], tuple[str, str]]:
        """Give another process what it may know: it belongs to the run, but does not end it."""
        return Run, (self.id, self.dir)

    def __repr__(self) -> str:
        return f"<run {self.id[:8]} in {self.dir}>"


def _asked(
    operation: str | None,
    flags: Mapping[str, object] | None,
    label: str | None,
    tags: Iterable[str],
    home: str | os.PathLike[str] | None,
) -> dict[str, object]:
    """Return what the process beside this one must know."""
    project, name, command = whereabouts()
    return {
        "project": project,
        "operation": name if operation is None else _text("operation", operation),
        "command": command,
        "flags": plain_flags({} if flags is None else flags),
        "label": None if label is None else _text("label", label),
        "tags": [_text("tag", tag) for tag in ([tags] if isinstance(tags, str) else tags)],
        "home": None if home is None else os.fsdecode(home),
        "pid": os.getpid(),
    }


def _text(what: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"start_run: the {what} {value!r} is no text")
    return value


def _begun(asked: Mapping[str, object]) -> Run:
    """Start the process beside this one, wait until it has recorded the run, and make that the current one."""
    global _current  # noqa: PLW0603 - see `_finish`
    if not sys.executable:
        raise RuntimeError("start_run: there is no Python to be started beside this one (sys.executable is empty)")
    beside = Beside()
    try:
        answer = beside.start(asked, os.environ)
        run = Run(answer["id"], answer["dir"])
        os.environ.update(RUN_ID=run.id, RUN_DIR=run.dir)
    except OSError as error:
        beside.close()
        raise RuntimeError(f"start_run: no process can be started beside this one: {error}") from error
    except BaseException:  # Ctrl-C, too: a traceback that is kept would keep the pipes open, and so the run going
        beside.close()
        raise
    run._beside = beside  # noqa: SLF001 - see `start_run`
    _current = run
    mark_shown()
    _watch_worker()
    return run


def _forget_variables(run: Run) -> None:
    """What comes now belongs to no run; the file of its numbers is not needed any more."""
    if os.environ.get("RUN_ID") == run.id:
        for name in _VARIABLES:
            os.environ.pop(name, None)
    scalars = sys.modules.get("guild_ledger.scalars")
    if scalars is not None:
        scalars.let_go(run.dir)


def _at_exit(error: BaseException | None = None) -> None:
    if _current is not None:
        _current._finish(fate() if error is None else ending_of(error))  # noqa: SLF001 - see `start_run`


def _watch_worker() -> None:
    """Have the run end with a process of `multiprocessing`, which leaves without `atexit`."""
    global _worker  # noqa: PLW0603 - once in each process
    processes = sys.modules.get("multiprocessing.process")
    if processes is None or processes.parent_process() is None or _worker == os.getpid():
        return
    from multiprocessing.util import Finalize

    _worker = os.getpid()
    # It shows its exceptions itself, and the interpreter hears of none.
    Finalize(None, lambda: _at_exit(sys.exc_info()[1]), exitpriority=-100)


def _after_fork() -> None:
    """A forked process belongs to the run, but does not end it: its copy of the pipe would keep the run going."""
    global _current, _lock  # noqa: PLW0603 - see `_finish`
    _lock = threading.RLock()  # another thread may have held it, which is not here
    if _current is not None:
        _current._beside = None  # noqa: SLF001 - see `start_run`
        _current = None
    close_all()


# When the module is loaded, not with the first run: what is registered first is called last, so that what a script
# registers after its imports still belongs to its run.
atexit.register(_at_exit)
os.register_at_fork(after_in_child=_after_fork)
