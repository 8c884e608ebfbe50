"""`guild compare` from outside: tables, CSV and JSON of runs, their columns, order and groups, and what is refused."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ledger.events.life import RunStatusChanged
from ledger.events.notes import RunScalarsRecorded
from ledger.events.start import RunStarted
from tests.cli_kit import LOCAL_SCOPE, PATIENCE, Guild
from tests.kit import append, happens, make_ledger, run_id
from tests.test_completion import offers

if TYPE_CHECKING:
    from tests.cli_kit import Result

MODELS = """\
- model: net
  extra: {compare: {flags: [lr]}}
  operations:
    train: {main: work, compare: [=lr, 'loss, min loss as best', nonsense nonsense, .nothing]}
    eval: {main: work}
- model: other
  operations:
    sweep: {main: work}
"""
LABEL = 'a, "b"\nc; ünï'
RUNS = 6


@pytest.fixture(scope="module")
def guild(tmp_path_factory: pytest.TempPathFactory) -> Guild:
    """Give a project and six runs of it, with labels, flags and scalars; nobody changes this home."""
    folder = tmp_path_factory.mktemp("compare")
    (folder / "project").mkdir()
    (folder / "project" / "guild.yml").write_text(MODELS, encoding="utf-8")
    (folder / "home").mkdir()
    ledger = make_ledger(folder / "home")
    for number in range(RUNS):
        model, operation = (("net", "train"), ("net", "eval"), ("other", "sweep"))[number % 3]
        flags = {"lr": 0.1 * (number // 3), "seed": number}
        label = LABEL if number == 1 else None
        project = str(folder / "project")
        append(ledger, happens(number, RunStarted(project, None, model, operation, ("x",), flags, label=label)))
        loss = [math.nan if number == 4 else number / 3, 9]
        append(
            ledger, happens(number, RunScalarsRecorded({"loss": {"last": loss, "min": loss, "mean": 1, "count": 2}}))
        )
        status = {0: "error", RUNS - 1: "terminated"}.get(number, "completed")
        append(ledger, happens(number, RunStatusChanged(status, int(number == 0))))
    ledger.store.close()
    return Guild(folder / "home", folder / "project")


def done(guild: Guild, *lines: list[str]) -> list[str]:
    """Return what `guild compare` prints with each of these words; all must succeed."""
    results = guild.many([["compare", *words] for words in lines])
    assert [result.code for result in results] == [0] * len(lines), results
    return [result.out for result in results]


def records(text: str) -> list[dict[str, str]]:
    """Return the records of CSV, which must have the line ends that it has everywhere."""
    assert text.count("\r\n") == text.count("\r")
    return list(csv.DictReader(io.StringIO(text, newline="")))


ID = [run_id(number) for number in range(RUNS)]


def test_a_table_shows_every_run_in_the_columns_of_its_operation(guild: Guild) -> None:
    """Piped, the table is what there is; operations name columns, the others show all flags and scalars they have."""
    usual, table, alone, train, sweep, spoilt = guild.many([
        ["compare"], ["compare", "--table"], ["compare", "-t", "0"], ["compare", "--op", "train"],
        ["compare", "-t", "-o", "sweep"], ["compare", "--at", "1"],
    ])  # fmt: skip
    assert (usual.code, usual.out) == (0, table.out)
    header, *rows = table.out.splitlines()
    assert header.split() == ["run", "operation", "started", "time", "status", "label", "lr", "loss", "best", "seed"]
    assert [row.split()[0] for row in rows] == [one[:8] for one in reversed(ID)]
    assert 'a, "b"\\nc; ünï' in rows[-2]
    assert rows[-2].split()[-1] == "1"
    assert alone.out.splitlines()[1].split()[:5] == rows[0].split()[:5]
    assert train.out.splitlines()[0].split()[6:] == ["lr", "loss", "best"]
    assert sweep.out.splitlines()[0].split()[6:] == ["lr", "seed", "loss"]
    assert spoilt.code == 0
    assert "operation train names a column that cannot be understood: expected a comma here" in table.err
    assert LOCAL_SCOPE in table.err


def test_the_older_way_to_choose_flags_is_understood(guild: Guild) -> None:
    """`extra: compare: flags` of a model names the flags, and scalars follow."""
    assert done(guild, ["-t", "-o", "eval"])[0].splitlines()[0].split()[6:] == ["lr", "loss"]


def test_csv_has_a_line_for_every_run_and_survives_its_reader(guild: Guild) -> None:
    """Header and records end with CR LF; ids are whole, numbers exact, labels as they were written."""
    everything, two, strict, lone = done(
        guild, ["--csv"], ["--csv", "0:1"], ["--csv=-", "--strict-columns", ".run as id, =lr, loss step", "1"],
        ["--csv", "-o", "nothing"],
    )  # fmt: skip
    found = records(everything)
    assert [row["run"] for row in found] == list(reversed(ID))
    assert found[4]["label"] == LABEL
    assert {row["operation"] for row in found} == {"./net:train", "./net:eval", "./other:sweep"}
    assert [row["loss"] for row in found] == [str(n / 3) if n != 4 else "nan" for n in reversed(range(RUNS))]
    assert [row["status"] for row in found] == ["terminated", *["completed"] * 4, "error"]
    assert all(float(row["time"]) >= 0 and row["started"].endswith("Z") for row in found)
    assert [row["run"] for row in records(two)] == [ID[5], ID[4]]
    assert strict == f"id,lr,loss step\r\n{ID[4]},0.1,9\r\n"
    assert lone == "run,operation,started,time,status,label\r\n"


def test_nothing_is_selected_and_that_is_no_error(guild: Guild, tmp_path: Path) -> None:
    """A header, and no line; so it is in a home where nothing has ever run."""
    header = "run  operation  started  time  status  label"
    table, as_json, grouped, deleted = done(
        guild, ["-F", "lr > 7"], ["-F", "lr > 7", "--json"], ["-F", "lr > 7", "--group-by", "lr"], ["--deleted"]
    )
    assert (table, as_json, grouped, deleted) == (f"{header}\n", "[\n]\n", "lr  runs\n", f"{header}\n")
    (tmp_path / "work").mkdir()
    empty = Guild(tmp_path / "home", tmp_path / "work")
    assert empty.ok("compare") == f"{header}\n"
    assert done(empty, ["--strict-columns", "loss, =lr"], ["--group-by", "lr"]) == ["loss  lr\n", "lr  runs\n"]


def test_json_has_an_object_for_every_run(guild: Guild) -> None:
    """Its fields are the columns; a number that is not finite is as in the ledger."""
    found = json.loads(done(guild, ["--json", "-c", "mean loss as m", "--top", "2"])[0])
    assert [run["run"] for run in found] == [ID[5], ID[4]]
    assert [(run["loss"], run["m"], run["seed"]) for run in found] == [(5 / 3, 1, 5), ({"$float": "nan"}, 1, 4)]


def test_the_lowest_or_the_highest_come_first(guild: Guild) -> None:
    """By a column's heading or what it is; what is no number comes last either way."""
    lowest, highest, other, headed = done(
        guild, ["--csv", "--min", "loss", "-n", "2"], ["--csv", "--max", "loss"],
        ["--csv", "--max", "=seed", "--top", "1"], ["--csv", "--min", "best", "-F", "seed > 2"],
    )  # fmt: skip
    assert [row["run"] for row in records(lowest)] == [ID[0], ID[1]]
    assert [row["run"] for row in records(highest)] == [ID[n] for n in (5, 3, 2, 1, 0, 4)]
    assert [row["run"] for row in records(other)] == [ID[5]]
    assert [row["run"] for row in records(headed)] == [ID[n] for n in (3, 5, 4)]


