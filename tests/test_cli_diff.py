"""`guild diff --at A --at B` from outside: what changed of runs, a line each, and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli_kit import LOCAL_SCOPE, Guild, report
from tests.lab_kit import guild_fixture  # noqa: F401 - a fixture
from tests.test_cli_at import last_seq


def test_each_run_that_changed_is_a_line_with_before_and_after(guild: Guild) -> None:
    """Label, tags, marks, scalars and place of several runs, whatever happened between; others are not named."""
    first, ids = last_seq(guild), guild.ids()
    guild.ok("label", "0", "--set", "worse")
    guild.ok("label", "0", "--set", "best")
    guild.ok("tag", "1", "--add", "a", "--add", "b")
    guild.ok("mark", "1")
    report(guild, ids[1], loss=2.5)
    guild.ok("comment", "2", "-m", "why")
    guild.ok("runs", "rm", "3", "-y")
    guild.ok("runs", "purge", "-y")
    result = guild("diff", "--at", str(first), "--at", "now")
    short = [run_id[:8] for run_id in ids]
    assert set(result.out.splitlines()) == {
        f"[{short[0]}]  ./iris-cnn:train  label: good one -> best",
        f"[{short[1]}]  ./iris-cnn:finetune  marked: no -> yes; tags: - -> a, b; scalar:loss: - -> 2.5",
        f"[{short[2]}]  ./iris-svm:hang  comments: 0 -> 1",
        f"[{short[3]}]  ./iris-svm:train  place: live -> purged",
    }
    assert result.err.startswith(f"{LOCAL_SCOPE}From transaction {first}, ")
    assert f" to transaction {last_seq(guild)}, " in result.err


def test_a_new_run_has_no_before(guild: Guild) -> None:
    """It is told with all that became of it; the other way round it is what goes."""
    first = last_seq(guild)
    guild.ok("run", "cnn:train", "epochs=8", "-l", "fresh", "-y")
    (line,) = guild.ok("diff", "--at", str(first), "--at", "now").splitlines()
    for part in ("status: - -> completed", "label: - -> fresh", "flag:epochs: - -> 8", "started: - -> 20"):
        assert part in line
    (line,) = guild.ok("diff", "--at", "now", "--at", str(first)).splitlines()
    assert "status: completed -> -" in line


def test_json_tells_both_moments_and_each_run(guild: Guild) -> None:
    """One object: numbers and times of the moments, and of each run only what changed, null for what was not there."""
    first, run_id = last_seq(guild), guild.ids()[1]
    report(guild, run_id, loss=float("inf"))
    guild.ok("label", "1", "--set", "x")
    guild.ok("run", "svm:train", "-y")
    told = guild.json("diff", "--at", str(first), "--at", "now")
    assert (told["from"]["seq"], told["to"]["seq"]) == (first, last_seq(guild))
    assert told["from"]["time"].endswith("Z")
    new, changed = told["runs"]
    assert (new["before"], new["after"]["status"], new["operation"]) == (None, "completed", "./iris-svm:train")
    assert changed["id"] == run_id
    assert changed["before"]["label"] is None
    assert changed["after"]["label"] == "x"
    assert changed["after"]["scalar:loss"] == {"$float": "inf"}
    assert "status" not in changed["after"]
    back = guild.json("diff", "--at", "now", "--at", str(first))["runs"][0]
    assert (back["before"], back["after"]) == (new["after"], None)


def test_scope_and_filters_limit_the_runs(guild: Guild) -> None:
    """As of one of the two moments: from everywhere with --all, else of this project; nothing is no failure."""
    ranges = ("--at", "1", "--at", "now")
    assert len(guild.ok("diff", *ranges).splitlines()) == 5
    assert len(guild.ok("diff", *ranges, "--all").splitlines()) == 6
    assert len(guild.ok("diff", *ranges, "-E", "-T").splitlines()) == 2
    assert len(guild.ok("diff", *ranges, "-F", "label contains good").splitlines()) == 1
    nothing = guild("diff", *ranges, "--label", "nowhere")
    assert (nothing.code, nothing.out, nothing.err.splitlines()[-1]) == (0, "", "Nothing changed.")
    assert json.loads(guild.ok("diff", "--at", "3", "--at", "3", "--json"))["runs"] == []


def test_nothing_is_written_and_no_index_is_needed(guild: Guild) -> None:
    """A damaged index stays as it is."""
    for index in (guild.home / "index").glob("*.db"):
        index.write_bytes(b"garbage" * 1000)
    before = guild.files()
    assert len(guild.ok("diff", "--at", "1", "--at", "now").splitlines()) == 5
    assert guild.files() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--at", "1"), "given 1 time(s)"), (("--at", "1") * 3, "given 3 time(s)"),
        (("--at", "1", "--at", ""), "--at needs a text"), (("0", "--at", "1"), "not for runs: '0' is too much"),
        (("--at", "1", "--at", "99999"), "the ledger holds 1 to"), (("--at", "soon", "--at", "1"), "is no moment"),
    ],
)  # fmt: skip
def test_two_moments_are_needed(guild: Guild, words: tuple[str, ...], said: str) -> None:
    """Anything else is wrong usage, with an example."""
    assert said in guild.refused("diff", *words, code=2)


def test_an_empty_home_has_no_changes_and_stays_empty(tmp_path: Path) -> None:
    """There is no past where there is no ledger."""
    guild = Guild(tmp_path / "home", tmp_path)
    assert "there is no ledger" in guild.refused("diff", "--at", "1", "--at", "now")
    assert list(tmp_path.iterdir()) == []
