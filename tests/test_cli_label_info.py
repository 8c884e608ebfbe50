"""Labels, and what is told of one run: `guild label` and `guild runs info` from outside."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli_kit import LOCAL_SCOPE, Guild, lab
from tests.lab_kit import guild_fixture  # noqa: F401 - a fixture

INFO_KEYS = {
    "batch",
    "proto",
    "id",
    "operation",
    "project",
    "package",
    "model",
    "operation_name",
    "status",
    "exit_status",
    "started",
    "stopped",
    "label",
    "tags",
    "comments",
    "marked",
    "protected",
    "deleted",
    "run_dir",
    "command",
    "flags",
    "environment",
    "sources",
    "git",
    "platform",
    "evidence",
    "reason",
    "output",
}


def labels(guild: Guild, *args: str) -> list[str | None]:
    """Return the labels of a listing, newest run first."""
    return [run["label"] for run in guild.json("runs", *args)]


def test_a_label_is_set_found_and_cleared(guild: Guild) -> None:
    """By index and by id; `runs list LABEL` then lists exactly those runs; clearing removes it."""
    ids = guild.ids()
    undo = "To undo: guild undo 14\n"
    assert guild("label", "1", "fine") == (0, "Labeled 1 run(s)\n", LOCAL_SCOPE + undo)
    guild.ok("runs", "label", ids[2][:8], "fine")
    assert [row.short for row in guild.rows("fine")] == [ids[1][:8], ids[2][:8]]
    assert guild.ok("label", "--clear", "1") == "Cleared label for 1 run(s)\n"
    assert [row.short for row in guild.rows("fine")] == [ids[2][:8]]
    assert labels(guild) == ["good one", None, "fine", None, "bad"]
    guild.ok("runs", "label", "-c", ids[2])
    assert guild.rows("fine") == []


def test_the_latest_run_is_labelled_when_none_is_named(guild: Guild) -> None:
    """The last word is the label; one run is labelled without a question."""
    guild.ok("label", "new")
    assert labels(guild)[:2] == ["new", None]
    guild.ok("label", "-E", "failed")
    assert labels(guild)[4] == "failed"
    guild.ok("label", "--clear")
    assert labels(guild)[0] is None


def test_several_runs_are_shown_before_they_are_labelled(guild: Guild) -> None:
    """A preview on stdout and a question on stderr; y goes on, -y asks nothing."""
    ids = guild.ids()
    before = guild.state()
    refused = guild("label", "0:1", "4", "same", stdin="n\n")
    assert refused.code == 0
    assert refused.out.startswith("You are about to label the following runs with 'same':\n  [")
    assert [line.split()[0] for line in refused.out.splitlines()[1:]] == [f"[{ids[n][:8]}]" for n in (0, 1, 4)]
    assert refused.err == f"{LOCAL_SCOPE}Continue? (y/N) "
    ended = guild("label", "0:1", "same")
    assert ended.code == 1
    assert "Use -y" in ended.err
    assert guild.state() == before
    assert guild("label", "0:1", "4", "same", stdin="y\n").out.endswith("Labeled 3 run(s)\n")
    assert labels(guild) == ["same", "same", None, None, "same"]
    assert guild("label", "--clear", ":", "-y").out == "Cleared label for 3 run(s)\n"
    assert labels(guild) == [None] * 5


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        ([], 2, "specify a label"),
        ([""], 2, "the label is empty"),
        (["0", ""], 2, "the label is empty"),
        (["99", "x"], 1, "could not find a run matching '99'"),
        (["zzz", "x"], 1, "could not find a run matching 'zzz'"),
        (["0", "99", "x"], 1, "could not find a run matching '99'"),
        (["-R", "x"], 1, "No runs to modify."),
        (["--clear", "99"], 1, "could not find a run matching '99'"),
        (["0:9", "x"], 1, "could not find a run matching '0:9'"),
    ],
)
def test_a_label_that_cannot_be_set_changes_nothing(guild: Guild, args: list[str], code: int, message: str) -> None:
    """A label must be given and every named run be found."""
    before = guild.state()
    assert message in guild.refused("label", *args, code=code)
    assert guild.state() == before


def test_a_dry_run_labels_nothing(guild: Guild) -> None:
    """`--dry-run` shows the runs, also a single one, and leaves the ledger as it is."""
    before = guild.state()
    for args in (["0", "x"], [":", "x"], ["--clear"], ["-y", "0:1", "x"]):
        result = guild("label", "--dry-run", *args)
        assert result.code == 0
        assert "  [" in result.out
        assert "Nothing was changed" in result.err
    assert guild.state() == before


def test_any_text_is_a_label(guild: Guild) -> None:
    """Line breaks, emoji, control characters, long text and bytes that are no UTF-8 stay on their line."""
    texts = ["two\nlines", "🌷 %s {0} 'q\" $(x)", "caf\udce9", "\x1b[31mred", "x" * 10_000]
    shown = ["two\\nlines", texts[1], "caf\\", "\\x1b[31mred", "x" * 197 + "..."]
    for index, text in enumerate(texts):
        guild.ok("label", str(index), text)
    rows = guild.rows()
    assert len(rows) == 5
    assert all(row.label.startswith(start) for row, start in zip(rows, shown, strict=True))
    for index, text in enumerate(texts):
        assert [row.short for row in guild.rows("-l", text)] == [rows[index].short]
    assert "\x1b" not in guild.ok("runs", "info", "3")
    assert labels(guild)[4] == texts[4]
    for args in (["runs", "rm", "--dry-run"], ["log", "-v"], ["log", "--json"]):
        assert "\x1b" not in guild.ok(*args)
    assert "The ledger is whole." in guild.ok("ledger", "verify")


def test_a_label_may_look_like_an_option(guild: Guild) -> None:
    """After `--` a word that begins with a dash is a label; blanks alone are none."""
    guild.ok("label", "0", "--", "-E")
    assert labels(guild)[0] == "-E"
    assert "empty" in guild.refused("label", "0", "--", "  ", code=2)
    assert labels(guild)[0] == "-E"


def test_labels_of_other_projects_need_all(guild: Guild, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Scope applies to labels: a run of another project is refused by id, and taken with --all."""
    (other,) = guild.at(lab(tmp_path_factory).tulip).ids()
    assert "belongs to another project" in guild.refused("label", other, "x")
    guild.ok("label", "--all", other, "x")
    assert labels(guild, "-a")[4] == "x"


