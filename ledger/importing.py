"""Reading an export in: into a home without a ledger, or as the continuation of the same history; all or nothing.

Whatever the file holds, it is checked line by line as it comes, and as a whole before it counts: a new ledger is built
under another name and verified before it gets its own, a continuation is one transaction of the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from hashlib import sha256
from typing import Any, BinaryIO, NamedTuple

from orjson import loads

from ledger.chain import event_part, genesis, sealed
from ledger.errors import IntegrityError, LedgerError
from ledger.exporting import EXPORT_VERSION
from ledger.files import publish, remove
from ledger.format import FORMAT
from ledger.gate import gate
from ledger.ids import is_run_id
from ledger.redacting import empty_redacted
from ledger.rows import EventRow, OriginRow, TxnRow
from ledger.seams import seam
from ledger.sense import first_nonsense
from ledger.sqlite_store import SqliteStore
from ledger.verify import verify
from ledger.walk import Span, ends_of, walk

LONGEST_LINE = 64 * 1024 * 1024
"""Bytes of a line; a body is some kilobytes."""

_META = ("ledger_id", "origin_id", "format", "created_at")
_WRONG = (KeyError, ValueError, TypeError, AttributeError, OverflowError)


class Imported(NamedTuple):
    """What an import added.

    Attributes:
        transactions: how many were added.
        events: how many were added.
        known: transactions that were there already.
        emptied: bodies and headers that were emptied, because the history says that they were redacted.
    """

    transactions: int
    events: int
    known: int = 0
    emptied: int = 0


class _Lines:
    """The lines of an export, one ahead."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.number = 0
        self.kind = ""
        self.value: Any = None
        self.read()

    def bad(self, what: str) -> LedgerError:
        return LedgerError(f"line {self.number} of the export {what}", hint="Nothing was changed. Export it again.")

    def read(self) -> None:
        """Go on to the next line; `kind` is empty behind the last one."""
        line = self._file.readline(LONGEST_LINE + 1)
        if not line:
            self.kind = ""
            return
        self.number += 1
        if len(line) > LONGEST_LINE:
            raise self.bad(f"is longer than {LONGEST_LINE // 1024 // 1024} MiB")
        try:
            value = loads(line)
        except ValueError as error:
            raise self.bad("is cut off" if not line.endswith(b"\n") else "is no JSON") from error
        if not isinstance(value, dict) or not value:
            raise self.bad("is no line of an export")
        self.kind = "first" if "guild_ledger_export" in value else next(iter(value))
        self.value = value if self.kind == "first" else value[self.kind]


class Export:
    """An export that is being read; its first line has been."""

    def __init__(self, file: BinaryIO) -> None:
        """Read the first line.

        Raises:
            LedgerTooNewError, LedgerError: it is none that this program can read.
        """
        self._lines = lines = _Lines(file)
        if lines.kind != "first":
            lines.number = 1
            raise lines.bad("does not say that this is an export of a ledger")
        if lines.value["guild_ledger_export"] != EXPORT_VERSION or lines.value.get("format") != str(FORMAT):
            raise lines.bad("names a version that this program does not know")
        try:
            self.meta = {key: _text(lines.value[key]) for key in _META}
            self.origins = [
                (_bytes(origin["origin_id"], 16), _text(origin["label"])) for origin in lines.value["origins"]
            ]
        except _WRONG as error:
            raise lines.bad("lacks what it must say") from error
        if not is_run_id(self.meta["ledger_id"]) or not is_run_id(self.meta["origin_id"]):
            raise lines.bad("has no identity")
        self.transactions = self.events = 0
        lines.read()

    def rows(self) -> Iterator[tuple[TxnRow, Iterator[EventRow]]]:
        """Yield the transactions, each with its events, which have to be taken before the next one is asked for.

        Raises:
            LedgerError: a line is wrong, a hash does not fit, or the end is missing.
        """
        lines = self._lines
        while lines.kind == "txn":
            txn = self._txn()
            if txn.seq != self.transactions + 1:
                raise lines.bad(f"is transaction {txn.seq}, and {self.transactions + 1} was expected")
            lines.read()
            parts: list[bytes] = []
            yield txn, self._events(txn, parts)
            if sealed(txn, parts) != txn.hash:
                raise lines.bad(f"ends transaction {txn.seq}, whose hash does not fit its content")
            self.transactions += 1
        if lines.kind != "end":
            raise lines.bad("is no line of an export" if lines.kind else "is the last one, and the end is missing")
        if lines.value != {"transactions": self.transactions, "events": self.events}:
            raise lines.bad("says that there should be another number of transactions or events")
        lines.read()
        if lines.kind:
            raise lines.bad("comes after the end")

    def _txn(self) -> TxnRow:
        value = self._lines.value
        try:
            return TxnRow(
                seq=_number(value["seq"]),
                txn_id=_bytes(value["txn_id"], 16),
                origin_id=_bytes(value["origin_id"], 16),
                origin_seq=_number(value["origin_seq"]),
                recorded_at=_number(value["recorded_at"]),
                lamport=_number(value["lamport"]),
                header_hash=_bytes(value["header_hash"], 32),
                header=_hashed(value["header"], value["header_hash"]),
                prev_hash=_bytes(value["prev_hash"], 32),
                hash=_bytes(value["hash"], 32),
            )
        except _WRONG as error:
            raise self._lines.bad("is no transaction as it was written") from error

    def _events(self, txn: TxnRow, parts: list[bytes]) -> Iterator[EventRow]:
        lines = self._lines
        while lines.kind == "event":
            value = lines.value
            try:
                event = EventRow(
                    position=_number(value["position"]),
                    txn_seq=txn.seq,
                    origin_id=txn.origin_id,
                    stream=_text(value["stream"]),
                    stream_version=_number(value["stream_version"]),
                    type=_text(value["type"]),
                    schema_version=_number(value["schema_version"]),
                    body_hash=_bytes(value["body_hash"], 32),
                    body=_hashed(value["body"], value["body_hash"]),
                )
            except _WRONG as error:
                raise lines.bad("is no event as it was written") from error
            self.events += 1
            if event.position != self.events:
                raise lines.bad(f"is event {event.position}, and {self.events} was expected")
            parts.append(event_part(event))
            yield event
            lines.read()


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**63:
        raise ValueError(value)
    return value


