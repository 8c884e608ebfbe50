"""What `guild check` looks at: the home's folders, the ledger, the index, every run directory, what lies about.

Nothing is changed here but that a sound index catches up. Where every run belongs is told by a fresh replay of the
ledger, not by the index that is being checked.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing

from artifacts.checking_home import check_home, file_system
from artifacts.checking_leftovers import (
    free_leases,
    kept_end,
    left_beside,
    stale_lease,
    stale_snapshots,
    strangers_in_leases,
    unrecorded_end,
)
from artifacts.checking_places import (
    FOLDERS,
    Looked,
    judged,
    kept_elsewhere,
    look_at_directories,
    missing,
    removal_elsewhere,
    unfinished,
)
from artifacts.findings import Finding, Findings
from artifacts.places import where
from artifacts.removal import measure_tree
from commands.app import App
from commands.progress import progress
from commands.reaping import evidence_of_start
from ledger.dataclass import dataclass, field
from ledger.errors import GuildError, IntegrityError
from ledger.ids import RunId
from ledger.opening import is_disk_full, unfinished_files
from ledger.walk import UNREADABLE
from projections.comparing import damage, first_difference, replay
from projections.errors import IndexDamagedError, IndexOutrunError
from projections.files import current_file, has_any_index, leftovers
from projections.index import Index, connect, is_only_read
from projections.schema import DELETED, LIVE, PLACES, PURGING, STATUSES
from projections.single import state_of

_CHUNK = 500


@dataclass(slots=True)
class Checked:
    """What a check found and measured.

    Attributes:
        findings: see `artifacts.findings`.
        file_system: type of the home's file system, None where that is not known.
        free: bytes that are free there for this user.
        transactions: of the ledger; None when it cannot be read.
        events: likewise.
        head_hash: likewise, hexadecimal.
        index: a sentence.
        runs: how many there are, by place.
        disk: bytes by what uses them.
    """

    findings: Findings = field(default_factory=Findings)
    file_system: str | None = None
    free: int = 0
    transactions: int | None = None
    events: int | None = None
    head_hash: str | None = None
    index: str = "not checked: the ledger cannot be read"
    runs: Counter[str] = field(default_factory=Counter)
    disk: Counter[str] = field(default_factory=Counter)


def look(app: App) -> Checked:
    """Look at everything in a home that is there."""
    checked = Checked(file_system=file_system(app.home.root))
    space = os.statvfs(app.home.root)
    checked.free = space.f_bavail * space.f_frsize
    for finding in check_home(app.home):
        checked.findings.add(finding)
    if is_disk_full(app.home.root):
        what = "the disk is full: nothing can be recorded"
        checked.findings.add(Finding("home", what, FREE_SPACE, app.home.root))
    if _look_at_ledger(app, checked):
        _look_at_runs(app, checked)
    for finding in _left_lying(app):
        checked.findings.add(finding)
    _measure(app, checked)
    return checked


def _look_at_ledger(app: App, checked: Checked) -> bool:
    """Look at the ledger's end and guards; tell whether it can be read on."""
    if not (os.environ.get("GUILD_LEDGER") or os.path.lexists(app.home.ledger_path)):
        checked.index = "none yet"
        checked.findings.add(_no_ledger(app))
        return False
    try:
        store = app.ledger.store
        head = store.head()
        last = store.txn(head.seq)
        guards = store.missing_guards()
    except (GuildError, *UNREADABLE) as error:
        checked.findings.add(_unreadable(app, error))
        return False
    checked.transactions, checked.events, checked.head_hash = head.seq, head.position, head.hash.hex()
    if last is None or not store.txn_events(head.seq):
        checked.findings.add(
            Finding("ledger", f"transaction {head.seq}, the newest, is not whole", _VERIFY, store.place)
        )
    if guards:
        what = f"guards are missing or altered ({', '.join(guards)}): the tables are no longer append-only"
        checked.findings.add(Finding("ledger", what, _VERIFY, store.place))
    return True


FREE_SPACE = "Free some space. The folder 'index' of the home may be removed; `guild runs purge` empties the trash."
_VERIFY = "`guild ledger verify` says what is wrong; bring back a backup."


def _no_ledger(app: App) -> Finding:
    folders = (app.home.runs_dir, app.home.trash_dir, app.home.purging_dir)
    if has_any_index(app.home.index_dir) or any(os.path.isdir(folder) and os.listdir(folder) for folder in folders):
        return Finding(
            "ledger", "the ledger is gone, and the home still holds what belongs to it",
            "Bring ledger.db back from a backup; if it is in a server, set GUILD_LEDGER.", app.home.ledger_path,
        )  # fmt: skip
    return Finding(
        "ledger", "there is no ledger yet", "The first run makes it.", app.home.ledger_path, is_problem=False
    )


