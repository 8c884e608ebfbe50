"""What a user waits for at the prompt: starting, listing, asking for one run, changing one and a thousand."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from benchmarks.history import DIRECTORIES, newest_runs, project
from benchmarks.plan import Plan
from benchmarks.processes import BARE, guild
from benchmarks.samples import Figure
from benchmarks.turns import Case, in_turns

_LISTING = 5.0
_FILTERED = 8.0
_LIKE_FEW = 1.2
_CHANGE = 8.0
_MANY_CHANGES = 25.0
_THAN = "a bare Python"
FILTERS = (
    ("--op", "train"),
    ("-ET",),
    ("-l", "try 7"),
    ("--unlabeled",),
    ("--tag", "paper"),
    ("--marked",),
    ("--comment", "look"),
    ("--started", "2024-02-01"),
    ("--digest", "abcde"),
    ("-F", "epochs = 7 and lr > 0.9"),
    ("-F", "lr in [0.25, 0.5]"),
    ("-F", "optimizer contains sgd"),
    ("-F", "label is undefined"),
    ("-F", "lr is undefined"),
    ("-F", "not lr > 0"),
    ("-F", "operation = train and (lr < 0.001 or exit_status = 1)"),
)
"""Of every kind of filter one, and the slowest kinds of expressions: those that hold for nearly no run."""


def figures(plan: Plan) -> Iterator[Figure]:
    """Measure and yield the figures of reading commands, then those of changing ones."""
    yield from _reading(plan)
    yield from _filtering(plan)
    yield from _comparing(plan)
    yield from _changing(plan)


def _reading(plan: Plan) -> Iterator[Figure]:
    few, most = plan.sizes[0], plan.sizes[-1]
    run_id = newest_runs(plan.home(most), 1)[0]
    page = ("runs", "-n", "20")
    cases = [
        Case("bare", lambda _round: BARE, plan.scratch, {}),
        _case(plan, "version", few, "--version"),
        Case("first", lambda number: guild("-H", f"new {number}", "runs"), plan.scratch, {}),
        *(_case(plan, f"list {runs}", runs, *page) for runs in plan.sizes),
        _case(plan, "scoped", most, *page, cwd=project(plan.cache, 0)),
        _case(plan, "failed", most, *page, "-E"),
        _case(plan, "info", most, "runs", "info", run_id),
    ]
    taken = in_turns(cases, plan.rounds, plan.scratch)
    bare, some, many = taken["bare"], taken[f"list {few}"], taken[f"list {most}"]
    yield Figure("`guild --version`", taken["version"], _THAN, bare)
    yield Figure("`guild runs`, the first command in a new home", taken["first"], _THAN, bare)
    for runs in plan.sizes:
        yield Figure(f"`guild runs -n 20`, {runs:,} runs", taken[f"list {runs}"], _THAN, bare, _LISTING)
    yield Figure(f"`guild runs -n 20`, {most:,} runs", many, f"the same, {few:,} runs", some, _LIKE_FEW)
    yield Figure(f"`guild runs -n 20` in one of 5 projects, {most:,} runs", taken["scoped"], _THAN, bare, _LISTING)
    yield Figure(f"`guild runs -n 20 -E`, {most:,} runs", taken["failed"], _THAN, bare, _LISTING)
    yield Figure(f"`guild runs info ID`, {most:,} runs", taken["info"], _THAN, bare)


def _filtering(plan: Plan) -> Iterator[Figure]:
    most = plan.sizes[-1]
    bare = Case("bare", lambda _round: BARE, plan.scratch, {})
    cases = [_case(plan, " ".join(words), most, "runs", "-n", "20", *words) for words in FILTERS]
    taken = in_turns([bare, *cases], plan.rounds, plan.scratch)
    for words in FILTERS:
        name = f"`guild runs -n 20 {shlex.join(words)}`, {most:,} runs"
        yield Figure(name, taken[" ".join(words)], _THAN, taken["bare"], _FILTERED)


def _comparing(plan: Plan) -> Iterator[Figure]:
    """Measure a page of a comparison: the latest runs, and the best by a flag."""
    cases = [Case("bare", lambda _round: BARE, plan.scratch, {})]
    words = {"`guild compare --csv -n 100`": (), "`guild compare --csv -n 100 --max lr`": ("--max", "lr")}
    named = {
        f"{text}, {runs:,} runs": _case(plan, f"{text} {runs}", runs, "compare", "--csv", "-n", "100", *more)
        for runs in plan.sizes[-2:]
        for text, more in words.items()
    }
    taken = in_turns([*cases, *named.values()], plan.rounds, plan.scratch)
    for name, case in named.items():
        yield Figure(name, taken[case.name], _THAN, taken["bare"])


def _case(plan: Plan, name: str, runs: int, *arguments: str, cwd: str | None = None) -> Case:
    env = {"GUILD_HOME": plan.home(runs).root}
    return Case(name, lambda _round: guild(*arguments), cwd or plan.scratch, env)


def _changing(plan: Plan) -> Iterator[Figure]:
    """Each round labels, deletes and restores another run, then deletes and restores many; so all rounds are alike."""
    most, several = plan.sizes[-1], f"0:{plan.many - 1}"
    home = plan.home(most)
    env = {"GUILD_HOME": home.root}
    ids = newest_runs(home, min(DIRECTORIES, most))[-plan.rounds - 1 :]
    texts = {
        "label": ("`guild label ID good`", _CHANGE),
        "rm": ("`guild runs rm ID -y`", _CHANGE),
        "restore": ("`guild runs restore ID -y`", _CHANGE),
        "rm many": (f"`guild runs rm {several} -y`", _MANY_CHANGES),
        "restore many": (f"`guild runs restore {several} -y`", None),
    }
    cases = [
        Case("bare", lambda _round: BARE, plan.scratch, {}),
        Case("label", lambda number: guild("label", ids[number], f"good {number}"), plan.scratch, env),
        Case("rm", lambda number: guild("runs", "rm", ids[number], "-y"), plan.scratch, env),
        Case("restore", lambda number: guild("runs", "restore", ids[number], "-y"), plan.scratch, env),
        Case("rm many", lambda _round: guild("runs", "rm", several, "-y"), plan.scratch, env),
        Case("restore many", lambda _round: guild("runs", "restore", several, "-y"), plan.scratch, env),
    ]
    taken = in_turns(cases, plan.rounds, plan.scratch)
    for name, (text, budget) in texts.items():
        yield Figure(f"{text}, {most:,} runs", taken[name], _THAN, taken["bare"], budget)
