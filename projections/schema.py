"""The index's tables, and the fingerprint that names its file.

The index has no migrations: when anything that decides its content changes, the fingerprint changes, another file is
used, and two program versions side by side never fight over one.
"""

from __future__ import annotations

from binascii import crc32
from typing import NamedTuple

PROJECTOR_VERSION = 4
"""Raise it when a fold changes its meaning without changing a table."""

PLACES = LIVE, DELETED, PURGING, PURGED = ("live", "deleted", "purging", "purged")
"""Where a run is (listed, in the trash, on its way out, gone but for its history), by its number in the index."""

STATUSES = ("unknown", "staged", "running", "completed", "error", "terminated")
"""The status of a run, by its number in the index."""

TABLES = """
CREATE TABLE checkpoint (
  one INTEGER PRIMARY KEY CHECK (one = 1), ledger_id TEXT NOT NULL, seq INTEGER NOT NULL, position INTEGER NOT NULL,
  hash BLOB NOT NULL, recorded_at INTEGER NOT NULL, checksum INTEGER NOT NULL) STRICT;
CREATE TABLE op (
  op INTEGER PRIMARY KEY, project TEXT, package TEXT, model TEXT NOT NULL, operation TEXT NOT NULL) STRICT;
CREATE TABLE run (
  run INTEGER PRIMARY KEY, run_id BLOB NOT NULL, op INTEGER NOT NULL, status INTEGER NOT NULL,
  place INTEGER NOT NULL, started INTEGER NOT NULL, stopped INTEGER, exit_status INTEGER, label TEXT,
  marked INTEGER NOT NULL, protected INTEGER NOT NULL, digest BLOB, version INTEGER NOT NULL) STRICT;
CREATE TABLE name (name INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE value (
  run INTEGER NOT NULL, name INTEGER NOT NULL, number ANY, text TEXT, PRIMARY KEY (run, name)) STRICT, WITHOUT ROWID;
CREATE TABLE summary (
  name INTEGER NOT NULL, run INTEGER NOT NULL, first ANY, first_step ANY, min_step ANY, max_step ANY, mean ANY,
  count ANY, PRIMARY KEY (name, run)) STRICT, WITHOUT ROWID;
CREATE TABLE used (
  op INTEGER NOT NULL, name INTEGER NOT NULL, runs INTEGER NOT NULL, PRIMARY KEY (op, name)) STRICT, WITHOUT ROWID;
CREATE TABLE tag (tag TEXT NOT NULL, run INTEGER NOT NULL, PRIMARY KEY (tag, run)) STRICT, WITHOUT ROWID;
CREATE TABLE comment (
  run INTEGER NOT NULL, number INTEGER NOT NULL, text TEXT NOT NULL, written INTEGER NOT NULL,
  PRIMARY KEY (run, number)) STRICT, WITHOUT ROWID;
CREATE TABLE withdrawn (
  run INTEGER NOT NULL, number INTEGER NOT NULL, text TEXT NOT NULL, written INTEGER NOT NULL,
  PRIMARY KEY (run, number)) STRICT, WITHOUT ROWID;
CREATE TABLE total (
  op INTEGER NOT NULL, place INTEGER NOT NULL, status INTEGER NOT NULL, runs INTEGER NOT NULL,
  PRIMARY KEY (op, place, status)) STRICT, WITHOUT ROWID;
CREATE TABLE unconfirmed (run INTEGER PRIMARY KEY) STRICT;
"""
"""`checksum` is that of the rest of the checkpoint: a rotten bit in it must not look like a ledger that lost history.
`run` numbers runs in the order in which the ledger first names them, `op` operations and `name` names likewise.
`digest` is that of the latest start's sources. `name` holds what `projections.values` calls flags and scalars, `value`
what a run has of them: a number (an integer stays one: a seed has more digits than a float keeps), a text, or both for
a truth value. `summary` holds what else was reported of a scalar, by the number of `scalar:KEY`; what is not a number
is the text `nan`. `used` says which flags and scalars runs of an operation have, or once had, and how many of
these runs have a value of that name now, wherever they are. The `number` of a comment
is that of its event in the run's stream, `written` its time; `withdrawn` keeps comments that were taken back, which may
be shown again. `unconfirmed` holds the runs whose directory may not yet be where `place` says: it is the file system's
state, not the ledger's, and is left out of comparisons."""

INDEXES = """
CREATE UNIQUE INDEX run_by_id ON run (run_id);
CREATE INDEX run_listing ON run (place, started DESC);
CREATE INDEX run_by_op ON run (op, place, status, started DESC);
CREATE INDEX run_by_status ON run (place, status, started DESC);
CREATE INDEX run_by_label ON run (label, place, started DESC);
CREATE INDEX run_by_stopped ON run (stopped);
CREATE INDEX run_by_duration ON run (stopped - started) WHERE stopped IS NOT NULL;
CREATE INDEX run_by_exit ON run (exit_status);
CREATE INDEX run_by_digest ON run (digest);
CREATE INDEX run_by_mark ON run (place, started DESC) WHERE marked = 1;
CREATE INDEX run_by_protection ON run (place, started DESC) WHERE protected = 1;
CREATE INDEX value_by_number ON value (name, number) WHERE number IS NOT NULL;
CREATE INDEX value_by_text ON value (name, text) WHERE text IS NOT NULL;
CREATE INDEX tag_by_run ON tag (run);
"""
"""A local scope is the operations of one project: a listing in it merges ordered scans of `run_by_op`."""


class OpKey(NamedTuple):
    """What a run is a run of: the operation as the ledger names it."""

    project: str | None
    package: str | None
    model: str
    operation: str


COMPARED: dict[str, str] = {
    "checkpoint": "one",
    "op": "op",
    "run": "run",
    "total": "op, place, status",
    "name": "name",
    "value": "run, name",
    "summary": "name, run",
    "used": "op, name",
    "tag": "tag, run",
    "comment": "run, number",
    "withdrawn": "run, number",
}
"""Tables that are a function of the ledger alone, equal in every index of the same ledger, each with its key."""


def fingerprint() -> str:
    """Return 12 hexadecimal digits that change whenever the content of an index would.

    A checksum, not a cryptographic hash: it tells our own versions apart, and hashlib takes long to import.
    """
    text = f"{PROJECTOR_VERSION}\n{TABLES}\n{INDEXES}"
    return f"{PROJECTOR_VERSION:04x}{crc32(text.encode()):08x}"
