"""Identifiers and how they are made, so that two hexadecimal strings of different meaning can never be mixed up."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import NewType

RunId = NewType("RunId", str)
"""32 lowercase hexadecimal digits: a random UUID. Random, so that the first eight digits tell runs apart."""

TxnId = NewType("TxnId", bytes)
"""16 bytes, a UUIDv7 made before the first try of an append, so that a retry is recognised."""

OriginId = NewType("OriginId", bytes)
"""16 bytes that name the ledger in which a transaction was first written."""

Seq = NewType("Seq", int)
"""Place of a transaction in this ledger: 1, 2, 3 ... without a gap."""

Position = NewType("Position", int)
"""Place of an event in this ledger: 1, 2, 3 ... without a gap."""

Stream = NewType("Stream", str)
"""What an event is about: `run/<run id>` or `ledger`."""

Clock = Callable[[], int]
"""Returns the time in microseconds since 1970-01-01 UTC."""

LEDGER_STREAM = Stream("ledger")
_RUN_PREFIX = "run/"

BEHIND_IDS = "g"
"""The letter behind the digits of run ids: streams from `run/97` to before `run/97g` are those that begin with it."""


def system_clock() -> int:
    """Return the machine's time in microseconds UTC."""
    return time.time_ns() // 1000


def new_run_id() -> RunId:
    """Return a new random run id."""
    return RunId(os.urandom(16).hex())


def new_origin_id() -> OriginId:
    """Return a new random origin id."""
    return OriginId(os.urandom(16))


def new_txn_id() -> TxnId:
    """Return a new UUIDv7 (RFC 9562, section 5.7): 48 bits of milliseconds, version, 74 random bits."""
    raw = bytearray((time.time_ns() // 1_000_000).to_bytes(6, "big") + os.urandom(10))
    raw[6] = raw[6] & 0x0F | 0x70
    raw[8] = raw[8] & 0x3F | 0x80
    return TxnId(bytes(raw))


def run_stream(run_id: RunId) -> Stream:
    """Return the stream of a run."""
    return Stream(_RUN_PREFIX + run_id)


def run_of(stream: str) -> RunId | None:
    """Return the run that a stream is about, or None for a stream that is not a run's."""
    return RunId(stream[len(_RUN_PREFIX) :]) if stream.startswith(_RUN_PREFIX) else None


def is_run_id(text: str) -> bool:
    """Tell whether `text` is a well-formed run id; every path made from an id is guarded by this."""
    return len(text) == 32 and not text.strip("0123456789abcdef")  # noqa: PLR2004 - a UUID has 32 digits
