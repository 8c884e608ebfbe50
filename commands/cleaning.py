"""A clean-up: what becomes of each chosen run under the rules, shown or carried out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain

from commands.app import App
from commands.change import NothingToDoError, bytes_of
from commands.protection import refuse_protected
from commands.selecting import open_query, selected, tell_moved
from commands.table import planned
from commands.terminal import note, page, say, width
from ledger.dataclass import dataclass, replace
from ledger.ids import system_clock
from ledger.text import size
from projections.errors import IndexDamagedError
from projections.query import Query, RunFilter, RunRow
from projections.retention import Rules, Verdict, verdicts


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What a clean-up is about: the runs that were chosen, and the rules that keep some of them."""

    query: Query
    chosen: Sequence[RunRow] | None
    rules: Rules | None
    now: int

    def verdicts(self) -> Iterator[Verdict]:
        """Yield what becomes of each run, in one consistent view of the index."""
        if self.rules is None:
            yield from (Verdict(row, ()) for row in self.chosen or ())
            return
        with self.query.index.reading():
            yield from verdicts(self.query, self.chosen, self.rules, self.now)


def cleaning(app: App, wanted: RunFilter, specs: Sequence[str], rules: Rules | None, list_command: str) -> Cleaning:
    """Resolve what was chosen, once.

    Raises:
        GuildError: see `selected`; without rules also when a protected run was chosen.
    """
    chosen = None
    if specs or rules is None:
        chosen = selected(app, wanted, specs, list_command=list_command)
    if rules is None:
        refuse_protected(chosen or ())
    return Cleaning(open_query(app, wanted), chosen, rules, system_clock())


def left_to_go(app: App, plan: Cleaning) -> list[RunRow]:
    """Return the runs that no rule keeps; of those that stay, say how many, and why.

    Raises:
        GuildError: see `projections.retention`.
    """
    try:
        going, staying = _sorted_out(plan)
    except IndexDamagedError as error:
        plan = replace(plan, query=Query(app.rebuild_index(error.message), plan.query.filter))
        going, staying = _sorted_out(plan)
    if staying:
        why = ", ".join(f"{count} {reason}" for reason, count in staying.most_common() if reason)
        note(f"{staying['']} run(s) stay: {why}")
    return going


def _sorted_out(plan: Cleaning) -> tuple[list[RunRow], Counter[str]]:
    """Return the runs that go, and how many stay for each reason; under the empty one, how many stay."""
    going: list[RunRow] = []
    staying: Counter[str] = Counter()
    for row, reasons in plan.verdicts():
        if reasons:
            staying.update(("", *reasons))
        else:
            going.append(row)
    return going, staying


def _why_it_goes(rules: Rules | None) -> str:
    if rules is None:
        return "selected"
    return "no rule keeps it" if rules.older_than is None else f"older than {rules.older_than.text}"


def show_plan(app: App, plan: Cleaning, *, as_json: bool) -> None:
    """Print for each run whether it goes or stays, why, and the bytes that would be freed; nothing is changed."""
    tell_moved(app)
    weigh = _Weighing(app)
    found = plan.verdicts()
    first = next(found, None)
    if first is None:
        raise NothingToDoError("There are no runs to choose from.")
    rest = chain((first,), found)
    page(_json_lines(app, rest, plan, weigh) if as_json else _lines(rest, plan, weigh))
    if not as_json:
        say(f"  {weigh.going} of {weigh.going + weigh.staying} run(s) go, {weigh.text()} on disk")
    note("Nothing was changed (--dry-run).")


class _Weighing:
    """Counts what goes and stays, and the bytes that would be freed."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.going = self.staying = self.bytes = 0

    def take(self, verdict: Verdict) -> int | None:
        """Count one run; return the bytes of its directory when it goes."""
        if verdict.reasons:
            self.staying += 1
            return None
        freed = bytes_of(self.app, [verdict.row])
        self.going += 1
        self.bytes += freed
        return freed

    def text(self) -> str:
        """Return the bytes for people."""
        return size(self.bytes)


def _lines(found: Iterator[Verdict], plan: Cleaning, weigh: _Weighing) -> Iterator[str]:
    goes = _why_it_goes(plan.rules)

    def explained() -> Iterator[tuple[RunRow, str, str]]:
        for verdict in found:
            weigh.take(verdict)
            yield verdict.row, *(("stays", ", ".join(verdict.reasons)) if verdict.reasons else ("goes", goes))

    yield from planned(explained(), plan.query, width())


def _json_lines(app: App, found: Iterator[Verdict], plan: Cleaning, weigh: _Weighing) -> Iterator[str]:
    from commands.run_json import as_object, json_text

    yield '{"runs": ['
    before = ""
    for verdict in found:
        size = weigh.take(verdict)
        run = as_object(verdict.row, app)
        run |= {"goes": size is not None, "why": list(verdict.reasons) or [_why_it_goes(plan.rules)], "bytes": size}
        if before:
            yield before + ","
        before = "  " + json_text(run)
    yield before
    yield f'], "going": {weigh.going}, "staying": {weigh.staying}, "bytes": {weigh.bytes}}}'
