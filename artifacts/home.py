"""Where everything lies on disk: the one place that knows the layout of GUILD_HOME and how a home is found.

Run ids become names of folders, so every path is made here, from ids that were checked: an id with `/` or
`..` in it can never lead out of the home.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress

from ledger.dataclass import dataclass
from ledger.errors import GuildError, UsageError
from ledger.ids import RunId, is_run_id
from ledger.seams import seam

_RUN_FOLDERS = ("runs", "trash", "purging", "importing")


class RunIdError(GuildError):
    """What was given as a run id cannot be one."""


def check_run_id(text: str) -> RunId:
    """Return `text` as a run id.

    Raises:
        RunIdError: it is not exactly 32 lowercase hexadecimal digits.
    """
    if not is_run_id(text):
        raise RunIdError(
            f"{text!r} is not a run ID: that is 32 characters out of 0-9 and a-f",
            hint="`guild runs` lists the runs with their IDs.",
        )
    return RunId(text)


@dataclass(frozen=True, slots=True)
class Home:
    """The layout of one GUILD_HOME.

    Attributes:
        root: its absolute path. Nothing inside the home stores it, so that moving the folder moves
            everything.
    """

    root: str

    @property
    def ledger_path(self) -> str:
        """The ledger's database file."""
        return os.path.join(self.root, "ledger.db")

    @property
    def index_dir(self) -> str:
        """The folder of the disposable index databases."""
        return os.path.join(self.root, "index")

    @property
    def leases_dir(self) -> str:
        """The folder of the locks that supervisors hold for the life of a run."""
        return os.path.join(self.root, "leases")

    @property
    def runs_dir(self) -> str:
        """The folder of live run directories."""
        return os.path.join(self.root, "runs")

    @property
    def trash_dir(self) -> str:
        """The folder of deleted run directories."""
        return os.path.join(self.root, "trash")

    @property
    def purging_dir(self) -> str:
        """The folder of run directories that are being removed for good."""
        return os.path.join(self.root, "purging")

    @property
    def importing_dir(self) -> str:
        """The folder of run directories that are being taken in; made when first needed."""
        return os.path.join(self.root, "importing")

    @property
    def sources_dir(self) -> str:
        """The folder of source snapshots."""
        return os.path.join(self.root, "sources")

    @property
    def cache_dir(self) -> str:
        """The folder of what can be fetched again; made when something is first kept there."""
        return os.path.join(self.root, "cache")

    def run_dir(self, run_id: RunId) -> str:
        """Return where the directory of a live run is; as all of these, raises GuildError for a bad id."""
        return os.path.join(self.runs_dir, check_run_id(run_id))

    def trash_run_dir(self, run_id: RunId) -> str:
        """Return where the directory of a deleted run is."""
        return os.path.join(self.trash_dir, check_run_id(run_id))

    def purging_run_dir(self, run_id: RunId) -> str:
        """Return where the directory of a run is while it is being removed."""
        return os.path.join(self.purging_dir, check_run_id(run_id))

    def importing_run_dir(self, run_id: RunId) -> str:
        """Return where the directory of a run is from when it is complete until it is among the live runs."""
        return os.path.join(self.importing_dir, check_run_id(run_id))

    def lease_path(self, run_id: RunId) -> str:
        """Return the lock file that the run's supervisor holds."""
        return os.path.join(self.leases_dir, check_run_id(run_id))

    def identity(self) -> str:
        """Return 32 hexadecimal digits that tell this home from others that share its ledger; made when missing.

        Raises:
            GuildError: it can be neither read nor written.
        """
        path = os.path.join(self.root, "home-id")
        own = f"{path}.{os.getpid()}"
        try:
            if not is_run_id(_first_line(path)):
                with open(own, "w", encoding="ascii") as file:
                    file.write(os.urandom(16).hex() + "\n")
                try:
                    os.link(own, path)  # of several processes at once the first one names the home
                except FileExistsError:
                    if not is_run_id(_first_line(path)):
                        os.replace(own, path)
                with suppress(FileNotFoundError):
                    os.unlink(own)
            return _first_line(path)
        except OSError as error:
            raise _explained(self.root, self.root, error) from error

    def known_identity(self) -> str:
        """Return what `identity` does, empty when there is none yet: nothing is made."""
        try:
            return _first_line(os.path.join(self.root, "home-id"))
        except OSError:
            return ""

    def ensure(self) -> None:
        """Make what is missing of the home's folders, private to the user (0700); what is there stays.

        All folders are looked at, not only one: people do remove `trash` or `runs` by hand, and that takes a
        few microseconds. Parents of the home get the user's default mode.

        Raises:
            GuildError: a folder can be neither found nor made; the message says which part of the path is
                why.
        """
        for folder in self.folders():
            if not os.path.isdir(folder):
                self._make(folder)

    def folders(self) -> tuple[str, ...]:
        """Return the folders that every home has."""
        return (
            self.index_dir,
            self.leases_dir,
            self.runs_dir,
            self.trash_dir,
            self.purging_dir,
            self.sources_dir,
        )

    def _make(self, folder: str) -> None:
        try:
            if not os.path.isdir(self.root):
                seam("home.makedirs")
                os.makedirs(os.path.dirname(self.root), exist_ok=True)
                _make_private(self.root)
            _make_private(folder)
        except OSError as error:
            raise _explained(self.root, folder, error) from error


