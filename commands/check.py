"""`guild check`: whether a home is in order, with a remedy for whatever is not; `--repair` does what is safe."""

from __future__ import annotations

import os
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

import click

from artifacts.findings import Finding
from commands.app import App
from commands.checking import Checked, look
from commands.mending import mend
from commands.options import json_option
from commands.terminal import page, say
from ledger.errors import GuildError, IntegrityError
from ledger.text import printable, size

_PLACES = ("live", "deleted", "purging", "purged")
_DISK = ("ledger", "index", "runs", "trash", "purging", "sources", "leases", "cache")


@click.command("check")
@click.option("--repair", is_flag=True, help="Mend what can be mended safely, and say what was done.")
@json_option
@click.pass_obj
def check(app: App, *, repair: bool, as_json: bool) -> None:
    """Check the home: its folders and disk, the ledger's end, the index, every run directory, what lies about.

    The index is compared with a fresh replay of the ledger. Each finding comes with its remedy; a note is harmless,
    a problem makes the command exit with 3. `guild ledger verify` proves that the ledger itself is what was written.

    With --repair run directories are brought where they belong, unfinished removals go on, the end of lost runs is
    recorded, a bad index is made anew, and what killed commands left is removed. What the ledger does not explain is
    never moved or removed.

    \b
    Examples:
      guild check              what is wrong, and what to do
      guild check --repair     do what is safe
      guild check --json       for programs
    """
    if not os.path.lexists(app.home.root):
        _say_nothing_there(app, as_json=as_json)
        return
    _refuse_what_cannot_be_looked_at(app)
    checked = look(app)
    mended: frozenset[Finding] = frozenset()
    if repair:
        damaged = any(finding.area == "ledger" and finding.is_problem for finding in checked.findings.kept)
        whole = checked.transactions is not None and not damaged
        mended = frozenset(mend(app, checked.findings, ledger_is_whole=whole))
    page(_json_lines(app, checked, mended, repair=repair) if as_json else _lines(app, checked, mended))
    left = [finding for finding in checked.findings.kept if finding.is_problem and finding not in mended]
    if left or checked.findings.dropped:
        count = len(left) + checked.findings.dropped
        hint = "The remedies stand above."
        if any(finding.mend for finding in left) and not repair:
            hint += " `guild check --repair` does what is safe."
        raise IntegrityError(f"{count} {'problem' if count == 1 else 'problems'} found", hint=hint)


def _refuse_what_cannot_be_looked_at(app: App) -> None:
    """Tell a home that cannot be entered from one that is empty.

    Raises:
        GuildError: it is no folder, or may not be read.
    """
    if not os.path.isdir(app.home.root):
        app.home.ensure()  # which says what stands in the way
    if not os.access(app.home.root, os.R_OK | os.X_OK):
        raise GuildError(
            f"permission denied: you may not look into {app.home.root!r}",
            hint="Have its owner allow that, or choose another home with -H PATH or GUILD_HOME.",
        )


def _say_nothing_there(app: App, *, as_json: bool) -> None:
    say('{"ok": true, "findings": []}' if as_json else f"There is no home at {app.home.root} yet: nothing to check.")


def _lines(app: App, checked: Checked, mended: AbstractSet[Finding]) -> Iterator[str]:
    kind = f"{checked.file_system}, " if checked.file_system else ""
    yield f"home: {printable(app.home.root, 4_000)} ({kind}{size(checked.free)} free)"
    if checked.transactions is not None:
        yield f"ledger: {checked.transactions} transactions, {checked.events} events, head {checked.head_hash}"
    yield f"index: {checked.index}"
    if checked.transactions is not None:
        yield f"runs: {', '.join(f'{checked.runs[place]} {place}' for place in _PLACES)}"
    yield f"disk: {', '.join(f'{name} {size(checked.disk[name])}' for name in _DISK)}"
    for finding in checked.findings.kept:
        level = "PROBLEM" if finding.is_problem else "note"
        yield f"{'MENDED' if finding in mended else level:<7}  {finding.area}: {printable(finding.what, 2_000)}"
        if finding.path is not None:
            yield f"         {printable(finding.path, 4_000)}"
        if finding not in mended:
            yield f"         {printable(finding.remedy, 2_000)}"
    if checked.findings.dropped:
        yield f"PROBLEM  and {checked.findings.dropped} more: repair these, and check again"
    if not any(finding.is_problem for finding in checked.findings.kept if finding not in mended):
        yield "The home is in order."


def _json_lines(app: App, checked: Checked, mended: AbstractSet[Finding], *, repair: bool) -> Iterator[str]:
    import orjson

    findings = [
        {
            "level": "problem" if finding.is_problem else "note",
            "area": finding.area,
            "what": printable(finding.what, 2_000),
            "remedy": printable(finding.remedy, 2_000),
            "path": None if finding.path is None else printable(finding.path, 4_000),
            "run": finding.run,
            "repairable": finding.mend is not None,
            "repaired": finding in mended if repair and finding.mend is not None else None,
        }
        for finding in checked.findings.kept
    ]
    wrong = [one for one in findings if one["level"] == "problem" and not one["repaired"]]
    data = {
        "ok": not wrong and not checked.findings.dropped,
        "home": printable(app.home.root, 4_000),
        "file_system": checked.file_system,
        "free": checked.free,
        "transactions": checked.transactions,
        "events": checked.events,
        "head_hash": checked.head_hash,
        "index": checked.index,
        "runs": {place: checked.runs[place] for place in _PLACES},
        "disk": {name: checked.disk[name] for name in _DISK},
        "findings": findings,
        "dropped": checked.findings.dropped,
    }
    yield orjson.dumps(data, option=orjson.OPT_INDENT_2).decode()
