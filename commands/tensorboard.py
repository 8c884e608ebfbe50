"""`guild tensorboard`: TensorBoard on the runs that are selected, as long as nobody ends it."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import click

from artifacts.log_folder import LogFolder, LoggedRun
from commands.app import App
from commands.browser import open_page
from commands.options import SELECTION_HELP, Limits, limiting, run_words
from commands.runs_info import run_details
from commands.selecting import open_query, run_filter, selected, tell_moved
from commands.tensorboard_process import TensorBoard, find_tensorboard
from commands.terminal import note, say, warn
from ledger.errors import GuildError, UsageError
from ledger.ids import RunId
from ledger.text import printable
from operations.signals import StoppedError
from projections.query import RunFilter, RunRow, displayed, runs_by_id
from projections.schema import LIVE

if TYPE_CHECKING:
    from artifacts.event_writing import Hyperparameter
    from operations.definitions import FlagValue

MOST_RUNS = 1_000
"""TensorBoard gets slow long before that."""

_LONGEST_NAME = 120
_KEPT_IN_NAMES = frozenset(" ._=+-:,@()[]")
_MOST_FLAGS = 200
_SECONDS = 5
_EXIT_OF_SIGNAL = 128


@click.command("tensorboard", epilog=SELECTION_HELP)
@click.argument("specs", metavar="[RUN]...", nargs=-1, shell_complete=run_words)
@limiting
@click.option("--host", metavar="ADDRESS", default="127.0.0.1", help="Where it listens (default: 127.0.0.1).")
@click.option(
    "--port", metavar="PORT", type=click.IntRange(0, 65535), default=0, help="Its port (default: a free one)."
)
@click.option("-n", "--no-open", is_flag=True, help="Do not open a browser.")
@click.option(
    "--refresh-interval", "seconds", metavar="SECONDS", type=click.IntRange(1, 86_400), default=_SECONDS,
    help="How often new runs and numbers are looked for (default: 5).",
)  # fmt: skip
@click.option(
    "-O", "--option", "options", metavar="NAME=VALUE", multiple=True,
    help="An option of TensorBoard's own, given to it as --NAME=VALUE; may be repeated.",
)  # fmt: skip
@click.pass_obj
def tensorboard(
    app: App, specs: tuple[str, ...], limits: Limits, *,
    host: str, port: int, no_open: bool, seconds: int, options: tuple[str, ...],
) -> int:  # fmt: skip
    """Show runs in TensorBoard: all that match when no RUN is given. Ctrl-C ends it.

    While it runs, new runs that match come in, and deleted ones go. Runs that wrote event files are shown with these;
    of others the scalars that were captured. Flags are its hyperparameters.

    TensorBoard is not a part of guild: pip install tensorboard

    \b
    Examples:
      guild tensorboard
      guild tb 0:4 --port 6006
      guild tb --tag paper -O samples_per_plugin=scalars=5000
    """
    command = find_tensorboard(_words(options))
    wanted = run_filter(app, limits)
    ids = _ids(app, wanted, specs)
    shown = _Selection(app, wanted, ids)
    try:
        with TensorBoard(command, host, port) as board:
            logs = LogFolder(board.log_folder)
            _update(logs, shown)
            board.start(seconds)
            say(f"TensorBoard: {board.url}")
            note(f"Showing {shown.count} run(s); Ctrl-C ends it.")
            if not no_open:
                open_page(board.url)
            board.watch(seconds, lambda: _refresh(logs, shown))
    except StoppedError as error:
        number = signal.Signals[error.name]
        return 0 if number == signal.SIGINT else _EXIT_OF_SIGNAL + number


def _words(options: Sequence[str]) -> list[str]:
    """Return options of TensorBoard's own as it takes them.

    Raises:
        UsageError: one is not NAME=VALUE, or is given by guild itself.
    """
    for text in options:
        name, equals, _ = text.partition("=")
        if not equals or not name.replace("_", "").isalnum():
            raise UsageError(
                f"'{printable(text, 80)}' is not NAME=VALUE", hint="Example: -O samples_per_plugin=scalars=5000."
            )
        if name in ("logdir", "logdir_spec", "host", "port", "bind_all"):
            raise UsageError(f"{name} is given to TensorBoard by guild", hint="See --host and --port.")
    return [f"--{text}" for text in options]


def _ids(app: App, wanted: RunFilter, specs: Sequence[str]) -> list[RunId]:
    """Return the runs that were named; none for all that match."""
    if not specs:
        return []
    rows = selected(app, wanted, specs)
    tell_moved(app)
    return [row.run_id for row in rows]


class _Selection:
    """The runs to be shown, asked for again and again; what is known of a run is read once."""

    def __init__(self, app: App, wanted: RunFilter, ids: Sequence[RunId]) -> None:
        self._app, self._wanted, self._named = app, wanted, ids
        self._flags: dict[RunId, dict[str, Hyperparameter]] = {}
        self._is_cut = False
        self.count = 0

    def runs(self) -> list[LoggedRun]:
        """Return them as they are now.

        Raises:
            GuildError: the ledger or the index cannot be read.
        """
        try:
            rows = [row for row in self._rows() if row.status != "staged"]
            if len(rows) > MOST_RUNS and not self._is_cut:
                self._is_cut = True
                note(f"Only the latest {MOST_RUNS} of the runs are shown; filters choose others.")
            rows = rows[:MOST_RUNS]
            self.count = len(rows)
            return [self._logged(row) for row in rows]
        finally:
            self._app.close()  # no database stays open while TensorBoard works

    def _rows(self) -> list[RunRow]:
        query = open_query(self._app, self._wanted)
        if self._named:
            known = runs_by_id(self._app.index, self._named)
            return [row for row in known.values() if row.place == LIVE]
        return list(query.rows(limit=MOST_RUNS + 1))

    def _logged(self, row: RunRow) -> LoggedRun:
        if row.run_id not in self._flags:
            self._flags[row.run_id] = _hyperparameters(run_details(self._app, row).get("flags"))
        return LoggedRun(
            run_id=row.run_id,
            name=_name(row, self._app.cwd),
            folder=self._app.home.run_dir(row.run_id),
            is_over=row.status != "running",
            started=row.started / 1_000_000,
            flags=self._flags[row.run_id],
        )


def _name(row: RunRow, cwd: str) -> str:
    """Return what a run is called: its short id, its operation, its label; nothing in it can be a path."""
    text = " ".join(filter(None, (row.run_id[:8], displayed(row.op, cwd).removeprefix("./"), row.label)))
    kept = "".join(letter if letter.isalnum() or letter in _KEPT_IN_NAMES else "_" for letter in text)
    while len(kept.encode()) > _LONGEST_NAME:
        kept = kept[:-1]
    return kept.strip()


def _hyperparameters(flags: object) -> dict[str, Hyperparameter]:
    from operations.flags import flow_text

    found: dict[str, Hyperparameter] = {}
    for name, value in list(flags.items())[:_MOST_FLAGS] if isinstance(flags, dict) else ():
        if value is not None:
            found[str(name)] = (
                value if isinstance(value, (bool, int, float, str)) else flow_text(cast("FlagValue", value))
            )
    return found


def _update(logs: LogFolder, shown: _Selection) -> None:
    """Bring the folder up to date; what the system refuses now may work at the next look.

    Raises:
        GuildError: the ledger or the index cannot be read.
    """
    try:
        logs.update(shown.runs())
    except OSError as error:
        warn(f"the runs shown could not be brought up to date: {error.strerror}")


def _refresh(logs: LogFolder, shown: _Selection) -> None:
    """Bring the folder up to date; what does not work now may work at the next look."""
    try:
        _update(logs, shown)
    except GuildError as error:
        warn(error.message)
