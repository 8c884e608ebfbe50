"""The real command, driven from outside: `guild` in a process of its own, and projects to run it in.

A home full of runs costs seconds to make, so one is made for each worker and every test gets a copy of it: moving a
home moves everything.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ledger.events.notes import RunScalarsRecorded
from ledger.ids import RunId, run_stream
from ledger.opening import open_existing
from ledger.transaction import Header, NewEvent, Transaction
from tests import forked

if TYPE_CHECKING:
    import pytest

    from ledger.canonical import Value

ROOT = Path(__file__).resolve().parent.parent
COMMAND = (sys.executable, "-m", "guild_ledger")
LOCAL_SCOPE = "Limiting runs to the current directory (use --all to include all)\n"
PATIENCE = 120.0
"""Seconds after which a command counts as hanging: a busy machine may stand still for half a minute."""

ROW = re.compile(
    r"\[(?P<index>\d+):(?P<short>[0-9a-f]{8})\]\s+(?P<op>\S.*?)\s{2,}(?P<started>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)"
    r"  (?P<status>\w+)(?:\s+(?P<label>\S.*))?"
)

IRIS = """\
- name: iris-cnn
  description: Iris CNN
  operations:
    train:
      description: Train it
      cmd: work
      flags:
        epochs: {default: 3, description: Passes over the data}
    finetune:
      cmd: work
      flags:
        base: {description: Base checkpoint, required: yes}
        rate: {default: 0.5, description: How fast}
    test: work --exit 3
- name: iris-svm
  operations:
    train: work
    hang: work --kill
"""

WORK = """\
import os, signal, sys
print("working", *sys.argv[1:])
if "--kill" in sys.argv:
    os.kill(os.getpid(), signal.SIGTERM)
if "--exit" in sys.argv:
    sys.exit(int(sys.argv[sys.argv.index("--exit") + 1]))
"""


class Result(NamedTuple):
    """How a command ended; undecodable bytes of its output are kept as lone surrogates."""

    code: int
    out: str
    err: str

    @property
    def both(self) -> str:
        """All that was said."""
        return self.out + self.err


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a listing."""

    index: int
    short: str
    op: str
    started: str
    status: str
    label: str


@dataclass(frozen=True, slots=True)
class Guild:
    """The command with a home, a working directory and an environment of its own.

    Attributes:
        home: GUILD_HOME.
        cwd: working directory.
        env: variables that are added; None removes one.
        prepare: called in the new process before the command starts.
    """

    home: Path
    cwd: Path
    env: Mapping[str, str | None] = field(default_factory=dict)
    prepare: Callable[[], None] | None = None

    def at(self, cwd: Path | str) -> Guild:
        """Return the same in another working directory."""
        return replace(self, cwd=Path(cwd))

    def with_env(self, **env: str | None) -> Guild:
        """Return the same with other variables; None removes one."""
        return replace(self, env={**self.env, **env})

    def __call__(self, *args: str, stdin: str = "", timeout: float = PATIENCE) -> Result:
        """Run the command to its end; it must never show a traceback."""
        given, env = _bytes(stdin), self.environment()
        if self.prepare is None and forked.can_fork(env, _base(self.home), given):
            code, out, err = forked.run(args, str(self.cwd), env, given, timeout)
        else:
            code, out, err = self._run(args, given, timeout)
        result = Result(code, _text(out), _text(err))
        assert "Traceback (most recent call last)" not in result.err, result
        assert "not foreseen" not in result.err, result
        return result

    def _run(self, args: Sequence[str], stdin: bytes, timeout: float) -> tuple[int, bytes, bytes]:
        process = self.start(*args)
        try:
            out, err = process.communicate(stdin, timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return process.returncode, out, err

    def many(self, lines: Iterable[Sequence[str]]) -> list[Result]:
        """Run many commands, one after the other."""
        return [self(*line) for line in lines]

    def ok(self, *args: str, stdin: str = "") -> str:
        """Run a command that must succeed; return what it printed on stdout."""
        result = self(*args, stdin=stdin)
        assert result.code == 0, result
        return result.out

    def refused(self, *args: str, stdin: str = "", code: int = 1) -> str:
        """Run a command that must end with `code`, a message and a hint; return what it said on stderr."""
        result = self(*args, stdin=stdin)
        assert result.code == code, result
        assert re.search(r"^guild: .", result.err, re.MULTILINE), result
        return result.err

    def start(self, *args: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start the command and return its process, with pipes unless `options` say otherwise."""
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            self.command(*args),
            cwd=self.cwd,
            env=self.environment(),
            preexec_fn=self.prepare,  # noqa: PLW1509 - limits can be set nowhere else; no threads here
            **{**streams, **options},
        )

    def command(self, *args: str) -> list[bytes | str]:
        """Return the argument vector that runs the command."""
        return [*COMMAND, *(_bytes(arg) for arg in args)]

    def environment(self) -> dict[str, str]:
        """Return the whole environment of the command: nothing of ours but what it takes to start."""
        return {name: value for name, value in {**_base(self.home), **self.env}.items() if value is not None}

    def rows(self, *args: str) -> list[Row]:
        """Return the rows of a listing: `runs list` with these arguments."""
        return parse_rows(self.ok("runs", "list", *args))

    def ids(self, *args: str) -> list[str]:
        """Return the full ids of a listing."""
        return [str(run["id"]) for run in self.json("runs", "list", *args)]

    def json(self, *args: str) -> Any:
        """Return what a command prints with `--json`."""
        return json.loads(self.ok(*args, "--json"))

    def history(self) -> list[tuple[object, ...]]:
        """Return all rows of the ledger, read behind the program's back: equal means that nothing was recorded."""
        with closing(self.database()) as database:
            events = database.execute("SELECT * FROM event ORDER BY position").fetchall()
            return database.execute("SELECT * FROM txn ORDER BY seq").fetchall() + events

    def database(self) -> sqlite3.Connection:
        """Open the ledger's database; the caller closes it."""
        return sqlite3.connect(self.home / "ledger.db", isolation_level=None)

    def tree(self) -> set[str]:
        """Return the paths of all run directories and what is in them."""
        found = set()
        for place in ("runs", "trash", "purging"):
            for path in (self.home / place).rglob("*"):
                found.add(str(path.relative_to(self.home)))
        return found

    def files(self) -> dict[str, tuple[int, bytes]]:
        """Return all files of the home: when each was changed, and what it holds."""
        paths = [path for path in self.home.rglob("*") if path.is_file()]
        return {str(path.relative_to(self.home)): (path.stat().st_mtime_ns, path.read_bytes()) for path in paths}

    def state(self) -> tuple[object, ...]:
        """Return the ledger and the run directories, to be compared with later."""
        return self.history(), self.tree()


def _base(home: Path) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home.parent),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "USER": "ada",
        "PYTHONPATH": str(ROOT),
        "GUILD_HOME": str(home),
    }


