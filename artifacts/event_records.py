"""Reads TensorBoard's event files without TensorFlow: first the records that they are made of.

A file is a sequence of records, each framed so that a reader knows how far it can trust it:

    8 bytes    length of the data, little-endian
    4 bytes    checksum of the length
    n bytes    the data: an `Event` in the wire format of protocol buffers
    4 bytes    checksum of the data

A checksum is the CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), rotated right by 15 bits, plus 0xA282EAD8.
Source: the description of TFRecord files in TensorFlow's documentation, and `tensorflow/core/lib/io`.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST = 1024 * 1024
"""Bytes of data of a record that is read. Numbers are small; images, graphs and sounds are passed over."""

_BLOCK = 4 * 1024 * 1024
_HEAD, _TAIL = 12, 4
_POLYNOMIAL = 0x82F63B78
_MASK = 0xA282EAD8
_WORD = 0xFFFFFFFF


def _table() -> tuple[int, ...]:
    found = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ _POLYNOMIAL if value & 1 else value >> 1
        found.append(value)
    return tuple(found)


_TABLE = _table()


def masked_crc(data: bytes) -> int:
    """Return the checksum of data, as it stands in the file."""
    table, value = _TABLE, _WORD
    for byte in data:
        value = table[(value ^ byte) & 0xFF] ^ value >> 8
    value ^= _WORD
    return ((value >> 15 | value << 17) + _MASK) & _WORD


class EventRecords:
    """The records of one growing file, from where the last look stopped.

    A record that is not complete waits for the rest. One whose data do not have their checksum is passed over; one
    whose length does not has nothing behind it that could be found, and ends the reading of the file for good.

    Args:
        path: the file; not read through a link.
        offset: where to begin, in bytes: at the beginning of a record.

    Attributes:
        is_broken: whether nothing more is to be expected.
    """

    __slots__ = ("_offset", "_path", "is_broken")

    def __init__(self, path: str, offset: int = 0) -> None:
        self._path = path
        self._offset = offset
        self.is_broken = False

    def read(self, size: int) -> Iterator[bytes]:
        """Yield the data of the records that are new.

        Args:
            size: how large the file is now, as the caller knows; when nothing is new it is not opened.
        """
        if self.is_broken or size <= self._offset:
            return
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return
        try:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                yield from self._records(descriptor)
        except OSError:
            return
        finally:
            os.close(descriptor)

    def _records(self, descriptor: int) -> Iterator[bytes]:
        while block := os.pread(descriptor, _BLOCK, self._offset):
            place = 0
            while (end := self._end(block, place)) <= len(block) and not self.is_broken:
                if end - place - _HEAD - _TAIL <= LARGEST:
                    data = block[place + _HEAD : end - _TAIL]
                    if int.from_bytes(block[end - _TAIL : end], "little") == masked_crc(data):
                        yield data
                place = end
            self._offset += place
            if self.is_broken:
                return
            if place == 0 and not self._passed_over(descriptor, end, len(block)):
                return

    def _end(self, block: bytes, place: int) -> int:
        """Return where the record at a place ends; behind the block when its head is not complete."""
        head = block[place : place + _HEAD]
        if len(head) < _HEAD:
            return len(block) + 1
        if int.from_bytes(head[8:], "little") != masked_crc(head[:8]):
            self.is_broken = True
            return len(block)
        return place + _HEAD + int.from_bytes(head[:8], "little") + _TAIL

    def _passed_over(self, descriptor: int, end: int, read: int) -> bool:
        """Go to the end of a record that is larger than a block; tell whether the file has it already."""
        if read < _BLOCK or end <= read + 1 or self._offset + end > os.fstat(descriptor).st_size:
            return False
        self._offset += end
        return True