def test_columns_are_added_replaced_or_left_out(guild: Guild) -> None:
    """`--columns` adds, `--strict-columns` replaces, `--skip-core` and `--skip-op-cols` leave out."""
    headers = [text.split("\r\n")[0] for text in done(
        guild, ["--csv", "-r"], ["--csv", "-p"], ["--csv", "-r", "-p", "-c", "max loss,.tag", "--cols", "=seed as s"],
        ["--csv", "--strict-cols", "loss", "--strict-columns", ".label"],
    )]  # fmt: skip
    assert headers == ["lr,loss,best,seed", "run,operation,started,time,status,label", "max loss,tag,s", "loss,label"]


def test_repeats_are_grouped_with_mean_and_deviation(guild: Guild) -> None:
    """A line for each group: how many runs, and of each scalar the mean and the sample standard deviation."""
    words = ["--group-by", "lr", "-C", "--strict-columns", "scalar:loss"]
    table, as_csv, as_json, ordered = done(
        guild, words, [*words, "--csv"], [*words, "--json"], ["--group-by", ".operation", "--max", "runs", "-n", "1"]
    )
    assert [line.split() for line in table.splitlines()] == [
        ["lr", "runs", "loss"], ["0.0", "2", "0.50", "±", "0.24"], ["0.1", "2", "nan", "±", "nan"]
    ]  # fmt: skip
    first, second = records(as_csv)
    assert list(first) == ["lr", "runs", "loss mean", "loss sd", "loss count"]
    assert float(first["loss mean"]) == 0.5
    assert math.isclose(float(first["loss sd"]), math.sqrt(1 / 18))
    assert list(second.values()) == ["0.1", "2", "nan", "nan", "2"]
    nan = {"$float": "nan"}
    assert json.loads(as_json)[1] == {"lr": 0.1, "runs": 2, "loss": {"mean": nan, "sd": nan, "count": 2}}
    assert len(ordered.splitlines()) == 2


