"""What `guild run` adds to the process that it runs: against the bare script, and against Guild AI when it is there."""

from __future__ import annotations

import os
from collections.abc import Iterator

from benchmarks.plan import Plan
from benchmarks.processes import BARE, guild
from benchmarks.samples import Figure
from benchmarks.turns import Case, in_turns

_OF_GUILD_AI = 1 / 8
_SCRIPT = 'print("loss: 0.5")\n'
_MODEL_FILE = "- name: model\n  operations:\n    train: {cmd: train, flags: {n: 0}}\n"


def figures(plan: Plan) -> Iterator[Figure]:
    """Run a script that does nothing: bare, as a run, and as a run of Guild AI."""
    where = _project(os.path.join(plan.scratch, "project"), {"train.py": _SCRIPT, "MODELS": _MODEL_FILE})
    script = [BARE[0], "-u", "-m", "train"]
    batch = ("run", "train", f"n=range[1:{plan.trials}]", "-y", "--quiet")
    cases = [
        Case("bare", lambda _round: BARE, where, {}),
        Case("script", lambda _round: script, where, {}),
        Case("run", lambda _round: guild("run", "train", "-y"), where, _home(plan, "new")),
        Case(
            "large", lambda _round: guild("run", "train", "-y"), where, {"GUILD_HOME": plan.home(plan.sizes[-1]).root}
        ),
        Case("batch", lambda _round: guild(*batch), where, _home(plan, "batch")),
        Case("batch -j 2", lambda _round: guild(*batch, "-j", "2"), where, _home(plan, "batch-2")),
        *_guild_ai_cases(plan),
    ]
    taken = in_turns(cases, plan.rounds, plan.scratch)
    added = taken["run"].over(taken["script"])
    yield Figure("`guild run train -y`", taken["run"], "the script alone", taken["script"])
    yield Figure("what `guild run` adds", added, "a bare Python", taken["bare"])
    large = taken["large"].over(taken["script"])
    for name in ("batch", "batch -j 2"):
        trial = taken[name].each(plan.trials)
        yield Figure(f"a trial of a {name} of {plan.trials}", trial, "the script alone", taken["script"])
    yield Figure(f"what it adds in a home with {plan.sizes[-1]:,} runs", large, "in a new home", added)
    if plan.guildai:
        theirs = taken["guildai run"].over(taken["guildai script"])
        yield Figure("what `guild run` adds", added, "what that of Guild AI adds", theirs, _OF_GUILD_AI)


def _guild_ai_cases(plan: Plan) -> list[Case]:
    """Guild AI needs neither our modules nor our variables; its interpreter runs the bare script as well."""
    if plan.guildai is None:
        return []
    python, env = plan.guildai, {**_home(plan, "guildai"), "PYTHONPATH": ""}
    where = _project(os.path.join(plan.scratch, "guildai"), {"train.py": _SCRIPT})
    return [
        Case("guildai script", lambda _round: [python, "-u", "-m", "train"], where, env),
        Case("guildai run", lambda _round: [python, "-m", "guild.main_bootstrap", "run", "train.py", "-y"], where, env),
    ]


def _home(plan: Plan, name: str) -> dict[str, str]:
    home = os.path.join(plan.scratch, f"home-{name}")
    os.makedirs(home)  # Guild AI makes none of its own
    return {"GUILD_HOME": home}


def _project(folder: str, files: dict[str, str]) -> str:
    os.makedirs(folder)
    for name, text in files.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    return folder
