"""The events by which a run begins: what is known of it before its process is there."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TypedDict

from artifacts.home import Home
from ledger.canonical import Value
from ledger.dataclass import values
from ledger.events.base import Event
from ledger.events.start import RunRestarted, RunStaged, RunStarted
from operations.process_info import Evidence
from operations.run_plan import AGAIN, RunPlan


def staging_events(plan: RunPlan) -> list[Event]:
    """Return the events of a run that is prepared, to be started later."""
    staged = RunStaged(**_identity(plan), command=plan.command, flags=plan.flags, overrides=plan.overrides)
    return [staged, *_tagged(plan)]


def begin_events(plan: RunPlan, home: Home, evidence: Evidence) -> list[Event]:
    """Return the events of a run that is started now; takes the source snapshot that the start names."""
    from artifacts.environment import allowed
    from artifacts.git_info import start_git_info

    # Installed files are not those of the repository that their environment may lie in.
    git = None if _is_installed(plan) else start_git_info(plan.project, plan.environment)
    sources = _sources(plan, home)
    found = None if git is None else git.result()
    told: Mapping[str, Value] = {"commit": found.commit, "dirty": found.dirty} if found is not None else {}
    environment = dict(allowed({**plan.environment, **plan.variables}))
    witness: Mapping[str, Value] = {**values(evidence), "home": home.identity()}
    if plan.follows == AGAIN:
        again = RunRestarted(
            command=plan.command,
            flags=plan.flags,
            environment=environment,
            sources=sources,
            git=told or None,
            platform=_platform(plan),
            evidence=witness,
        )
        return [again, *_labeled(plan), *_tagged(plan)]
    started = RunStarted(
        **_identity(plan),
        command=plan.command,
        flags=plan.flags,
        environment=environment,
        sources=sources,
        git=told or None,
        platform=_platform(plan),
        evidence=witness,
    )
    return [started, *_tagged(plan)]


class _Identity(TypedDict):
    """What the staging and the start of a run say alike of what it is a run of."""

    project: str | None
    package: str | None
    model: str
    operation: str
    label: str | None
    batch: str | None
    proto: str | None


def _identity(plan: RunPlan) -> _Identity:
    return _Identity(
        project=None if plan.package else plan.project,
        package=plan.package,
        model=plan.model,
        operation=plan.operation,
        label=plan.label,
        batch=plan.batch,
        proto=plan.proto,
    )


def _labeled(plan: RunPlan) -> list[Event]:
    if plan.label is None:
        return []
    from ledger.events.notes import RunLabeled

    return [RunLabeled(plan.label)]


def _is_installed(plan: RunPlan) -> bool:
    return plan.package is not None and not {"site-packages", "dist-packages"}.isdisjoint(plan.project.split(os.sep))


def _tagged(plan: RunPlan) -> list[Event]:
    if not plan.tags:
        return []
    from ledger.events.notes import RunTagged

    return [RunTagged(added=plan.tags)]


def _sources(plan: RunPlan, home: Home) -> Mapping[str, Value] | None:
    from artifacts.sources import take_snapshot

    snapshot = take_snapshot(home, plan.project, plan.environment, code=plan.sourcecode)
    return None if snapshot is None else snapshot.to_body()


def _platform(plan: RunPlan) -> dict[str, Value]:
    system = os.uname()
    known: dict[str, Value] = {"system": f"{system.sysname} {system.release} {system.machine}"}
    if plan.command[:1] == (sys.executable,):
        known["python"] = ".".join(str(part) for part in sys.version_info[:3])
    return known
