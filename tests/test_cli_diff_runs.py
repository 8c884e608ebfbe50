"""`guild diff RUN RUN` from outside: what differs between two runs, as a summary, in full, and as JSON."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.cli_kit import LOCAL_SCOPE, Guild, Result
from tests.diff_kit import DELETED, GONE, NEW, OLD, OTHER, STAGED, TWIN, home_to_diff


@pytest.fixture(scope="module")
def guild(tmp_path_factory: pytest.TempPathFactory) -> Guild:
    """Give the command with runs that differ; nobody changes the home."""
    return home_to_diff(tmp_path_factory.mktemp("diff"))


def shown(guild: Guild, *lines: str) -> list[str]:
    """Return what `guild diff` prints with each of these words, which must succeed."""
    results = guild.many([["diff", *line.split()] for line in lines])
    for result in results:
        assert result.code == 0, result
    return [result.out for result in results]


SUMMARY = f"""\
- [{OLD[:8]}]  ./m:train  2026-01-01 12:00:02  completed
+ [{NEW[:8]}]  ./m:train  2026-01-01 12:00:06  error  best one

attributes:
  status: completed -> error
  exit_status: 0 -> 3
  duration: 1.000s -> 2.000s
  label: - -> best one
  tags: - -> a, b
flags:
  more: - -> [1,2]
  n: 1 -> 1.0
  only: "" -> -
environment:
  TZ: UTC -> CET
scalars:            first   last     min      max
  acc     aaaaaaaa  -       -        -        -
          bbbbbbbb  0.5 @1  1 @7     0.5 @7   1 @1
  loss    aaaaaaaa  2.5 @1  nan @7   2.5 @7   2.5 @1
          bbbbbbbb  2.5 @1  0.25 @7  0.25 @7  2.5 @1
source:
  removed   gone.py  +0 -1
  added     new.py  +1 -0
  renamed   there.py  from moved.py
  changed   train.py  +2 -2
