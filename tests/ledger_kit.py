"""What tests of the ledger share: one with a clock that is set by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ledger.events.life import RunStatusChanged
from ledger.log import Ledger
from tests.kit import NOON, make_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


ENDED = RunStatusChanged(status="completed", exit_status=0)


class Hand:
    """A clock that a test sets by hand."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> int:
        """Return the time that was set."""
        return self.now


@pytest.fixture(name="clock")
def clock_fixture() -> Hand:
    """Give a clock that stands still until it is set."""
    return Hand()


@pytest.fixture(name="ledger")
def ledger_fixture(tmp_path: Path, clock: Hand) -> Iterator[Ledger]:
    """Give a new ledger."""
    made = make_ledger(tmp_path, clock)
    yield made
    made.store.close()
