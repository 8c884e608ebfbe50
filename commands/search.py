"""`guild search`: packages by what pip can tell, which is the versions behind a name, and what is installed."""

from __future__ import annotations

import os
import re

import click

from commands.app import App
from commands.options import json_option
from commands.pip_calls import ask_pip, interpreter_of_runs, no_options
from commands.terminal import note, page, say, warn
from ledger.errors import GuildError
from ledger.text import printable

_NAME = re.compile(r"[A-Z0-9](?:[A-Z0-9._-]*[A-Z0-9])?", re.IGNORECASE | re.ASCII)
_VERSIONS = re.compile(r"^Available versions:(.*)$", re.MULTILINE)
_NO_ANSWER = re.compile(r"connection|timed? ?out|retry|proxy|ssl|resolve", re.IGNORECASE)
_SHOWN_VERSIONS = 10


@click.command("search")
@click.argument("term", metavar="TERM")
@click.option("-i", "--installed", "only_installed", is_flag=True, help="Do not ask the index.")
@click.option("--index-url", metavar="URL", help="The index to ask, instead of pip's.")
@json_option
@click.pass_obj
def search(app: App, term: str, *, only_installed: bool, index_url: str | None, as_json: bool) -> None:
    """Look for a package: installed ones about TERM, and the versions that the index has of a package TERM.

    Package indexes no longer answer searches by word, and pip does not offer them: of what is not installed, only a
    package whose name is exactly TERM is found.

    \b
    Examples:
      guild search iris
      guild search -i iris   only what is installed
    """
    from commands.packages import as_data, fits, rows
    from operations.packages import installed_packages, models_of

    no_options([term], "a word to look for")
    found = installed_packages(interpreter_of_runs(), os.environ, everything=True)
    models = models_of(found, warn)
    shown = [one for one in found if fits(one, models, [term])]
    versions, trouble = ([], "") if only_installed else _versions(app, term, index_url)
    if as_json:
        import orjson

        data = {"installed": [as_data(one, models) for one in shown], "available": versions}
        say(orjson.dumps(data, option=orjson.OPT_INDENT_2).decode())
    elif shown or versions:
        page(["Installed:", *(f"  {row}" for row in rows(shown))] if shown else [])
        if versions:
            more = f" and {len(versions) - _SHOWN_VERSIONS} more" if len(versions) > _SHOWN_VERSIONS else ""
            say(f"Available:\n  {term}  {', '.join(versions[:_SHOWN_VERSIONS])}{more}")
    if trouble and (shown or versions):
        note(f"The index gave no answer: {trouble}")
    elif trouble:
        raise GuildError(f"nothing is installed about '{printable(term)}', and the index gave no answer: {trouble}")
    elif not shown and not versions and not as_json:
        raise GuildError(
            f"no package was found for '{printable(term)}'",
            hint="An index is only asked for a package of exactly this name. https://pypi.org can be searched by word.",
        )


def _versions(app: App, term: str, index_url: str | None) -> tuple[list[str], str]:
    """Return the versions that the index has of a package, the newest first, and why it could not be asked."""
    if _NAME.fullmatch(term) is None:
        return [], ""
    index = [] if index_url is None else [f"--index-url={index_url}"]
    try:
        done = ask_pip(app, ["index", "versions", "--no-color", "--retries=1", "--timeout=10", *index, term])
    except GuildError as error:
        return [], error.message
    listed = _VERSIONS.search(done.stdout)
    if done.returncode == 0 and listed is not None:
        return [version.strip() for version in listed[1].split(",") if version.strip()], ""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    reasons = [line for line in lines if _NO_ANSWER.search(line)]
    if reasons:
        return [], printable(reasons[0].removeprefix("WARNING: "), 300)
    if any("No matching distribution" in line for line in lines):
        return [], ""
    return [], printable(lines[-1] if lines else f"pip ended with exit code {done.returncode}", 300)
