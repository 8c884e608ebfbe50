"""The thread in which everything is looked up and done: a database belongs to the thread that opened it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from view.terminal.port import Source

T = TypeVar("T")


class Desk:
    """One thing at a time, in the order in which it was asked for; the screen goes on meanwhile."""

    def __init__(self, open_source: Callable[[], Source]) -> None:
        self._open = open_source
        self._source: Source | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="compare")
        self._waiting: set[Future[Any]] = set()

    async def __call__(self, do: Callable[[Source], T]) -> T:
        """Do something with the source, in its thread.

        Raises:
            GuildError: what was refused or failed.
        """
        asked = self._thread.submit(self._done, do)
        self._waiting.add(asked)
        asked.add_done_callback(self._waiting.discard)
        return await asyncio.wrap_future(asked)

    def _done(self, do: Callable[[Source], T]) -> T:
        if self._source is None:
            self._source = self._open()
        return do(self._source)

    def is_busy(self) -> bool:
        """Tell whether something is being looked up or done."""
        return bool(self._waiting)

    def close(self) -> None:
        """Finish what has begun, forget what waits, and let go of the source."""
        # In the same thread; what was waiting before it is done first, so cancelled where it can be.
        for waiting in list(self._waiting):
            waiting.cancel()
        self._thread.submit(self._close).result()
        self._thread.shutdown()

    def _close(self) -> None:
        if self._source is not None:
            self._source.close()
            self._source = None
