"""The files of runs from outside: `guild ls`, `cat` and `open`, which never leave the run directory."""

from __future__ import annotations

import os
import pty
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.cli_kit import LOCAL_SCOPE, PATIENCE, Guild, copied, lab, project_of

PATHS = ["a-b", "a.txt", "a/b", "a/c/d", "data.bin", "empty/", "fifo", "in", "out", "outside"]


@pytest.fixture
def guild(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Guild:
    """Give the command in the iris project; the latest run has files of every kind."""
    guild = copied(tmp_path_factory, tmp_path)
    folder = guild.home / "runs" / lab(tmp_path_factory).ids[0]
    (folder / "a" / "c").mkdir(parents=True)
    (folder / "empty").mkdir()
    for name in ("a-b", "a.txt", "a/b", "a/c/d"):
        (folder / name).write_text(f"{name}\n", encoding="utf-8")
    (folder / "data.bin").write_bytes(b"\x00\xff\x1b[2J")
    (tmp_path / "secret").write_text("secret\n", encoding="utf-8")
    (folder / "outside").symlink_to(tmp_path / "secret")
    (folder / "out").symlink_to(tmp_path)
    (folder / "in").symlink_to("a/b")
    os.mkfifo(folder / "fifo")
    return guild


def on_terminal(guild: Guild, *args: str) -> tuple[int, str]:
    """Run a command whose stdout is a terminal; return its code and what it showed."""
    ours, theirs = pty.openpty()
    try:
        process = guild.start(*args, stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL)
        os.close(theirs)
        seen = b""
        while True:
            try:
                data = os.read(ours, 4096)
            except OSError:
                break
            if not data:
                break
            seen += data
        return process.wait(PATIENCE), seen.decode("utf-8", "surrogateescape")
    finally:
        os.close(ours)


def test_files_are_listed_sorted_by_path(guild: Guild, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Below the run directory, links not followed, guild's own files only when asked for."""
    folder = guild.home / "runs" / lab(tmp_path_factory).ids[0]
    told = guild("ls")
    assert (told.code, told.err) == (0, LOCAL_SCOPE)
    assert told.out.splitlines() == [f"{folder}:", *(f"  {path}" for path in PATHS)]
    assert guild.ok("ls", "-n", "0").splitlines() == PATHS
    assert guild.ok("ls", "-n", "-A").splitlines() == [".guild/output", ".guild/output.index", *PATHS]
    assert guild.ok("ls", "-n", "0", "a").splitlines() == ["a/b", "a/c/d"]
    assert guild.ok("ls", "-n", "0", "./a/c/").splitlines() == ["a/c/d"]
    assert guild.ok("ls", "-n", "0", "a/b").splitlines() == ["a/b"]
    assert guild.ok("ls", "-n", "0", ".guild").splitlines() == [".guild/output", ".guild/output.index"]
    assert guild.ok("ls", "1").splitlines()[1:] == []


def test_files_are_listed_with_sizes_and_as_json(guild: Guild) -> None:
    """Sizes of files only; JSON says what each entry is."""
    assert "     6 bytes  a.txt\n" in guild.ok("ls", "--sizes")
    assert "6\ta.txt\n" in guild.ok("ls", "--sizes", "-n")
    found = {one["path"]: (one["type"], one["size"]) for one in guild.json("ls")}
    assert found["a.txt"] == ("file", 6)
    assert found["outside"] == found["out"] == ("link", None)
    assert (found["empty"], found["fifo"]) == (("folder", None), ("other", None))


def test_names_of_any_bytes_are_shown_safely_and_given_exactly(guild: Guild) -> None:
    """Escaped for people; byte for byte with -n, and taken back by `cat`."""
    folder = next((guild.home / "runs").glob(f"{guild.ids()[1]}"))
    name = "caf\udce9 \x1b[2J\nx"
    (folder / name).write_text("odd\n", encoding="utf-8")
    assert guild.ok("ls", "1").splitlines()[1:] == ["  caf\\xe9 \\x1b[2J\\nx"]
    assert guild.ok("ls", "-n", "1") == f"{name}\n"
    assert guild.ok("cat", "1", name) == "odd\n"
    assert len(guild.json("ls", "1")) == 1


def test_a_link_out_is_listed_and_not_followed(guild: Guild) -> None:
    """`ls` names the link itself; `cat` and `open` say where it leads."""
    assert guild.ok("ls", "-n", "0", "outside") == "outside\n"
    assert guild.ok("ls", "-n", "0", "out/") == "out\n"
    for command in ("cat", "open"):
        assert "/secret'" in guild.refused(command, "0", "outside")


@pytest.mark.parametrize("path", ["..", "../..", "a/../../x", "/etc/passwd", "out/secret", "none", "a/none"])
@pytest.mark.parametrize("command", ["ls", "cat", "open"])
def test_no_path_leads_out_of_the_run_directory(guild: Guild, command: str, path: str) -> None:
    """Not by dots, not from the root, not by a link; what is not there is said."""
    told = guild(command, "0", path)
    assert (told.code, told.out) == (1, "")
    assert re.search("not a path below|leads out of|has no file", told.err)


def test_a_file_is_printed_byte_for_byte(guild: Guild, tmp_path: Path) -> None:
    """Also one that is no text, into a pipe; links inside are followed; the output has an option of its own."""
    assert guild.ok("cat", "0", "a/b") == guild.ok("cat", "a/b") == guild.ok("cat", "in") == "a/b\n"
    with open(tmp_path / "copy", "wb") as copy:
        process = guild.start("cat", "data.bin", stdout=copy)
        process.communicate(timeout=PATIENCE)
    assert (tmp_path / "copy").read_bytes() == b"\x00\xff\x1b[2J"
    assert guild.ok("cat", "--output", "1") == guild.ok("cat", "1", ".guild/output") == "working --base x --rate 0.5\n"
    assert guild.ok("cat", "--output", "-E") == "working --exit 3\n"


def test_what_is_no_text_is_kept_from_a_terminal(guild: Guild) -> None:
    """Refused with a hint, unless forced; text is shown."""
    code, seen = on_terminal(guild, "cat", "0", "data.bin")
    assert code == 1
    assert "garble" in seen
    assert "\x1b[2J" not in seen
    assert on_terminal(guild, "cat", "0", "data.bin", "--force")[0] == 0
    code, seen = on_terminal(guild, "cat", "0", "a.txt")
    assert (code, seen.endswith("a.txt\r\n")) == (0, True)


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        ([], 2, "specify a path"),
        ([""], 2, "specify a path"),
        (["0", "a", "b"], 2, "only one RUN and one PATH"),
        (["0", "a", "--output"], 2, "--output takes a RUN and no PATH"),
        (["0", "a"], 1, "'a' is a folder"),
        (["0", "fifo"], 1, "'fifo' is no regular file"),
        (["99", "a"], 1, "could not find a run matching '99'"),
        (["0:1", "a"], 1, "matches multiple runs"),
        (["-R", "a"], 1, "no run matches"),
    ],
)
def test_a_file_that_cannot_be_printed_is_told(guild: Guild, args: list[str], code: int, message: str) -> None:
    """Without waiting for a pipe, and without a line on stdout."""
    told = guild("cat", *args)
    assert (told.code, told.out) == (code, "")
    assert message in told.err


