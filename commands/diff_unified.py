"""Unified diffs for people: coloured on a terminal, and harmless to it whatever the texts hold."""

from __future__ import annotations

from collections.abc import Iterator

import click

from artifacts.line_diff import MOST_BYTES, MOST_LINES, TextDiff, unified
from ledger.canonical import Value
from ledger.text import ANY_LENGTH, printable, size

_COLORS = {"-": "red", "+": "green", "@": "cyan"}
NONE = "/dev/null"
"""Stands for a file that is not there."""

CUT = f"Only the first {size(MOST_BYTES)} or {MOST_LINES:,} lines were compared."
INEXACT = "They differ so much that more may be shown as replaced than was."


def safe(text: str) -> str:
    """Return a line of a text, harmless to a terminal and as long as it is; tabs stay."""
    return "\t".join(printable(part, ANY_LENGTH) for part in text.split("\t"))


def unified_lines(diff: TextDiff, before: str, after: str) -> Iterator[str]:
    """Yield a unified diff with its headers; nothing when nothing differs.

    Args:
        diff: what differs.
        before: name of the first file.
        after: name of the second.
    """
    names = tuple(printable(name, ANY_LENGTH) for name in (before, after))
    if diff.is_binary:
        yield f"Binary files {names[0]} and {names[1]} differ"
        return
    if diff.changes or diff.is_cut:
        yield click.style(f"--- {names[0]}", bold=True)
        yield click.style(f"+++ {names[1]}", bold=True)
    for kind, line in unified(diff):
        text = f"{'' if kind == '@' else kind}{safe(line.decode('utf-8', 'surrogateescape'))}"
        yield click.style(text, fg=_COLORS[kind]) if kind in _COLORS else text
    yield from remarks(diff)


def remarks(diff: TextDiff) -> Iterator[str]:
    """Yield what is to be known of a diff that is not the whole truth."""
    if diff.is_cut:
        yield CUT
    if not diff.is_exact:
        yield INEXACT


def counted(diff: TextDiff) -> str:
    """Return how many lines differ: `+3 -1`."""
    if diff.is_binary:
        return "binary"
    more = " (only the beginnings were compared)" if diff.is_cut else ""
    return f"+{diff.added} -{diff.removed}{more}"


def counts(diff: TextDiff) -> dict[str, Value]:
    """Return how many lines differ, for JSON."""
    return {
        "binary": diff.is_binary,
        "added": None if diff.is_binary else diff.added,
        "removed": None if diff.is_binary else diff.removed,
        "complete": not diff.is_cut,
    }


def plain_lines(diff: TextDiff) -> list[Value]:
    """Return a unified diff without headers, for JSON."""
    return [("" if kind == "@" else kind) + line.decode("utf-8", "backslashreplace") for kind, line in unified(diff)]
