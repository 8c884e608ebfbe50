"""One run from its start to its end: lease, event, directory, process, event, in this order.

The start is in the ledger before anything else can be seen of the run, the end is in the ledger before the lease is
given up. A death at any point between leaves a run that the next command finds to be over. No database stays open
while the process works: a long reader would keep the ledger's WAL from being folded in.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from artifacts.home import Home
from artifacts.lease import Lease, LeaseRecord
from artifacts.output import OutputSummary
from ledger.canonical import Value
from ledger.errors import GuildError, LedgerError
from ledger.events.base import Event
from ledger.events.life import RunStatusChanged
from ledger.events.start import RunStarted
from ledger.ids import RunId, run_stream, system_clock
from ledger.log import Ledger
from ledger.seams import seam
from ledger.transaction import Header, NewEvent, Transaction
from operations.liveness import final_status
from operations.process_info import Evidence, evidence_of
from operations.supervise import Ending, ProcessSpec, run_process

Opener = Callable[[], Ledger]


@dataclass(frozen=True, slots=True)
class RunPlan:
    """Everything that a run needs, decided before it is asked for.

    Attributes:
        run_id: new.
        project: absolute directory of the model file.
        model: its model.
        operation: its operation.
        command: argument vector.
        flags: values by name.
        flag_texts: values as a process is given them, by name.
        label: label, or None.
        cmd_dir: directory that guild was called in.
        environment: the whole environment of the caller.
        stdout: file descriptor that the output is shown on, None for nowhere.
        stderr: the same for errors.
    """

    run_id: RunId
    project: str
    model: str
    operation: str
    command: tuple[str, ...]
    flags: Mapping[str, Value]
    flag_texts: Mapping[str, str]
    label: str | None
    cmd_dir: str
    environment: Mapping[str, str]
    stdout: int | None = 1
    stderr: int | None = 2


def run(plan: RunPlan, home: Home, header: Header, open_ledger: Opener) -> Ending:
    """Start the run of `plan` and stay with it until it has ended and that is recorded.

    Raises:
        GuildError: the start could not be recorded: nothing was started. Or the end could not be: the next command
            finds it in the lease.
    """
    spec = _spec(plan, home)  # what can be refused is refused before anything is recorded
    lease = _begin(plan, home, header, open_ledger)
    ending, recorded = None, False
    try:
        ending = _work(spec, lease)
        seam("run.finish")
        _record_end(open_ledger, header, plan.run_id, ending)
        recorded = True
    finally:
        seam("run.release")
        # Without its event the lease stays: it holds how the run ended, for the next command to record.
        lease.release(remove=recorded)
    return ending


def _begin(plan: RunPlan, home: Home, header: Header, open_ledger: Opener) -> Lease:
    """Take the lease and record the start, or leave no trace."""
    evidence = evidence_of(os.getpid(), header.host)
    # Before anything of the run is there: a home with a lease or sources but no ledger counts as one that lost it.
    ledger = open_ledger()
    try:
        seam("run.lease")
        lease = Lease.acquire(home.lease_path(plan.run_id), LeaseRecord(**asdict(evidence)))
        if lease is None:
            raise GuildError(f"run {plan.run_id[:8]} is already supervised by another process")
        try:
            seam("run.start")
            _append(ledger, header, plan.run_id, _started(plan, home, evidence))
        except BaseException:
            lease.release(remove=True)
            raise
        return lease
    finally:
        ledger.store.close()


def _append(ledger: Ledger, header: Header, run_id: RunId, event: Event) -> None:
    ledger.append(Transaction(header, (NewEvent(run_stream(run_id), event),)))


def _record_end(open_ledger: Opener, header: Header, run_id: RunId, ending: Ending) -> None:
    try:
        ledger = open_ledger()
        try:
            _append(ledger, header, run_id, _ended(ending))
        finally:
            ledger.store.close()
    except LedgerError as error:
        told = "" if ending.exit_status is None else f" with exit status {ending.exit_status}"
        raise GuildError(
            f"run {run_id[:8]} ended{told}, but that could not be recorded: {error.message}",
            hint="It is noted in the run's lease, and recorded by the next command that can.",
        ) from error


def _work(spec: ProcessSpec, lease: Lease) -> Ending:
    try:
        seam("run.mkdir")
        os.mkdir(spec.cwd, 0o700)
        os.mkdir(spec.output_dir, 0o700)
    except OSError as error:
        now = system_clock()
        return Ending(None, None, now, now, OutputSummary(), f"its directory cannot be made: {error.strerror or error}")
    return run_process(spec, lease=lease, on_started=lambda _started: seam("run.spawned"))


def _spec(plan: RunPlan, home: Home) -> ProcessSpec:
    from artifacts.environment import process_environment

    run_dir = home.run_dir(plan.run_id)
    environment = process_environment(
        plan.environment,
        run_id=plan.run_id,
        run_dir=run_dir,
        cmd_dir=plan.cmd_dir,
        model_dir=plan.project,
        home=home.root,
        flags_text=plan.flag_texts,
        project=plan.project,
    )
    return ProcessSpec(
        argv=plan.command,
        cwd=run_dir,
        env=environment,
        output_dir=os.path.join(run_dir, ".guild"),
        stdout_fd=plan.stdout,
        stderr_fd=plan.stderr,
    )


def _started(plan: RunPlan, home: Home, evidence: Evidence) -> RunStarted:
    from artifacts.environment import allowed
    from artifacts.git_info import start_git_info

    git = start_git_info(plan.project, plan.environment)
    sources = _sources(plan, home)
    found = git.result()
    return RunStarted(
        project=plan.project,
        package=None,
        model=plan.model,
        operation=plan.operation,
        command=plan.command,
        flags=plan.flags,
        label=plan.label,
        environment=dict(allowed(plan.environment)),
        sources=sources,
        git=None if found is None else {"commit": found.commit, "dirty": found.dirty},
        platform=_platform(plan),
        evidence={**asdict(evidence), "home": home.identity()},
    )


def _sources(plan: RunPlan, home: Home) -> Mapping[str, Value] | None:
    from artifacts.sources import take_snapshot

    snapshot = take_snapshot(home, plan.project, plan.environment)
    return None if snapshot is None else snapshot.to_body()


def _platform(plan: RunPlan) -> dict[str, Value]:
    system = os.uname()
    known: dict[str, Value] = {"system": f"{system.sysname} {system.release} {system.machine}"}
    if plan.command[:1] == (sys.executable,):
        known["python"] = ".".join(str(part) for part in sys.version_info[:3])
    return known


def _ended(ending: Ending) -> RunStatusChanged:
    output: dict[str, Value] = {"lines": ending.output.lines, "bytes": ending.output.bytes}
    if ending.output.failure:
        output["failure"] = ending.output.failure
    return RunStatusChanged(
        status=final_status(ending.exit_status, ending.stopped_by),
        exit_status=ending.exit_status,
        reason=ending.failure or (f"stopped by {ending.stopped_by}" if ending.stopped_by else None),
        output=output,
        stopped=ending.ended_at,
    )
