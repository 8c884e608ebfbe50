"""`log_scalars` and `read_scalars`: numbers from a script or a notebook, and back."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import guild_ledger
from artifacts.series import FILE, HEADER
from guild_ledger import log_scalars, read_scalars, scalars
from tests.cli_kit import Guild

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent


@pytest.fixture
def run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The directory of a run that this process belongs to."""
    (tmp_path / ".guild").mkdir()
    monkeypatch.setenv("RUN_DIR", str(tmp_path))
    yield tmp_path
    for appender, _ in scalars._open.values():
        appender.close()
    scalars._open.clear()
    scalars._said.clear()


class Tensor:
    """What a tensor of one element answers."""

    def __float__(self) -> float:
        return 0.25

    def __index__(self) -> int:
        return 7


class Many(Tensor):
    """One of many elements."""

    def __float__(self) -> float:
        raise RuntimeError("a Tensor with 3 elements cannot be converted to Scalar")


def values_of(run_dir: Path) -> dict[str, tuple[float, ...]]:
    """Return what is in the file."""
    return {key: series.values for key, series in read_scalars(run_dir).items()}


def test_numbers_are_in_the_file_when_the_call_returns(run_dir: Path) -> None:
    """With their step and the time, after the header; what was there stays."""
    log_scalars(loss=0.5, step=10)
    log_scalars({"loss": 0.25}, step=20)
    lines = (run_dir / FILE).read_bytes().splitlines(keepends=True)
    assert lines[0] == HEADER
    assert [line.split(b",")[:2] for line in lines[1:]] == [[b"loss", b"10"], [b"loss", b"20"]]
    assert read_scalars(run_dir)["loss"].times[0] > 1.7e9


def test_whatever_is_a_number_counts(run_dir: Path) -> None:
    """NaN, infinities, and what `float` takes; mappings within mappings make names with slashes."""
    log_scalars({"train": {"loss": 1, "deep": {"x": True}}, "val, acc": math.nan}, big=-math.inf, step=Tensor())
    log_scalars(tensor=Tensor(), decimal=Decimal("0.1"), third=Fraction(1, 4), step=3.0)
    found = read_scalars(run_dir)
    assert {key: repr(series.values[0]) for key, series in found.items()} == {
        "train/loss": "1.0", "train/deep/x": "1.0", "val, acc": "nan", "big": "-inf", "tensor": "0.25",
        "decimal": "0.1", "third": "0.25",
    }  # fmt: skip
    assert [found[key].steps[0] for key in ("big", "third")] == [7, 3]


@pytest.mark.parametrize(
    ("values", "step", "said"),
    [
        ({"loss": "0.5"}, None, "'loss' is no number but text"),
        ({"loss": None}, None, "'loss' is no number but NoneType"),
        ({"a": {"loss": [1, 2]}}, None, "'a/loss' is no number but list"),
        ({"loss": Many()}, None, "'loss' is no number but Many: a Tensor with 3 elements"),
        ({"loss": 10**400}, None, "'loss' is too large"),
        ({7: 1.0}, None, "the name 7 is no text"),
        ({"": 1.0}, None, "'' is no name"),
        ({"a\nb": 1.0}, None, "is no name"),
        ({"x" * 257: 1.0}, None, "is no name"),
        ({"step": 1.0}, None, "pass it as step="),
        ({"loss": 1.0}, 0.5, "the step 0.5 is no whole number"),
        ({"loss": 1.0}, "3", "the step '3' is no whole number"),
        ({"loss": 1.0}, 2**63, "is too large"),
    ],
)
def test_what_is_no_number_is_an_error_that_names_it(run_dir: Path, values: object, step: object, said: str) -> None:
    """And nothing of the call is written: a mistake shows at once, in the first minute and not in the evening."""
    with pytest.raises((TypeError, ValueError), match=said):
        log_scalars({"fine": 1.0, **values}, step=step)  # type: ignore[dict-item, arg-type]  # the mistake
    assert not (run_dir / FILE).exists()


def test_a_mapping_within_itself_is_an_error(run_dir: Path) -> None:
    """It has no end."""
    endless: dict[str, object] = {}
    endless["again"] = endless
    with pytest.raises(ValueError, match="lies too deep"):
        log_scalars(endless)  # type: ignore[arg-type]  # the mistake
    assert not (run_dir / FILE).exists()


