"""`guild ls`: the files that a run left behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator

import click

from artifacts.run_files import RunFile, files_below
from commands.app import App
from commands.options import SELECTION_HELP, Limits, archive_option, json_option, limiting, run_words
from commands.run_folder import deleted_option, folder_of, one_run
from commands.terminal import drop_output, page, warn
from ledger.text import printable, size
from projections.query import RunRow

_LONGEST = 4_000
_SIZE_COLUMNS = 10


@click.command("ls", epilog=SELECTION_HELP)
@click.argument("spec", metavar="[RUN]", required=False, shell_complete=run_words)
@click.argument("path", metavar="[PATH]", default="")
@click.option("-A", "--all-files", is_flag=True, help="Also guild's own files of the run, in `.guild`.")
@click.option("--sizes", is_flag=True, help="Show the sizes.")
@click.option("-n", "--no-format", is_flag=True, help="Only paths, one a line, as they are.")
@deleted_option
@limiting
@archive_option
@json_option
@click.pass_obj
def list_files(
    app: App,
    spec: str | None,
    path: str,
    limits: Limits,
    *,
    all_files: bool,
    sizes: bool,
    no_format: bool,
    deleted: bool,
    as_json: bool,
) -> None:
    """List the files of a run: of the latest one when no RUN is given. PATH is a file or folder of the run.

    Paths are relative to the run directory, which is shown first, and sorted. Links are not followed.

    \b
    Examples:
      guild ls                   the files of the latest run
      guild ls 3 checkpoints     those in a folder of run 3
      guild ls -l best --sizes   of the latest run labelled best
      guild ls 0 --archive best.tar.gz
    """
    row = one_run(app, spec, limits, deleted=deleted)
    folder, found = _found(app, row, path, hidden=all_files)
    app.close()
    if as_json:
        page(_json_lines(found))
    elif no_format:
        _print_paths(found, sizes=sizes)
    else:
        page(_lines(folder, found, sizes=sizes))


def _found(app: App, row: RunRow, path: str, *, hidden: bool) -> tuple[str, Iterator[RunFile]]:
    """Return where the files of a run are, and those that are asked for."""
    if app.archived is not None:
        from artifacts.archived_files import archived_files

        return app.archived.folder(row.run_id), archived_files(app.archived.run(row.run_id), path, hidden=hidden)

    def refused(name: str, error: OSError) -> None:
        warn(f"'{printable(name or '.')}' cannot be read: {error.strerror}")

    folder = folder_of(app, row)
    return folder, files_below(folder, path, hidden=hidden, refused=refused)


def _lines(folder: str, found: Iterable[RunFile], *, sizes: bool) -> Iterator[str]:
    first = True
    for one in found:
        if first:
            yield f"{printable(folder, _LONGEST)}:"
            first = False
        shown = "" if one.size is None else size(one.size)
        before = f"{shown:>{_SIZE_COLUMNS}}  " if sizes else ""
        yield f"  {before}{printable(_named(one), _LONGEST)}"
    if first:
        yield f"{printable(folder, _LONGEST)}:"


def _named(one: RunFile) -> str:
    return f"{one.path}/" if one.kind == "folder" else one.path


def _print_paths(found: Iterable[RunFile], *, sizes: bool) -> None:
    """Print paths byte for byte, so that a script can use them; on a terminal they must not command it."""
    if sys.stdout is None or sys.stdout.isatty():
        page(_path_line(one, sizes=sizes, is_safe=True) for one in found)
        return
    try:
        for one in found:
            sys.stdout.buffer.write(os.fsencode(_path_line(one, sizes=sizes, is_safe=False)) + b"\n")
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        drop_output()


def _path_line(one: RunFile, *, sizes: bool, is_safe: bool) -> str:
    name = printable(_named(one), _LONGEST) if is_safe else _named(one)
    return f"{'' if one.size is None else one.size}\t{name}" if sizes else name


def _json_lines(found: Iterable[RunFile]) -> Iterator[str]:
    """Yield a JSON array of files, one line each."""
    from ledger.canonical import encode

    before = "["
    for one in found:
        yield before
        before = f"  {encode({'path': one.path, 'type': one.kind, 'size': one.size}).decode()},"
    yield before.removesuffix(",")
    yield "]"
