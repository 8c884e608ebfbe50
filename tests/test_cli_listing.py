"""The forms of a list from outside: sorted, as columns, CSV, counts, a part of it, live on a terminal."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress
from dataclasses import replace
from fcntl import ioctl

import pytest

from commands.listing_options import Layout
from commands.listing_rules import check
from ledger.errors import UsageError
from tests.cli_kit import LOCAL_SCOPE, PATIENCE, Guild, report
from tests.lab_kit import guild_fixture, ids_fixture  # noqa: F401 - fixtures

GUILD = f"{sys.executable} -m guild_ledger"


def listed(guild: Guild, ids: list[str], *args: str) -> list[int]:
    """Return the runs of a list by their place in the usual one, read by a program; its rows must be the same."""
    found = [ids.index(run["id"]) for run in guild.json("runs", *args)]
    shorts = re.findall(r"^\[([0-9a-f]{8})\]", guild.ok("runs", *args), re.MULTILINE)
    assert shorts == [ids[number][:8] for number in found]
    return found


def test_a_list_is_sorted_by_any_column(guild: Guild, ids: list[str]) -> None:
    """Ascending, those without a value last both ways; rows show no index, as it would mean another run."""
    report(guild, ids[1], loss=0.5)
    report(guild, ids[2], loss=0.25)
    report(guild, ids[3], loss=3)
    for spec in ("loss", "scalar:loss"):
        assert listed(guild, ids, "--sort", spec) == [2, 1, 3, 0, 4]
        assert listed(guild, ids, "--sort", spec, "--reverse") == [3, 1, 2, 0, 4]
    assert listed(guild, ids, "--sort", "label") == [4, 0, 1, 2, 3]
    assert listed(guild, ids, "--sort", "operation") == [1, 4, 0, 2, 3]
    assert listed(guild, ids, "--sort", "status", "-n", "3") == [0, 1, 3]
    assert listed(guild, ids, "--sort", "epochs") == [0, 1, 2, 3, 4]
    assert listed(guild, ids, "--sort", "exit_status") == [2, 0, 1, 3, 4]
    assert listed(guild, ids, "--reverse") == [4, 3, 2, 1, 0]
    assert listed(guild, ids, "--sort", "loss", "-C", "-n", "1") == [1]


def test_a_sorted_list_shows_by_what(guild: Guild, ids: list[str]) -> None:
    """The value stands beside the status, unless the list shows it anyway; the usual order keeps its indexes."""
    report(guild, ids[1], loss=0.5)
    rows = guild.ok("runs", "--sort", "loss").splitlines()
    assert re.fullmatch(rf"\[{ids[1][:8]}\]  ./iris-cnn:finetune  [-0-9: ]+  completed   loss=0.5", rows[0])
    assert not any("loss=" in row for row in rows[1:])
    assert "=" not in guild.ok("runs", "--sort", "status")
    assert [row.index for row in guild.rows("--sort", "started")] == [0, 1, 2, 3, 4]


def test_columns_are_shown_below_a_header(guild: Guild, ids: list[str]) -> None:
    """Attributes, flags and scalars by name, in the order given, each once; what is not there is blank."""
    report(guild, ids[1], loss=0.5)
    guild.ok("tag", "1", "b")
    guild.ok("tag", "1", "a")
    guild.ok("comment", "1", "-m", "noted")
    text = guild.ok("runs", "-n", "3", "--columns", "index,id,epochs,scalar:loss,op", "--columns", "tags,comments,id")
    assert [re.split(" {2,}", line) for line in text.splitlines()] == [
        ["index", "id", "epochs", "scalar:loss", "op", "tags", "comments"],
        ["0", ids[0][:8], "5", "./iris-cnn:train", "0"],
        ["1", ids[1][:8], "0.5", "./iris-cnn:finetune", "a, b", "1"],
        ["2", ids[2][:8], "./iris-svm:hang", "0"],
    ]


def test_columns_are_the_fields_of_json(guild: Guild, ids: list[str]) -> None:
    """With their types; a run without a value has null."""
    report(guild, ids[1], loss=float("inf"))
    guild.ok("tag", "1", "a")
    found = guild.json("runs", "-n", "2", "--columns", "id,loss,rate,tag,comment,marked,duration,index,digest,started")
    assert [list(run) for run in found] == [
        ["id", "loss", "rate", "tag", "comment", "marked", "duration", "index", "digest", "started"]
    ] * 2
    assert [run["id"] for run in found] == ids[:2]
    assert (found[0]["loss"], found[1]["loss"]) == (None, {"$float": "inf"})
    assert (found[0]["rate"], found[1]["rate"]) == (None, 0.5)
    assert [(run["tag"], run["comment"], run["marked"], run["index"]) for run in found] == [
        ([], 0, False, 0),
        (["a"], 0, False, 1),
    ]
    assert all(run["duration"] > 0 and len(run["digest"]) == 64 and run["started"].endswith("Z") for run in found)


def read_csv(text: str) -> list[list[str]]:
    """Return the records of a CSV text; every line of it must end as RFC 4180 says."""
    records = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert text.count("\r\n") >= len(records)
    return records


def test_csv_has_all_runs_and_exact_values(guild: Guild, ids: list[str]) -> None:
    """The fields of the JSON; quotes, commas, line breaks and what a spreadsheet calls a formula stay as they are."""
    labels = ['=1+1, "quoted"', "two\r\nlines", "", "  blanks ", "größe"]
    for run_id, label in zip(ids, labels, strict=True):
        guild.ok("label", run_id, "--clear") if not label else guild.ok("label", run_id, label)
    header, *records = read_csv(guild.ok("runs", "--csv"))
    runs = guild.json("runs")
    assert set(header) == set(runs[0])
    for record, run in zip(records, runs, strict=True):
        values = {name: value for name, value in run.items() if value is not None}
        told = {name: text for name, text in zip(header, record, strict=True) if name in values}
        assert told == {name: str(v).lower() if isinstance(v, bool) else str(v) for name, v in values.items()}
    assert [record[header.index("label")] for record in records] == labels


def test_csv_of_columns_holds_these(guild: Guild, ids: list[str]) -> None:
    """A record of one empty field is no empty line; -n limits them, and the order is that of the list."""
    report(guild, ids[3], loss=1e-9)
    assert guild.ok("runs", "--csv", "--columns", "scalar:loss") == 'scalar:loss\r\n""\r\n""\r\n""\r\n1e-09\r\n""\r\n'
    guild.ok("tag", "3", "x")
    guild.ok("tag", "3", "y")
    text = guild.ok("runs", "--csv", "--columns", "id,tag,loss", "--sort", "loss", "-n", "1")
    assert text == f'id,tag,loss\r\n{ids[3]},"x,y",1e-09\r\n'


def test_a_simple_list_shows_operation_and_label(guild: Guild, ids: list[str]) -> None:
    """With the indexes, which mean what they always mean."""
    lines = guild.ok("runs", "-s").splitlines()
    assert lines[0] == f"[0:{ids[0][:8]}]  ./iris-cnn:train     good one"
    assert lines[2] == f"[2:{ids[2][:8]}]  ./iris-svm:hang"
    assert (
        guild.ok("runs", "--simple", "--sort", "label").splitlines()[0] == f"[{ids[4][:8]}]  ./iris-cnn:test      bad"
    )


def test_more_shows_more(guild: Guild) -> None:
    """Each -m adds as many as -n says, twenty when it does not say."""
    assert [len(guild.rows(*args)) for args in (["-n1"], ["-n1", "-m"], ["-n1", "-mm"], ["-n2", "-m", "-m"])] == [
        *(1, 2, 3, 5),
    ]
    assert len(guild.rows("-m")) == 5
    assert guild.rows("-n", "0", "-m") == []


def test_runs_are_counted(guild: Guild) -> None:
    """One number, of whatever the filters leave."""
    assert guild("runs", "--count") == (0, "5\n", LOCAL_SCOPE)
    assert guild.ok("runs", "list", "good", "--count") == "1\n"
    assert guild.ok("runs", "-a", "-C", "--count") == "4\n"
    assert guild.json("runs", "-E", "--count") == {"runs": 1}
    assert guild.ok("runs", "-d", "--count") == "0\n"


def test_runs_are_counted_by_kind(guild: Guild) -> None:
    """The most frequent first; those without are `(none)`, in JSON null."""
    assert guild.ok("runs", "--group-by", "status") == "3  completed\n1  error\n1  terminated\n"
    assert guild.ok("runs", "--group-by", "label") == "3  (none)\n1  bad\n1  good one\n"
    assert guild.json("runs", "--group-by", "epochs") == [{"value": None, "runs": 4}, {"value": "5", "runs": 1}]
    assert guild.ok("runs", "-R", "--group-by", "op") == ""
    assert guild.json("runs", "-R", "--group-by", "op") == []
    assert guild.ok("runs", "-C", "--group-by", "model") == "2  iris-cnn\n1  iris-svm\n"


@pytest.mark.parametrize(
    ("args", "what"),
    [
        (["--sort", "lable"], "sorted by"),
        (["--sort", "lable", "--json"], "sorted by"),
        (["--sort", "lable", "-s"], "sorted by"),
        (["--columns", "id,lable", "--csv"], "shown by"),
        (["--group-by", "lable"], "grouped by"),
    ],
)
def test_an_unknown_column_prints_nothing(guild: Guild, args: list[str], what: str) -> None:
    """Exit code 2, what was meant, and which there are; also where the output would have begun already."""
    told = guild("runs", *args)
    assert (told.code, told.out) == (2, "")
    assert f"runs cannot be {what} 'lable' (did you mean 'label'?)" in told.err
    assert "flag:NAME" in told.err


def test_a_flag_that_no_run_has_is_told_and_no_error(guild: Guild) -> None:
    """With a prefix it is clear what is meant: a script may ask before the first such run."""
    told = guild("runs", "--sort", "flag:epoch", "-n", "1")
    assert told.code == 0
    assert "No run has flag:epoch (did you mean 'flag:epochs'?)" in told.err
    assert len(told.out.splitlines()) == 1


def test_a_scalar_that_is_not_a_number_is_no_text_in_json(guild: Guild) -> None:
    """As in the ledger: `{"$float": "nan"}`, beside which an infinite one is `{"$float": "inf"}`."""
    report(guild, guild.ids()[0], odd=float("nan"))
    assert guild.json("runs", "-n", "1", "--columns", "scalar:odd") == [{"scalar:odd": {"$float": "nan"}}]
    assert guild.ok("runs", "-n", "1", "--columns", "scalar:odd", "--csv").split() == ["scalar:odd", "nan"]


ROWS = (
    *(Layout(limit=3), Layout(more=1), Layout(sort="id"), Layout(reverse=True), Layout(columns=("id",))),
    *(Layout(as_csv=True), Layout(simple=True), Layout(verbose=True)),
)
MEANINGLESS = [
    *(replace(rows, count=True) for rows in ROWS),
    *(replace(rows, group_by="op") for rows in ROWS),
    *(replace(one, as_json=True) for one in (Layout(as_csv=True), Layout(simple=True), Layout(watch=True))),
    *(replace(one, verbose=True) for one in (Layout(as_csv=True), Layout(simple=True), Layout(watch=True))),
    *(replace(one, columns=("id",)) for one in (Layout(simple=True), Layout(verbose=True))),
    Layout(as_csv=True, simple=True),
    Layout(as_csv=True, watch=True),
    Layout(count=True, watch=True),
    Layout(group_by="op", watch=True),
    Layout(group_by="op", count=True),
]


@pytest.mark.parametrize("layout", MEANINGLESS)
def test_what_means_nothing_together_is_a_usage_error(layout: Layout) -> None:
    """Whichever two options of a list have nothing to say to each other."""
    with pytest.raises(UsageError, match=r"^--[a-z-]+ and --[a-z-]+ cannot be given together$") as caught:
        check(layout)
    assert caught.value.hint


@pytest.mark.parametrize(
    "args",
    [
        ["-n3", "--count"],
        ["--group-by=op", "--csv"],
        ["--json", "--csv"],
        ["--columns=index", "--sort=label"],
        ["--columns="],
        ["--columns=id,,op"],
        ["--sort="],
        ["--group-by="],
    ],
)
def test_options_that_cannot_be_are_refused(guild: Guild, args: list[str]) -> None:
    """Exit code 2, a message, and nothing on stdout."""
    told = guild("runs", *args)
    assert (told.code, told.out) == (2, "")
    assert "guild: " in told.err


def test_options_of_a_list_before_a_command_are_refused(guild: Guild) -> None:
    """`runs --sort label rm` would lose what was meant."""
    for option in ("--csv", "--count", "-s", "-m", "--watch", "--sort=label"):
        assert "before command ('info')" in guild.refused("runs", option, "info")


def test_watching_needs_a_terminal(guild: Guild) -> None:
    """In a pipe it says what to do instead."""
    error = guild.refused("runs", "--watch", code=2)
    assert "--watch needs a terminal" in error
    assert "guild watch" in error


class Screen:
    """A terminal on which `guild runs --watch` runs."""

    def __init__(self, guild: Guild, *args: str) -> None:
        self.ours, self.theirs = pty.openpty()
        ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 10, 100, 0, 0))
        self.before = termios.tcgetattr(self.theirs)
        self.seen = ""
        self.process = guild.with_env(TERM="xterm", NO_COLOR="1").start(
            "runs", "--watch", *args, stdin=self.theirs, stdout=self.theirs, stderr=self.theirs
        )

    def sees(self, pattern: str) -> None:
        """Wait until something is shown after what was seen before."""
        end = time.monotonic() + PATIENCE
        while not (match := re.search(pattern, self.seen, re.DOTALL)):
            assert time.monotonic() < end, self.seen
            self.seen += os.read(self.ours, 4096).decode("utf-8", "replace")
        self.seen = self.seen[match.end() :]

    def ends(self, keys: str = "") -> tuple[int, str]:
        """Press keys and wait for the end; return the code and what is left on the terminal, which is as it was."""
        os.write(self.ours, keys.encode())
        code = self.process.wait(PATIENCE)
        assert termios.tcgetattr(self.theirs) == self.before
        os.close(self.theirs)
        with suppress(OSError):
            while piece := os.read(self.ours, 4096):
                self.seen += piece.decode()
        os.close(self.ours)
        return code, self.seen.rpartition("\x1b[?1049l")[2].replace("\r\n", "\n")


def test_a_live_list_follows_the_ledger(guild: Guild, ids: list[str]) -> None:
    """It is drawn again when something was recorded; q leaves it on the terminal, with code 0."""
    screen = Screen(guild, "-C")
    screen.sees(rf"\x1b\[H\[0:{ids[0][:8]}\].*3 run\(s\); q leaves")
    guild.ok("label", "1", "changed")
    screen.sees(r"\x1b\[H\[0:.*changed.*3 run\(s\); q leaves")
    guild.ok("runs", "rm", "3", "-y")
    screen.sees(r"\x1b\[H\[0:.*2 run\(s\); q leaves")
    code, left = screen.ends("q")
    assert code == 0
    assert left.splitlines() == guild.ok("runs", "-C").splitlines()


def test_a_live_list_is_as_high_as_the_terminal(guild: Guild, ids: list[str]) -> None:
    """Here of four runs below a header; Ctrl-C leaves with code 130."""
    screen = Screen(guild, "--columns", "id,status", "--sort", "label", "-n", "4")
    screen.sees(rf"\x1b\[Hid +status.*{ids[4][:8]}.*4 run\(s\)")
    code, left = screen.ends("\x03")
    assert code == 130
    assert left.splitlines()[0] == "id        status"
    assert left.splitlines()[-1] == "guild: interrupted"


@pytest.mark.parametrize(("keys", "code"), [("qq", 0), ("\x03\x03", 130), ("x\x1b[Bq", 0), ("q\x03", 130), ("\x1b", 0)])
def test_keys_that_arrive_together_end_a_live_list(guild: Guild, keys: str, code: int) -> None:
    """Each of them counts, whatever was pressed before it."""
    screen = Screen(guild)
    screen.sees("q leaves")
    assert screen.ends(keys)[0] == code


def test_the_letters_of_an_arrow_are_no_keys(guild: Guild) -> None:
    """A terminal sends several characters for one key; Escape counts alone only."""
    screen = Screen(guild)
    screen.sees("q leaves")
    os.write(screen.ours, b"\x1b[B\x1bOQ")
    guild.ok("label", "0", "still watched")
    screen.sees("still watched")
    assert screen.ends("q")[0] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_gives_the_terminal_back(guild: Guild, number: signal.Signals) -> None:
    """As it was, with the code that shells give."""
    screen = Screen(guild)
    screen.sees("q leaves")
    screen.process.send_signal(number)
    assert screen.ends()[0] == 128 + number


def test_a_live_list_notices_a_run_that_died(guild: Guild) -> None:
    """Its supervisor was killed, so nobody recorded the end: the list does."""
    folder = guild.cwd.parent / "slow"
    folder.mkdir()
    (folder / "slow.py").write_text("import time\nprint('up', flush=True)\ntime.sleep(60)\n")
    slow = guild.at(folder)
    with slow.start("run", "slow.py", "-y", start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        screen = Screen(slow, "-R")
        screen.sees(r"1 run\(s\)")
        os.killpg(process.pid, signal.SIGKILL)
    screen.sees(r"0 run\(s\)")
    assert screen.ends("q")[0] == 0
    assert slow.rows("-a", "-n", "1")[0].status == "terminated"


def test_help_has_examples_for_every_form(guild: Guild) -> None:
    """The help of the list shows each of them once."""
    text = guild.ok("runs", "list", "--help")
    for form in ("--sort loss", "--columns id,lr,loss --csv", "--group-by status", "--watch"):
        assert form in text.partition("Options:")[0]


def test_json_stays_one_run_a_line(guild: Guild) -> None:
    """Chosen columns too can be read line by line."""
    lines = guild.ok("runs", "--json", "--columns", "id").splitlines()
    assert [json.loads(line.rstrip(","))["id"] for line in lines[1:-1]] == guild.ids()


def test_a_reader_of_csv_may_leave(guild: Guild) -> None:
    """`guild runs --csv | head` ends quietly."""
    done = subprocess.run(
        ["sh", "-c", f"{GUILD} runs --csv | head -n 1"],
        cwd=guild.cwd, env=guild.environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("id,operation,status")
    assert done.stderr == LOCAL_SCOPE


def test_counts_by_kind_say_what_programs_read(guild: Guild) -> None:
    """The hint fits every option that is refused beside `--group-by`: it neither shows rows nor CSV."""
    assert "--json prints it for programs" in guild.refused("runs", "--group-by", "tag", "--csv", code=2)
