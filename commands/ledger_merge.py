"""`guild ledger merge`: the history of another machine and this one's become one, here."""

from __future__ import annotations

from collections.abc import Sequence

import click

from artifacts.bringing import Brought, bring_all, is_here
from artifacts.importing import clear_leftovers
from artifacts.places import lock_places
from commands.app import App
from commands.archives import known_runs
from commands.ledger_files import refuse_no_ledger
from commands.merge_words import Telling, fork_refused, protected_refused
from commands.options import dry_run_option, json_option, yes_option
from commands.other_ledger import Other, other_ledger
from commands.progress import progress
from commands.settle import follow
from commands.terminal import confirm, warn
from commands.wiping import emptying, wipe
from ledger.errors import GuildError, NoSpaceError, UsageError
from ledger.ids import RunId, run_of, run_stream, system_clock
from ledger.merging import Merged, Plan, Survey, merge, plan_merge, refuse_ahead, survey, verify_source
from ledger.seams import seam
from projections.query import runs_by_id
from projections.rebuild import rebuild
from projections.schema import DELETED, LIVE

_UNSTARTED = ("staged", "running")


@click.command("merge")
@click.argument("other", metavar="OTHER", type=click.Path(exists=True))
@click.option("--artifacts", "with_artifacts", is_flag=True, help="Copy run directories and source code of OTHER too.")
@click.option("--fork-as-new", is_flag=True, help="Take what a copy of this home wrote as that of another machine.")
@click.option("--force", is_flag=True, help="Also when the clock of OTHER was ahead, or protected runs are removed.")
@dry_run_option
@yes_option
@json_option
@click.pass_obj
def merge_ledger(
    app: App,
    *,
    other: str,
    with_artifacts: bool,
    fork_as_new: bool,
    force: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Take in what another ledger holds and this one does not.

    OTHER is the folder of another home, a ledger.db, or a file of `guild ledger export`. It is verified as a whole and
    only read. All of it is taken, or nothing. Ledgers may be merged in any order and again: the runs are the same. Of
    what two machines said of one run, the later one counts.

    Runs of another machine are listed here, labelled, deleted and restored like any other. Their files are not here,
    unless --artifacts copies them; runs are never stopped or found dead from another machine.

    When this home, or OTHER, is a copy of the other one and both went on by themselves, that is a fork: nothing is
    done, and you are told where they parted. With --fork-as-new what OTHER wrote since then is told under a name of its
    own.

    \b
    Examples:
      guild ledger merge /mnt/laptop/.guild --dry-run
      guild ledger merge /mnt/laptop/.guild --artifacts
      guild ledger merge history.jsonl -y
    """
    if as_json and not (yes or dry_run):
        raise UsageError(
            "--json asks nothing: it needs -y or --dry-run", hint="Example: guild ledger merge OTHER -y --json."
        )
    if dry_run:
        refuse_no_ledger(app)
    with other_ledger(app, other) as opened:
        if with_artifacts and opened.home is None:
            raise UsageError("--artifacts needs a home: a file holds no run directories", hint="Name its folder.")
        telling = Telling(as_json=as_json, dry_run=dry_run)
        with opened.store.reading():
            plan, found = _planned(app, opened, fork_as_new=fork_as_new, force=force)
            telling.plan(plan, found)
            if found.protected and yes and not (force or dry_run):
                raise protected_refused(found.protected)
            if plan.takes and not dry_run:
                if not yes and not confirm("Merge?"):
                    return
                done = _merged(app, opened, plan, fork_as_new=fork_as_new)
                telling.done(done)
        if not dry_run:
            _settle(app, telling)
            if with_artifacts and opened.home is not None:
                telling.brought(_bring(app, opened))
        telling.end(has_home=opened.home is not None)


def _planned(app: App, other: Other, *, fork_as_new: bool, force: bool) -> tuple[Plan, Survey]:
    """Return what would be done, once OTHER has proved to be whole.

    Raises:
        GuildError: there is a fork, OTHER is not whole, or from the future.
    """
    store = app.ledger.store
    plan = plan_merge(store, other.store, fork_as_new=fork_as_new)
    if plan.forks and not fork_as_new:
        raise fork_refused(plan.forks)
    if not plan.takes:
        return plan, Survey()
    with progress("Verifying", other.store.head().position) as reached:
        verify_source(other.store, reached)
    if not force:
        refuse_ahead(plan, system_clock())
    found = survey(store, other.store, plan, lambda stream: is_here(app.home, RunId(run_of(stream) or "")))
    if found.purges:
        rows = runs_by_id(app.index, [RunId(run_of(stream) or "") for stream in found.purges])
        found.protected = [run_stream(run_id) for run_id, row in rows.items() if row.protected]
    return plan, found


def _merged(app: App, other: Other, plan: Plan, *, fork_as_new: bool) -> Merged:
    """Merge, and wipe what the merged history says was redacted."""
    app.home.ensure()

    def merged() -> Merged:
        with progress("Merging", plan.count) as reached:
            return merge(
                app.ledger, other.store, app.header(), clock=system_clock, fork_as_new=fork_as_new, progress=reached
            )

    done = emptying(app, merged, lambda done: done.emptied)
    if done.emptied:
        wipe(app)
    return done


def _settle(app: App, telling: Telling) -> None:
    """Let index and run directories follow; what was merged counts before much that the index has read."""
    app.close_index()
    seam("merge.index")
    try:
        with progress("Indexing", app.ledger.store.head().position) as reached:
            rebuild(app.home.index_dir, app.ledger, unless_usable=True, progress=reached)
    except NoSpaceError as error:
        warn(f"the history is merged, but the index cannot be kept: {error.message}")
    telling.settled(follow(app))


def _bring(app: App, other: Other) -> Brought:
    """Copy run directories; where each belongs, the index says.

    Raises:
        GuildError: this home cannot be written.
    """
    assert other.home is not None  # noqa: S101 - asked before

    def wanted(run_ids: Sequence[RunId]) -> list[RunId]:
        rows = runs_by_id(app.index, run_ids)
        return [run_id for run_id, row in rows.items() if row.place in (LIVE, DELETED) and row.status not in _UNSTARTED]

    try:
        with lock_places(app.home):
            clear_leftovers(app.home, lambda runs: known_runs(app, runs))
        brought = bring_all(app.home, other.home, wanted, app.index.doubt)
    except OSError as error:
        raise GuildError(
            f"run directories could not be copied: {error.strerror or error}",
            hint="What is copied stays. Make room, and give the command again: it goes on.",
        ) from error
    follow(app)
    return brought
