"""One run from its start to its end: lease, event, directory, process, event, in this order.

The start is in the ledger before anything else can be seen of the run, the end is in the ledger before the lease is
given up. A death at any point between leaves a run that the next command finds to be over. No database stays open
while the process works: a long reader would keep the ledger's WAL from being folded in.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from artifacts.home import Home
from artifacts.lease import Lease, LeaseRecord
from artifacts.output import OutputSummary
from ledger.canonical import Value
from ledger.dataclass import replace, values
from ledger.errors import GuildError, LedgerError, TransitionError
from ledger.events.base import Event
from ledger.events.life import RunStatusChanged
from ledger.events.start import RunDependenciesResolved
from ledger.ids import RunId, run_stream, system_clock
from ledger.log import Ledger
from ledger.seams import seam
from ledger.transaction import Header, NewEvent, Transaction
from operations.liveness import final_status
from operations.process_info import evidence_of
from operations.run_plan import AGAIN, STAGED, RunPlan
from operations.scalar_watch import ScalarWatch
from operations.signals import TimeUpError, stopping_raises, time_limit
from operations.starts import begin_events
from operations.supervise import Ending, ProcessSpec, run_process

Opener = Callable[[], Ledger]
Record = Callable[[Mapping[str, Value]], None]
Carry = Callable[[ProcessSpec, Lease], Ending]
"""What stays with a run's process to its end: in most cases it starts it, too."""

_LEAST_SECONDS = 0.001


class TakenError(GuildError):
    """Another command has started the run, or what became of it meanwhile does not let it start."""


def _started(spec: ProcessSpec, lease: Lease) -> Ending:
    return run_process(spec, lease=lease, on_started=lambda _started: seam("run.spawned"))


def run(plan: RunPlan, home: Home, header: Header, open_ledger: Opener, carry: Carry = _started) -> Ending:
    """Start the run of `plan` and stay with it until it has ended and that is recorded.

    Args:
        plan: what to start.
        home: where it goes.
        header: who asks for it.
        open_ledger: opens the ledger for the moment in which something is recorded.
        carry: stays with the process; unless another is given it starts one.

    Raises:
        GuildError: the start could not be recorded: nothing was started. Or the end could not be: the next command
            finds it in the lease.
    """
    spec = process_spec(plan, home)  # what can be refused is refused before anything is recorded
    lease = _begin(plan, home, header, open_ledger)
    ending, recorded = None, False
    record = _recording(plan, header, open_ledger)
    try:
        ending, answers = _work(plan, spec, lease, home, record=record, carry=carry)
        seam("run.finish")
        _record_end(open_ledger, header, plan.run_id, [*answers, _ended(plan, ending)])
        recorded = True
    finally:
        seam("run.release")
        # Without its event the lease stays: it holds how the run ended, for the next command to record.
        lease.release(remove=recorded)
    return ending


def run_outside(plan: RunPlan, home: Home, host: str) -> Ending:
    """Run in `plan.run_dir`, a directory of the user's: nothing is recorded, and the lease lies in it.

    Raises:
        GuildError: the directory cannot be used.
    """
    spec = process_spec(plan, home)
    again = os.path.isdir(spec.output_dir)
    try:
        os.makedirs(spec.output_dir, exist_ok=True)
    except OSError as error:
        raise _unusable(spec.cwd, error) from error
    record = LeaseRecord(**values(evidence_of(os.getpid(), host)))
    lease = Lease.acquire(os.path.join(spec.output_dir, "lease"), record)
    if lease is None:
        raise GuildError(
            f"another run is going on in {spec.cwd!r}", hint="Wait for its end, or give another directory."
        )
    try:
        # What an earlier run required lies there; nobody else is at work, because the lease is ours.
        put_in_place(replace(plan, follows=AGAIN) if again else plan, spec.cwd, home)
        return _supervised(plan, spec, lease, None, _started)[0]
    except OSError as error:
        raise _unusable(spec.cwd, error) from error
    finally:
        lease.release(remove=True)


def _unusable(path: str, error: OSError) -> GuildError:
    return GuildError(
        f"{path!r} cannot be used as a run directory: {error.strerror}", hint="Give another one with --run-dir."
    )


def _begin(plan: RunPlan, home: Home, header: Header, open_ledger: Opener) -> Lease:
    """Take the lease and record the start, or leave no trace."""
    evidence = evidence_of(os.getpid(), header.host)
    # Before anything of the run is there: a home with a lease or sources but no ledger counts as one that lost it.
    ledger = open_ledger()
    try:
        seam("run.lease")
        lease = Lease.acquire(home.lease_path(plan.run_id), LeaseRecord(**values(evidence)))
        if lease is None:
            raise TakenError(f"run {plan.run_id[:8]} is already supervised by another process")
        try:
            seam("run.start")
            _append(ledger, header, plan.run_id, *begin_events(plan, home, evidence))
        except BaseException as error:
            lease.release(remove=True)
            if isinstance(error, TransitionError) and plan.follows == STAGED:
                raise TakenError(f"run {plan.run_id[:8]} is no longer staged", hint=error.hint) from error
            raise
        return lease
    finally:
        ledger.store.close()


def _append(ledger: Ledger, header: Header, run_id: RunId, *events: Event) -> None:
    ledger.append(Transaction(header, tuple(NewEvent(run_stream(run_id), event) for event in events)))


