"""One run: what is known of it, its life, what it printed, the code that it ran."""

from __future__ import annotations

import os
from codecs import getincrementaldecoder
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from artifacts.beneath import open_below
from artifacts.output import OUTPUT
from artifacts.run_files import OWN, RunFilesError
from artifacts.source_manifest import read_manifest, snapshot_dir
from ledger.errors import GuildError
from ledger.lifecycle import ENDED
from projections.details import digests_of
from projections.selection import SelectionError
from view.web.answers import answer
from view.web.files import directory_of, known_run, run_id_of
from view.web.listing import row_objects
from view.web.params import Params
from view.web.sending import MOST_TEXT, TEXT_BYTES, text_of
from view.web.site import Session, Site, asking

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

OUTPUT_PATH = f"{OWN}/{OUTPUT}"
_PIECE, _MOST_PIECE = 65_536, 4 << 20
_BEYOND = 1 << 60
_MOST_SOURCES = 5_000
_LONGEST_CHARACTER = 4


def details(request: Request) -> Response:
    """Return all that is known of a run but its environment."""
    Params(request, ())
    site: Site = request.app.state.site

    def found(session: Session) -> Mapping[str, object]:
        session.reap()
        row = known_run(session, request)
        (known,) = row_objects(session, [row])
        for name in ("index", "tags", "comments", "flags", "scalars"):
            known.pop(name)
        return {"flags": {}, "scalars": {}, **known, **session.details(row)}

    return answer(asking(site, found))


def history(request: Request) -> Response:
    """Return the life of a run, also of one that was purged."""
    Params(request, ())
    site: Site = request.app.state.site
    run_id = run_id_of(request)

    def found(session: Session) -> Mapping[str, object]:
        told = session.history(run_id)
        if not told["events"]:
            raise SelectionError("there is no such run")
        return told

    return answer(asking(site, found))


def output(request: Request) -> Response:
    """Return a piece of what a run printed, and where the next one begins."""
    params = Params(request, ("offset", "limit"))
    offset = params.number("offset", 0, -_BEYOND, _BEYOND)
    limit = params.number("limit", _PIECE, _LONGEST_CHARACTER, _MOST_PIECE)
    site: Site = request.app.state.site

    def found(session: Session) -> tuple[str, bool]:
        row = known_run(session, request)
        return directory_of(session, row), row.status in ENDED

    folder, ended = asking(site, found)
    try:
        descriptor = open_below(folder, OUTPUT_PATH, own=True)
    except RunFilesError:
        return answer({"offset": 0, "next": 0, "size": 0, "text": "", "ended": ended})
    try:
        size = os.fstat(descriptor).st_size
        start = max(0, size + offset) if offset < 0 else min(offset, size)
        data = os.pread(descriptor, limit, start)
    finally:
        os.close(descriptor)
    text, taken = _text(data, whole=ended and start + len(data) >= size, middle=offset < 0 and start > 0)
    at_end = start + taken >= size
    return answer({"offset": start, "next": start + taken, "size": size, "text": text, "ended": ended and at_end})


def _text(data: bytes, *, whole: bool, middle: bool) -> tuple[str, int]:
    """Return a piece of output as text, and how many of its bytes that is: no character is cut in two.

    Args:
        data: the bytes.
        whole: nothing comes after them.
        middle: they may begin within a character.
    """
    skipped = 0
    while middle and skipped < min(_LONGEST_CHARACTER, len(data)) and data[skipped] & 0xC0 == 0x80:  # noqa: PLR2004 - UTF-8
        skipped += 1
    decoder = getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(data[skipped:], final=whole)
    return text, len(data) - len(decoder.getstate()[0])


def source(request: Request) -> Response:
    """Return which files the snapshot of a run's code holds; with `path`, the text of one."""
    params = Params(request, ("path", "limit"))
    path, limit = params.text("path"), params.number("limit", TEXT_BYTES, 1, MOST_TEXT)
    site: Site = request.app.state.site

    def found(session: Session) -> str | None:
        row = known_run(session, request)
        return digests_of(session.index, [row.number]).get(row.number)

    digest = asking(site, found)
    if digest is None:
        raise SelectionError("no source code was kept with this run")
    if path:
        files = os.path.join(snapshot_dir(site.home, digest), "files")
        return answer({"path": quote(os.fsencode(path)), **text_of(open_below(files, path, own=True), limit)})
    try:
        kept = read_manifest(site.home, digest)
    except GuildError as error:
        raise SelectionError(error.message, hint="The run was started in another home, or it was removed.") from error
    listed = [
        {"path": quote(os.fsencode(one.path)), "name": one.path, "kind": one.kind, "size": one.size}
        for one in kept[:_MOST_SOURCES]
    ]
    return answer({"digest": digest, "files": listed, "count": len(kept), "more": len(kept) > _MOST_SOURCES})
