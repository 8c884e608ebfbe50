"""Sending an open file: in pieces, a part of it when that is asked for, and no further than somebody listens."""

from __future__ import annotations

import asyncio
import os
import re
from codecs import getincrementaldecoder
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from view.web.answers import problem

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

TEXT_BYTES, MOST_TEXT = 262_144, 4 << 20
"""Of a file that is shown as text: so many without being asked, and at most."""

_PIECE = 262_144
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def text_of(descriptor: int, limit: int) -> Mapping[str, object]:
    """Return the first bytes of a file as text, and close it.

    Args:
        descriptor: the open file.
        limit: bytes.
    """
    try:
        size = os.fstat(descriptor).st_size
        data = _read(descriptor, 0, limit)
    finally:
        os.close(descriptor)
    if b"\0" in data:
        return {"text": "", "truncated": size > 0, "binary": True, "size": size}
    shown = getincrementaldecoder("utf-8")("replace").decode(data, final=len(data) >= size)
    return {"text": shown, "truncated": size > len(data), "binary": False, "size": size}


def _read(descriptor: int, offset: int, length: int) -> bytes:
    pieces = []
    while length > 0 and (piece := os.pread(descriptor, min(length, _PIECE), offset)):
        pieces.append(piece)
        offset, length = offset + len(piece), length - len(piece)
    return b"".join(pieces)


class FileAnswer(Response):
    """A file as an answer; it is closed at the end, however that comes.

    Args:
        descriptor: the open file.
        headers: those of the answer.
    """

    def __init__(self, descriptor: int, headers: Mapping[str, str]) -> None:
        super().__init__(headers=dict(headers))
        self._descriptor = descriptor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        gone = asyncio.ensure_future(left(receive))
        try:
            await self._send(scope, receive, send, gone)
        finally:
            gone.cancel()
            with suppress(asyncio.CancelledError):
                await gone
            os.close(self._descriptor)

    async def _send(self, scope: Scope, receive: Receive, send: Send, gone: asyncio.Future[None]) -> None:
        size = os.fstat(self._descriptor).st_size
        wanted = dict(scope["headers"]).get(b"range", b"").decode("latin-1")
        first, last = _range(wanted, size)
        if first > last and wanted and size:
            await problem(416, f"the file has {size} bytes")(scope, receive, send)
            return
        is_part = (first, last) != (0, size - 1)
        headers = [one for one in self.raw_headers if one[0] != b"content-length"]
        headers += [(b"accept-ranges", b"bytes"), (b"content-length", str(last - first + 1).encode())]
        if is_part:
            headers.append((b"content-range", f"bytes {first}-{last}/{size}".encode()))
        await send({"type": "http.response.start", "status": 206 if is_part else 200, "headers": headers})
        while first <= last and scope["method"] != "HEAD" and not gone.done():
            piece = await run_in_threadpool(os.pread, self._descriptor, min(_PIECE, last - first + 1), first)
            if not piece:
                raise ConnectionAbortedError  # it was cut meanwhile: what was announced cannot be sent
            first += len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _range(wanted: str, size: int) -> tuple[int, int]:
    """Return the first and last byte that are asked for; all for what is not understood."""
    match = _RANGE.fullmatch(wanted)
    if match is None or wanted == "bytes=-":
        return 0, size - 1
    if not match[1]:
        return max(0, size - int(match[2])), size - 1
    return int(match[1]), min(int(match[2]) if match[2] else size - 1, size - 1)


async def left(receive: Receive) -> None:
    """Wait until the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