def _unreadable(app: App, error: Exception) -> Finding:
    what = error.message if isinstance(error, GuildError) else f"it cannot be read to its end: {error}"
    hint = error.hint if isinstance(error, GuildError) else None
    return Finding("ledger", what, hint or _VERIFY, app.home.ledger_path)


def _look_at_runs(app: App, checked: Checked) -> None:
    """Compare the index with a replay, and every run directory with where the replay has it."""
    with ExitStack() as stack:
        index, wrong = _opened(app, checked, stack)
        try:
            until = None if index is None else index.checkpoint()
            with progress("Replaying the ledger", checked.events or 0) as reached:
                fresh = stack.enter_context(replay(app.ledger, reached, until=until))
        except (GuildError, *UNREADABLE) as error:
            checked.findings.add(_unreadable(app, error))
            return
        _judge_index(app, checked, index, fresh, wrong)
        for place, runs in fresh.db.execute("SELECT place, sum(runs) FROM total GROUP BY place"):
            checked.runs[PLACES[place]] = runs
        _look_at_places(app, checked, fresh)


def _opened(app: App, checked: Checked, stack: ExitStack) -> tuple[Index | None, str | None]:
    """Return the index as it is on disk, caught up and held still; or None, and what is wrong with it."""
    path = current_file(app.home.index_dir)
    if path is None:
        checked.index = "none yet"
        return None, None
    try:
        only_read = is_only_read(app.home.index_dir, app.ledger)
        index = stack.enter_context(closing(connect(path, immutable=only_read)))
        if not only_read:
            index.catch_up(app.ledger)
        stack.enter_context(index.reading())
        index.checkpoint()
        return index, damage(index.db)
    except IndexOutrunError:
        checked.index = "not made anew yet after a merge"  # the next command that uses it does that
        return None, None
    except IndexDamagedError as error:
        return None, error.message
    except IntegrityError as error:
        checked.index = "has read what the ledger does not hold"
        checked.findings.add(Finding("ledger", error.message, error.hint or _VERIFY, app.home.ledger_path))
        return None, None
    except GuildError as error:
        checked.index = f"not checked: {error.message}"  # the disk has filled up meanwhile, or it is locked
        return None, None


def _judge_index(app: App, checked: Checked, index: Index | None, fresh: Index, wrong: str | None) -> None:
    if index is not None and wrong is None:
        try:
            wrong = first_difference(index.db, fresh.db)
        except IndexDamagedError as error:
            wrong = error.message
        checked.index = "equals a fresh replay"
    if wrong is not None:
        checked.index = "differs from a fresh replay"
        remedy = "`guild check --repair` or `guild ledger rebuild` makes it anew."
        path = current_file(app.home.index_dir)
        checked.findings.add(Finding("index", f"it is not what the ledger gives: {wrong}", remedy, path, mend="index"))


def _look_at_places(app: App, checked: Checked, fresh: Index) -> None:
    def known(run_ids: Sequence[RunId]) -> Mapping[RunId, str]:
        marks = ",".join("?" * len(run_ids))
        rows = fresh.db.execute(
            f"SELECT run_id, place FROM run WHERE run_id IN ({marks})",  # noqa: S608 - marks
            [bytes.fromhex(run_id) for run_id in run_ids],
        )
        return {RunId(run_id.hex()): PLACES[place] for run_id, place in rows}

    total = checked.runs[LIVE] + checked.runs[DELETED]
    with progress("Looking at run directories", total) as reached:
        for number, looked in enumerate(look_at_directories(app.home, known), 1):
            checked.disk[str(looked.place)] += looked.bytes
            checked.findings.add(_confirmed(app, looked))
            if reached is not None and number % _CHUNK == 0:
                reached(number)
    for finding in _without_directory(app, fresh):
        checked.findings.add(finding)
    for run_id in free_leases(app.home):
        state = state_of(app.ledger, run_id)
        if state is None or state.status != "running":
            kept = kept_end(app.home, run_id) if state is None else None
            checked.findings.add(kept or stale_lease(app.home, run_id))


