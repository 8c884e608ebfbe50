"""The one name that an installed Guild Ledger adds to a Python environment: its version, the way in, and scalars.

`log_scalars` reports numbers from a script or a notebook, `read_scalars` reads those of any run. They are loaded when
they are asked for: the command line is not to wait for them, nor a script for the command line.
"""

from __future__ import annotations

TYPE_CHECKING = False  # the module typing takes longer to load than all the rest
if TYPE_CHECKING:
    from guild_ledger.reading import read_scalars
    from guild_ledger.scalars import log_scalars
    from guild_ledger.series import Series

__all__ = ["Series", "__version__", "log_scalars", "read_scalars"]

__version__ = "0.1.0"

_HOLDERS = {"log_scalars": "scalars", "read_scalars": "reading", "Series": "series"}


def __getattr__(name: str) -> object:
    """Load what is asked for."""
    if name not in _HOLDERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Not through importlib, which would take most of the time of it all.
    holder = __import__(f"{__name__}.{_HOLDERS[name]}", fromlist=[name])
    found: object = getattr(holder, name)
    globals()[name] = found
    return found
