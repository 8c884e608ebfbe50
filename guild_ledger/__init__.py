"""The one name that an installed Guild Ledger adds to a Python environment: version, way in, runs and scalars.

`start_run` begins a run from a script or a notebook, `log_scalars` reports its numbers, `read_scalars` reads those of
any run. They are loaded when they are asked for: the command line is not to wait for them, nor a script for the command
line.
"""

from __future__ import annotations

TYPE_CHECKING = False  # the module typing takes longer to load than all the rest
if TYPE_CHECKING:
    from guild_ledger.reading import read_scalars
    from guild_ledger.runs import Run, start_run
    from guild_ledger.scalars import log_scalars
    from guild_ledger.series import Series

__all__ = ["Run", "Series", "__version__", "log_scalars", "read_scalars", "start_run"]

__version__ = "0.1.0"

_HOLDERS = {
    "Run": "runs",
    "Series": "series",
    "log_scalars": "scalars",
    "read_scalars": "reading",
    "start_run": "runs",
}


def __getattr__(name: str) -> object:
    """Load what is asked for."""
    if name not in _HOLDERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Not through importlib, which would take most of the time of it all.
    holder = __import__(f"{__name__}.{_HOLDERS[name]}", fromlist=[name])
    found: object = getattr(holder, name)
    globals()[name] = found
    return found