def parse_rows(text: str) -> list[Row]:
    """Return the rows of a listing; every line must be one."""
    rows = []
    for line in text.splitlines():
        match = ROW.fullmatch(line)
        assert match, line
        cells = match.groupdict("")
        rows.append(Row(int(cells.pop("index")), **cells))
    return rows


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def make_project(folder: Path, models: str = IRIS, /, **modules: str) -> Path:
    """Write a model file and Python modules (`work` unless others are given) into a folder; return it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "MODELS").write_text(models, encoding="utf-8")
    for name, code in (modules or {"work": WORK}).items():
        (folder / f"{name}.py").write_text(code, encoding="utf-8")
    return folder


def operation(code: str, flags: str = "{}") -> tuple[str, dict[str, str]]:
    """Return the model file and the module of a project whose one operation, `go`, runs `code`."""
    return f"{{name: m, operations: {{go: {{cmd: main, flags: {flags}}}}}}}\n", {"main": code}


def project_of(folder: Path, code: str, flags: str = "{}") -> Guild:
    """Return the command in a new project whose one operation, `go`, runs `code`."""
    models, modules = operation(code, flags)
    return Guild(folder / "home", make_project(folder / "project", models, **modules))


class Lab(NamedTuple):
    """A folder with two projects and a home with their runs.

    Listed in `iris`, most recently started first: 0 iris-cnn:train epochs=5 completed `good one`, 1 iris-cnn:finetune
    base=x completed, 2 iris-svm:hang terminated, 3 iris-svm:train completed, 4 iris-cnn:test error `bad`. In `tulip`:
    tulip:grow, which started between 3 and 4. `empty` is a folder without a model file; `ids` are those of `iris`.
    """

    folder: Path
    iris: Path
    tulip: Path
    empty: Path
    home: Path
    ids: tuple[str, ...]


_labs: dict[Path, Lab] = {}


def lab(factory: pytest.TempPathFactory) -> Lab:
    """Return this worker's lab, made on first use. Nobody may change it: `copied` gives a home of one's own."""
    base = factory.getbasetemp()
    if base not in _labs:
        _labs[base] = _make_lab(base / "lab")
    return _labs[base]


def _make_lab(folder: Path) -> Lab:
    iris = make_project(folder / "iris")
    tulip = make_project(folder / "tulip", "{name: tulip, operations: {grow: work}}\n")
    (folder / "empty").mkdir()
    guild = Guild(folder / "home", iris)
    assert guild("run", "test", "-l", "bad", "-y").code == 3
    guild.at(tulip).ok("run", "grow", "-y")
    guild.ok("run", "iris-svm:train", "-y")
    assert guild("run", "hang", "-y").code == 128 + signal.SIGTERM
    guild.ok("run", "finetune", "base=x", "-y")
    guild.ok("run", "cnn:train", "epochs=5", "-l", "good one", "-y")
    ids = guild.ids()  # which makes the index
    return Lab(folder, iris, tulip, folder / "empty", guild.home, tuple(ids))


def copied(factory: pytest.TempPathFactory, folder: Path) -> Guild:
    """Return the command in the lab's iris project, with a copy of its home below `folder`."""
    made = lab(factory)
    shutil.copytree(made.home, folder / "home")
    return Guild(folder / "home", made.iris)


def report(guild: Guild, run_id: str, **last: float) -> None:
    """Record scalars of a run, as its supervisor would."""
    ledger = open_existing(str(guild.home / "ledger.db"))
    scalars: dict[str, Value] = {
        key: {"first": [9.0, 1], "last": [value, 2], "min": [-9.0, 1], "max": [99.0, 1], "mean": 5.0, "count": 2}
        for key, value in last.items()
    }
    header = Header(actor="ada", host="laptop", argv=("guild",), cwd="/", program="guild-ledger")
    event = NewEvent(run_stream(RunId(run_id)), RunScalarsRecorded(scalars=scalars))
    ledger.append(Transaction(header, (event,)))
    ledger.store.close()


def wait_until(holds: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until something holds, or fail."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def damage(path: Path, statements: Sequence[str]) -> None:
    """Change a ledger behind the program's back: its triggers are taken away for the time and put back."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        triggers = database.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            database.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            database.execute(statement)
        for _, sql in triggers:
            database.execute(sql)
