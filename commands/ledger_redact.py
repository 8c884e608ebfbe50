"""`guild ledger redact`: empty what must not be kept, a password that was typed as a flag, say."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from commands.app import App
from commands.ledger_files import refuse_no_ledger, refuse_read_only
from commands.options import Limits, dry_run_option, run_words, yes_option
from commands.selecting import is_whole_id, run_filter, selected
from commands.table import SHORT_ID
from commands.terminal import confirm, note, say, warn
from commands.wiping import emptying, is_marked, wipe
from ledger.errors import GuildError, UsageError
from ledger.ids import RunId, is_run_id, run_stream
from ledger.opening import clear_unfinished
from ledger.redacting import DECIDING, TELLING, Target, body_targets, header_targets, redact
from ledger.registry import VERSIONS
from ledger.rows import EventRow, TxnRow
from ledger.sqlite_store import SqliteStore
from ledger.text import did_you_mean, printable
from projections.schema import DELETED, LIVE
from projections.selection import SelectionError, span_of
from projections.undo_choice import brief_of


@click.command("redact")
@click.argument("runs", metavar="[RUN]...", nargs=-1, shell_complete=run_words)
@click.option("--type", "types", metavar="TYPE", multiple=True, help="Only events of this type; may be repeated.")
@click.option("--event", "positions", metavar="POSITION", type=click.IntRange(1), multiple=True, help="An event.")
@click.option("--txn", "seqs", metavar="SEQ", type=click.IntRange(1), multiple=True, help="A transaction, all of it.")
@click.option("--headers/--no-headers", default=True, help="Also the command lines that wrote them (the default).")
@click.option("-a", "--all", "everywhere", is_flag=True, help="Indexes are those of `guild runs --all`.")
@click.option("-d", "--deleted", is_flag=True, help="Indexes are those of `guild runs --deleted`.")
@click.option("--reason", metavar="TEXT", required=True, help="Why; it is recorded and stays.")
@dry_run_option
@yes_option
@click.pass_obj
def redact_events(
    app: App,
    *,
    runs: tuple[str, ...],
    types: tuple[str, ...],
    positions: tuple[int, ...],
    seqs: tuple[int, ...],
    headers: bool,
    everywhere: bool,
    deleted: bool,
    reason: str,
    dry_run: bool,
    yes: bool,
) -> None:
    """Empty what must not be kept, on record.

    Bodies of events, and the command lines that wrote them, are emptied for ever. The chain stays whole, and the
    redaction is recorded with its reason. A RUN is an index, a range or an id (of one that was purged the whole
    id); of its events those are emptied that hold flags and commands, or those of --type. Numbers of events and
    transactions are those of `guild log -v`. A command line is emptied wherever it was recorded; that of an undo, which
    says what was taken back, only when it is named with --txn.

    A run whose start was emptied has no operation, no flags and no project any more, so the runs behind it move up:
    with -y a RUN is an id, not an index.

    \b
    Examples:
      guild ledger redact 0 --reason "a password was typed as a flag"
      guild ledger redact --type run.commented 9734f85e --no-headers --reason "a name"
      guild ledger redact --event 17 --txn 4 --reason "a token" --dry-run
    """
    if not reason.strip():
        raise UsageError("--reason needs a text, and got an empty one", hint="Say why, without repeating the secret.")
    _refuse_types(types)
    if yes and not dry_run:
        _refuse_indexes(runs)
    refuse_no_ledger(app)
    if not dry_run:
        refuse_read_only(app.ledger.store)
    targets = _targets(app, _run_ids(app, runs, everywhere, deleted), types, positions, seqs, headers=headers)
    if not targets:
        if is_marked(app) and not dry_run:
            wipe(app)
        raise GuildError("there is nothing to redact: nothing was named, or all of it is empty already")
    _show(targets)
    if dry_run:
        note("Nothing was changed (--dry-run).")
        return
    if not yes and not confirm(f"Empty {len(targets)} bodies and headers for ever?"):
        return
    emptying(app, lambda: redact(app.ledger, app.header(reason=reason), targets, reason), lambda _: len(targets))
    say(f"Emptied {len(targets)} bodies and headers.")
    wipe(app)
    app.index  # noqa: B018 - made anew, without what was emptied
    _clear_leftovers(app)
    _tell_leftovers(app)


def _refuse_types(types: Sequence[str]) -> None:
    for name in types:
        if not name.startswith("run.") or name not in VERSIONS:
            raise UsageError(f"'{printable(name, 80)}' is no type of an event of a run{did_you_mean(name, VERSIONS)}")


def _refuse_indexes(words: Sequence[str]) -> None:
    """Refuse indexes that nobody is asked about: once it is emptied, a run leaves its project, and others move up."""
    # As many digits as a listing shows of an id are one without a letter; an index would need ten million runs for it.
    indexes = [word for word in words if span_of(word) and not (word.isdecimal() and len(word) >= SHORT_ID)]
    if indexes:
        raise UsageError(
            f"with -y a run to be redacted is named by its id, and '{printable(indexes[0], 80)}' is an index",
            hint="Leave -y out to be shown the run and be asked, or give the id that `guild runs` shows beside it.",
        )


def _run_ids(app: App, words: Sequence[str], everywhere: bool, deleted: bool) -> list[RunId]:
    whole = [RunId(word) for word in words if is_whole_id(word) and is_run_id(word)]
    others = [word for word in words if word not in whole]
    if not others:
        return whole
    limits = Limits(everywhere=everywhere, operations=(), statuses=(), labels=())
    rows = selected(app, run_filter(app, limits, place=DELETED if deleted else LIVE), others)
    if app.moved:
        raise SelectionError(
            f"the list has changed since you saw it: {'; '.join(app.moved)}",
            hint="Nothing was changed. List the runs again, or name them by id.",
        )
    return [*whole, *(row.run_id for row in rows)]


def _targets(
    app: App,
    run_ids: Sequence[RunId],
    types: Sequence[str],
    positions: Sequence[int],
    seqs: Sequence[int],
    *,
    headers: bool,
) -> list[Target]:
    """Return what is to be emptied, each once, in the order of the ledger."""
    store = app.ledger.store
    events = {event.position: event for event in _events_of_runs(app, run_ids, types or TELLING)}
    for position in positions:
        found = next(store.events(position - 1), None)
        if found is None or found.position != position:
            raise GuildError(f"there is no event {position}", hint="`guild log -v` shows the numbers of events.")
        events[position] = found
    for seq in seqs:
        _transaction(app, seq)
        events |= {event.position: event for event in store.txn_events(seq) if _may_be_emptied(event)}
    chosen = [events[position] for position in sorted(events)]
    _refuse_waiting(app, chosen)
    written = {event.txn_seq for event in chosen if headers}.difference(seqs)
    wanted = [_transaction(app, seq) for seq in seqs]
    wanted += [txn for seq in sorted(written) if not _takes_back(txn := _transaction(app, seq))]
    return header_targets(_alike(app, wanted)) + body_targets(chosen)


def _takes_back(txn: TxnRow) -> bool:
    """Tell whether a transaction takes another back, and say that its header stays: only there it is recorded."""
    if brief_of(txn).undoes is None:
        return False
    note(f"The command line of transaction {txn.seq} stays: it says what was undone. --txn {txn.seq} empties it.")
    return True


def _may_be_emptied(event: EventRow) -> bool:
    return event.stream.startswith("run/") and event.type not in DECIDING


def _refuse_waiting(app: App, chosen: Sequence[EventRow]) -> None:
    """Refuse what a run that waits to be started would be started from."""
    streams = [event.stream for event in chosen if event.type == "run.staged" and event.body is not None]
    types: dict[str, list[str]] = {}
    for event in app.ledger.store.stream_events(streams) if streams else []:
        types.setdefault(event.stream, []).append(event.type)
    for stream in streams:
        moves = [name for name in types[stream] if name in ("run.deleted", "run.restored")]
        if "run.started" not in types[stream] and moves[-1:] != ["run.deleted"]:
            raise GuildError(
                f"run {stream[4:12]} is staged, and could never be started without what is to be emptied",
                hint="Nothing was changed. Delete it first (`guild runs rm`), or start it.",
            )


def _alike(app: App, transactions: Sequence[TxnRow]) -> list[TxnRow]:
    """Return all transactions with a header like one of these: a run's command line stands at its end as well."""
    hashes = {txn.header_hash for txn in transactions}
    if not hashes:
        return []
    store = app.ledger.store
    with store.reading():
        return [TxnRow._make(txn) for txn in store.txn_tuples() if txn[6] in hashes]


