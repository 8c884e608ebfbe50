"""The bytes of a SQLite ledger that SQLite may refuse to read: its pages, and the rows that stand in them.

Nothing is taken on trust: neither the tables' roots, nor lists of pages, nor what a page says of itself. A row is
recognised by the shape of its record alone, wherever it stands; whether it is true, the hashes must show. So rows of a
dropped table are found like all others, and so are those of a page whose beginning was overwritten.

Sources: SQLite's description of its file format, sections 1.3 to 1.6 (pages, varints, records) and 4 (the log).
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple

from ledger.rows import EventRow, TxnRow

_MAGIC = b"SQLite format 3\x00"
_SIZES = (4096, 8192, 16384, 32768, 65536, 2048, 1024, 512)
_INT = rb"[\x01-\x06\x08\x09]"
# Types of columns as they stand at the beginning of a record: NULL for the row's own number, 0x2c for 16 bytes, 0x4c
# for 32 bytes, odd numbers for text.
_EVENT = re.compile(rb"[\x0a-\x12]\x00" + _INT + rb"\x2c[\x0d-\x7f]" + _INT + rb"[\x0d-\x7f]" + _INT + rb"\x4c")
_TXN = re.compile(rb"[\x0b-\x12]\x00\x2c\x2c" + _INT + _INT + _INT + rb"\x4c")
_IDENTITY = re.compile(rb"ledger_id(?:\":\")?([0-9a-f]{32})")
_COLUMNS = {_EVENT: 9, _TXN: 10}
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_FRAME = 24
_LOG_HEADER = 32
_BLOB = 12
_MOST = 64 * 1024 * 1024
_LAST_OF_ONE_BYTE = 0x7F


class Found(NamedTuple):
    """What a page holds.

    Attributes:
        transactions: rows that look like transactions.
        events: rows that look like events.
        identities: what looks like the ledger's id.
    """

    transactions: list[TxnRow]
    events: list[EventRow]
    identities: list[str]


class RawPages:
    """The pages of a database file and of the log beside it; the files are only read."""

    def __init__(self, path: str) -> None:
        """Open the files.

        Raises:
            OSError: the file cannot be read.
        """
        self._file = open(path, "rb")  # noqa: SIM115 - closed with this
        self._length = os.fstat(self._file.fileno()).st_size
        self._log: BinaryIO | None = None
        if os.path.isfile(path + "-wal"):
            self._log = open(path + "-wal", "rb")  # noqa: SIM115 - closed with this
        self.size = self._page_size()
        self._usable = self.size - self._reserved()
        self._newest = dict(self._frames())
        self.count = -(-self._length // self.size) + len(self._newest)

    def close(self) -> None:
        """Let go of the files."""
        self._file.close()
        if self._log is not None:
            self._log.close()

    def found(self) -> Iterator[Found]:
        """Yield what each page holds, those of the log last."""
        for number in range(1, -(-self._length // self.size) + 1):
            yield self._found(self._in_file(number))
        for number in self._newest:
            yield self._found(self._page(number))

    def _page_size(self) -> int:
        head = self._file.read(100)
        size = int.from_bytes(head[16:18], "big")
        size = 65536 if size == 1 else size
        if size in _SIZES:
            return size
        return max(_SIZES, key=self._rows_with)

    def _rows_with(self, size: int) -> int:
        """Return how many rows the beginning of the file shows when its pages have this size."""
        self.size = self._usable = size
        self._newest = {}
        pages = range(1, min(self._length, _MOST // 16) // size + 1)
        return sum(len(found.events) + len(found.transactions) for found in map(self._found, map(self._in_file, pages)))

    def _reserved(self) -> int:
        self._file.seek(0)
        head = self._file.read(100)
        return head[20] if head.startswith(_MAGIC) and head[20] <= 32 else 0  # noqa: PLR2004 - more is none of ours

    def _in_file(self, number: int) -> bytes:
        self._file.seek((number - 1) * self.size)
        return self._file.read(self.size)

    def _page(self, number: int) -> bytes:
        """Return the newest version of a page."""
        offset = self._newest.get(number)
        if offset is None or self._log is None:
            return self._in_file(number)
        self._log.seek(offset)
        return self._log.read(self.size)

    def _frames(self) -> Iterator[tuple[int, int]]:
        """Yield the pages of the log that were committed, oldest first: number, and where they stand.

        What follows a damaged frame is taken as far as a later frame of the same log ends a commit.
        """
        if self._log is None:
            return
        header = self._log.read(_LOG_HEADER)
        if len(header) < _LOG_HEADER or header[:3] != b"\x37\x7f\x06":
            return
        order, salts = ">" if header[3] & 1 else "<", header[16:24]
        sums = _checksum(header[:24], (0, 0), order)
        pending: list[tuple[int, int]] = []
        is_whole, offset = True, _LOG_HEADER
        while len(frame := self._read_log(offset, _FRAME + self.size)) == _FRAME + self.size:
            number, commit = struct.unpack(">II", frame[:8])
            if frame[8:16] != salts:
                if is_whole:
                    return
                offset += _FRAME + self.size
                continue
            if is_whole:
                sums = _checksum(frame[:8] + frame[_FRAME:], sums, order)
                is_whole = sums == struct.unpack(">II", frame[16:24])
            pending.append((number, offset + _FRAME))
            if commit:
                yield from pending
                pending.clear()
            offset += _FRAME + self.size

    def _read_log(self, offset: int, size: int) -> bytes:
        if self._log is None:
            return b""
        self._log.seek(offset)
        return self._log.read(size)

    def _found(self, page: bytes) -> Found:
        events = [EventRow._make(row) for row in self._rows(page, _EVENT) if _is_event(row)]
        transactions = [TxnRow._make(row) for row in self._rows(page, _TXN) if _is_txn(row)]
        return Found(transactions, events, [match[1].decode() for match in _IDENTITY.finditer(page)])

    def _rows(self, page: bytes, shape: re.Pattern[bytes]) -> Iterator[list[object]]:
        at = 0
        while (match := shape.search(page, at)) is not None:
            at = match.start() + 1
            row = self._row(page, match.start(), _COLUMNS[shape])
            if row is not None:
                yield row

    def _row(self, page: bytes, start: int, columns: int) -> list[object] | None:
        """Return the row whose record begins there; None when there is none."""
        types: list[int] = []
        at, end = start + 1, start + page[start]
        while at < end and len(types) <= columns:
            type_, at = _varint(page, at)
            types.append(type_)
        if at != end or len(types) != columns:
            return None
        sizes = [_width(type_) for type_ in types]
        total = page[start] + sum(sizes)
        if total > _MOST:
            return None
        number = _number_before(page, start, total)
        payload = self._payload(page, start, total)
        if number is None or payload is None:
            return None
        row: list[object] = []
        at = page[start]
        for type_, size in zip(types, sizes, strict=True):
            row.append(_value(type_, payload[at : at + size]))
            at += size
        row[0] = number
        return row

    def _payload(self, page: bytes, start: int, total: int) -> bytes | None:
        """Return a record's bytes, those too that stand in other pages; what is missing there is filled with zeros."""
        most = self._usable - 35
        if total <= most:
            return page[start : start + total] if start + total <= len(page) else None
        least = (self._usable - 12) * 32 // 255 - 23
        local = least + (total - least) % (self._usable - 4)
        local = local if local <= most else least
        if start + local + 4 > len(page):
            return None
        data = bytearray(page[start : start + local])
        following = int.from_bytes(page[start + local : start + local + 4], "big")
        while len(data) < total and following:
            other = self._page(following)
            if len(other) < self._usable:
                break
            data += other[4 : min(self._usable, 4 + total - len(data))]
            following = int.from_bytes(other[:4], "big")
        return bytes(data.ljust(total, b"\x00"))


