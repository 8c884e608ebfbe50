"""The model of runs that the laws of the index are checked against; it shares no code with the program.

What may happen to a run, and what `projections.query` must answer then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from ledger.canonical import Value
from ledger.events.base import Event
from ledger.events.life import RunDeleted, RunPurged, RunPurgeStarted, RunRestored, RunStatusChanged
from ledger.events.notes import RunCommented, RunLabeled, RunMarked, RunProtected, RunScalarsRecorded, RunTagged
from ledger.events.start import RunImported, RunRestarted, RunStaged, RunStarted
from tests.kit import NOON

RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


OPS = (("/p", None, "train"), ("/p", None, "test"), ("/p/q", None, "train"), (None, "pkg", "train"))
"""Project, package and operation; the model is always `m`."""


FINAL = ("completed", "error", "terminated")


MOST_RUNS = 6


@dataclass(frozen=True)
class Run:
    """What the model knows of a run."""

    number: int
    op: int
    status: str
    started: int
    place: str = "live"
    stopped: int | None = None
    exit_status: int | None = None
    label: str | None = None
    marked: bool = False
    protected: bool = False
    version: int = 1
    flags: int | None = None
    digest: str | None = None
    scalars: int | None = None
    tags: frozenset[str] = frozenset()
    comments: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class Action:
    """Something that a command asks for: of which run, what, and a choice among its kinds."""

    run: int
    kind: str
    choice: int


KINDS = (
    "start", "stage", "import", "restart", "finish", "label", "clear", "tag", "untag", "comment", "scalars", "mark",
    "unmark", "protect", "unprotect", "delete", "restore", "purge", "purged",
)  # fmt: skip


FLAGS: tuple[dict[str, Value], ...] = (
    {},
    {"lr": 0.5, "opt": "adam", "deep": True, "none": None},
    {"lr": 7, "seed": 2**70, "sizes": [1, "a"], "nan": float("nan")},
)


DIGESTS = ("ab" * 32, None, "0c" * 32)


TAGS = (("t",), ("t", "u"), ("\udcff",))


def scalars(choice: int) -> dict[str, Value]:
    """Return summaries of one or two scalars."""
    summary: dict[str, Value] = {"last": [choice, 3], "min": [-1.5, 1], "max": [float("inf"), 2], "mean": 0}
    return {"loss": summary, "acc": {"last": [0.5, None]}} if choice % 2 else {"loss": summary}


def event_of(action: Action) -> Event:
    """Return the event that an action asks to append."""
    project, package, operation = OPS[action.choice % len(OPS)]
    label = ("one", "two", None)[action.choice % 3]
    digest = DIGESTS[action.choice // 3 % 3]
    flags = FLAGS[action.choice % 3]
    sources: dict[str, Value] | None = None if digest is None else {"digest": digest}
    simple: dict[str, Event] = {
        "restart": RunRestarted(command=(), flags=flags, sources=sources),
        "untag": RunTagged(added=TAGS[action.choice % 2], removed=("t", "u")),
        "scalars": RunScalarsRecorded(scalars(action.choice)),
        "label": RunLabeled(label=label or "three"),
        "clear": RunLabeled(label=None),
        "tag": RunTagged(added=TAGS[action.choice % 3]),
        "comment": RunCommented(text=f"c{action.choice}"),
        "mark": RunMarked(marked=True),
        "unmark": RunMarked(marked=False),
        "protect": RunProtected(protected=True),
        "unprotect": RunProtected(protected=False),
        "delete": RunDeleted(),
        "restore": RunRestored(),
        "purge": RunPurgeStarted(),
        "purged": RunPurged(files=1, bytes=2),
        "finish": RunStatusChanged(status=FINAL[action.choice % 3], exit_status=action.choice),
        "start": RunStarted(project, package, "m", operation, command=(), flags=flags, label=label, sources=sources),
        "stage": RunStaged(project, package, "m", operation, command=(), flags=flags, label=label),
    }
    if action.kind in simple:
        return simple[action.kind]
    status = FINAL[action.choice % 3]
    started = NOON - (action.choice % 2) * 1000  # equal times, older than every other
    return RunImported("s", project, package, "m", operation, flags, started, started + 9, status, None, label)


def after(run: Run | None, action: Action, time: int, next_number: int) -> Run | None:
    """Return a run after an action, or None when it must be refused: the rules of the user's page, written anew."""
    if action.kind in ("start", "stage", "import"):
        return _begun(run, action, time, next_number)
    if run is None or run.place == "purged" or (run.place == "purging" and action.kind != "purged"):
        return None
    run = replace(run, version=run.version + 1)
    changes = {
        "label": {"label": ("one", "two", "three")[action.choice % 3]},
        "clear": {"label": None},
        "mark": {"marked": True},
        "unmark": {"marked": False},
        "protect": {"protected": True},
        "unprotect": {"protected": False},
        "tag": {"tags": run.tags | {tag.replace("\udcff", "\\udcff") for tag in TAGS[action.choice % 3]}},
        "untag": {"tags": run.tags - {"t", "u"} | set(TAGS[action.choice % 2])},
        "comment": {"comments": (*run.comments, (run.version, f"c{action.choice}"))},
        # The second key stays when later only the first is recorded.
        "scalars": {"scalars": action.choice + 12 * (action.choice % 2 or (run.scalars or 0) >= 12)},
    }
    if action.kind in changes:
        return replace(run, **changes[action.kind])  # type: ignore[arg-type]  # names of fields
    if action.kind == "finish":
        ended = replace(run, status=FINAL[action.choice % 3], exit_status=action.choice, stopped=time)
        return ended if run.status == "running" else None
    if action.kind == "restart":
        given = {"flags": action.choice % 3, "digest": DIGESTS[action.choice // 3 % 3], "started": time}
        again = replace(run, status="running", stopped=None, exit_status=None, scalars=None, **given)  # type: ignore[arg-type]
        return again if run.place == "live" and run.status in FINAL else None
    return _moved(run, action.kind)


def _begun(run: Run | None, action: Action, time: int, next_number: int) -> Run | None:
    op, label = action.choice % len(OPS), ("one", "two", None)[action.choice % 3]
    flags, digest = action.choice % 3, DIGESTS[action.choice // 3 % 3]
    if run is not None:
        if run.status != "staged" or run.place != "live" or action.kind != "start":
            return None
        run = replace(run, op=op, status="running", started=time, label=label or run.label, version=run.version + 1)
        return replace(run, flags=flags, digest=digest, scalars=None)
    if action.kind == "import":
        started = NOON - (action.choice % 2) * 1000
        return Run(next_number, op, FINAL[action.choice % 3], started, stopped=started + 9, label=label, flags=flags)
    if action.kind == "stage":
        return Run(next_number, op, "staged", time, label=label, flags=flags)
    return Run(next_number, op, "running", time, label=label, flags=flags, digest=digest)


def _moved(run: Run, kind: str) -> Run | None:
    if kind == "delete" and run.place == "live" and run.status != "running" and not run.protected:
        return replace(run, place="deleted")
    if kind == "restore" and run.place == "deleted":
        return replace(run, place="live")
    if kind == "purge" and run.place == "deleted" and not run.protected:
        return replace(run, place="purging")
    if kind == "purged" and run.place == "purging":
        return replace(run, place="purged")
    return None


def apply_all(runs: dict[int, Run], actions: list[Action], time: int) -> dict[int, Run] | None:
    """Return the model after the actions of one transaction, or None when one of them must be refused."""
    runs = dict(runs)
    for action in actions:
        run = after(runs.get(action.run), action, time, len(runs) + 1)
        if run is None:
            return None
        runs[action.run] = run
    return runs


actions = st.builds(Action, st.integers(0, MOST_RUNS - 1), st.sampled_from(KINDS), st.integers(0, 11))
