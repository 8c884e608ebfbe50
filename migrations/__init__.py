"""Alembic's migrations of the ledger's own tables; the index has none, it is rebuilt.

`ledger.migrate` runs them in one transaction and finds them by their folder, never by importing this name,
which other projects have too.
"""
