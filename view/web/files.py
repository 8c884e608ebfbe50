"""The files that a run left behind: listed, shown as text, and sent in such a way that none of them can do anything.

A file of a run may have been written by anybody's code, and a browser would run it as part of this page: so a file that
a browser might run is only ever saved, or shown in a sandbox that has no scripts and no way to ask this server.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from artifacts.beneath import folder_below, open_below
from artifacts.run_files import OWN, RunFilesError
from ledger.ids import RunId, is_run_id
from ledger.text import utc_time
from projections.query import RunRow
from projections.schema import DELETED, LIVE
from projections.selection import SelectionError
from view.web.answers import answer
from view.web.kinds import preview, served_as
from view.web.listing import known
from view.web.params import Params
from view.web.sending import MOST_TEXT, TEXT_BYTES, FileAnswer, text_of
from view.web.site import Session, Site, asking

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_MOST_ENTRIES = 5_000
_SANDBOX = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; frame-ancestors 'self'"
)


def known_run(session: Session, request: Request) -> RunRow:
    """Return the run that an address names by its whole id.

    Raises:
        SelectionError: there is none.
    """
    return known(session, run_id_of(request))


def run_id_of(request: Request) -> RunId:
    """Return the id in an address.

    Raises:
        SelectionError: it is none.
    """
    text = request.path_params["run_id"]
    if not is_run_id(text):
        raise SelectionError("there is no such run", hint="A run is named by its whole id, 32 hexadecimal digits.")
    return RunId(text)


def directory_of(session: Session, row: RunRow) -> str:
    """Return where the directory of a run is.

    Raises:
        SelectionError: it has none any more, or not yet, or not here.
    """
    folders = {LIVE: session.home.run_dir, DELETED: session.home.trash_run_dir}
    folder = folders[row.place](row.run_id) if row.place in folders else ""
    if not folder or not os.path.isdir(folder):
        raise SelectionError(
            f"run {row.run_id[:8]} has no directory in this home",
            hint="It has not started, was started in another home, or its files were removed.",
        )
    return folder


def _folder(request: Request) -> str:
    """Return the directory of the run that is asked for; the ledger is closed again, however long a file is read."""
    site: Site = request.app.state.site
    return asking(site, lambda session: directory_of(session, known_run(session, request)))


def files(request: Request) -> Response:
    """Return what is in a folder of a run."""
    path = Params(request, ("path",)).text("path")
    with folder_below(_folder(request), path) as descriptor:
        entries = list(_entries(descriptor, path))
    entries.sort(key=lambda entry: (entry["kind"] != "dir", str(entry["name"])))
    return answer(
        {"path": quote(os.fsencode(path)), "entries": entries[:_MOST_ENTRIES], "more": len(entries) > _MOST_ENTRIES}
    )


def _entries(descriptor: int, path: str) -> Iterator[Mapping[str, object]]:
    with os.scandir(descriptor) as found:
        for number, entry in enumerate(found):
            if number > 10 * _MOST_ENTRIES:
                return
            if entry.name == OWN and not path.strip("/."):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue  # gone while it was listed
            full = f"{path.rstrip('/')}/{entry.name}" if path else entry.name
            yield {
                "name": entry.name,
                "path": quote(os.fsencode(full)),
                "kind": _kind(status.st_mode),
                "size": status.st_size if stat.S_ISREG(status.st_mode) else None,
                "modified": utc_time(status.st_mtime_ns // 1000),
                "preview": preview(entry.name) if _kind(status.st_mode) in ("file", "link") else "none",
            }


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "dir"
    return "file" if stat.S_ISREG(mode) else "link" if stat.S_ISLNK(mode) else "other"


def text(request: Request) -> Response:
    """Return the beginning of a file as text."""
    params = Params(request, ("path", "limit"))
    limit = params.number("limit", TEXT_BYTES, 1, MOST_TEXT)
    descriptor = open_below(_folder(request), params.text("path"))
    return answer(text_of(descriptor, limit))


def file(request: Request) -> Response:
    """Return the bytes of a file: with `show=1` what a browser might run is shown in a sandbox, else it is saved."""
    params = Params(request, ("path", "show"))
    path, show = params.text("path"), bool(params.flag("show"))
    if not path:
        raise RunFilesError("no file is named")
    descriptor = open_below(_folder(request), path)
    kind, is_shown = served_as(os.path.basename(path), show=show)
    name = quote(os.fsencode(os.path.basename(path)))
    headers = {
        "content-type": kind,
        "content-disposition": f"{'inline' if is_shown else 'attachment'}; filename*=UTF-8''{name}",
        "content-security-policy": _SANDBOX,
        "x-frame-options": "SAMEORIGIN",
    }
    return FileAnswer(descriptor, headers)
