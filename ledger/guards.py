"""Triggers that make the ledger append-only in the database itself, whatever program writes to it.

On SQLite three kinds are needed: against UPDATE, against DELETE, and against INSERT OR REPLACE, which
deletes without firing a DELETE trigger. On PostgreSQL TRUNCATE is the third, and the guard of INSERT makes
ON CONFLICT DO NOTHING loud. One thing may change: a body or a header may be emptied (a secret), never
filled again.

No SQLAlchemy here: the embedded store compares these texts with the stored ones.
"""

from __future__ import annotations

from typing import NamedTuple

from ledger.rows import EventRow, OriginRow, TxnRow

_COLUMNS = {"event": EventRow._fields, "origin": OriginRow._fields, "txn": TxnRow._fields}
_REDACTABLE = {"event": "body", "txn": "header"}
_KEYS = {
    "event": (("position",), ("stream", "origin_id", "stream_version")),
    "origin": (("origin_id",),),
    "txn": (("seq",), ("txn_id",), ("origin_id", "origin_seq")),
}
"""The primary key and every unique key of each table."""

_ROW, _BEFORE, _INSERT, _DELETE, _UPDATE, _TRUNCATE = 1, 2, 4, 8, 16, 32
"""Bits of PostgreSQL's `pg_trigger.tgtype`."""

_FIRES = {
    _BEFORE | _DELETE | _TRUNCATE: "BEFORE DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT",
    _ROW | _BEFORE | _INSERT: "BEFORE INSERT ON {table} FOR EACH ROW",
    _ROW | _BEFORE | _UPDATE: "BEFORE UPDATE ON {table} FOR EACH ROW",
}


class PostgresGuard(NamedTuple):
    """What PostgreSQL must hold of one guard.

    Attributes:
        table: the guarded table.
        fires: on what, as in `pg_trigger.tgtype`.
        body: the text of its function, as in `pg_proc.prosrc`.
    """

    table: str
    fires: int
    body: str


def sqlite_guards() -> dict[str, str]:
    """Return the text of each guard by name, letter for letter as `sqlite_schema.sql` holds it."""
    guards: dict[str, str] = {}
    for table in _COLUMNS:
        guards |= _sqlite_guard(f"{table}_no_delete", f"BEFORE DELETE ON {table}")
        guards |= _sqlite_guard(f"{table}_no_replace", f"BEFORE INSERT ON {table}\nWHEN {_collides(table)}")
    for table in _REDACTABLE:
        allowed = _is_redaction(table, "IS")
        guards |= _sqlite_guard(f"{table}_no_update", f"BEFORE UPDATE ON {table}\nWHEN NOT ({allowed})")
    advance = "NEW.origin_id IS OLD.origin_id AND NEW.head_seq > OLD.head_seq"
    return guards | _sqlite_guard("origin_no_rewind", f"BEFORE UPDATE ON origin\nWHEN NOT ({advance})")


def postgres_guards() -> dict[str, str]:
    """Return two statements for each guard by name: its function and its trigger."""
    return {name: _postgres_text(name, guard) for name, guard in postgres_guard_facts().items()}


def postgres_guard_facts() -> dict[str, PostgresGuard]:
    """Return what the catalogue of PostgreSQL must say of each guard, by name."""
    facts = {}
    for table in _COLUMNS:
        facts[f"{table}_no_delete"] = PostgresGuard(
            table, _BEFORE | _DELETE | _TRUNCATE, f"BEGIN\n  {_raise(f'{table}_no_delete')}\nEND"
        )
        facts[f"{table}_no_replace"] = PostgresGuard(
            table, _ROW | _BEFORE | _INSERT, _plpgsql(f"{table}_no_replace", f"NOT ({_collides(table)})")
        )
    for table in _REDACTABLE:
        allowed = _is_redaction(table, "IS NOT DISTINCT FROM")
        facts[f"{table}_no_update"] = PostgresGuard(
            table, _ROW | _BEFORE | _UPDATE, _plpgsql(f"{table}_no_update", allowed)
        )
    advance = "NEW.origin_id = OLD.origin_id AND NEW.head_seq > OLD.head_seq"
    facts["origin_no_rewind"] = PostgresGuard("origin", _ROW | _BEFORE | _UPDATE, _plpgsql("origin_no_rewind", advance))
    return facts


def postgres_function(name: str) -> str:
    """Return the name of a guard's function: all functions of a schema share one name space."""
    return f"guild_{name}"


def _sqlite_guard(name: str, event: str) -> dict[str, str]:
    refusal = f"SELECT RAISE(ABORT, 'the ledger is append-only ({name})')"
    return {name: f"CREATE TRIGGER {name} {event}\nBEGIN {refusal}; END"}


def _postgres_text(name: str, guard: PostgresGuard) -> str:
    function, fires = postgres_function(name), _FIRES[guard.fires].format(table=guard.table)
    return (
        f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql"
        f" AS $guard${guard.body}$guard$;\nCREATE TRIGGER {name} {fires} EXECUTE FUNCTION {function}()"
    )


def _plpgsql(name: str, allowed: str) -> str:
    """Return the body of a function that refuses what is not `allowed`, or not known to be (NULL)."""
    return f"BEGIN\n  IF {allowed} THEN RETURN NEW; END IF;\n  {_raise(name)}\nEND"


def _raise(name: str) -> str:
    return f"RAISE EXCEPTION 'the ledger is append-only ({name})' USING ERRCODE = 'restrict_violation';"


def _is_redaction(table: str, same: str) -> str:
    """Return the condition that an UPDATE only empties what may be; `same` is the operator of equal rows."""
    emptied = _REDACTABLE[table]
    kept = [column for column in _COLUMNS[table] if column != emptied]
    new, old = (", ".join(f"{row}.{column}" for column in kept) for row in ("NEW", "OLD"))
    return f"OLD.{emptied} IS NOT NULL AND NEW.{emptied} IS NULL AND ({new}) {same} ({old})"


def _collides(table: str) -> str:
    """Return the condition that a row with a primary or unique key of the new row is there already."""
    # One EXISTS for each key, because each of them is then one look into one index.
    clauses = []
    for key in _KEYS[table]:
        same = " AND ".join(f"{column} = NEW.{column}" for column in key)
        clauses.append(f"EXISTS (SELECT 1 FROM {table} WHERE {same})")  # noqa: S608 - only names of this file
    return " OR ".join(clauses)