def _checksum(data: bytes, sums: tuple[int, int], order: str) -> tuple[int, int]:
    one, two = sums
    words: Sequence[int] = struct.unpack(f"{order}{len(data) // 4}I", data)
    for at in range(0, len(words), 2):
        one = (one + words[at] + two) & 0xFFFFFFFF
        two = (two + words[at + 1] + one) & 0xFFFFFFFF
    return one, two


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of up to eight bytes, and where what follows begins."""
    value = 0
    for byte in data[at : at + 8]:
        at += 1
        value = value << 7 | byte & 0x7F
        if byte <= _LAST_OF_ONE_BYTE:
            break
    return value, at


def _as_varint(value: int) -> bytes:
    data = [value & 0x7F]
    while value := value >> 7:
        data.append(value & 0x7F | 0x80)
    return bytes(reversed(data))


def _number_before(page: bytes, start: int, total: int) -> int | None:
    """Return the row's number, which stands before its record and behind the record's size."""
    at = start - 1
    while at > 0 and page[at - 1] > _LAST_OF_ONE_BYTE and start - at < 8:  # noqa: PLR2004 - the longest number
        at -= 1
    size = _as_varint(total)
    if at < 0 or page[at - len(size) : at] != size:
        return None
    number, behind = _varint(page, at)
    return number if behind == start else None


def _width(type_: int) -> int:
    return (type_ - _BLOB) // 2 if type_ >= _BLOB else _INTEGERS.get(type_, 0)


def _value(type_: int, data: bytes) -> object:
    if type_ in (8, 9):
        return type_ - 8
    if type_ in _INTEGERS:
        return int.from_bytes(data, "big", signed=True)
    if type_ >= _BLOB:
        return data if type_ % 2 == 0 else data.decode("utf-8", "replace")
    return None


def _is_event(row: list[object]) -> bool:
    return isinstance(row[8], bytes | None)


def _is_txn(row: list[object]) -> bool:
    return isinstance(row[7], bytes | None) and all(isinstance(row[at], bytes) and len(row[at]) == 32 for at in (8, 9))  # type: ignore[arg-type]  # noqa: PLR2004 - bytes of a hash
