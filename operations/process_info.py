"""Who a process is, told apart from a later process that got the same number.

A pid alone proves nothing: numbers are used again, within minutes on a busy machine. So a process is known
here by pid *and* start time, and a machine's life by its boot id. Nothing in this file sends a signal (0,
which only asks, apart).

Linux answers from `/proc`; where there is none (macOS), `ps` is asked, in UTC and in the C locale, so that
two observers in different time zones read the same start time. Start times are compared for equality and
order only, and only with others of the same machine: ticks since boot on Linux, seconds since 1970 elsewhere.
"""

from __future__ import annotations

import os

from ledger.dataclass import dataclass

PROC = "/proc"
_FIELDS = "pid=,ppid=,stat=,lstart="


@dataclass(frozen=True, slots=True)
class ProcessStat:
    """One process as the system tells it: number, parent, state letter (Z is a zombie) and start time."""

    pid: int
    parent: int
    state: str
    start_ticks: int

    @property
    def ended(self) -> bool:
        """Whether the process has ended and only waits for its parent to take note."""
        return self.state in ("Z", "X", "x")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a later observer needs to judge whether a process still lives.

    Attributes:
        boot_id: the machine's life; another one means that the process cannot live ('' where unknown).
        pid: its number.
        start_ticks: its start time (see the module), 0 when it could not be read.
        host: the machine's name, as the caller gives it; never judge by pid when it is another one.
    """

    boot_id: str
    pid: int
    start_ticks: int
    host: str


def boot_id() -> str:
    """Return what names the time from the machine's last start to its next; '' where nothing tells."""
    try:
        with open(f"{PROC}/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except (OSError, ValueError):
        pass
    # The second changes when the clock is set, so it is asked only where the first does not exist.
    for name in ("kern.bootsessionuuid", "kern.boottime"):
        if answer := _ask("sysctl", "-n", name):
            return answer.strip()
    return ""


def process_stat(pid: int) -> ProcessStat | None:
    """Return what the system tells of process `pid`, or None when there is none or it may not be seen."""
    if pid <= 0:
        return None
    if _has_proc():
        return _read_stat(pid)
    found = _parse_ps(_ask("ps", "-o", _FIELDS, "-p", str(pid)))
    return found[0] if found else None


def all_processes() -> list[ProcessStat]:
    """Return every process that may be seen, in no order that means anything."""
    if not _has_proc():
        return _parse_ps(_ask("ps", "-A", "-o", _FIELDS))
    found = (_read_stat(int(name)) for name in os.listdir(PROC) if name.isdecimal())
    return [stat for stat in found if stat is not None]


def start_ticks(pid: int) -> int | None:
    """Return the start time of process `pid` (zombies included), or None when there is no such process."""
    stat = process_stat(pid)
    return None if stat is None else stat.start_ticks


def is_alive(pid: int, ticks: int) -> bool:
    """Whether the very process that had number `pid` and start time `ticks` still runs.

    A zombie has ended. A process that may not be looked at (another user's, on a system that hides those) is
    given the benefit of the doubt: to call a living run dead is the worse mistake.
    """
    if pid <= 0:
        return False
    stat = process_stat(pid)
    if stat is not None:
        return not stat.ended and stat.start_ticks == ticks
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    # Ours, and yet unreadable a moment ago: it has just ended, and the number is nobody's or another's.
    return False


def evidence_of(pid: int, host: str) -> Evidence:
    """Gather the evidence about process `pid` of this machine, which the caller names `host`."""
    return Evidence(boot_id=boot_id(), pid=pid, start_ticks=start_ticks(pid) or 0, host=host)


def _has_proc() -> bool:
    return os.path.exists(f"{PROC}/self/stat")


def _read_stat(pid: int) -> ProcessStat | None:
    try:
        with open(f"{PROC}/{pid}/stat", "rb") as file:
            text = file.read()
        # The second field is the program's name in parentheses and may itself hold blanks and parentheses.
        fields = text[text.rindex(b")") + 1 :].split()
        return ProcessStat(pid, parent=int(fields[1]), state=fields[0].decode(), start_ticks=int(fields[19]))
    except (OSError, ValueError, IndexError):
        return None


def _parse_ps(text: str) -> list[ProcessStat]:
    import calendar
    import time

    found = []
    for line in text.splitlines():
        fields = line.split(None, 3)
        try:
            started = calendar.timegm(time.strptime(fields[3].strip(), "%a %b %d %H:%M:%S %Y"))
            found.append(ProcessStat(int(fields[0]), int(fields[1]), fields[2][:1], started))
        except (ValueError, IndexError):
            continue
    return found


def _ask(*argv: str) -> str:
    import subprocess

    # os.defpath: the answer must not depend on a user's PATH.
    env = {"PATH": os.defpath + ":/usr/sbin:/sbin", "LC_ALL": "C", "TZ": "UTC0"}
    try:
        done = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode(errors="replace")
