"""Numbers from Python code, in two lines.

    from guild_ledger import log_scalars
    log_scalars(loss=0.31, acc=0.9, step=100)

It runs in the user's own process, so it needs little: two modules that it asks the system with, no thread, nothing at
exit, and no setting but the environment that a run has. A call writes its rows at once, in one piece: whatever becomes
of the process afterwards, they are in the file. Any threads and any forked or spawned processes of a run may call it at
the same time.
"""

from __future__ import annotations

import os
import time

from guild_ledger.rows import FILE, LONGEST_KEY, MOST_STEP, Appender, is_key, row

TYPE_CHECKING = False  # the module typing takes longer to load than all the rest
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import SupportsFloat, SupportsIndex

    Number = SupportsFloat | SupportsIndex
    Numbers = Mapping[str, "Number | Numbers"]

_DEEPEST = 20
_open: dict[str, tuple[Appender, tuple[int, int]]] = {}
_said: set[str] = set()


def log_scalars(
    values: Numbers | None = None, /, *, step: SupportsIndex | float | None = None, **more: Number | Numbers
) -> None:
    """Report numbers of the run that this process belongs to; outside of a run say so once, and do nothing.

        log_scalars(loss=0.31, step=100)
        log_scalars({"train": {"loss": 0.31}, "val/loss": 0.4}, step=100)     # train/loss and val/loss

    Args:
        values: numbers by name. Anything that `float` takes is one: NaN and infinities, numbers of NumPy, tensors of
            one element. What is within a mapping gets the mapping's name and a slash before its own.
        step: a whole number that says where they belong, such as how many batches were seen.
        more: the same, for names that are Python words.

    Raises:
        TypeError: something is no number, or no name.
        ValueError: a name is too long or cannot be printed, or a number is too large. Nothing is written then.
    """
    now_us = time.time_ns() // 1000
    place = None if step is None else _whole(step)
    rows = [row(key, place, now_us, value) for key, value in _numbers({**(values or {}), **more}, "", 0)]
    run_dir = os.environ.get("RUN_DIR")
    if not run_dir:
        _say("log_scalars: this process belongs to no run (see start_run), so its numbers are not kept")
    elif rows:
        _append(os.path.join(run_dir, FILE), "".join(rows))


def _numbers(values: Numbers, above: str, depth: int) -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        if not isinstance(name, str):
            raise TypeError(f"log_scalars: the name {name!r} is no text")
        key = above + name
        if not is_key(key):
            raise ValueError(
                f"log_scalars: {key!r} is no name: expected 1 to {LONGEST_KEY} characters that can be printed"
            )
        if hasattr(value, "items"):
            if depth >= _DEEPEST:
                raise ValueError(f"log_scalars: {key!r} lies too deep")
            yield from _numbers(value, key + "/", depth + 1)  # type: ignore[arg-type]  # it has what mappings have
        elif key == "step":
            raise ValueError("log_scalars: 'step' says where numbers belong and is none of them: pass it as step=...")
        else:
            yield key, _float(key, value)


def _float(key: str, value: Number) -> float:
    if isinstance(value, (str, bytes, bytearray)):
        raise TypeError(f"log_scalars: {key!r} is no number but text: {value!r}")
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError) as error:
        # A tensor of many elements raises whatever its library thinks fit.
        raise TypeError(f"log_scalars: {key!r} is no number but {type(value).__name__}: {error}") from error
    except OverflowError as error:
        raise ValueError(f"log_scalars: {key!r} is too large a number") from error


def _whole(step: SupportsIndex | float) -> int:
    if isinstance(step, float) and step.is_integer():
        step = int(step)
    try:
        found = step.__index__()  # type: ignore[union-attr]  # asked for, in case
    except (AttributeError, TypeError) as error:
        raise TypeError(f"log_scalars: the step {step!r} is no whole number") from error
    if not -MOST_STEP <= found <= MOST_STEP:
        raise ValueError(f"log_scalars: the step {found} is too large")
    return found


def _append(path: str, rows: str) -> None:
    """Write rows; a file that cannot be written to must not end what may have run for days."""
    known = _open.get(path)
    try:
        if known is not None and _is_open(*known):
            known[0].append(rows)
        else:
            appender = Appender(path)
            appender.append(rows)
            _open[path] = appender, appender.identity()
    except OSError as error:
        _open.pop(path, None)
        _say(f"log_scalars: numbers are lost, because {path!r} cannot be written to: {error.strerror}", 4)


def let_go(run_dir: str) -> None:
    """Close the file of a run that is over; another call would open it again."""
    known = _open.pop(os.path.join(run_dir, FILE), None)
    if known is not None and _is_open(*known):
        known[0].close()


def _is_open(appender: Appender, identity: tuple[int, int]) -> bool:
    """Tell whether it still is: a daemon closes all it has, and the number of the file may be another file's by now."""
    try:
        return appender.identity() == identity
    except OSError:
        return False


def _say(text: str, level: int = 3) -> None:
    if text not in _said:
        _said.add(text)
        import warnings

        warnings.warn(text, stacklevel=level)
