"""What all test files share: where their folders are, a PostgreSQL server that starts when asked for, no hooks."""

from __future__ import annotations

import os
import shutil
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from ledger.seams import install
from tests.kit import MEMORY
from tests.postgres_server import PostgresServer, reason_to_skip, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

# A suite that is started in the background of a script inherits that Ctrl-C is ignored, and hands it on to every
# command that it starts: a test that types Ctrl-C would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says nothing about the program on a machine that may stand still for a moment.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


TEMPORARY = "PYTEST_DEBUG_TEMPROOT"
"""The variable that tells pytest where to make the folders of tests."""

ROOM = 2 << 30
"""Bytes; a whole run takes less even where nothing is removed before its end, as when every test fails."""


def pytest_configure() -> None:
    """Make the folders of tests in memory where there is room: every commit in them is flushed, and disks are slow."""
    if TEMPORARY not in os.environ and os.access(MEMORY, os.W_OK):
        room = min(shutil.disk_usage(MEMORY).free, _memory())
        if room >= ROOM:
            os.environ[TEMPORARY] = MEMORY


def _memory() -> int:
    """Return how many bytes of memory programs can have."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            kilobytes = next(line.split()[1] for line in file if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return 0
    return int(kilobytes) * 1024


@pytest.fixture(autouse=True)
def _no_seams() -> Iterator[None]:
    """Leave no hook behind at the seams of the program, whatever a test has installed there."""
    yield
    install(None)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Give one server for the whole session (each xdist worker has its own)."""
    reason = reason_to_skip()
    if reason:
        pytest.skip(reason)
    with running_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """Give the SQLAlchemy URL of an empty database that no other test sees."""
    return postgres_server.create_database()
