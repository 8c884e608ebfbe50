"""Asking git, without trusting it: which commit a project is at, and a way for others here to list its files.

Git may be absent, slow, refuse the repository, or be steered by variables of an outer git command; none of
that may stop or delay a run. Commands are spawned directly, not through `subprocess`, whose import alone
costs as much as starting Python, and they work while the caller does something else.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from ledger.dataclass import dataclass, field

_CHUNK = 1 << 16
_REAP_PAUSE = 0.0002
_KILL_LIMIT = 0.1
# Configuration that the user chose stays in force; which repository is meant is for the project's folder to
# say.
_KEPT = ("GIT_CONFIG_", "GIT_EXEC_PATH", "GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM")
_NOT_KEPT = ("GIT_CONFIG_PARAMETERS",)


@dataclass(frozen=True, slots=True)
class GitInfo:
    """The state of a project's repository.

    Attributes:
        commit: full hash of HEAD; None before the first commit.
        dirty: whether anything differs from it, untracked files included and `.guild` folders not; None when
            git did not say in time.
    """

    commit: str | None
    dirty: bool | None


@dataclass(slots=True)
class GitCommand:
    """A git command that runs.

    Attributes:
        pid: its process, which is also its process group.
        fd: its output; -1 when all is read.
        enough: stop it after so many bytes of output.
        output: what it has written so far.
        code: its exit code; None while it runs, and for ever when it was stopped.
    """

    pid: int
    fd: int
    enough: int
    output: bytearray = field(default_factory=bytearray)
    code: int | None = None


def find_repository(project: str) -> str | None:
    """Return the top of the repository that a folder is in, links resolved, or None: git need not be asked.

    Only the name `.git` is looked for; git may still refuse it.
    """
    folder = os.path.realpath(project)
    while not os.path.lexists(os.path.join(folder, ".git")):
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent
    return folder


def start_git(
    project: str, env: Mapping[str, str], arguments: Sequence[str], *, enough: int = 1 << 62
) -> GitCommand | None:
    """Start `git` with `arguments` in the folder `project`, errors unseen; None when it cannot be started.

    Args:
        project: the folder that decides which repository is meant, whatever `env` says.
        env: the user's environment; PATH finds git.
        arguments: the git command and its arguments.
        enough: stop it after so many bytes of output.
    """
    program = _find_git(env)
    if program is None:
        return None
    # A repository's own configuration can name a program to run for `fsmonitor`; nothing here is worth that.
    argv = [program, "--no-optional-locks", "-c", "core.fsmonitor=false", "-C", project, *arguments]
    reading, writing = os.pipe()
    try:
        pid = os.posix_spawn(
            program,
            argv,
            _git_environment(env),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, writing, 1),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            ],
            setpgroup=0,
            setsigdef=[signal.SIGPIPE],
        )
    except OSError:
        os.close(reading)
        return None
    finally:
        os.close(writing)
    return GitCommand(pid, reading, enough)


def finish_git(commands: Sequence[GitCommand], deadline: float) -> None:
    """Read the commands' output until they end; stop those not done at `deadline` (monotonic seconds)."""
    reading = {command.fd: command for command in commands if command.fd >= 0}
    poller = select.poll()
    for fd in reading:
        poller.register(fd, select.POLLIN | select.POLLHUP)
    try:
        while reading and (left := deadline - time.monotonic()) > 0:
            for fd, _ in poller.poll(left * 1000):
                if not _read(reading[fd]):
                    poller.unregister(fd)
                    del reading[fd]
    finally:
        for command in commands:
            _reap(command, deadline, ended=command.fd not in reading and len(command.output) < command.enough)


def _read(command: GitCommand) -> bool:
    """Take what there is; False when that was the end or enough."""
    chunk = os.read(command.fd, _CHUNK)
    command.output += chunk
    return bool(chunk) and len(command.output) < command.enough


def _reap(command: GitCommand, deadline: float, *, ended: bool) -> None:
    """Close the pipe; take the exit code of a process whose output ended, else kill it and its children."""
    if command.fd < 0:
        return
    os.close(command.fd)
    command.fd = -1
    with suppress(ChildProcessError):  # someone else took the exit code; then it is not known
        if ended:
            command.code = _wait(command.pid, deadline)
        if command.code is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(command.pid, signal.SIGKILL)
            # Not for long: a process stuck on a dead network mount does not even die.
            _wait(command.pid, time.monotonic() + _KILL_LIMIT)


def _wait(pid: int, deadline: float) -> int | None:
    """Return the exit code of a process, or None when it still runs at `deadline`."""
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= deadline:
            return None
        time.sleep(_REAP_PAUSE)


def _find_git(env: Mapping[str, str]) -> str | None:
    for folder in env.get("PATH", os.defpath).split(os.pathsep):
        candidate = os.path.join(folder, "git")
        # A relative entry would run a program out of the project.
        if os.path.isabs(folder) and os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    return None


def _git_environment(env: Mapping[str, str]) -> dict[str, str]:
    result = {
        name: value
        for name, value in env.items()
        if not name.startswith("GIT_") or (name.startswith(_KEPT) and name not in _NOT_KEPT)
    }
    result.update(LC_ALL="C", GIT_TERMINAL_PROMPT="0")
    return result


class PendingGitInfo:
    """Answers that git is working on; ask for them once with `result`."""

    def __init__(self, commit: GitCommand | None, status: GitCommand | None, deadline: float) -> None:
        self._commit = commit
        self._status = status
        self._deadline = deadline

    def result(self) -> GitInfo | None:
        """Wait for git, at most until the limit, and return what it said.

        None means that the folder is in no repository, or that git is not installed or refuses to look at it.
        """
        if self._commit is None or self._status is None:
            return None
        finish_git([self._commit, self._status], self._deadline)
        commit = self._commit.output.decode("ascii", "replace").strip() if self._commit.code == 0 else None
        dirty = True if self._status.output else (False if self._status.code == 0 else None)
        return None if commit is None and dirty is None else GitInfo(commit, dirty)


def start_git_info(project: str, env: Mapping[str, str], *, limit: float = 5.0) -> PendingGitInfo:
    """Start asking git for the commit and the cleanness of the repository that `project` is in.

    Args:
        project: a folder.
        env: the user's environment.
        limit: seconds from now after which git is stopped.
    """
    deadline = time.monotonic() + limit
    if find_repository(project) is None:
        return PendingGitInfo(None, None, deadline)
    commit = start_git(project, env, ["rev-parse", "--verify", "--quiet", "HEAD"])
    status = start_git(project, env, _STATUS, enough=1)
    return PendingGitInfo(commit, status, deadline)


# Runs kept in a `.guild` inside the project must not make it dirty for ever.
_STATUS = [
    "status",
    "--porcelain",
    "--",
    ":(top)",
    ":(top,exclude,glob)**/.guild/**",
    ":(top,exclude,glob)**/.guild",
]
