"""A new ledger's file: the tables as the migrations leave them, made without loading what runs migrations.

Importing Alembic and SQLAlchemy takes many times as long as all else that the first command in a new home does. So what
the migrations make is written down here once more, as SQL; a test compares both, down to each constraint.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

from ledger.errors import LedgerError
from ledger.files import remove
from ledger.format import REVISION
from ledger.guards import sqlite_guards
from ledger.seams import seam
from ledger.sqlite_errors import translated
from ledger.sqlite_store import BUSY_MS, PRAGMAS

APPLICATION_ID = 0x47554C44
"""`GULD`: by this number in its header a program like `file` tells a ledger from other SQLite files."""

_TABLES = (
    """
CREATE TABLE alembic_version (
  version_num VARCHAR(32) NOT NULL,
  CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
)""",
    """
CREATE TABLE meta (
  "key" TEXT NOT NULL,
  value TEXT NOT NULL,
  CONSTRAINT pk_meta PRIMARY KEY ("key")
) WITHOUT ROWID, STRICT""",
    """
CREATE TABLE origin (
  origin_id BLOB NOT NULL,
  label TEXT NOT NULL,
  head_seq INTEGER NOT NULL,
  head_hash BLOB NOT NULL,
  CONSTRAINT pk_origin PRIMARY KEY (origin_id),
  CONSTRAINT ck_origin_origin_id_length CHECK (length(origin_id) = 16),
  CONSTRAINT ck_origin_head_hash_length CHECK (length(head_hash) = 32)
) WITHOUT ROWID, STRICT""",
    """
CREATE TABLE txn (
  seq INTEGER NOT NULL,
  txn_id BLOB NOT NULL,
  origin_id BLOB NOT NULL,
  origin_seq INTEGER NOT NULL,
  recorded_at INTEGER NOT NULL,
  lamport INTEGER NOT NULL,
  header_hash BLOB NOT NULL,
  header BLOB,
  prev_hash BLOB NOT NULL,
  hash BLOB NOT NULL,
  CONSTRAINT pk_txn PRIMARY KEY (seq),
  CONSTRAINT uq_txn_txn_id UNIQUE (txn_id),
  CONSTRAINT uq_txn_origin_id_origin_seq UNIQUE (origin_id, origin_seq),
  CONSTRAINT ck_txn_txn_id_length CHECK (length(txn_id) = 16),
  CONSTRAINT ck_txn_header_hash_length CHECK (length(header_hash) = 32),
  CONSTRAINT ck_txn_prev_hash_length CHECK (length(prev_hash) = 32),
  CONSTRAINT ck_txn_hash_length CHECK (length(hash) = 32),
  CONSTRAINT ck_txn_origin_seq_positive CHECK (origin_seq > 0),
  CONSTRAINT fk_txn_origin_id FOREIGN KEY(origin_id) REFERENCES origin (origin_id)
) STRICT""",
    """
CREATE TABLE event (
  position INTEGER NOT NULL,
  txn_seq INTEGER NOT NULL,
  origin_id BLOB NOT NULL,
  stream TEXT NOT NULL,
  stream_version INTEGER NOT NULL,
  type TEXT NOT NULL,
  schema_version INTEGER NOT NULL,
  body_hash BLOB NOT NULL,
  body BLOB,
  CONSTRAINT pk_event PRIMARY KEY (position),
  CONSTRAINT uq_event_stream_origin_id_stream_version UNIQUE (stream, origin_id, stream_version),
  CONSTRAINT ck_event_body_hash_length CHECK (length(body_hash) = 32),
  CONSTRAINT ck_event_stream_version_positive CHECK (stream_version > 0),
  CONSTRAINT ck_event_schema_version_positive CHECK (schema_version > 0),
  CONSTRAINT fk_event_txn_seq FOREIGN KEY(txn_seq) REFERENCES txn (seq),
  CONSTRAINT fk_event_origin_id FOREIGN KEY(origin_id) REFERENCES origin (origin_id)
) STRICT""",
    "CREATE INDEX event_txn_seq ON event (txn_seq)",
)


def create_sqlite(path: str) -> None:
    """Make a new file at `path` with the tables of a ledger, of this program's revision, and no row in them.

    Args:
        path: nothing may be there.

    Raises:
        LedgerError: something is at `path`, or the file cannot be made; nothing is left behind.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise LedgerError(
            f"cannot make {path!r}: {error.strerror}",
            hint="Choose another home with -H, or mend its permissions.",
        ) from error
    try:
        set_wal(path)
        with translated(path), closing(_connected(path)) as database:
            _make_tables(database)
    except BaseException:
        remove(path)
        raise


def set_wal(path: str) -> None:
    """Put the database file at `path` in WAL mode, which it keeps.

    Raises:
        LedgerError: its file system cannot do that.
    """
    with translated(path), closing(_connected(path)) as database:
        mode = database.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode != "wal":
        raise LedgerError(
            f"{path!r} cannot be kept safely: its file system has no shared memory (journal mode {mode})",
            hint="Put the home on a local disk, or keep the ledger in PostgreSQL.",
        )


def _connected(path: str) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, timeout=BUSY_MS / 1000)


def _make_tables(database: sqlite3.Connection) -> None:
    """Make them in one transaction, the guards included."""
    for pragma in PRAGMAS:
        database.execute(pragma)
    database.execute("BEGIN IMMEDIATE")
    database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    for statement in (*_TABLES, *sqlite_guards().values()):
        database.execute(statement)
    database.execute("INSERT INTO alembic_version VALUES (?)", (REVISION,))
    seam("create.commit")
    database.execute("COMMIT")