output: +2 -1
files:
  changed   link  link
  changed   m.csv  6 bytes
  changed   model.bin  9 bytes
  added     new\\x1b[31m.txt  7 bytes
  removed   old.txt  4 bytes
"""

SOURCE = """\
--- aaaaaaaa/gone.py
+++ /dev/null
@@ -1 +0,0 @@
-x
--- /dev/null
+++ bbbbbbbb/new.py
@@ -0,0 +1 @@
+\ty
aaaaaaaa/moved.py renamed to bbbbbbbb/there.py
--- aaaaaaaa/train.py
+++ bbbbbbbb/train.py
@@ -1,3 +1,3 @@
-import sys
+import os
 lr = 0.1
-print(lr)
+print(lr)
\\ No newline at end of file
"""

OUTPUT = """\
--- aaaaaaaa/output
+++ bbbbbbbb/output
@@ -1,2 +1,3 @@
 one
-two
+three\\x1b[2J
+four
\\ No newline at end of file
"""


def test_by_default_everything_that_differs_is_summed_up(guild: Guild) -> None:
    """A section for each kind of thing, in it only what is not the same; nothing in it can command a terminal."""
    (text,) = shown(guild, f"{OLD} {NEW}")
    assert re.sub(r"duration: .*", "duration: 1.000s -> 2.000s", text) == SUMMARY


def test_options_show_single_sections_and_texts_as_unified_diffs(guild: Guild) -> None:
    """Source and output line by line, or with `--stat` only how many lines; several options, several sections."""
    heads = SUMMARY.partition("\n\n")[0] + "\n\n"
    pair = f"{OLD} {NEW}"
    source, output, stat, flags, both = shown(
        guild, f"{pair} --source", f"{pair} -O", f"{pair} -s -O --stat", f"{pair} --flags", f"{pair} --env --output"
    )
    assert source == heads + SOURCE
    assert output == heads + OUTPUT
    assert stat == heads + SUMMARY[SUMMARY.index("source:") : SUMMARY.index("files:")]
    assert flags == heads + SUMMARY[SUMMARY.index("flags:") : SUMMARY.index("environment:")]
    assert both == heads + "environment:\n  TZ: UTC -> CET\n" + OUTPUT


def test_paths_limit_it_to_files_line_by_line(guild: Guild) -> None:
    """Of the runs, or with `--source` of their code: text as a diff, a link by its target, what is no text by name."""
    pair = f"{OLD} {NEW}"
    words = ("-p m.csv", "-s -p new.py", "-p link", "-p model.bin -p m.csv --stat", "-p .")
    text, source, link, binary, added = (
        found.partition("\n\n")[2] for found in shown(guild, *(f"{pair} {one}" for one in words))
    )
    assert text == "--- aaaaaaaa/m.csv\n+++ bbbbbbbb/m.csv\n@@ -1,3 +1,3 @@\n 1\n 2\n-3\n+4\n"
    assert source == SOURCE[SOURCE.index("--- /dev/null") : SOURCE.index("aaaaaaaa/moved.py")]
    assert "--- aaaaaaaa/link\n+++ bbbbbbbb/link\n@@ -1 +1 @@\n--> /etc\n+-> same.csv\n" in link
    assert binary == "files:\n  changed   model.bin  9 bytes\n  changed   m.csv  6 bytes\n"
    assert "Binary files aaaaaaaa/model.bin and bbbbbbbb/model.bin differ\n" in added
    assert "--- /dev/null\n+++ bbbbbbbb/new\\x1b[31m.txt\n@@ -0,0 +1 @@\n+n\\x1b]0;x\n" in added


def test_which_runs_are_compared(guild: Guild) -> None:
    """None: the latest that matches and the one before; one: it and the one before; a range: the earlier first."""
    cases = {
        "": (STAGED, OTHER), "-E": (NEW, TWIN), "--label best": (NEW, TWIN), "2": (NEW, TWIN), "3": (OLD, NEW),
        "3:4": (OLD, NEW), "3 4": (NEW, OLD), "4 3": (OLD, NEW), "0 -F lr<5 --unlabeled": (OLD, STAGED),
    }  # fmt: skip
    found = guild.many([["diff", *words.split(), "--json", "--flags"] for words in cases])
    for (words, expected), result in zip(cases.items(), found, strict=True):
        told = json.loads(result.out)
        assert (told["from"]["id"], told["to"]["id"]) == expected, words


def test_json_has_what_the_summary_has(guild: Guild) -> None:
    """Each section by its name; values with their types, an absent one left out; diffs when a section is asked for."""
    whole, source, same = (
        json.loads(text)
        for text in shown(guild, f"{OLD} {NEW} --json", f"{OLD} {NEW} -s --json", f"{NEW} {TWIN} --json")
    )
    assert list(whole) == [
        *("from", "to", "attributes", "flags", "environment", "dependencies", "scalars", "source", "output", "files")
    ]
    assert whole["flags"] == {"more": {"after": [1, 2]}, "n": {"before": 1, "after": 1.0}, "only": {"before": ""}}
    assert whole["scalars"]["loss"]["before"]["last"] == [{"$float": "nan"}, 7]
    assert whole["output"] == {"binary": False, "added": 2, "removed": 1, "complete": True}
    assert [one["change"] for one in whole["files"]] == ["changed", "changed", "changed", "added", "removed"]
    assert whole["files"][1]["before"] == {"type": "file", "size": 6}
    train = source["source"]["files"][-1]
    assert (train["path"], train["added"], train["diff"][1:3]) == ("train.py", 2, ["-import sys", "+import os"])
    assert source["source"]["files"][2] | {"diff": 0} == {
        "path": "there.py", "change": "renamed", "from": "moved.py", "binary": False, "added": 0, "removed": 0,
        "complete": True, "diff": 0,
    }  # fmt: skip
    assert all(not same[name] for name in ("flags", "environment", "scalars", "files"))


def test_that_nothing_differs_is_said_and_no_failure(guild: Guild) -> None:
    """On stderr; and a deleted run is compared with `-d` as it was."""
    same, deleted = guild.many([["diff", NEW, TWIN, "--flags", "-s", "-O", "--files"], ["diff", "-d", DELETED]])
    assert same == Result(0, "", f"{LOCAL_SCOPE}Nothing differs between run bbbbbbbb and run cccccccc.\n")
    assert "there is no run before run ffffffff" in deleted.err


def test_what_is_not_there_is_told(guild: Guild) -> None:
    """A run that has not started, and one whose source code could not be kept: the rest is compared."""
    summary, source = shown(guild, f"{NEW} {STAGED}", f"{OTHER} {STAGED} --source")
    assert "output: run dddddddd has not started: it has no files yet\n" in summary
    assert "files: run dddddddd has not started: it has no files yet\n" in summary
    assert "source: no source code was kept of run dddddddd\n" in summary
    assert "source: no source code was kept of run 99999999: git did not answer\n" in source


REFUSED = {
    ("0", "1", "2"): (2, "diff compares two runs, and 3 were given"),
    ("0:2",): (1, "diff compares two runs: these are 3 runs"),
    ("1", "1"): (1, "both are run dddddddd"),
    ("4",): (1, "there is no run before run aaaaaaaa"),
    ("0", "nope"): (1, "could not find a run matching 'nope'"),
    ("--label", "nowhere"): (1, "there is nothing to compare"),
    (OLD, GONE[:6]): (1, "run eeeeeeee was removed for good on 2026-01-01"),
    (OLD, NEW, "-p", "nope\x1b"): (1, "neither run aaaaaaaa nor run bbbbbbbb has a file 'nope\\x1b'"),
    (OLD, NEW, "-p", "../home-id"): (1, "is not a path below the run directory"),
    (OLD, NEW, "-p", "link/passwd"): (1, "leads out of the run directory"),
    (OLD, NEW, "-p", ""): (2, "--path needs a path"),
    (OLD, NEW, "--cmd", "true", "--json"): (2, "--cmd cannot be used with --json"),
    (OLD, NEW, "--cmd", "true", "-s", "-O"): (2, "--cmd compares one thing at a time"),
    (OLD, NEW, "--cmd", ""): (2, "--cmd needs a program"),
    (OLD, NEW, "--cmd", "no-such-program"): (1, "no-such-program cannot be started"),
    ("--at", "1", "--at", "2", "--source"): (2, "--at is for two moments"),
}


def test_what_cannot_be_compared_is_refused(guild: Guild) -> None:
    """With what is wrong and what to do; a purged run is told of by who removed it, and how much that was."""
    results = guild.many([["diff", *words] for words in REFUSED])
    for (words, (code, said)), result in zip(REFUSED.items(), results, strict=True):
        assert (result.code, result.out) == (code, ""), (words, result)
        assert said in result.err, (words, result)
    purged = next(result for words, result in zip(REFUSED, results, strict=True) if GONE[:6] in words)
    assert "2 files, 2.0 KiB; there is nothing left to compare\n`guild history eeeeeeee` tells" in purged.err


def test_another_program_compares(guild: Guild) -> None:
    """It is given two folders, two files or two texts, and its exit code is passed on; of nothing the null device."""
    pair = ["diff", OLD, NEW]
    whole, source, output, flags, path, code = guild.many([
            [*pair, "-c", "echo -n"], [*pair, "-s", "-c", "echo"], [*pair, "-O", "-c", "diff"],
            [*pair, "-f", "-c", "cat"], [*pair, "-p", "old.txt", "-c", "echo"], [*pair, "-c", "sh -c 'exit 7'"],
        ],
    )  # fmt: skip
    runs = guild.home / "runs"
    assert whole.out == f"{runs / OLD} {runs / NEW}"
    assert [Path(text).name for text in source.out.split()] == ["files", "files"]
    assert (output.code, output.out.startswith("2c2,3\n< two\n")) == (1, True)
    assert flags.out == 'lr: 0.1\nn: 1\nonly: ""\nlr: 0.1\nmore: [1,2]\nn: 1.0\n'
    assert path.out == f"{runs / OLD / 'old.txt'} /dev/null\n"
    assert code.code == 7


def test_colours_are_for_terminals(guild: Guild) -> None:
    """Removed red, added green, where they were asked for; what a run printed gives no colour of its own."""
    text = guild.with_env(FORCE_COLOR="1").ok("diff", OLD, NEW, "-O")
    assert "\x1b[31m-two\x1b[0m\n\x1b[32m+three\\x1b[2J\x1b[0m\n" in text


def test_a_damaged_or_missing_snapshot_is_told(guild: Guild, tmp_path: Path) -> None:
    """What it holds is verified as it is read: a file that was changed, a manifest that was changed, a folder gone."""
    copy = Guild(tmp_path / "home", guild.cwd)
    shutil.copytree(guild.home, copy.home, symlinks=True)
    sources = {path.name: path for path in (copy.home / "sources").iterdir()}
    changed = next(path for path in sources.values() if (path / "files" / "new.py").exists())
    (changed / "files" / "new.py").chmod(0o600)
    (changed / "files" / "new.py").write_bytes(b"evil\n")
    full, summary = shown(copy, f"{OLD} {NEW} -s", f"{OLD} {NEW}")
    assert "new.py cannot be compared: 'new.py' of source snapshot" in full
    assert "is not what was kept)" in summary
    (changed / "manifest").chmod(0o600)
    (changed / "manifest").write_bytes((changed / "manifest").read_bytes().replace(b"new.py", b"nEw.py"))
    assert "source: run bbbbbbbb: the manifest of source snapshot" in shown(copy, f"{OLD} {NEW} -s")[0]
    shutil.rmtree(changed)
    assert "source: run bbbbbbbb: there is no source snapshot" in shown(copy, f"{OLD} {NEW}")[0]
