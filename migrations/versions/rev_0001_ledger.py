"""The four tables of the first ledger.

Revision ID: 0001
Revises: nothing

Written out instead of taken from `ledger.tables`, which will go on changing: this file must make the same
tables for ever. The guards are not made here: `ledger.migrate` takes them down before and puts them up
after every upgrade.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _meta()
    _origin()
    _txn()
    _event()


def _check(name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(name))


def _meta() -> None:
    op.create_table(
        "meta",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_meta")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _origin() -> None:
    op.create_table(
        "origin",
        sa.Column("origin_id", sa.LargeBinary(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("head_seq", _INTEGER, nullable=False),
        sa.Column("head_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("origin_id", name=op.f("pk_origin")),
        _check("ck_origin_origin_id_length", "length(origin_id) = 16"),
        _check("ck_origin_head_hash_length", "length(head_hash) = 32"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _txn() -> None:
    op.create_table(
        "txn",
        sa.Column("seq", _INTEGER, autoincrement=False, nullable=False),
        sa.Column("txn_id", sa.LargeBinary(), nullable=False),
        sa.Column("origin_id", sa.LargeBinary(), nullable=False),
        sa.Column("origin_seq", _INTEGER, nullable=False),
        sa.Column("recorded_at", _INTEGER, nullable=False),
        sa.Column("lamport", _INTEGER, nullable=False),
        sa.Column("header_hash", sa.LargeBinary(), nullable=False),
        sa.Column("header", sa.LargeBinary(), nullable=True),
        sa.Column("prev_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_txn")),
        sa.UniqueConstraint("txn_id", name=op.f("uq_txn_txn_id")),
        sa.UniqueConstraint("origin_id", "origin_seq", name=op.f("uq_txn_origin_id_origin_seq")),
        _check("ck_txn_txn_id_length", "length(txn_id) = 16"),
        _check("ck_txn_header_hash_length", "length(header_hash) = 32"),
        _check("ck_txn_prev_hash_length", "length(prev_hash) = 32"),
        _check("ck_txn_hash_length", "length(hash) = 32"),
        _check("ck_txn_origin_seq_positive", "origin_seq > 0"),
        sa.ForeignKeyConstraint(["origin_id"], ["origin.origin_id"], name=op.f("fk_txn_origin_id")),
        sqlite_strict=True,
    )


def _event() -> None:
    op.create_table(
        "event",
        sa.Column("position", _INTEGER, autoincrement=False, nullable=False),
        sa.Column("txn_seq", _INTEGER, nullable=False),
        sa.Column("origin_id", sa.LargeBinary(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("stream_version", _INTEGER, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("schema_version", _INTEGER, nullable=False),
        sa.Column("body_hash", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_event")),
        sa.UniqueConstraint(
            "stream", "origin_id", "stream_version", name=op.f("uq_event_stream_origin_id_stream_version")
        ),
        _check("ck_event_body_hash_length", "length(body_hash) = 32"),
        _check("ck_event_stream_version_positive", "stream_version > 0"),
        _check("ck_event_schema_version_positive", "schema_version > 0"),
        sa.ForeignKeyConstraint(["txn_seq"], ["txn.seq"], name=op.f("fk_event_txn_seq")),
        sa.ForeignKeyConstraint(["origin_id"], ["origin.origin_id"], name=op.f("fk_event_origin_id")),
        sqlite_strict=True,
    )
    op.create_index(op.f("event_txn_seq"), "event", ["txn_seq"])
