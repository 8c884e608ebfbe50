"""SQLite's file URIs; apart because `urllib.parse` alone costs a tenth of a short command's time."""

from __future__ import annotations


def sqlite_uri(path: str, options: str) -> str:
    """Return the URI of the database file at `path`; only what would end or escape a path is escaped."""
    escaped = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    # With an empty authority a path that begins with two slashes is not taken for the name of a host.
    return f"file:{'//' if escaped.startswith('/') else ''}{escaped}?{options}"
