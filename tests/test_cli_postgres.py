"""The command line with its ledger in a PostgreSQL server: the same commands, the same answers, the home beside it."""

from __future__ import annotations

from pathlib import Path

from tests.cli_kit import Guild, make_project


def test_runs_live_their_whole_life_in_a_server(tmp_path: Path, postgres_url: str) -> None:
    """Start, list, label, delete, restore, purge, log and verify work against GUILD_LEDGER, with no ledger.db."""
    project = make_project(tmp_path / "project")
    guild = Guild(tmp_path / "home", project, {"GUILD_LEDGER": postgres_url})

    guild.ok("run", "iris-cnn:train", "-y", "-l", "first")
    failed = guild("run", "iris-cnn:test", "-y")
    assert failed.code == 3
    assert [(row.status, row.label) for row in guild.rows()] == [("error", ""), ("completed", "first")]

    guild.ok("runs", "rm", "-E", "-y")
    assert [row.status for row in guild.rows("--deleted")] == ["error"]
    guild.ok("runs", "restore", "-y")
    guild.ok("label", "0", "second")
    guild.ok("runs", "rm", "-Ep", "-y")
    assert [row.label for row in guild.rows()] == ["first"]

    assert "purged" in guild.ok("log")
    whole = guild.ok("log", "--type", "labeled").splitlines()
    assert guild.ok("log", "--type", "labeled", "-n", "1").splitlines() == whole[:1] != []
    assert (
        guild.ok("log", "--actor", "ada", "-n", "2").splitlines() == guild.ok("log", "--actor", "ada").splitlines()[:2]
    )
    assert "The ledger is whole." in guild.ok("ledger", "verify")
    assert not (tmp_path / "home" / "ledger.db").exists()


def test_a_ledger_in_a_server_is_proved_redacted_and_exported(tmp_path: Path, postgres_url: str) -> None:
    """Its export makes the same ledger as a file; what is about files says that it needs one."""
    guild = Guild(tmp_path / "home", make_project(tmp_path / "project"), {"GUILD_LEDGER": postgres_url})
    guild.ok("run", "iris-cnn:train", "-l", "token-1", "-y")
    guild.ok("ledger", "verify")
    anchor = guild.ok("ledger", "anchor").strip()
    redacted = guild("ledger", "redact", guild.ids()[0], "--reason", "typed by mistake", "-y")
    assert (redacted.code, "VACUUM FULL" in redacted.err) == (0, True)
    assert "token-1" not in guild.ok("log", "-v")
    assert f"anchor: the ledger contains {anchor}" in guild.ok("ledger", "verify", "--quick", "--anchor", anchor)
    guild.ok("ledger", "export", str(tmp_path / "x.jsonl"))
    copy = Guild(tmp_path / "copy", tmp_path)
    copy.ok("ledger", "import", str(tmp_path / "x.jsonl"))
    assert copy.ok("ledger", "anchor") == guild.ok("ledger", "anchor")
    assert copy("ledger", "verify").code == 0
    for args in (["backup", "b.db"], ["restore-backup", str(copy.home / "ledger.db")], ["import", "/dev/null"]):
        assert "in a server" in guild.refused("ledger", *args)


def test_two_homes_share_one_ledger(tmp_path: Path, postgres_url: str) -> None:
    """What one home records, another one lists: each has an index of its own."""
    project = make_project(tmp_path / "project")
    one = Guild(tmp_path / "one", project, {"GUILD_LEDGER": postgres_url})
    other = Guild(tmp_path / "other", project, {"GUILD_LEDGER": postgres_url})

    one.ok("run", "iris-svm:train", "-y")

    assert other.ids() == one.ids() != []


def test_a_server_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    """No traceback, no password in the message, and what to check."""
    guild = Guild(tmp_path / "home", tmp_path, {"GUILD_LEDGER": "postgresql+psycopg://me:hush@127.0.0.1:1/none"})

    said = guild.refused("runs")

    assert "hush" not in said
    assert "127.0.0.1" in said


def test_an_address_that_is_no_url_is_a_clear_error(tmp_path: Path) -> None:
    """GUILD_LEDGER must be a database URL."""
    guild = Guild(tmp_path / "home", tmp_path, {"GUILD_LEDGER": "ledger.db"})

    assert "no database URL" in guild.refused("runs")


def test_a_ledger_in_a_server_takes_another_machine_in(tmp_path: Path, postgres_url: str) -> None:
    """From the other's home; and its own export is merged into that one: both list the same."""
    project = make_project(tmp_path / "project")
    server = Guild(tmp_path / "home", project, {"GUILD_LEDGER": postgres_url})
    laptop = Guild(tmp_path / "laptop", project)
    server.ok("run", "iris-svm:train", "-l", "server", "-y")
    laptop.ok("run", "iris-cnn:train", "-l", "laptop", "-y")
    assert "recorded in transaction" in server.ok("ledger", "merge", str(laptop.home), "-y", "--artifacts")
    assert [row.label for row in server.rows()] == ["laptop", "server"]
    assert "The ledger is whole." in server.ok("ledger", "verify")
    assert "Nothing to merge" in server.ok("ledger", "merge", str(laptop.home), "-y")
    assert server("check").code == 0
    server.ok("ledger", "export", str(tmp_path / "x.jsonl"))
    laptop.ok("ledger", "merge", str(tmp_path / "x.jsonl"), "-y")
    assert laptop.ids() == server.ids()
    laptop.ok("label", "1", "later", "-y")
    server.ok("ledger", "merge", str(laptop.home), "-y")
    assert [row.label for row in server.rows()] == ["laptop", "later"]