def _first_line(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.readline(100).strip()
    except FileNotFoundError:
        return ""


def _make_private(folder: str) -> None:
    seam("home.mkdir")
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        # Another process may just have made it; a file or a dangling link of that name is an error.
        if not os.path.isdir(folder):
            raise


def _explained(root: str, folder: str, error: OSError) -> GuildError:
    return GuildError(
        f"cannot use {root!r} as the home of runs: {_reason(folder, error)}",
        hint="Mend that, or choose another folder with -H PATH or GUILD_HOME.",
    )


def _reason(folder: str, error: OSError) -> str:
    """Say which component of `folder` stands in the way."""
    parts = folder.strip("/").split("/")
    existing = "/"
    for count in range(1, len(parts) + 1):
        path = "/" + "/".join(parts[:count])
        if os.path.isdir(path):
            existing = path
        elif os.path.islink(path):
            return f"{path!r} is a link to {os.readlink(path)!r}, which is no folder that can be reached"
        elif os.path.exists(path):
            return f"{path!r} is a file, not a folder"
        else:
            break
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return f"no permission to write in {existing!r} ({error.strerror})"
    return f"{error.strerror} in {existing!r}"


def find_home(explicit: str | None, env_value: str | None, cwd: str, user_home: str) -> str:
    """Return the absolute path of the home to use; nothing is made or changed.

    The first of: `explicit` (the option -H), `env_value` (GUILD_HOME, where empty counts as unset), the
    nearest folder `.guild` in `cwd` or above it, `.guild` in `user_home`. A `.guild` that holds the metadata
    of one run is no home, and neither is one inside a virtual environment, which people throw away.

    Args:
        explicit: value of -H, or None.
        env_value: value of GUILD_HOME, or None.
        cwd: absolute path of the working directory; relative values are taken from there.
        user_home: absolute path of the user's home directory, which a leading `~` stands for.

    Raises:
        UsageError: `explicit` is empty (a shell variable that is not set must not silently mean another
            home).
    """
    if explicit == "":
        raise UsageError("-H needs the path of a folder, got an empty text", hint="Leave -H out for the default.")
    chosen = explicit or env_value
    if chosen:
        return _absolute(chosen, cwd, user_home)
    return _nearest(cwd) or os.path.join(user_home, ".guild")


def _absolute(path: str, cwd: str, user_home: str) -> str:
    if path == "~" or path.startswith("~/"):
        path = user_home + path[1:]
    path = os.path.join(cwd, path)
    # Only the kernel knows what `link/..` is; removing it as text would name another folder.
    return os.path.realpath(path) if ".." in path.split("/") else os.path.normpath(path)


def _nearest(cwd: str) -> str | None:
    found = None
    folder = cwd
    while True:
        candidate = os.path.join(folder, ".guild")
        if found is None and os.path.isdir(candidate) and not _is_run_metadata(candidate):
            found = candidate
        if os.path.exists(os.path.join(folder, "pyvenv.cfg")):
            found = None
        parent = os.path.dirname(folder)
        if parent == folder:
            return found
        folder = parent


def why_no_home(root: str) -> str | None:
    """Say why a folder `.guild` at `root` would not be taken for a home by commands beside it; None when it would.

    Args:
        root: its absolute path; it need not be there.
    """
    if _is_run_metadata(root):
        return "it is the directory of a run, whose own files are kept in `.guild`"
    folder = os.path.dirname(root)
    while True:
        if os.path.exists(os.path.join(folder, "pyvenv.cfg")):
            return f"{folder!r} is a virtual environment, which people throw away"
        folder, child = os.path.dirname(folder), folder
        if folder == child:
            return None


def _is_run_metadata(candidate: str) -> bool:
    """Tell whether this `.guild` lies inside a run directory: then it holds that run's output, not runs."""
    run_dir = os.path.dirname(candidate)
    if is_run_id(os.path.basename(run_dir)) and os.path.basename(os.path.dirname(run_dir)) in _RUN_FOLDERS:
        return True
    return os.path.isfile(os.path.join(candidate, "output"))
