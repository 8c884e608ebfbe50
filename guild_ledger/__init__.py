"""The one name that an installed Guild Ledger adds to a Python environment: its version and the way in."""

__version__ = "0.1.0"