def test_outside_of_a_run_it_says_so_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And does nothing: a script that reports numbers works without guild, too."""
    monkeypatch.delenv("RUN_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(scalars, "_said", set())

    def report() -> None:
        for _ in range(3):
            log_scalars(loss=1)

    with pytest.warns(UserWarning, match="belongs to no run") as told:
        report()
    assert len(told) == 1
    assert told[0].filename == __file__
    assert os.listdir(tmp_path) == []


def test_a_file_that_cannot_be_written_ends_nothing(run_dir: Path) -> None:
    """What has run for days goes on; it is told once that numbers are lost, and written again when it can be."""
    (run_dir / FILE).mkdir()
    with pytest.warns(UserWarning, match="numbers are lost"):
        log_scalars(loss=1)
    log_scalars(loss=2)
    (run_dir / FILE).rmdir()
    log_scalars(loss=3)
    assert values_of(run_dir) == {"loss": (3.0,)}


def test_a_file_that_was_closed_behind_our_back_is_opened_again(run_dir: Path) -> None:
    """A daemon closes all it has, and the number of the file becomes another file's, which stays as it is.

    A file that was deleted is made again.
    """
    log_scalars(loss=1)
    ((appender, _),) = scalars._open.values()
    descriptor = appender._descriptor
    precious = os.open(run_dir / "precious", os.O_WRONLY | os.O_CREAT)
    os.dup2(precious, descriptor)
    os.close(precious)
    log_scalars(loss=2)
    assert (run_dir / "precious").read_bytes() == b""
    assert values_of(run_dir) == {"loss": (1.0, 2.0)}
    (run_dir / FILE).unlink()
    log_scalars(loss=3)
    assert values_of(run_dir) == {"loss": (3.0,)}
    os.close(descriptor)
    ((appender, _),) = scalars._open.values()
    os.close(appender._descriptor)
    log_scalars(loss=4)
    assert values_of(run_dir) == {"loss": (3.0, 4.0)}


def test_threads_and_forked_processes_report_side_by_side(run_dir: Path) -> None:
    """All numbers are there, in whole lines under one header."""

    def report(name: str) -> None:
        for step in range(200):
            log_scalars({name: step}, step=step)

    report("first")
    child = os.fork()
    if child == 0:
        try:
            report("child")
            os._exit(0)
        finally:
            os._exit(1)  # whatever it was, this copy of the tests must not run on
    threads = [threading.Thread(target=report, args=(f"thread {number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert os.waitpid(child, 0)[1] == 0
    assert {len(values) for values in values_of(run_dir).values()} == {200}
    assert len(values_of(run_dir)) == 5
    assert (run_dir / FILE).read_bytes().count(HEADER) == 1


def test_it_loads_next_to_nothing() -> None:
    """A script is not to wait for it: neither the command line nor a heavy module of the standard library."""
    code = (
        "import sys; before = set(sys.modules); from guild_ledger import log_scalars; print(*set(sys.modules) - before)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": str(ROOT)}
    ).stdout.split()
    assert set(found) <= {"__future__", "guild_ledger", "guild_ledger.rows", "guild_ledger.scalars"}


def test_the_package_has_what_it_promises_and_nothing_else() -> None:
    """A misspelt name is an error of the usual kind."""
    assert {getattr(guild_ledger, name) for name in guild_ledger.__all__}
    with pytest.raises(AttributeError, match="log_scalar"):
        guild_ledger.log_scalar  # noqa: B018 - the mistake


def test_a_run_is_read_by_id_or_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a notebook in the project, where the command line finds it; a beginning that fits two runs is refused."""
    home = tmp_path / "project" / ".guild"
    ids = ["abcd" + "0" * 28, "abce" + "0" * 28]
    for number, (place, run_id) in enumerate(zip(("runs", "trash"), ids, strict=True)):
        (home / place / run_id / ".guild").mkdir(parents=True)
        (home / place / run_id / FILE).write_text(f"loss,1,0.0,{number}\n")
    monkeypatch.delenv("GUILD_HOME", raising=False)
    monkeypatch.chdir(tmp_path / "project")
    assert read_scalars("ABCD")["loss"].values == (0.0,)
    assert read_scalars(home / "trash" / ids[1], keys=["loss"])["loss"].values == (1.0,)
    assert read_scalars(ids[1], home=home)["loss"].steps == (1,)
    for text in ("abc", "abcf", "../abcd", "", "abcd/../abcd", "zzzz"):
        with pytest.raises(LookupError, match="there is no run"):
            read_scalars(text)
    (home / "runs" / ("abcd" + "1" * 28)).mkdir()
    with pytest.raises(LookupError, match="there are several runs"):
        read_scalars("abcd")


def test_a_script_of_a_run_reports_numbers(tmp_path: Path) -> None:
    """What it logs stands in the ledger with its end; what it prints under the same name as well counts once."""
    (tmp_path / "project").mkdir()
    guild = Guild(tmp_path / "home", tmp_path / "project")
    (guild.cwd / "train.py").write_text(
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from guild_ledger import log_scalars\n"
        "for step in range(3):\n"
        "    print('loss:', 1 / (step + 1))\n"
        "    print('acc:', step)\n"
        "    log_scalars(loss=1 / (step + 1), step=step)\n"
    )
    assert guild("run", "train.py", "-y").code == 0
    found = guild.json("runs", "info", "--json")["scalars"]
    assert (found["loss"]["count"], found["loss"]["last"], found["acc"]["count"]) == (3, [1 / 3, 2], 3)
