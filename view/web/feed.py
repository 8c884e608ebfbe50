"""What happens, told to every page that listens, as server-sent events; nobody listening costs nothing."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from artifacts.home import check_run_id
from ledger.ids import RunId
from view.web.answers import BadRequestError, plain, problem
from view.web.params import Params
from view.web.sending import left
from view.web.site import Session, Site, asking
from view.web.watching import MOST_RUNS, News, Watch, touched

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

_PAUSE_SECONDS = 0.4
_HEARTBEAT_SECONDS = 15.0
_MOST_LISTENERS = 100
_MOST_FOLLOWED = 200
_RETRY_MS = 1_500
_LONGEST_NUMBER = 18


class Feed:
    """All who listen, and the one who looks for them."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._watch = Watch(site)
        self._listeners: set[Listener] = set()
        self._poller: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.is_over = False

    def enter(self, listener: Listener) -> None:
        """Tell somebody from now on."""
        self._loop = asyncio.get_running_loop()
        self._listeners.add(listener)
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll())

    def leave(self, listener: Listener) -> None:
        """Forget somebody."""
        self._listeners.discard(listener)

    def is_full(self) -> bool:
        """Tell whether nobody else may listen."""
        return len(self._listeners) >= _MOST_LISTENERS

    def end(self) -> None:
        """Let everybody go: called by a signal handler."""
        self.is_over = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        for listener in self._listeners:
            listener.woken.set()

    async def _poll(self) -> None:
        self._watch.forget()
        while self._listeners and not self.is_over:
            followed = {run_id for listener in self._listeners for run_id in listener.followed}
            news = await run_in_threadpool(self._watch.look, followed)
            for listener in self._listeners:
                listener.hear(news)
            await asyncio.sleep(_PAUSE_SECONDS)


class Listener:
    """One page that listens, and what it was not told yet: while it does not read, nothing piles up.

    Attributes:
        followed: runs whose output and series it wants to hear of.
        woken: set when there is something to say.
    """

    def __init__(self, followed: frozenset[RunId]) -> None:
        self.followed = followed
        self.woken = asyncio.Event()
        self._seq = 0
        self._runs: dict[str, None] = {}
        self._more = self._has_news = False
        self._sizes: dict[tuple[str, str], int] = {}
        self._grown: dict[tuple[str, str], int] = {}
        self._trouble: tuple[str, str | None] | None = None

    def begin(self, seq: int) -> None:
        """Take note of what the page was told first: what comes up to there, or came meanwhile, is no news."""
        if self._seq <= seq:
            self._seq, self._has_news, self._more = seq, False, False
            self._runs.clear()

    def hear(self, news: News) -> None:
        """Take what has happened."""
        if news.is_new and news.trouble is not None:
            self._trouble = news.trouble
        elif news.seq is not None and (news.seq > self._seq or (news.is_new and news.more)):
            # What lies between this page's last news and these was told to others, before it came.
            self._more = self._more or news.more or news.since > self._seq
            self._seq, self._has_news = news.seq, True
            self._runs |= dict.fromkeys(news.runs)
        for key, size in news.sizes.items():
            if key[1] in self.followed and self._sizes.get(key) != size:
                self._sizes[key] = self._grown[key] = size
        if self._trouble or self._has_news or self._grown:
            self.woken.set()

    def told(self) -> bytes:
        """Return what there is to say, and forget it."""
        self.woken.clear()
        parts = []
        if self._trouble is not None:
            message, hint = self._trouble
            parts.append(_event("trouble", {"error": message, "hint": hint}))
        if self._has_news:
            runs = list(self._runs)
            data = {"seq": self._seq, "runs": runs[:MOST_RUNS], "more": self._more or len(runs) > MOST_RUNS}
            parts.append(_event("ledger", data, self._seq))
        parts += [_event(kind, {"id": run_id, "size": size}) for (kind, run_id), size in self._grown.items()]
        self._trouble, self._runs, self._more, self._has_news = None, {}, False, False
        self._grown = {}
        return b"".join(parts)


def _event(kind: str, data: object, seq: int | None = None) -> bytes:
    number = "" if seq is None else f"id: {seq}\n"
    return f"event: {kind}\n{number}data: ".encode() + orjson.dumps(plain(data)) + b"\n\n"


class _Stream(Response):
    """The answer that goes on until the page or the server ends."""

    media_type = "text/event-stream"

    def __init__(self, feed: Feed, listener: Listener, after: int | None) -> None:
        super().__init__()
        self._feed, self._listener, self._after = feed, listener, after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Tell what happens."""
        del scope
        gone = asyncio.ensure_future(left(receive))
        self._feed.enter(self._listener)
        try:
            headers = [one for one in self.raw_headers if one[0] != b"content-length"]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            seq, greeting = await run_in_threadpool(self._greeting)
            self._listener.begin(seq)
            await _say(send, greeting)
            while not (gone.done() or self._feed.is_over):
                woken = asyncio.ensure_future(self._listener.woken.wait())
                await asyncio.wait((gone, woken), timeout=_HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                woken.cancel()
                if not gone.done():
                    await _say(send, self._listener.told() or b": still there\n\n")
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._feed.leave(self._listener)
            gone.cancel()
            with suppress(asyncio.CancelledError):
                await gone

    def _greeting(self) -> tuple[int, bytes]:
        """Return up to where the page knows all then, and the first event, with what it missed that was cut off."""
        seq, missed = asking(self._feed.site, self._missed)
        hello = _event("hello", {"seq": seq, "version": self._feed.site.config()["version"]}, seq)
        return seq, f"retry: {_RETRY_MS}\n".encode() + hello + missed

    def _missed(self, session: Session) -> tuple[int, bytes]:
        store = session.ledger.store
        seq = store.head().seq
        if self._after is None or self._after == seq:
            return seq, b""
        if self._after > seq:
            return seq, _event("ledger", {"seq": seq, "runs": [], "more": True}, seq)
        runs, more = touched(store, self._after)
        return seq, _event("ledger", {"seq": seq, "runs": runs, "more": more}, seq)


async def _say(send: Send, text: bytes) -> None:
    await send({"type": "http.response.body", "body": text, "more_body": True})


async def events(request: Request) -> Response:
    """Return the stream of what happens."""
    runs = Params(request, ("run",)).texts("run")
    if len(runs) > _MOST_FOLLOWED:
        raise BadRequestError(f"at most {_MOST_FOLLOWED} runs can be followed")
    feed: Feed = request.app.state.feed
    if feed.is_full() or feed.is_over:
        return problem(503, "too many pages are open", "Close some of them.")
    last = request.headers.get("last-event-id", "")
    after = int(last) if last.isascii() and last.isdecimal() and len(last) <= _LONGEST_NUMBER else None
    return _Stream(feed, Listener(frozenset(map(check_run_id, runs))), after)
