"""The page `docs/performance.md`: every figure beside its budget, those that are not met as well."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Iterator, Sequence
from importlib.metadata import version

from benchmarks.plan import Plan
from benchmarks.samples import Figure
from guild_ledger import __version__

_PAGE = """\
# What it costs

Written by `make bench`; do not edit. Every figure is a ratio of two things that were measured in turns, in one run, on
one machine: absolute times drift with whatever else a machine does, ratios much less.

{conditions}

| what | time | compared with | time | ratio | of the quickest | of processor time | budget | kept |
|---|---|---|---|---|---|---|---|---|
{rows}

*Time* and *ratio* are medians; *of the quickest* is the ratio of the two quickest repetitions. "A bare Python" is
`python -c pass` of the same interpreter; a budget with ≥ is for a ratio of rates, which is better when it is higher.
{kept}

## Memory

{memory}

## How it is measured

{method}
"""

_METHOD = """\
- The runs are written through the ledger itself: a start and an end for each run, one in a hundred failed, one in
  twenty with a label, in 5 projects with 3 models of 2 operations.
- Commands are whole processes, with compiled modules, in one round that does not count and then {rounds} rounds in
  which every command of the group has its turn.
- "Adds" is the time of `guild run train -y` less that of the same script started by the same interpreter in the same
  round. Guild AI {guildai}.
- A trial is an equal part of the time of a batch of {trials} trials of that script, its output not shown.
- The append is one `run.started` through all rules of the ledger, {commits:,} times, in turns with an INSERT of as many
  bytes into a table of one column, in WAL mode with `synchronous=FULL`, on the same disk.
- The bare fold reads the same rows, decodes the bodies, folds them in one dict, inserts with `executemany` and makes
  the same indexes: no checks, no batches. Reading and hashing computes a hash of each header, body and transaction and
  compares nothing. Each is a process of its own, {replays} times.
- `make bench` does all of it. `python -m benchmarks --help` tells how to keep the large home for another time, and how
  to compare with Guild AI.
"""


def page(figures: Sequence[Figure], plan: Plan) -> str:
    """Return the page."""
    guildai = (
        "0.9.0 was started by Python of its own, in an environment of its own" if plan.guildai else "was not there"
    )
    method = _METHOD.format(
        rounds=plan.rounds, trials=plan.trials, guildai=guildai, commits=plan.commits, replays=plan.replays
    )
    return _PAGE.format(
        conditions=conditions(),
        rows="\n".join(table_row(figure) for figure in figures),
        kept=_kept(figures),
        memory="\n".join(_memory(figures)),
        method=method.rstrip(),
    )


def conditions() -> str:
    """Return what the figures depend on: machine and versions, no path and no host name."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"guild-ledger {__version__}, {platform.system()} on {platform.machine()}, {cores} cores, Python"
        f" {platform.python_version()}, SQLite {sqlite3.sqlite_version}, click {version('click')}."
    )


def table_row(figure: Figure) -> str:
    """Return a figure as a row of the table."""
    cpu = "" if figure.cpu_ratio is None else f"{figure.cpu_ratio:.2f}"
    kept = {None: "", True: "yes", False: "**no**"}[figure.met]
    cells = (
        figure.what,
        _time(figure.measured.median),
        figure.than,
        _time(figure.base.median),
        f"**{figure.ratio:.2f}**",
        f"{figure.best_ratio:.2f}",
        cpu,
        _budget(figure),
        kept,
    )
    return f"| {' | '.join(cells)} |"


def _budget(figure: Figure) -> str:
    if figure.budget is None:
        return ""
    return f"{'≥' if figure.rate else '≤'} {figure.budget:g}"


def _time(seconds: float) -> str:
    """Return a time with three digits that count: `0.21 ms`, `63 ms`, `12.3 s`."""
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.2f} ms"


def _kept(figures: Sequence[Figure]) -> str:
    missed = [figure for figure in figures if figure.met is False]
    total = sum(1 for figure in figures if figure.met is not None)
    if not missed:
        return f"All {total} budgets are kept."
    names = "; ".join(f"{figure.what} ({figure.ratio:.2f} instead of {_budget(figure)})" for figure in missed)
    return f"{total - len(missed)} of {total} budgets are kept. Not kept: {names}."


def _memory(figures: Sequence[Figure]) -> Iterator[str]:
    yield "| what | most memory held | compared with | most memory held |"
    yield "|---|---|---|---|"
    for figure in figures:
        if figure.rate:
            yield f"| {figure.what} | {figure.measured.peak:.0f} MiB | {figure.than} | {figure.base.peak:.0f} MiB |"