def _confirmed(app: App, looked: Looked) -> Finding | None:
    """Return a finding that still holds: while all was replayed and looked at, other commands may have moved a run."""
    finding = looked.finding
    if finding is None or finding.run is None or not finding.is_problem:
        return finding
    if not os.path.lexists(finding.path or ""):
        return None
    state = state_of(app.ledger, RunId(finding.run))
    return finding if state is None else judged(app.home, RunId(finding.run), state.place, looked.place)


def _without_directory(app: App, fresh: Index) -> Iterator[Finding]:
    """Yield what is wrong with runs that should have a directory, or should have lost it; and how many others have."""
    elsewhere = 0
    numbers = ",".join(str(PLACES.index(place)) for place in (LIVE, DELETED, PURGING))
    rows = fresh.db.execute(
        f"SELECT run_id, place, status, exit_status FROM run WHERE place IN ({numbers}) ORDER BY run"  # noqa: S608
    )
    for run_bytes, place_number, status_number, exit_status in rows:
        run_id, place, status = RunId(run_bytes.hex()), PLACES[place_number], STATUSES[status_number]
        is_there = place != PURGING and os.path.lexists(f"{app.home.root}/{FOLDERS[place]}/{run_id}")
        if status == "staged" or (is_there and status != "running"):
            continue
        if status != "running" and place == PURGING:
            yield from _purging(app, run_id)
        elif not _is_of_this_home(app, run_id):
            elsewhere += status != "running" and _is_of_another_home(app, run_id)
        elif status == "running":
            if _is_over(app, run_id):
                yield unrecorded_end(app.home, run_id)
        else:
            lost = status == "terminated" and exit_status is None
            found = missing(app.home, run_id, place, was_lost=lost)
            state = state_of(app.ledger, run_id)
            if found is not None and state is not None and state.place == place:
                yield found
    if elsewhere:
        yield kept_elsewhere(app.home, elsewhere)


def _purging(app: App, run_id: RunId) -> Iterator[Finding]:
    if where(app.home, run_id) or _is_of_this_home(app, run_id):
        yield unfinished(app.home, run_id)
    elif _is_of_another_home(app, run_id):
        yield removal_elsewhere(app.home, run_id)


def _is_of_this_home(app: App, run_id: RunId) -> bool:
    """Tell whether a run was started in this home: a ledger in a server is shared by several."""
    evidence = evidence_of_start(app, run_id)
    home = evidence.get("home")
    return bool(evidence) and (home is None or home == app.home.known_identity())


def _is_of_another_home(app: App, run_id: RunId) -> bool:
    home = evidence_of_start(app, run_id).get("home")
    return home is not None and home != app.home.known_identity()


def _is_over(app: App, run_id: RunId) -> bool:
    from operations.liveness import find_end

    try:
        end = find_end(app.home.lease_path(run_id), evidence_of_start(app, run_id), home=app.home.known_identity())
    except GuildError:
        return False
    if end is not None:
        end.release(remove=False)
    return end is not None


def _left_lying(app: App) -> Iterator[Finding]:
    yield from strangers_in_leases(app.home)
    yield from stale_snapshots(app.home)
    if os.path.isdir(app.home.importing_dir):
        from artifacts.importing import leftovers as left_by_imports
        from commands.archives import known_runs

        left = left_by_imports(app.home, lambda run_ids: known_runs(app, run_ids))
        yield from left_beside(left, "an import that was killed", "imports")
    beside = unfinished_files(app.home.ledger_path)
    yield from left_beside(beside, "the making or upgrading of a ledger that was killed", "ledger-files")
    own, theirs = leftovers(app.home.index_dir)
    paths = [os.path.join(app.home.index_dir, name) for name in own]
    yield from left_beside(paths, "a rebuild of the index that was killed", "index-files")
    for name in theirs:
        yield Finding(
            "leftovers", "this is the index of another version of the program",
            "Remove it when no such version uses this home.", os.path.join(app.home.index_dir, name), is_problem=False,
        )  # fmt: skip


def _measure(app: App, checked: Checked) -> None:
    """Add the bytes of everything but the run directories, which have been looked at; of those too if they have not."""
    home = app.home
    for name in ("runs", "trash", "purging"):
        if name not in checked.disk:
            checked.disk[name] = measure_tree(os.path.realpath(os.path.join(home.root, name)))[1]
    for name in ("sources", "index", "leases", "cache"):
        checked.disk[name] = measure_tree(os.path.realpath(os.path.join(home.root, name)))[1]
    names = os.listdir(home.root) if os.access(home.root, os.R_OK) else []
    checked.disk["ledger"] = sum(
        os.lstat(os.path.join(home.root, name)).st_size for name in names if name.startswith("ledger.db")
    )