def test_labelling_twice_is_no_error(guild: Guild) -> None:
    """The same label again, or clearing where there is none, ends well."""
    for _ in range(2):
        guild.ok("label", "0", "x")
    for _ in range(2):
        guild.ok("label", "0", "-c")
    assert labels(guild)[0] is None


def test_info_is_about_the_latest_run(guild: Guild) -> None:
    """Without RUN it is run 0 of the list in scope; the lines are `key: value`."""
    (run_id, *_) = guild.ids()
    lines = guild.ok("runs", "info").splitlines()
    known = dict(line.partition(": ")[::2] for line in lines if not line.startswith(" "))
    assert list(known)[:10] == [
        *("id", "operation", "status", "started", "stopped", "label", "run_dir", "command", "exit_status", "pid"),
    ]
    row = guild.rows()[0]
    assert known["id"] == run_id
    assert known["operation"] == "./iris-cnn:train"
    assert known["status"] == "completed"
    assert known["started"] == row.started
    assert known["label"] == "good one"
    assert known["run_dir"] == str(guild.home / "runs" / run_id)
    assert known["command"].endswith("-u -m work --epochs 5")
    assert known["exit_status"] == "0"
    assert "  epochs: 5" in lines
    assert guild.ok("runs", "info", "0") == guild.ok("runs", "info", run_id) == guild.ok("runs", "info", run_id[:6])


def test_info_takes_an_index_an_id_or_a_filter(guild: Guild) -> None:
    """The index counts in the filtered list; a range of one run is that run."""
    ids = guild.ids()

    def told(*args: str) -> str:
        return str(guild.json("runs", "info", *args)["id"])

    assert told("1") == told("1:1") == told(ids[1][:10]) == ids[1]
    assert told("-E") == told("-E", "0") == ids[4]
    assert told("--op", "svm", "1") == ids[3]
    assert told("-l", "bad") == ids[4]


def test_info_of_several_runs_is_ambiguous(guild: Guild) -> None:
    """A range of two runs is refused and names them."""
    ids = guild.ids()
    error = guild.refused("runs", "info", "0:1")
    assert ids[0][:8] in error
    assert ids[1][:8] in error
    assert "could not find a run matching '9'" in guild.refused("runs", "info", "9")


def test_info_without_runs_says_so(tmp_path: Path) -> None:
    """Where there is no run, the message is about that, not about an index that nobody gave."""
    error = Guild(tmp_path / "home", tmp_path).refused("runs", "info")
    assert "no run" in error
    assert "'0'" not in error


def test_info_as_json_holds_the_documented_keys(guild: Guild) -> None:
    """`--json` tells all that is known, with types."""
    details = guild.json("runs", "info")
    assert set(details) == INFO_KEYS
    assert details["flags"] == {"epochs": 5}
    assert details["command"][-4:] == ["-m", "work", "--epochs", "5"]
    assert details["output"] == {"bytes": 19, "lines": 1}


def test_info_shows_the_environment_when_asked(guild: Guild) -> None:
    """The recorded variables are a section of their own."""
    assert "environment:" not in guild.ok("runs", "info")
    assert "environment:\n  LANG: C.UTF-8\n" in guild.ok("runs", "info", "-e")


def test_info_of_a_deleted_run_must_be_asked_for(guild: Guild) -> None:
    """A deleted run is found with -d only; without, the message tells where it is."""
    (run_id, *_) = guild.ids()
    guild.ok("runs", "rm", "0", "-y")
    assert "is deleted" in guild.refused("runs", "info", run_id)
    details = guild.json("runs", "info", "-d")
    assert (details["id"], details["deleted"]) == (run_id, True)
    assert details["run_dir"] == str(guild.home / "trash" / run_id)


@pytest.mark.parametrize("blank", ["", " ", "\t "])
def test_a_label_of_blanks_is_an_empty_one(guild: Guild, blank: str) -> None:
    """Nobody sees it: refused as an unset variable is, when a run is labelled and when one is started."""
    before = guild.history()
    assert "the label is empty" in guild.refused("label", "0", blank, code=2)
    assert "the label is empty" in guild.refused("label", "0", "--set", blank, code=2)
    assert "label or tag is empty" in guild.refused("run", "train", "-l", blank, "-y", code=2)
    assert guild.history() == before
