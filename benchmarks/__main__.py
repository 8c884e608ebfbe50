"""`python -m benchmarks`: measure everything and write `docs/performance.md`."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from benchmarks import appending, replaying, running, starting
from benchmarks.plan import Plan, quick
from benchmarks.processes import ROOT
from benchmarks.report import page, table_row
from benchmarks.samples import Figure

_PARTS = (starting, running, appending, replaying)


def main(argv: list[str] | None = None) -> int:
    """Measure, print each row as soon as it is there, and write the page; returns the exit code."""
    options = _parser().parse_args(argv)
    cache = os.path.abspath(options.cache)
    os.makedirs(cache, exist_ok=True)
    scratch = tempfile.mkdtemp(prefix="scratch-", dir=cache)
    plan = quick(cache, scratch, options.guildai) if options.quick else Plan(cache, scratch, guildai=options.guildai)
    try:
        figures = list(_measured(plan))
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"benchmarks: {error}\n{(error.output or b'').decode(errors='replace')}")
        return 1
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    output = options.output or (None if options.quick else os.path.join(ROOT, "docs", "performance.md"))
    if output:
        with open(output, "w", encoding="utf-8") as file:
            file.write(page(figures, plan))
    return 0


def _measured(plan: Plan) -> Iterator[Figure]:
    for part in _PARTS:
        for figure in part.figures(plan):
            print(table_row(figure), flush=True)
            yield figure


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure what Guild Ledger costs.")
    cache = os.path.join(tempfile.gettempdir(), "guild-ledger-benchmarks")
    parser.add_argument(
        "--cache", default=cache, help="folder for the large homes, which take minutes to make (default: %(default)s)"
    )
    parser.add_argument("--guildai", metavar="PYTHON", help="an interpreter that has guildai, to compare with")
    parser.add_argument("--output", metavar="FILE", help="where to write the page (default: docs/performance.md)")
    parser.add_argument(
        "--quick", action="store_true", help="small numbers: shows that everything works, writes no page"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