def _events_of_runs(app: App, run_ids: Sequence[RunId], types: Sequence[str]) -> list[EventRow]:
    found = app.ledger.store.stream_events(map(run_stream, run_ids)) if run_ids else []
    known = {event.stream for event in found}
    for run_id in run_ids:
        if run_stream(run_id) not in known:
            raise SelectionError(f"could not find a run matching '{run_id}'", hint="`guild log -v` shows all ids.")
    return [event for event in found if event.type in types]


def _transaction(app: App, seq: int) -> TxnRow:
    txn = app.ledger.store.txn(seq)
    if txn is None:
        raise GuildError(f"there is no transaction {seq}", hint="`guild log` shows the numbers of transactions.")
    return txn


def _show(targets: Sequence[Target]) -> None:
    say("To be emptied for ever:")
    for target in targets:
        where = "transaction" if target.name == "header" else "event"
        about = "its command line, actor and host" if target.name == "header" else f"{target.name} of {target.stream}"
        say(f"  {where} {target.at}: {about} ({target.size} bytes)")


def _clear_leftovers(app: App) -> None:
    """Remove the copies of the ledger that killed commands left: they hold what was emptied."""
    if isinstance(app.ledger.store, SqliteStore):
        try:
            clear_unfinished(app.ledger.store.place)
        except (GuildError, OSError) as error:
            warn(f"a copy of the ledger that a killed command left could not be removed: {error}")
            note("`guild check` names it.")


def _tell_leftovers(app: App) -> None:
    """Say where the text may still be: what is not the ledger is not looked into."""
    if isinstance(app.ledger.store, SqliteStore):
        note("The ledger's file was written anew, and the index too: what was emptied is in neither.")
    else:
        note(
            "The index was made anew. The server keeps old rows until `VACUUM FULL event, txn`, and longer in its logs."
        )
    note("The same text may still be in other events (`guild log -v`), run directories, source snapshots, and backups.")
    for name in sorted(os.listdir(app.home.root)):
        if name.startswith("ledger.db."):
            note(f"An older ledger that may hold it: {printable(os.path.join(app.home.root, name), 400)}")
