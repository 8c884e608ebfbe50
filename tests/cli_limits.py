"""Commands under harder conditions than a test usually has: bound by permissions, without room to write.

All of it works for root and for others, and without privileges; where no disk can be mounted a limit stands in.
"""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest


def limit_file_size(size: int) -> Callable[[], None]:
    """Return a preparation under which no file may grow beyond `size` bytes: a full disk that needs no privileges."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


_CAPABILITY_VERSION = 0x20080522
_CLEAR_BOUNDING = 24
_OVERRIDES_OF_PERMISSIONS = (1, 2)


def like_any_user() -> None:
    """Be bound by file permissions: as root, give up the capabilities that override them. For `prepare`."""
    if os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable, for each half
    libc.capget(header, sets)
    sets[2] = sets[5] = 0
    libc.capset(header, sets)
    for capability in _OVERRIDES_OF_PERMISSIONS:
        libc.prctl(_CLEAR_BOUNDING, capability, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A file system of a few megabytes, or what comes closest to it where none may be mounted.

    Attributes:
        folder: an empty folder on it, as `enter` makes it visible.
        outside: the same folder as this process can reach it.
        holder: the process whose name space it is mounted in, None where nothing may be mounted.
    """

    folder: Path
    outside: Path
    holder: int | None

    def must_be_one(self) -> None:
        """Skip the test where none may be mounted: a limit on the size of files does not fill it."""
        if self.holder is None:
            pytest.skip("no disk may be mounted here, and a limit on the size of files does not fill one")

    def fill(self, left: int = 0) -> None:
        """Leave only about `left` bytes free."""
        if self.holder is None:
            return
        ballast = self.outside / "ballast"
        with suppress(OSError), ballast.open("ab", buffering=0) as file:
            while True:
                file.write(b"\0" * 65536)
        os.truncate(ballast, max(0, ballast.stat().st_size - left))

    def free(self) -> None:
        """Make room again."""
        (self.outside / "ballast").unlink(missing_ok=True)

    def full(self, left: int = 0) -> Callable[[], None]:
        """Return the preparation of a command that meets the full disk: where none is mounted, a limit stands in."""
        return self.enter if self.holder is not None else limit_file_size(left)

    def enter(self) -> None:
        """Go where the disk is mounted. For `prepare`."""
        if self.holder is None:
            return
        cwd = os.getcwd()
        libc = ctypes.CDLL(None, use_errno=True)
        for name in ("mnt",) if os.geteuid() == 0 else ("user", "mnt"):
            descriptor = os.open(f"/proc/{self.holder}/ns/{name}", os.O_RDONLY)
            if libc.setns(descriptor, 0):
                raise OSError(ctypes.get_errno(), f"cannot enter the name space {name}")
            os.close(descriptor)
        os.chdir(cwd)


def unshared() -> list[str]:
    """Return the words before a command that may mount what nobody else sees: for others than root, as its own root."""
    return ["unshare", *([] if os.geteuid() == 0 else ["-r"]), "-m"]


def small_disk(folder: Path, size: str = "4m") -> Iterator[SmallDisk]:
    """Yield a small disk, mounted in a name space of its own that ends with it; for a fixture."""
    mount = folder / "mount"
    mount.mkdir()
    script = 'mount -t tmpfs -o "size=$2" tmpfs "$1" && echo mounted && exec cat'
    try:
        holder = subprocess.Popen(
            [*unshared(), "sh", "-c", script, "sh", str(mount), size],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        yield SmallDisk(mount, mount, None)
        return
    with holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        mounted = holder.stdout.readline() == b"mounted\n"
        inside = Path(f"/proc/{holder.pid}/root{mount}")
        yield SmallDisk(mount, inside, holder.pid) if mounted else SmallDisk(mount, mount, None)
        holder.stdin.close()
