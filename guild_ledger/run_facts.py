"""What a process knows of itself when it begins and ends a run: its script, its flags as plain values, its last word.

Apart from `runs` because nothing here has a state: it looks at the interpreter and returns values.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

_DEEPEST = 20
_MARK = "_shown_before_the_run"
_LONGEST_TRACEBACK = 100_000
_NOTEBOOK_VARIABLE = "JPY_SESSION_NAME"
"""Where Jupyter's server tells a kernel the path of its notebook; VS Code puts it into a global of the notebook."""


def whereabouts() -> tuple[str, str, list[str]]:
    """Return the directory that counts as this process's project, what it is called in it, and its command line.

    A script below the working directory is called by its path from there, as `guild run` would call it; another one
    has its own directory as project, and so has one that was started in `/` or the home directory, where all and
    sundry lies. What is typed into an interpreter is called `interactive`, an installed program by its name.

    Raises:
        RuntimeError: the working directory is gone.
    """
    try:
        cwd = os.getcwd()
    except OSError as error:
        raise RuntimeError(f"start_run: there is no working directory: {error.strerror}") from error
    command = [sys.executable, *sys.orig_argv[1:]]
    path = _program()
    if path is None:
        return cwd, "interactive", command
    full = os.path.realpath(path)
    folder, name = os.path.split(full)
    if _is_installed(path):
        return cwd, os.path.basename(folder) if name == "__main__.py" else name, command
    if os.path.commonpath((cwd, full)) == cwd and cwd not in ("/", os.path.realpath(os.path.expanduser("~"))):
        return cwd, os.path.relpath(full, cwd), command
    return folder, name, command


def _is_installed(path: str) -> bool:
    """Tell whether a program is not the user's but one of the environment, such as pytest."""
    folder = os.path.dirname(path)
    return folder == os.path.dirname(sys.executable) or not {"site-packages", "dist-packages"}.isdisjoint(
        folder.split(os.sep)
    )


def _program() -> str | None:
    """Return the path of the script or notebook at work, None when there is no file."""
    main = sys.modules.get("__main__")
    for path in (getattr(main, "__vsc_ipynb_file__", None), getattr(main, "__file__", None)):
        if isinstance(path, str) and path:
            return os.path.abspath(path)
    name = os.environ.get(_NOTEBOOK_VARIABLE, "")
    # The server's path is relative to where the server was started; the kernel works in the notebook's folder.
    return os.path.abspath(os.path.basename(name)) if name.endswith(".ipynb") else None


def plain_flags(flags: Mapping[str, object]) -> dict[str, object]:
    """Return flags as JSON can say them.

    Raises:
        TypeError: they are no mapping, or a name is no text.
    """
    if not isinstance(flags, Mapping):
        raise TypeError(f"start_run: the flags are no mapping but {type(flags).__name__}: try flags=vars(...)")
    for name in flags:
        if not isinstance(name, str) or not name:
            raise TypeError(f"start_run: the name of a flag is no text: {name!r}")
    return {str(name): _plain(value, ()) for name, value in flags.items()}


def _plain(value: object, within: tuple[int, ...]) -> object:
    """Return a value as JSON can say it; `within` are the ids of the lists and mappings that it lies in."""
    if value is None or isinstance(value, bool):
        return value
    try:
        for kind in (int, float, str):
            if isinstance(value, kind):
                str(value)  # an integer may be too long to be written
                return kind(value)  # of a subclass, such as a NumPy float or an enumeration, what it is
        if len(within) < _DEEPEST and id(value) not in within:
            return _of_parts(value, (*within, id(value)))
        return str(value)
    except Exception:  # noqa: BLE001 - whatever a class of the user's raises, its flag is no reason not to begin
        return object.__repr__(value)


def _of_parts(value: object, within: tuple[int, ...]) -> object:
    if isinstance(value, (list, tuple)):
        return [_plain(item, within) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item, within) for key, item in value.items()}
    item = getattr(value, "item", None)
    if callable(item) and not getattr(value, "shape", ()):
        return _plain(item(), within)  # a scalar of NumPy, a tensor without dimensions
    return str(value)


def ending_of(error: BaseException | None) -> dict[str, object]:
    """Return how a run ended that this exception, or none, has ended."""
    if error is None or isinstance(error, GeneratorExit):
        return {"exit_status": 0}
    if isinstance(error, SystemExit):
        # As the interpreter has it: nothing is success, a text is printed and stands for 1.
        return {"exit_status": error.code if isinstance(error.code, int) else int(error.code is not None)}
    stopped_by = "SIGINT" if isinstance(error, KeyboardInterrupt) else None
    return {
        "exit_status": None if stopped_by else 1,
        "stopped_by": stopped_by,
        # Its text stays in the run's directory: it may hold what must not be on record for ever.
        "failure": None if stopped_by else f"ended by {type(error).__name__}",
        "traceback": _traceback(error),
    }


def fate() -> dict[str, object]:
    """Return how a run ended that nobody has ended: by an exception shown to the user since `mark_shown`."""
    # Set by the interpreter when it prints an exception that nobody has caught, and so by IPython for a cell's.
    last = getattr(sys, "last_value", None)
    return ending_of(last if isinstance(last, BaseException) and not hasattr(last, _MARK) else None)


def mark_shown() -> None:
    """Have `fate` pass over the exception that was shown last: it is none of the run that begins.

    By a mark on it. To keep it would keep all that its frames hold; its `id` may be that of a later one.
    """
    last = getattr(sys, "last_value", None)
    if isinstance(last, BaseException):
        BaseException.__setattr__(last, _MARK, True)


def _traceback(error: BaseException) -> str:
    import traceback

    return "".join(traceback.format_exception(error))[-_LONGEST_TRACEBACK:]
