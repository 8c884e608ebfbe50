"""Saving what a damaged ledger still proves: rows are taken from the raw file, and kept only where the chain holds.

SQLite's own recovery may lose, alter or resurrect rows; here a row counts when its hash links to the one before it, and
not otherwise. A body or header whose bytes were damaged is emptied on record: its hash stays, so the chain goes on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from hashlib import sha256
from itertools import chain, islice, product

from ledger.canonical import encode
from ledger.chain import event_part, sealed
from ledger.dataclass import dataclass
from ledger.errors import IntegrityError, LedgerError
from ledger.events.book import LedgerCreated, LedgerRedacted
from ledger.exporting import event_line, txn_line
from ledger.files import make_private, partial_name, publish, refuse_existing, remove
from ledger.ids import LEDGER_STREAM
from ledger.log import Ledger
from ledger.raw_pages import RawPages
from ledger.redacting import HEADER_STREAM, empty_named
from ledger.registry import read_event
from ledger.rows import EventRow, OriginRow, TxnRow
from ledger.seams import seam
from ledger.sqlite_store import SqliteStore
from ledger.transaction import Header, NewEvent, Transaction
from ledger.verify import verify
from ledger.walk import End, beginning, redactions

_TABLES = """
CREATE TABLE txn (seq, txn_id, origin_id, origin_seq, recorded_at, lamport, header_hash, header, prev_hash, hash,
    UNIQUE (seq, hash, header));
CREATE TABLE event (position, txn_seq, origin_id, stream, stream_version, type, schema_version, body_hash, body,
    UNIQUE (txn_seq, position, stream, stream_version, type, schema_version, body_hash, body));
