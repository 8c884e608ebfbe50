"""What tests of building commands share: operations of one line, and the command that comes of them."""

from __future__ import annotations

from operations.definitions import FlagDef, OperationDef


def keyed(key: str, text: str, *flags: FlagDef, dest: str | None = None) -> OperationDef:
    """Return an operation whose command is said by `cmd`, `main` or `exec`."""
    texts = {"cmd": "", "main": "", "exec": "", key: text}
    return OperationDef("train", "", texts["cmd"], flags, texts["main"], texts["exec"], flags_dest=dest)