def test_csv_goes_to_a_file_complete_or_not_at_all(guild: Guild, tmp_path: Path) -> None:
    """A file that is there is left alone unless that is asked for; nothing else is left behind."""
    target = tmp_path / "runs.csv"
    first, again, forced, late, folder, odd = guild.many([
        ["compare", "--csv", str(target), "0:2"], ["compare", "--csv", str(target)],
        ["compare", "--csv", str(target), "--force"], ["compare", "--csv", str(tmp_path / "late"), "--columns", "none"],
        ["compare", "--csv", str(tmp_path)], ["compare", "--csv", str(tmp_path / "no" / "runs.csv")],
    ])  # fmt: skip
    assert (first.code, first.out) == (0, "")
    assert f"Wrote 3 lines to {target}" in first.err
    assert [result.code for result in (again, forced, late, folder, odd)] == [1, 0, 2, 1, 1]
    assert "exists already" in again.err
    with target.open(encoding="utf-8", newline="") as file:
        assert [row["run"] for row in records(file.read())] == list(reversed(ID))
    assert [path.name for path in tmp_path.iterdir()] == ["runs.csv"]


REFUSED = {
    ("--table", "--csv"): (2, "--table and --csv cannot be given together"),
    ("--csv", "--json"): (2, "--csv and --json cannot be given together"),
    ("--min", "loss", "--max", "loss"): (2, "--min and --max cannot be given together"),
    ("--columns", "loss", "--strict-columns", "loss"): (2, "--strict-columns and --columns cannot be given together"),
    ("--strict-columns", "loss", "-r"): (2, "--strict-columns and --skip-core cannot be given together"),
    ("--force",): (2, "--force is about the FILE of --csv"),
    ("-r", "-p"): (2, "there is no column to show"),
    ("--columns", ""): (2, "--columns needs a column"),
    ("--min", ""): (2, "--min needs a column"),
    ("--max", " "): (2, "--max needs a column"),
    ("--group-by", ""): (2, "--group-by needs a column"),
    ("--group-by", " "): (2, "--group-by needs a column"),
    ("--columns", "loss, mn loss"): (2, "expected a comma here\n  loss, mn loss\n           ^"),
    ("--columns", "los"): (2, "no run has 'los' (did you mean 'loss'?)\n  los\n  ^"),
    ("--columns", "'a b'"): (2, 'Write `last "a b"` for a scalar that is still to come.'),
    ("--columns", "last 'a b', x"): (2, "no run has 'x'"),
    ("--min", "loss, =lr"): (2, "one column is enough to sort by\n  loss, =lr\n        ^"),
    ("--group-by", "sed"): (2, "(did you mean 'seed'?)"),
    ("--group-by", "lr", "--columns", ".label"): (2, "there is no mean of this\n  .label"),
    ("--group-by", "lr", "--min", "time"): (2, "the groups have no column 'time'"),
    ("9",): (1, "could not find a run matching '9'"),
    ("--csv", "9"): (1, "could not find a run matching '9'"),
    ("-F", "lr >"): (2, "lr >\n"),
    ("--top", "-1"): (2, "--top"),
}


def test_what_makes_no_sense_is_refused_with_the_place(guild: Guild) -> None:
    """Nothing is printed, the message says why, and what is wrong in a column is pointed at."""
    results: list[Result] = guild.many([["compare", "--table", *words] if words[0] in ("9", "-F") else
                                         ["compare", *words] for words in REFUSED])  # fmt: skip
    for result, (words, (code, said)) in zip(results, REFUSED.items(), strict=True):
        assert (result.code, result.out) == (code, ""), (words, result)
        assert said in result.err, (words, result)


def test_columns_that_no_run_has_are_noted(guild: Guild) -> None:
    """With their kind said they are empty, and what may have been meant is named."""
    (result,) = guild.many([["compare", "--strict-columns", "=sed, min los, =lr", "0"]])
    assert result.out == "sed  min los  lr\n              0.1\n"
    assert "No run has =sed (did you mean 'seed'?)\nNo run has min los (did you mean 'loss'?)\n" in result.err


def test_the_past_is_compared_as_it_was(guild: Guild) -> None:
    """With `--at` runs, their status and what they had reported are those of then."""
    found = records(done(guild, ["--csv", "--at", "2"])[0])
    assert [(row["run"], row["status"], row["loss"]) for row in found] == [(ID[0], "running", "")]


def test_two_at_once_both_succeed(guild: Guild) -> None:
    """Neither waits for a lock that the other holds for long."""
    processes = [guild.start("compare", "--csv") for _ in range(2)]
    found = [process.communicate(timeout=PATIENCE)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert found[0].count(b"\r\n") == found[1].count(b"\r\n") == RUNS + 1


def test_columns_and_flags_are_completed(guild: Guild) -> None:
    """Scalars by their names, flags and attributes with their signs; behind `min` only scalars."""
    lines = ("guild compare -c lo", "guild compare --columns =s", "guild compare --strict-columns .la",
             "guild compare --columns loss,=s", "guild compare --min l", "guild compare --group-by se")  # fmt: skip
    assert offers(guild, *lines) == [
        ["loss"], ["=seed"], [".label"], ["loss,=seed"], ["loss"], ["seed"]
    ]  # fmt: skip
