"""`guild diff`: what differs between two runs, or, with `--at` twice, what changed between two moments."""

from __future__ import annotations

from typing import Any

import click

from commands.app import App
from commands.options import SELECTION_HELP, Limits, json_option, limiting, moment_words, run_words
from commands.run_folder import deleted_option
from ledger.dataclass import dataclass
from ledger.errors import UsageError
from ledger.text import printable

_SECTIONS = (
    ("attributes", ("--attrs",), "What the runs are and how they ended: status, label, tags, duration, command, git."),
    ("flags", ("--flags", "-f"), "Flags."),
    ("environment", ("--env", "-e"), "The recorded environment: versions, machine, variables that are kept."),
    ("dependencies", ("--deps", "-D"), "What the runs required."),
    ("scalars", ("--scalars",), "Scalars: first, last, least and greatest value of each."),
    ("source", ("--sourcecode", "--source", "-s"), "Source code, as a unified diff."),
    ("output", ("--output", "-O"), "What the runs printed, as a unified diff."),
    ("files", ("--files",), "Files, by size and content."),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What of two runs is to be shown.

    Attributes:
        sections: names of sections; empty for a summary of all.
        paths: files or folders to which source code and files are limited.
        only_counts: `--stat`: numbers of lines instead of unified diffs.
        program: the program that is to compare them; None for this one.
    """

    sections: tuple[str, ...]
    paths: tuple[str, ...]
    only_counts: bool
    program: str | None


def _choosing(command: Any) -> Any:
    """Add an option for each section; the command receives them by the names of the sections."""
    for name, options, text in reversed(_SECTIONS):
        command = click.option(*options, name, is_flag=True, help=text)(command)
    return command


@click.command("diff", epilog=SELECTION_HELP)
@click.argument("specs", metavar="[RUN [RUN]]", nargs=-1, shell_complete=run_words)
@_choosing
@click.option("-p", "--path", "paths", metavar="PATH", multiple=True, help="A file or folder; may be repeated.")
@click.option("--stat", "only_counts", is_flag=True, help="Only how many lines differ, no unified diffs.")
@click.option("-c", "--cmd", "program", metavar="PROGRAM", help="Compare with PROGRAM, which is given two paths.")
@deleted_option
@click.option(
    "--at", "moments", metavar="TIME|SEQ|TXN", multiple=True, shell_complete=moment_words,
    help="Given twice: what changed of runs between two times, or transactions as in `guild log`.",
)  # fmt: skip
@limiting
@json_option
@click.pass_obj
def diff(
    app: App, /, specs: tuple[str, ...], limits: Limits, *, moments: tuple[str, ...], as_json: bool, **options: Any
) -> int:
    """Show what differs between two runs, from the first to the second.

    Without RUNs the latest run that matches is compared with the one before it; with one RUN that one with the one
    before it. Two are compared in the order in which they are given.

    By default a summary of everything is shown, as far as it differs; of source code and output only how many lines.
    Options show single sections, source code and output as unified diffs. With --path the files of the runs at PATH
    are compared line by line; together with --source, those of their source code.

    Of what is larger than 4 MiB or 50,000 lines only the beginning is compared line by line. The exit code is 0 also
    when the runs differ; with --cmd it is the program's.

    With --at given twice, it shows what changed of runs from one moment to another, a line for each run; options limit
    the runs to those that match at one of the two moments.

    \b
    Examples:
      guild diff                     the latest run and the one before
      guild diff 3 0 --flags         from run 3 to run 0
      guild diff 1 0 --source
      guild diff 1 0 -p metrics.csv
      guild diff -l best --cmd meld  the latest two labelled best
      guild diff --at yesterday --at now
    """
    deleted = bool(options.pop("deleted"))
    sections = tuple(name for name, _, _ in _SECTIONS if options.pop(name))
    asked = Asked(sections, **options)
    if moments:
        if specs or asked != Asked((), (), only_counts=False, program=None) or deleted:
            words = f"'{printable(specs[0], 80)}' is" if specs else "options for two runs are"
            raise UsageError(
                f"--at is for two moments, not for runs: {words} too much",
                hint="Example: guild diff --at yesterday --at now. Filters limit the runs.",
            )
        from commands.diff_moments import show_moments

        show_moments(app, moments, limits, as_json=as_json)
        return 0
    from commands.diff_runs import show_runs

    return show_runs(app, specs, limits, asked, deleted=deleted, as_json=as_json)