def _record_end(open_ledger: Opener, header: Header, run_id: RunId, events: Sequence[Event]) -> None:
    try:
        ledger = open_ledger()
        try:
            _append(ledger, header, run_id, *events)
        finally:
            ledger.store.close()
    except LedgerError as error:
        status = getattr(events[-1], "exit_status", None)
        told = "" if status is None else f" with exit status {status}"
        raise GuildError(
            f"run {run_id[:8]} ended{told}, but that could not be recorded: {error.message}",
            hint="It is noted in the run's lease, and recorded by the next command that can.",
        ) from error


def _recording(plan: RunPlan, header: Header, open_ledger: Opener) -> Record:
    """Return what brings the summaries of a run that goes on to the ledger, which is open for that moment only."""

    def record(scalars: Mapping[str, Value]) -> None:
        from ledger.events.notes import RunScalarsRecorded

        ledger = open_ledger()
        try:
            _append(ledger, header, plan.run_id, RunScalarsRecorded(scalars))
        finally:
            ledger.store.close()

    return record


def _work(
    plan: RunPlan, spec: ProcessSpec, lease: Lease, home: Home, *, record: Record, carry: Carry
) -> tuple[Ending, list[Event]]:
    """Prepare the directory and run the process; returns how that ended, and what else there is to record."""
    answers: list[Event] = []
    begun = time.monotonic()
    try:
        with stopping_raises(), time_limit(spec.stop_after):
            seam("run.mkdir")
            for folder in (spec.cwd, spec.output_dir):
                if plan.follows != AGAIN or not os.path.isdir(folder):
                    os.mkdir(folder, 0o700)
            answers += put_in_place(plan, spec.cwd, home)
    except OSError as error:
        return _not_started(f"its directory cannot be made: {error.strerror or error}"), answers
    except GuildError as error:
        return _not_started(f"a dependency was not met: {error.message}"), answers
    except TimeUpError:
        return replace(_not_started(None), stopped_by="SIGTERM", timed_out=True), answers
    except KeyboardInterrupt as stopped:
        # On record as started, so its end belongs there too.
        return replace(_not_started(None), stopped_by=getattr(stopped, "name", "SIGINT")), answers
    if spec.stop_after is not None:
        left = spec.stop_after - (time.monotonic() - begun)
        spec = replace(spec, stop_after=max(left, _LEAST_SECONDS))
    ending, found = _supervised(plan, spec, lease, record, carry)
    return ending, [*answers, *found]


def _supervised(
    plan: RunPlan, spec: ProcessSpec, lease: Lease, record: Record | None, carry: Carry
) -> tuple[Ending, list[Event]]:
    """Run the process to its end; returns how that was, and what it has reported and nobody has recorded yet."""
    watch = ScalarWatch(plan, spec.cwd, spec.output_dir, record)
    try:
        ending = carry(replace(spec, scalars=watch), lease)
        return ending, watch.reported(ending.output, _teller(plan))
    finally:
        watch.close()


def _not_started(why: str | None) -> Ending:
    now = system_clock()
    return Ending(None, None, now, now, OutputSummary(), why)


def put_in_place(plan: RunPlan, run_dir: str, home: Home) -> list[Event]:
    """Give the run what its operation requires; return the event that says what that was.

    Raises:
        GuildError: something cannot be had.
        OSError: something cannot be written.
    """
    answers: list[Event] = []
    if plan.dependencies is not None and plan.dependencies.items:
        from operations.resolving import materialise

        again = plan.follows == AGAIN
        materialise(plan.dependencies, run_dir, cache_dir=home.cache_dir, told=_teller(plan), again=again)
        answers.append(RunDependenciesResolved(tuple(plan.dependencies.to_body())))  # type: ignore[arg-type]  # mappings
    return answers


def _teller(plan: RunPlan) -> Callable[[str], None]:
    """Return what shows a line about a download to whoever sees the run's errors."""

    def tell(line: str) -> None:
        if plan.stderr is not None:
            with suppress(OSError):
                os.write(plan.stderr, f"{line}\n".encode(errors="backslashreplace"))

    return tell


def process_spec(plan: RunPlan, home: Home) -> ProcessSpec:
    """Return the process of a plan.

    Raises:
        GuildError: a flag cannot be passed to a process.
    """
    from artifacts.environment import process_environment

    run_dir = plan.run_dir or home.run_dir(plan.run_id)
    environment = process_environment(
        plan.environment,
        run_id=plan.run_id,
        run_dir=run_dir,
        cmd_dir=plan.cmd_dir,
        model_dir=plan.project,
        home=home.root,
        flags_text=plan.flag_texts,
        module_path=(*plan.python_path, plan.project),
    )
    return ProcessSpec(
        argv=plan.command,
        cwd=run_dir,
        env={**environment, **plan.variables},
        output_dir=os.path.join(run_dir, ".guild"),
        stdout_fd=plan.stdout,
        stderr_fd=plan.stderr,
        stop_after=plan.stop_after,
    )


def _ended(plan: RunPlan, ending: Ending) -> RunStatusChanged:
    output: dict[str, Value] = {"lines": ending.output.lines, "bytes": ending.output.bytes}
    if ending.output.failure:
        output["failure"] = ending.output.failure
    return RunStatusChanged(
        status=status_of(plan, ending),
        exit_status=ending.exit_status,
        reason=ending.failure or _stopped_because(ending),
        output=output,
        stopped=ending.ended_at,
    )


def status_of(plan: RunPlan, ending: Ending) -> str:
    """Return the status that a run of `plan` ended with."""
    if ending.is_lost:
        return "terminated"
    return "completed" if plan.stoppable and ending.stopped_by else final_status(ending.exit_status, ending.stopped_by)


def _stopped_because(ending: Ending) -> str | None:
    if ending.timed_out:
        return "stopped because its time was up"
    return f"stopped by {ending.stopped_by}" if ending.stopped_by else None
