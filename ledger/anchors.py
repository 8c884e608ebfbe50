"""Head hashes that were kept elsewhere: what proves that a ledger still holds the history that it once held.

A chain shows that nothing inside it was altered. That nothing was cut off its end, and that it was not made anew as a
whole, only somebody can show who knows a hash from before.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ledger.errors import LedgerError, UsageError
from ledger.store import Store

_FORM = re.compile(r"(?:(\d{1,18}):)?([0-9a-fA-F]{64})")


class Anchor(NamedTuple):
    """A transaction's hash, and its `seq` when that was kept too."""

    seq: int | None
    hash: bytes

    def __str__(self) -> str:
        """Return it as it is printed and read: `SEQ:HASH`."""
        return self.hash.hex() if self.seq is None else f"{self.seq}:{self.hash.hex()}"


def parse_anchor(text: str) -> Anchor:
    """Return the anchor that `SEQ:HASH` or `HASH` means.

    Raises:
        UsageError: it is neither.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            "an anchor is SEQ:HASH or HASH, with a hash of 64 hexadecimal digits",
            hint="Give it as `guild ledger anchor` printed it.",
        )
    return Anchor(None if match[1] is None else int(match[1]), bytes.fromhex(match[2]))


def head_anchor(store: Store) -> Anchor:
    """Return the anchor of the newest transaction that this ledger itself wrote.

    Raises:
        LedgerError: there is none.
    """
    own = bytes.fromhex(store.meta().get("origin_id", ""))
    with store.reading():
        for txn in store.transactions(newest_first=True):
            if txn.origin_id == own:
                return Anchor(txn.seq, txn.hash)
    raise LedgerError("the ledger holds no transaction of its own")


def missing(store: Store, anchor: Anchor) -> str | None:
    """Return why the ledger does not contain the history that an anchor stands for; None when it does.

    Whether what it contains is whole is for `ledger.verify` to say.
    """
    with store.reading():
        if anchor.seq is None:
            known = any(txn[9] == anchor.hash for txn in store.txn_tuples())
            return None if known else "no transaction has this hash: the ledger lost or changed history"
        stored = store.txn(anchor.seq)
        if stored is None:
            return f"transaction {anchor.seq} is not there: the ledger lost its newest history, or is another one"
        if stored.hash != anchor.hash:
            return f"transaction {anchor.seq} has another hash: history was changed, or the ledger is another one"
        return None