def test_deleted_runs_have_files_and_purged_ones_none(guild: Guild) -> None:
    """With -d, by the numbers of `runs --deleted`; without, the message says where the run is."""
    run_id = guild.ids()[0]
    guild.ok("runs", "rm", "0", "-y")
    assert guild.ok("cat", "-d", "0", "a.txt") == guild.ok("cat", "-d", run_id, "a.txt") == "a.txt\n"
    assert guild.ok("ls", "-dn").splitlines() == PATHS
    assert guild.ok("open", "-d", "--cmd", "echo") == f"{guild.home / 'trash' / run_id}\n"
    assert "is deleted" in guild.refused("ls", run_id)
    guild.ok("runs", "purge", "-y")
    for command in (["ls", run_id], ["cat", run_id, "a.txt"], ["open", run_id]):
        assert "permanently deleted" in guild.refused(*command)
        assert "permanently deleted" in guild.refused(*command, "-d")


def test_a_run_without_directory_is_told(tmp_path: Path) -> None:
    """A staged run, and a run whose files were removed by hand."""
    guild = project_of(tmp_path, "print('on')")
    guild.ok("run", "go", "-y")
    guild.ok("run", "go", "--stage", "-y")
    assert "has not started" in guild.refused("ls", "0")
    (run_id,) = guild.ids("-C")
    folder = guild.home / "runs" / run_id
    subprocess.run(["rm", "-r", str(folder)], check=True)
    for command in (["ls", run_id], ["cat", run_id, "x"], ["open", run_id]):
        assert "has no directory in this home" in guild.refused(*command)


def test_a_run_is_opened_with_a_program(guild: Guild) -> None:
    """That of --cmd, else of GUILD_OPEN; the path is its last argument."""
    folder = guild.home / "runs" / guild.ids()[0]
    assert guild.ok("open", "--cmd", "echo -n now") == f"now {folder}"
    assert guild.ok("open", "0", "a/b", "--cmd", "echo") == f"{folder / 'a/b'}\n"
    assert guild.with_env(GUILD_OPEN="echo viewer").ok("open") == f"viewer {folder}\n"
    told = guild("open", "0", "a")
    assert (told.code, told.out) == (0, f"{folder / 'a'}\n")
    assert "Nothing here can open it" in told.err


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--cmd", "no-such-program"], 1, "no-such-program cannot be started"),
        (["--cmd", "false"], 1, "false ended with 1"),
        (["--cmd", ""], 2, "--cmd needs a program"),
        (["--cmd", "'"], 2, "cannot be split into words"),
        (["--cmd", "x", "--shell"], 2, "cannot be used together"),
        (["0:1"], 1, "matches multiple runs"),
    ],
)
def test_what_cannot_be_opened_is_told(guild: Guild, args: list[str], code: int, message: str) -> None:
    """With the program's name and what to do."""
    assert message in guild.refused("open", *args, code=code)


def test_a_shell_starts_in_the_run_directory(guild: Guild) -> None:
    """It knows the run, and its exit code is the command's."""
    run_id = guild.ids()[0]
    told = guild.with_env(SHELL="/bin/sh")("open", "--shell", stdin='pwd; echo "$RUN_ID"; exit 7\n')
    assert told.code == 7
    assert told.out == f"{guild.home / 'runs' / run_id}\n{run_id}\n"
    told = guild.with_env(SHELL="/bin/sh")("open", "0", "a/b", "--shell", stdin="pwd\n")
    assert told.out.endswith("/a\n")


def test_a_reader_that_leaves_early_is_no_error(guild: Guild) -> None:
    """`guild cat ... | head` and `guild ls | head` end quietly."""
    folder = guild.home / "runs" / guild.ids()[0]
    (folder / "big").write_bytes(b"line\n" * 400_000)
    for words in (["cat", "0", "big"], ["ls", "-n"], ["ls"]):
        command = f"{shlex.join(os.fsdecode(word) for word in guild.command(*words))} | head -n 1"
        done = subprocess.run(
            ["sh", "-c", command], cwd=guild.cwd, env=guild.environment(), capture_output=True, text=True, check=False
        )
        assert done.stderr == LOCAL_SCOPE
