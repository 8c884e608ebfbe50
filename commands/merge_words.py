"""What `guild ledger merge` says: what is taken, what was done, and where two histories parted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from artifacts.bringing import Brought
from artifacts.reconcile import Settled
from commands.change_words import numbers
from commands.table import local_time
from commands.terminal import note, say, warn
from ledger.errors import GuildError
from ledger.forking import Fork
from ledger.ids import run_of
from ledger.merging import Merged, Plan, Survey, Take
from ledger.text import printable, size, utc_time

_MOST = 5
_SHORT = 8


class ForkError(GuildError):
    """Two ledgers have different histories under one name."""


def fork_refused(forks: Sequence[Fork]) -> ForkError:
    """Return the refusal of what parted, with the way out."""
    return ForkError(
        "; ".join(map(_parted, forks)),
        hint="Nothing was changed. One of the two homes is a copy of the other, and both were written to since. With"
        " --fork-as-new what OTHER wrote since then is taken in as that of another machine.",
    )


def protected_refused(streams: Sequence[str]) -> GuildError:
    """Return the refusal to remove, unasked, the files of runs that are protected here."""
    return GuildError(
        f"{_runs(streams)}: protected here, and removed for good over there; the files here would go too",
        hint="Nothing was changed. Without -y you are asked; with --force they are removed.",
    )


def _parted(fork: Fork) -> str:
    name = f"{fork.origin_id.hex()[:_SHORT]} ({printable(fork.label, 60)})"
    if not fork.common:
        return f"the ledgers are both named {name}, and have nothing in common"
    return (
        f"the ledgers went different ways: those of {name} are the same up to its transaction {fork.common} of"
        f" {local_time(fork.time)}; behind it this one has {fork.here} of its own, and the other one {fork.there}"
    )


class Telling:
    """Tells people at once, and programs at the end."""

    def __init__(self, *, as_json: bool, dry_run: bool) -> None:
        """Begin.

        Args:
            as_json: whether one JSON object is printed instead of lines.
            dry_run: whether nothing is done.
        """
        self._as_json = as_json
        self._dry_run = dry_run
        self._plan = Plan(())
        self._survey = Survey()
        self._done = Merged(0, 0)
        self._brought: Brought | None = None

    def plan(self, plan: Plan, found: Survey) -> None:
        """Tell what would be taken."""
        self._plan, self._survey = plan, found
        if self._as_json:
            return
        for fork in plan.forks:
            note(_parted(fork)[0].upper() + _parted(fork)[1:] + ".")
        if not plan.takes:
            say("Nothing to merge: all that the other ledger holds is here.")
            return
        say(f"To be merged: {plan.count} transactions, {found.events} events, {found.runs} new run(s):")
        for take in plan.takes:
            say(f"  {_named(take)}  {numbers(take.first - take.common, take.last - take.common)}")
        if found.purges:
            warn(f"{_runs(found.purges)}: removed for good over there; the files here go too, and do not come back")
        if found.protected:
            warn(f"{_runs(found.protected)}: protected here, and all the same removed by this")
        if found.redactions:
            count = found.redactions
            warn(f"{count} bodies and headers of this ledger were redacted over there; they are emptied for good")
        if found.left:
            note(f"{_runs(found.left)}: removed for good over there; the files that are here stay (see `guild check`)")

    def done(self, done: Merged) -> None:
        """Tell what was taken."""
        self._done = done
        if self._as_json:
            return
        behind = "" if done.seq is None else f", recorded in transaction {done.seq}"
        say(f"Merged {done.transactions} transactions, {done.events} events{behind}.")
        if done.emptied:
            note(f"{done.emptied} bodies and headers were emptied, because the merged history says so.")

    def settled(self, results: Sequence[Settled]) -> None:
        """Tell what was removed."""
        gone = [result for result in results if result.place == "purging" and result.files and result.refused is None]
        if gone and not self._as_json:
            say(f"Removed for good: {len(gone)} run(s), {size(sum(result.bytes for result in gone))}.")

    def brought(self, brought: Brought) -> None:
        """Tell what was copied."""
        self._brought = brought
        for path, why in brought.failed[:_MOST]:
            warn(f"{printable(path, 400)} was not copied: {printable(why, 400)}")
        if len(brought.failed) > _MOST:
            warn(f"and {len(brought.failed) - _MOST} more like these")
        if not self._as_json:
            say(f"Copied the files of {brought.runs} run(s), and {brought.sources} source snapshot(s).")

    def end(self, *, has_home: bool) -> None:
        """Tell what is left to do; to programs, everything.

        Args:
            has_home: whether the other ledger lies in a home that run directories could be copied from.
        """
        if self._as_json:
            import orjson

            say(orjson.dumps(self.values(), option=orjson.OPT_INDENT_2).decode())
            return
        if self._dry_run:
            note("Nothing was changed (--dry-run).")
        elif self._survey.runs and self._brought is None and has_home:
            note("Their files are not here: --artifacts copies them, now or later.")

    def values(self) -> Mapping[str, object]:
        """Return the documented JSON object."""
        brought = self._brought or Brought()
        return {
            "dry_run": self._dry_run,
            "transactions": self._plan.count,
            "events": self._survey.events,
            "runs": self._survey.runs,
            "origins": [_take_object(take) for take in self._plan.takes],
            "forks": [_fork_object(fork) for fork in self._plan.forks],
            "removed": [run_of(stream) for stream in self._survey.purges],
            "left": [run_of(stream) for stream in self._survey.left],
            "protected": [run_of(stream) for stream in self._survey.protected],
            "redactions": self._survey.redactions,
            "seq": self._done.seq,
            "emptied": self._done.emptied,
            "directories": brought.runs,
            "sources": brought.sources,
            "failed": [{"path": printable(path, 4_000), "why": why} for path, why in brought.failed],
        }


def _named(take: Take) -> str:
    return f"{take.new_id.hex()[:_SHORT]} ({printable(take.label, 60)})"


def _runs(streams: Sequence[str]) -> str:
    names = ", ".join((run_of(stream) or "")[:_SHORT] for stream in streams[:_MOST])
    return f"run {names}" if len(streams) == 1 else f"{len(streams)} runs ({names}{', ...' * (len(streams) > _MOST)})"


def _take_object(take: Take) -> Mapping[str, object]:
    first, last = take.first - take.common, take.last - take.common
    return {"origin_id": take.new_id.hex(), "label": take.label, "first": first, "last": last}


def _fork_object(fork: Fork) -> Mapping[str, object]:
    return {
        "origin_id": fork.origin_id.hex(),
        "label": fork.label,
        "common": fork.common,
        "time": utc_time(fork.time) if fork.common else None,
        "here": fork.here,
        "there": fork.there,
    }
