"""`guild ledger export` and `import`: the same ledger, hash for hash; and nothing of a file that is not whole."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import stat
import subprocess
import sys
import termios
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from commands.main import _guarded
from tests.cli_kit import Guild, damage, wait_until
from tests.lab_kit import guild_fixture  # noqa: F401 - a fixture
from tests.test_docs_format import verified


def other(guild: Guild, name: str = "other") -> Guild:
    """Return the same command with a home of its own, which is not there yet."""
    return replace(guild, home=guild.home.parent / name)


def exported(guild: Guild, name: str = "x.jsonl") -> Path:
    """Export the ledger and return the file."""
    path = guild.home.parent / name
    guild.ok("ledger", "export", str(path))
    return path


def test_an_export_makes_the_same_ledger_in_an_empty_home(guild: Guild) -> None:
    """Every row and hash, the identity too; and exported again it is the same file, byte for byte."""
    path = exported(guild)
    copy = other(guild)
    assert copy.ok("ledger", "import", str(path)) == "Imported 13 transactions, 13 events; 0 were there already.\n"
    assert copy.history() == guild.history()
    assert copy.ok("ledger", "anchor") == guild.ok("ledger", "anchor")
    assert copy.ok("runs", "-a") == guild.ok("runs", "-a")
    assert copy("ledger", "verify").code == 0
    assert verified(str(copy.home / "ledger.db"))[0] == 0
    assert copy.ok("ledger", "export") == path.read_text()
    assert stat.S_IMODE((copy.home / "ledger.db").stat().st_mode) == 0o600
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_lines_hold_schema_versions_and_hashes(guild: Guild) -> None:
    """The first line names the form, the last one counts; bodies are the text that was hashed."""
    lines = [json.loads(line) for line in exported(guild).read_text().splitlines()]
    assert lines[0]["guild_ledger_export"] == 1
    assert lines[-1] == {"end": {"transactions": 13, "events": 13}}
    (first, second) = lines[1:3]
    assert set(first["txn"]) == {
        "seq", "txn_id", "origin_id", "origin_seq", "recorded_at", "lamport", "header_hash", "header", "prev_hash",
        "hash",
    }  # fmt: skip
    assert set(second["event"]) == {
        "position", "stream", "stream_version", "type", "schema_version", "body_hash", "body",
    }  # fmt: skip
    assert json.loads(second["event"]["body"])["format"] == 1


def test_a_continuation_is_taken_and_nothing_else(guild: Guild) -> None:
    """What is there already is compared; the rest is appended; what went another way is refused."""
    copy = other(guild)
    copy.ok("ledger", "import", str(exported(guild)))
    guild.ok("label", "0", "later", "-y")
    newer = exported(guild, "newer.jsonl")
    assert copy.ok("ledger", "import", str(newer)) == "Imported 1 transactions, 1 events; 13 were there already.\n"
    assert copy.ok("ledger", "import", str(newer)) == "Imported 0 transactions, 0 events; 14 were there already.\n"
    assert copy.history() == guild.history()
    assert copy.ok("runs", "-a") == guild.ok("runs", "-a")
    copy.ok("label", "0", "here", "-y")
    guild.ok("label", "0", "there", "-y")
    before = copy.history()
    refused = copy.refused("ledger", "import", str(exported(guild, "fork.jsonl")))
    assert "differ from transaction 15 on" in refused
    assert "guild -H NEWHOME ledger import" in refused
    assert copy.history() == before


def test_another_ledger_is_not_mixed_in(guild: Guild) -> None:
    """A home has one ledger; the way out is a home of its own."""
    copy = other(guild)
    copy.ok("run", "iris-svm:train", "-y")
    before = copy.history()
    assert "another ledger" in copy.refused("ledger", "import", str(exported(guild)))
    assert copy.history() == before


def test_what_was_redacted_meanwhile_is_emptied_by_the_import(guild: Guild) -> None:
    """A copy that still holds the secret loses it with the history that says so."""
    copy = other(guild)
    copy.ok("ledger", "import", str(exported(guild)))
    guild.ok("ledger", "redact", guild.ids()[0], "--reason", "x", "-y")
    result = copy("ledger", "import", str(exported(guild, "newer.jsonl")))
    assert result.code == 0
    assert "were emptied" in result.err
    assert copy.history() == guild.history()
    assert b"good one" not in (copy.home / "ledger.db").read_bytes()
    assert copy("ledger", "verify").code == 0
    assert not (copy.home / "ledger.db-unwiped").exists()


def altered(line: int, change: Callable[[Any], Any]) -> Callable[[list[str]], list[str]]:
    """Return what changes one line of an export as JSON."""

    def apply(lines: list[str]) -> list[str]:
        lines[line] = json.dumps(change(json.loads(lines[line])))
        return lines

    return apply


def with_field(kind: str, name: str, value: object) -> Callable[[Any], Any]:
    """Return what sets a field of a line."""
    return lambda data: {kind: {**data[kind], name: value}}


HOSTILE: dict[str, Callable[[list[str]], list[str]]] = {
    "empty": lambda _: [],
    "no export": lambda _: ["hello"],
    "a list": lambda _: ["[]"],
    "another version": altered(0, lambda data: {**data, "guild_ledger_export": 2}),
    "another format": altered(0, lambda data: {**data, "format": "9"}),
    "no identity": altered(0, lambda data: {**data, "ledger_id": "../../x"}),
    "no origins": altered(0, lambda data: {**data, "origins": None}),
    "the end is missing": lambda lines: lines[:-1],
    "only the beginning": lambda lines: lines[:1],
    "cut in a line": lambda lines: [*lines[:5], lines[5][:40]],
    "a line twice": lambda lines: [*lines[:4], lines[3], *lines[4:]],
    "a line left out": lambda lines: [*lines[:4], *lines[5:]],
    "two lines exchanged": lambda lines: [*lines[:3], lines[5], lines[6], lines[3], lines[4], *lines[7:]],
    "more after the end": lambda lines: [*lines, lines[3]],
    "another body": altered(4, with_field("event", "body", "{}")),
    "no body": altered(4, with_field("event", "body", None)),
    "a body that is no text": altered(4, with_field("event", "body", 7)),
    "another type": altered(4, with_field("event", "type", "run.marked")),
    "another time": altered(3, with_field("txn", "recorded_at", 5)),
    "a number too large": altered(3, with_field("txn", "recorded_at", 2**70)),
    "a hash too short": altered(3, with_field("txn", "hash", "00")),
    "a field missing": altered(3, lambda data: {"txn": {"seq": data["txn"]["seq"]}}),
    "another count": altered(-1, lambda _: {"end": {"transactions": 1, "events": 1}}),
    "nested too deep": lambda lines: [*lines[:3], "[" * 100_000, *lines[3:]],
    "an unknown kind": lambda lines: [*lines[:3], '{"drop": "table"}', *lines[3:]],
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_file_that_is_not_whole_changes_nothing(guild: Guild, kind: str) -> None:
    """Neither an empty home nor one with a ledger; the message is one line, with what to do."""
    path = exported(guild)
    path.write_text("\n".join(HOSTILE[kind](path.read_text().splitlines())))
    copy = other(guild)
    assert copy("ledger", "import", str(path)).code in (1, 3)
    assert not [name for name in os.listdir(copy.home) if name.startswith("ledger.db") and name != "ledger.db-gate"]
    before = guild.history()
    # A body that is missing where this ledger has it already takes nothing away.
    assert guild("ledger", "import", str(path)).code in ((0,) if kind == "no body" else (1, 3))
    assert guild.history() == before
    assert not (guild.home / "ledger.db-unwiped").exists()


def test_a_huge_line_is_refused_before_it_fills_the_memory(guild: Guild) -> None:
    """A gigabyte without a line break is not read to its end."""
    path = exported(guild)
    with path.open("r+b") as file:
        file.truncate(1024**3)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (768 * 1024**2, 768 * 1024**2))

    copy = replace(other(guild), prepare=limit)
    refused = copy.refused("ledger", "import", str(path))
    assert "is longer than 64 MiB" in refused or "no line of an export" in refused or "no JSON" in refused


def test_an_import_from_a_pipe_and_an_export_to_one(guild: Guild) -> None:
    """`-` is standard input; without a name the export goes to standard output."""
    text = guild.ok("ledger", "export", "-")
    copy = other(guild)
    copy.ok("ledger", "import", "-", stdin=text)
    assert copy.history() == guild.history()


def test_nobody_waits_for_what_feeds_an_import(guild: Guild) -> None:
    """While the pipe stands still, other commands write; the import sees what they wrote when all has come."""
    copy = other(guild)
    copy.ok("ledger", "import", str(exported(guild)))
    guild.ok("label", "0", "new")
    text = guild.ok("ledger", "export").encode()
    reading = copy.start("ledger", "import", "-", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert reading.stdin is not None
    os.write(reading.stdin.fileno(), text[:500])
    wait_until(lambda: fcntl.ioctl(reading.stdin or 0, termios.FIONREAD, bytes(4)) == bytes(4))
    copy.ok("mark", "0")
    _, told = reading.communicate(text[500:])
    assert (reading.returncode, b"different ways" in told) == (1, True), told


def test_an_export_never_overwrites_and_needs_a_whole_ledger(guild: Guild) -> None:
    """What was altered is not given out as history; what is there stays."""
    path = exported(guild)
    before = path.read_bytes()
    guild.refused("ledger", "export", str(path))
    assert path.read_bytes() == before
    damage(guild.home / "ledger.db", ["UPDATE event SET body = x'7b7d' WHERE position = 5"])
    assert "event 5" in guild.refused("ledger", "export", f"{path}.2", code=3)
    assert guild("ledger", "export").code == 3
    assert not Path(f"{path}.2").exists()


def test_a_home_that_lost_its_ledger_is_not_imported_into(guild: Guild) -> None:
    """Its index is the only trace of what was lost; a home of its own is the way."""
    path = exported(guild)
    (guild.home / "ledger.db").unlink()
    assert "still holds what belongs to it" in guild.refused("ledger", "import", str(path), code=3)
    assert not (guild.home / "ledger.db").exists()


@pytest.mark.parametrize(("args", "number"), [(("export",), 1), (("export", "-"), 1), (("import", "-"), 0)])
def test_a_closed_stream_is_a_usage_error(guild: Guild, args: tuple[str, ...], number: int) -> None:
    """Nothing can be written to it or read from it: that is said, and a FILE asked for."""
    history = guild.history()
    result = replace(guild, prepare=lambda: os.close(number))("ledger", *args)
    assert result.code == 2, result
    assert f"standard {('input', 'output')[number]} is closed" in result.err
    assert "Give a FILE." in result.err
    assert guild.history() == history


def test_an_unforeseen_error_is_told_with_standard_output_closed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last line of defence asks whether it was the output that failed, which is not there."""
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr("commands.main.guild.main", lambda **_words: 1 // 0)
    monkeypatch.delenv("GUILD_DEBUG", raising=False)
    assert _guarded([]) == 1
    assert "not foreseen: ZeroDivisionError" in capsys.readouterr().err