def _bytes(value: object, size: int) -> bytes:
    data = bytes.fromhex(_text(value))
    if len(data) != size:
        raise ValueError(value)
    return data


def _hashed(value: object, hash_: object) -> bytes | None:
    """Return the bytes of a header or a body, which must have its hash; None when it was redacted."""
    if value is None:
        return None
    data = _text(value).encode()
    if sha256(data).hexdigest() != hash_:
        raise ValueError(hash_)
    return data


def import_new(path: str, export: Export, progress: Callable[[int], None] | None = None) -> Imported:
    """Make the ledger at `path`, where none is, out of an export: the same rows, the same hashes, the same identity.

    Raises:
        IntegrityError: the export is not whole.
        LedgerError: a line of it is wrong, or the ledger cannot be made; there is none then.
    """
    from ledger.blank import create_sqlite

    fresh = f"{path}-new"
    with gate(path + "-gate"):
        remove(fresh)
        try:
            create_sqlite(fresh)
            with closing(SqliteStore(fresh)) as store:
                seam("import.rows")
                with store.writing():
                    for key, value in export.meta.items():
                        store.insert_meta(key, value)
                    _add_origins(store, export)
                    for txn, events in export.rows():
                        store.insert(txn, events)
                        _tell(progress, export)
                seam("import.verify")
                _refuse_problems([(found.where, found.what) for found in verify(store).problems])
                _refuse_nonsense(store)
            remove(fresh + "-gate")
            seam("import.publish")
            publish(fresh, path)
            seam("import.published")
        finally:
            remove(fresh)
    return Imported(export.transactions, export.events)


def import_more(store: SqliteStore, export: Export, progress: Callable[[int], None] | None = None) -> Imported:
    """Append what an export of the same ledger holds beyond its end.

    Raises:
        IntegrityError: the export is not whole.
        LedgerError: it is of another ledger, or of a copy that went another way; nothing was changed.
    """
    if store.meta() != export.meta:
        raise LedgerError(
            "the export is of another ledger than the one in this home",
            hint="Nothing was changed. Import it into a home of its own: `guild -H NEWHOME ledger import FILE`.",
        )
    seam("import.rows")
    with store.writing():
        head, ends = store.head(), ends_of(store)
        _add_origins(store, export)
        for txn, events in export.rows():
            if txn.seq > head.seq:
                store.insert(txn, events)
            else:
                _refuse_fork(store, txn)
                for _ in events:
                    continue
            _tell(progress, export)
        walked = walk(store, None, Span(head.seq, head.position))
        _refuse_problems(walked.behind(ends))
        _refuse_nonsense(store, head.seq, head.position)
        emptied = empty_redacted(store, head.seq)
        seam("import.commit")
    seam("import.committed")
    added = max(0, export.transactions - head.seq), max(0, export.events - head.position)
    return Imported(*added, min(head.seq, export.transactions), emptied)


def _add_origins(store: SqliteStore, export: Export) -> None:
    known = {origin.origin_id for origin in store.origins()}
    for origin_id, label in export.origins:
        if origin_id not in known:
            store.insert_origin(OriginRow(origin_id, label, 0, genesis(origin_id)))


def _tell(progress: Callable[[int], None] | None, export: Export) -> None:
    if progress is not None:
        progress(export.events)


def _refuse_fork(store: SqliteStore, txn: TxnRow) -> None:
    stored = store.txn(txn.seq)
    if stored is None or stored.hash != txn.hash:
        raise LedgerError(
            f"the export and this ledger went different ways: they differ from transaction {txn.seq} on",
            hint="Nothing was changed. Import it into a home of its own: `guild -H NEWHOME ledger import FILE`.",
        )


def _refuse_problems(problems: list[tuple[str, str]]) -> None:
    if problems:
        where, what = problems[0]
        raise IntegrityError(
            f"the export is not whole, so it was not imported: {where}: {what}", hint="Nothing was changed."
        )


def _refuse_nonsense(store: SqliteStore, after_seq: int = 0, after_position: int = 0) -> None:
    nonsense = first_nonsense(store, after_seq, after_position)
    if nonsense is not None:
        raise IntegrityError(
            f"the export cannot be used, so it was not imported: {nonsense[0]}: {nonsense[1]}",
            hint="Nothing was changed. No program wrote it like that.",
        )