CREATE TABLE identity (ledger_id PRIMARY KEY);
"""
_MOST_TRIES = 256
_LOST = "its bytes were damaged and could not be saved"


@dataclass(slots=True)
class Salvaged:
    """What was saved, and what was not.

    Attributes:
        transactions: proved by the chain and kept.
        events: in them.
        emptied: bodies and headers that were damaged, and emptied on record.
        first_break: the first transaction that could not be proved, and why; empty when all were.
        lost: transactions that are not kept, of which there is a row, or one behind it that is whole in itself.
        rest: transactions behind a break that are whole in themselves.
        rest_file: where those are kept; None when there are none.
        head_hash: of the newest one that was kept, hexadecimal.
    """

    transactions: int = 0
    events: int = 0
    emptied: int = 0
    first_break: str = ""
    lost: int = 0
    rest: int = 0
    rest_file: str | None = None
    head_hash: str = ""


def salvage(bad: str, out: str, header: Header, progress: Callable[[int, int], None] | None = None) -> Salvaged:
    """Make a ledger at `out` of what the one at `bad` still proves; `bad` is only read.

    Args:
        bad: a SQLite ledger in whatever state, with its log beside it.
        out: nothing may be there.
        header: who asks; recorded when something has to be emptied.
        progress: told how many pages have been read, and of how many.

    Raises:
        IntegrityError: not even the beginning of the ledger is left.
        LedgerError: a file cannot be read or made.
    """
    refuse_existing(out)
    refuse_existing(f"{out}.rest.jsonl")
    with closing(sqlite3.connect("", isolation_level=None)) as found:  # spills to a file of its own
        found.executescript(_TABLES)
        try:
            _collect(bad, found, progress)
        except OSError as error:
            raise LedgerError(f"cannot read {bad!r}: {error.strerror}") from error
        return _Proof(found).save(out, header)


def _collect(bad: str, found: sqlite3.Connection, progress: Callable[[int, int], None] | None) -> None:
    with closing(RawPages(bad)) as pages:
        found.execute("BEGIN")
        for number, page in enumerate(pages.found(), 1):
            found.executemany("INSERT OR IGNORE INTO txn VALUES (?,?,?,?,?,?,?,?,?,?)", page.transactions)
            found.executemany("INSERT OR IGNORE INTO event VALUES (?,?,?,?,?,?,?,?,?)", page.events)
            found.executemany("INSERT OR IGNORE INTO identity VALUES (?)", [(text,) for text in page.identities])
            if progress is not None and number % 256 == 0:
                progress(number, pages.count)
        found.execute("COMMIT")


class _Proof:
    """The rows that were found, and which of them the chain proves."""

    def __init__(self, found: sqlite3.Connection) -> None:
        self._found = found
        self._ends: dict[bytes, End] = {}
        self._kept: set[int] = set()
        self._report = Salvaged()

    def save(self, out: str, header: Header) -> Salvaged:
        from ledger.blank import create_sqlite

        report = self._report
        partial = partial_name(out)
        remove(partial)
        try:
            create_sqlite(partial)
            with closing(SqliteStore(partial)) as store:
                self._write(store, f"{out}.rest.jsonl")
                self._excuse(store, header)
                problems = verify(store).problems
                report.head_hash = store.head().hash.hex()
            if problems:
                raise IntegrityError(
                    f"what was saved does not verify: {problems[0].where}: {problems[0].what}",
                    hint="Nothing was written. Keep the damaged file, and report this.",
                )
            rest = f"{out}.rest.jsonl"
            self._write_rest(partial_name(rest))
            seam("salvage.publish")
            publish(partial, out)
            self._publish_rest(rest)
        finally:
            remove(partial)
            remove(partial_name(f"{out}.rest.jsonl"))
        return report

    def _write(self, store: SqliteStore, rest: str) -> None:
        """Write every transaction that the chain proves, numbered anew: numbers are in no hash."""
        report = self._report
        with store.writing():
            for seq in self._numbers():
                proved = self._proved(seq)
                if proved is None:
                    report.first_break = report.first_break or f"transaction {seq}: {self._why(seq)}"
                    report.lost += 1
                    continue
                txn, events = proved
                if report.transactions == 0:
                    events = self._found_ledger(store, txn, events)
                if txn.origin_id not in self._ends:
                    label = Header.from_bytes(txn.header).host if txn.header else ""
                    store.insert_origin(OriginRow(txn.origin_id, label, 0, txn.prev_hash))
                self._ends[txn.origin_id] = (txn.origin_seq, txn.hash, txn.recorded_at)
                new, at = report.transactions + 1, report.events + 1
                rows = [event._replace(txn_seq=new, position=at + number) for number, event in enumerate(events)]
                store.insert(txn._replace(seq=new), rows)
                self._kept.add(seq)
                report.transactions, report.events = new, report.events + len(rows)
        if not report.transactions:
            raise self._nothing(rest)

    def _nothing(self, rest: str) -> IntegrityError:
        try:
            self._write_rest(partial_name(rest))
            self._publish_rest(rest)
        finally:
            remove(partial_name(rest))
        kept = f" What is whole in itself is kept in {rest!r}." if self._report.rest_file else ""
        return IntegrityError(
            "nothing can be saved: the first transaction is not there, and without it nothing is proved",
            hint=f"Bring back a backup, and keep the damaged file.{kept}",
        )

    def _numbers(self) -> Iterator[int]:
        """Yield every number up to the last transaction that is whole in itself, and of those behind what left a row.

        The number of a damaged row may be any, so it says nothing of how many there were before it.
        """
        traces = [row[0] for row in self._found.execute("SELECT DISTINCT seq FROM txn ORDER BY seq")]
        last = next((seq for seq in reversed(traces) if any(map(self._events, self._candidates(seq)))), 0)
        if last > 2 * len(traces) + 1000:  # forged: a hash says nothing of a number
            return iter(traces)
        return chain(range(1, last + 1), (seq for seq in traces if seq > last))

    def _proved(self, seq: int) -> tuple[TxnRow, list[EventRow]] | None:
        """Return the transaction at `seq` that follows on its origin's chain, with all its events."""
        for txn in self._candidates(seq):
            number, hash_, time = self._ends.get(txn.origin_id) or beginning(txn.origin_id)
            follows = txn.prev_hash == hash_ and txn.origin_seq == number + 1 and txn.recorded_at > time
            if follows and (events := self._events(txn)) is not None:
                if txn.header is not None and sha256(txn.header).digest() != txn.header_hash:
                    txn = txn._replace(header=None)  # noqa: PLW2901 - the same one, without what is wrong in it
                return txn, events
        return None

    def _candidates(self, seq: int) -> list[TxnRow]:
        """Return the rows found for a transaction, those with a sound header first."""
        rows = [TxnRow._make(row) for row in self._found.execute("SELECT * FROM txn WHERE seq = ?", (seq,))]
        return sorted(rows, key=lambda row: row.header is None or sha256(row.header).digest() != row.header_hash)

    def _events(self, txn: TxnRow) -> list[EventRow] | None:
        """Return the events with which the transaction's hash fits; damaged bodies are empty."""
        places: dict[int, dict[tuple[object, ...], EventRow]] = {}
        for row in self._found.execute("SELECT * FROM event WHERE txn_seq = ? ORDER BY position", (txn.seq,)):
            event = EventRow._make(row)
            if event.origin_id != txn.origin_id:
                continue
            if event.body is not None and sha256(event.body).digest() != event.body_hash:
                event = event._replace(body=None)
            versions = places.setdefault(event.position, {})
            key = event[3:8]
            if event.body is not None or key not in versions:
                versions[key] = event
        for chosen in islice(product(*(versions.values() for versions in places.values())), _MOST_TRIES):
            try:
                fits = sealed(txn, [event_part(event) for event in chosen]) == txn.hash
            except (TypeError, ValueError):
                continue
            if fits and chosen:
                return list(chosen)
        return None

    def _why(self, seq: int) -> str:
        if not self._candidates(seq):
            return "is not there any more"
        if any(self._events(txn) is not None for txn in self._candidates(seq)):
            return "does not link to the one before it"
        return "its row or one of its events is damaged or gone"

    def _found_ledger(self, store: SqliteStore, txn: TxnRow, events: list[EventRow]) -> list[EventRow]:
        """Write the identity, which stands in the first event; when that is damaged, find it elsewhere in the file."""
        first = events[0]
        for body in (first.body, *map(_created, self._identities())):
            if body is not None and sha256(body).digest() == first.body_hash:
                made = read_event(first.type, first.schema_version, body)
                if isinstance(made, LedgerCreated):
                    identity = {"ledger_id": made.ledger_id, "format": str(made.format)}
                    identity |= {"origin_id": txn.origin_id.hex(), "created_at": str(txn.recorded_at)}
                    for key, value in identity.items():
                        store.insert_meta(key, value)
                    return [first._replace(body=body), *events[1:]]
        raise IntegrityError(
            "nothing can be saved: the ledger's identity is gone, or this is no ledger",
            hint="Bring back a backup, and keep the damaged file.",
        )

    def _identities(self) -> list[str]:
        return [row[0] for row in self._found.execute("SELECT ledger_id FROM identity")]

    def _excuse(self, store: SqliteStore, header: Header) -> None:
        """Empty again what was redacted, and put on record what was lost, so that what is empty is accounted for."""
        named = set(redactions(store))
        with store.writing():
            count = empty_named(store, named)
        if count:
            store.wipe()
        records = [
            LedgerRedacted(event.stream, event.stream_version, event.origin_id.hex(), _LOST)
            for event in store.events()
            if event.body is None and (event.stream, event.stream_version, event.origin_id) not in named
        ]
        records += [
            LedgerRedacted(HEADER_STREAM, txn.origin_seq, txn.origin_id.hex(), _LOST)
            for txn in store.transactions()
            if txn.header is None and (HEADER_STREAM, txn.origin_seq, txn.origin_id) not in named
        ]
        self._report.emptied = len(records)
        if records:
            events = tuple(NewEvent(LEDGER_STREAM, record) for record in records)
            Ledger(store).append(Transaction(header, events))

    def _write_rest(self, path: str) -> None:
        """Write what is whole in itself but linked to nothing that was kept, as lines of an export."""
        found = self._found.execute("SELECT DISTINCT seq FROM txn ORDER BY seq")
        seqs = [seq for (seq,) in found if seq not in self._kept]
        whole = ((txn, events) for seq in seqs for txn in self._candidates(seq)[:1] if (events := self._events(txn)))
        first = next(whole, None)
        if first is None:
            return
        remove(path)
        make_private(path)
        with open(path, "wb") as file:
            for txn, events in (first, *whole):
                file.write(b"\n".join([txn_line(_sound(txn)), *map(event_line, events), b""]))
                self._report.rest += 1

    def _publish_rest(self, path: str) -> None:
        """Give that file its name, after the ledger has its own: without that nobody would look for it."""
        if self._report.rest:
            seam("salvage.rest")
            publish(partial_name(path), path)
            self._report.rest_file = path


def _sound(txn: TxnRow) -> TxnRow:
    is_sound = txn.header is not None and sha256(txn.header).digest() == txn.header_hash
    return txn if is_sound else txn._replace(header=None)


def _created(ledger_id: str) -> bytes:
    return encode(LedgerCreated(ledger_id=ledger_id, format=1).to_body())
