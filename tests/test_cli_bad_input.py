"""Bad model files, odd paths and hostile arguments: each with a clear error and the documented exit code."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.cli_kit import PATIENCE, Guild, copied, make_project, operation, project_of

BROKEN: dict[str, tuple[str, str]] = {
    "no yaml": ("{name: m, operations: [", "this is not valid YAML"),
    "a tab": ("name: m\noperations:\n\ttrain: work\n", "MODELS:3:1:"),
    "duplicate model": (
        "- {name: m, operations: {go: work}}\n- {name: m, operations: {go: work}}\n",
        "MODELS:2:10: duplicate model 'm'",
    ),
    "operation without cmd": ("name: m\noperations:\n  go:\n    description: x\n", "operation 'go' has no 'cmd'"),
    "empty cmd": ("name: m\noperations: {go: {cmd: ''}}\n", "operation 'go' has no 'cmd'"),
    "flags as a list": ("name: m\noperations: {go: {cmd: work, flags: [a, b]}}\n", "'flags' of operation 'go'"),
    "operations as a list": ("name: m\noperations: [go]\n", "'operations' of model 'm'"),
    "empty file": ("", "the file is empty"),
    "only a comment": ("# nothing\n", "the file is empty"),
    "text": ("hello\n", "holds"),
    "no name": ("description: Work\n", "the model has no name"),
    "a number as name": ("{name: 5, operations: {go: work}}\n", "'name' of a model"),
    "a colon in a name": ("{name: 'a:b', operations: {go: work}}\n", "cannot be typed as a name"),
    "open quote in cmd": ('name: m\noperations: {go: "work \'x"}\n', "cannot be split into words"),
    "script outside": ("name: m\noperations: {go: ../evil.py}\n", "outside the project"),
    "python object": ("name: !!python/object/apply:os.system ['touch hacked']\n", "MODELS:1:"),
    "a nul": ("name: m\0\n", "MODELS:1:"),
    "two documents": ("name: a\n---\nname: b\n", "MODELS:2:"),
    "an alias bomb": (
        "a: &a [x, x]\nb: &b [*a, *a, *a, *a]\nc: &c [*b, *b, *b, *b]\nname: m\noperations: {go: *c}\n",
        "MODELS:",
    ),
    "deep nesting": ("[" * 5000, "MODELS:1:"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_model_file_is_told_with_its_place(tmp_path: Path, kind: str) -> None:
    """`guild run` names file, line and what is expected, and nothing is started."""
    text, message = BROKEN[kind]
    project = make_project(tmp_path / "p", text)
    guild = Guild(tmp_path / "home", project)
    error = guild.refused("run", "go", "-y")
    assert message in error
    assert len(error) < 2000
    assert not guild.home.exists()
    assert sorted(os.listdir(project)) == ["MODELS", "work.py"]


def test_a_model_file_of_other_bytes_is_refused(tmp_path: Path) -> None:
    """UTF-16, bytes that are no UTF-8, a device, and a file that may not be read."""
    guild = Guild(tmp_path / "home", make_project(tmp_path / "p"))
    models = guild.cwd / "MODELS"
    for data in ("name: m".encode("utf-16"), b"name: caf\xe9\n"):
        models.write_bytes(data)
        assert "UTF-8" in guild.refused("run", "go", "-y")
    models.unlink()
    models.symlink_to("/dev/zero")
    assert "no model file" in guild.refused("run", "go", "-y")
    models.unlink()
    models.symlink_to(guild.cwd / "none")
    assert "no model file" in guild.refused("run", "go", "-y")


def test_a_warning_about_an_unknown_key_does_not_stop_the_run(tmp_path: Path) -> None:
    """A key that is not supported is told with its line, on stderr."""
    guild = Guild(tmp_path / "home", make_project(tmp_path / "p", "name: m\nplugins: 1\noperations: {go: work}\n"))
    result = guild("run", "go", "-y")
    assert (result.code, result.out) == (0, "working\n")
    assert "MODELS:2: key 'plugins' of model 'm' is not supported" in result.err


@pytest.mark.parametrize("name", ["with blank 🌷", "caf\udce9", "-quo'te\"$(x)\nline"])
def test_a_project_may_have_any_path(tmp_path: Path, name: str) -> None:
    """Its runs work, are listed in it, from beside it, and can be deleted and restored."""
    models, modules = operation("import os, neighbour; print(neighbour.OK, os.path.exists('MODELS'))")
    project = make_project(tmp_path / name, models, **modules, neighbour="OK = 'fine'\n")
    guild = Guild(tmp_path / "home", project)
    assert guild.ok("run", "go", "-y") == "fine False\n"
    assert [row.op for row in guild.rows()] == ["./m:go"]
    assert len(guild.json("runs")) == 1
    assert guild("runs", "info").code == 0
    beside = guild.at(tmp_path).ok("runs")
    assert len(beside.splitlines()) == 1
    assert beside.startswith("[0:")
    assert guild.at(tmp_path).ok("-C", name, "runs") == guild.ok("runs")
    guild.ok("runs", "rm", "0", "-y")
    assert len(guild.rows("-d")) == 1
    assert guild("log").code == 0


def test_a_project_reached_by_a_link_is_the_project(tmp_path: Path) -> None:
    """The scope of a link to a project is the project's, by `cd` and by -C."""
    guild = project_of(tmp_path, "")
    (tmp_path / "link").symlink_to(guild.cwd)
    guild.at(tmp_path / "link").ok("run", "go", "-y")
    guild.at(tmp_path).ok("-C", "link", "run", "go", "-y")
    assert len(guild.rows()) == 2
    assert len(guild.at(tmp_path / "link").rows()) == 2
    assert len(guild.at(tmp_path).json("-C", "link", "runs")) == 2
    assert len(guild.at(tmp_path).json("-C", str(tmp_path / "link"), "runs")) == 2


def test_a_project_may_be_at_the_top_of_a_deep_tree(tmp_path: Path) -> None:
    """Paths up to what the system allows."""
    deep = tmp_path
    for _ in range(12):
        deep = deep / ("d" * 200)
    guild = Guild(tmp_path / "home", make_project(deep, "{name: m, operations: {go: work}}"))
    assert guild.ok("run", "go", "-y") == "working\n"
    assert len(guild.rows()) == 1


def test_a_deleted_working_directory_is_named(tmp_path: Path) -> None:
    """In a folder that is gone the error says so; with -C everything works."""
    guild = project_of(tmp_path, 'import os; print(os.environ["CMD_DIR"])')
    script = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'

    def in_no_folder(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", script, "sh", *guild.command(*args)],
            cwd=tmp_path,
            env=guild.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    lost = in_no_folder("runs")
    assert (lost.returncode, lost.stdout) == (1, "")
    assert "guild: the working directory is gone\nChange to another directory, or use -C.\n" in lost.stderr
    done = in_no_folder("-C", str(guild.cwd), "run", "go", "-y")
    assert (done.returncode, done.stdout) == (0, f"{guild.cwd}\n"), done.stderr
    listed = in_no_folder("-C", str(guild.cwd), "runs")
    assert (listed.returncode, len(listed.stdout.splitlines())) == (0, 1)
    assert "Traceback" not in lost.stderr + done.stderr + listed.stderr


def test_a_run_in_a_run_directory_needs_a_model_file(tmp_path: Path) -> None:
    """A run directory is no project, and its .guild is no home."""
    guild = project_of(tmp_path, "")
    guild.ok("run", "go", "-y")
    (run_id,) = guild.ids()
    inside = guild.at(guild.home / "runs" / run_id)
    assert "no model file" in inside.refused("run", "go", "-y")
    assert len(inside.rows()) == 1
    assert inside.rows()[0].op.endswith("/project/m:go")


def test_a_path_is_no_run(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    """What looks like a path is refused by every command that takes runs, and nothing outside is touched."""
    guild = copied(tmp_path_factory, tmp_path)
    before = guild.state()
    for spec in ("../../etc", "/", "a/b", "~", "-", "--", "\x01", "*", "\n", "😀", "\udcff"):
        error = guild.refused("runs", "rm", "-p", "-y", "--", spec)
        assert "could not find a run matching" in error
        assert "\x01" not in error
    for args in (["runs", "info"], ["label", "-c", "-y"], ["runs", "purge", "-y"], ["runs", "restore", "-y"]):
        assert "could not find a run matching '../..'" in guild.refused(*args, "--", "../..")
    assert guild.state() == before


def test_a_flag_that_no_process_can_be_given_is_refused(tmp_path: Path) -> None:
    """A NUL inside a value, and arguments beyond the system's limit, are errors of the command, not crashes."""
    guild = project_of(tmp_path, "", "{text: null}")
    error = guild.refused("run", "go", r'text="a\0b"', "-y")
    assert "cannot be passed to a process" in error
    assert not guild.home.exists()


def test_values_that_look_like_options_stay_values(tmp_path: Path) -> None:
    """`text=--exit` is the value `--exit`; after `--` a word may begin with a dash."""
    guild = project_of(tmp_path, "import sys; print(sys.argv[1:])", "{text: null}")
    assert guild.ok("run", "-y", "go", "text=--yes") == "['--text=--yes']\n"
    assert guild.ok("run", "-y", "--", "go", "text=-y") == "['--text=-y']\n"
    assert "--nope" in guild.refused("run", "go", "--nope", "-y", code=2)


def test_numbers_of_every_size_are_kept(tmp_path: Path) -> None:
    """What JSON cannot say is recorded in an explicit form, shown, and verified."""
    values = ["1e400", "-1e400", ".nan", ".inf", "9" * 400, "0x" + "f" * 100, "1_000", "[[1, {a: [2]}]]"]
    flags = [f"x{number}" for number in range(len(values))]
    guild = project_of(tmp_path, "", f"{{{', '.join(f'{name}: null' for name in flags)}}}")
    guild.ok("run", "go", *(f"{name}={value}" for name, value in zip(flags, values, strict=True)), "-y")
    shown = guild.ok("runs", "info")
    assert all(f"\n  {name}: " in shown for name in flags)
    kept = guild.json("runs", "info")["flags"]
    assert all(kept[name] is not None for name in flags)
    assert kept["x7"] == [1, {"a": [2]}]
    assert "The ledger is whole." in guild.ok("ledger", "verify")


def test_a_script_may_remove_its_own_directory(tmp_path: Path) -> None:
    """The run ends as it ended, and is then a run without a directory."""
    guild = project_of(tmp_path, "import os, shutil; shutil.rmtree(os.environ['RUN_DIR']); raise SystemExit(2)")
    assert guild("run", "go", "-y").code == 2
    assert [row.status for row in guild.rows()] == ["error"]
    guild.ok("runs", "rm", "-y")
    guild.ok("runs", "purge", "-y")


def test_a_script_may_remove_the_home(tmp_path: Path) -> None:
    """Whatever the script does to the ledger, guild says what it cannot do and shows no traceback."""
    guild = project_of(tmp_path, "import os, shutil; shutil.rmtree(os.environ['GUILD_HOME']); raise SystemExit(2)")
    result = guild("run", "go", "-y")
    assert result.code != 0
    assert result.err.startswith("guild: ")


def test_modules_named_like_ours_are_no_obstacle(tmp_path: Path) -> None:
    """Modules of the project that are named like parts of guild stay the project's, and guild its own."""
    code = "import commands, ledger; print(commands.MINE, ledger.MINE)"
    models, modules = operation(code)
    project = make_project(tmp_path / "p", models, **modules, commands="MINE = 1\n", ledger="MINE = 2\n")
    guild = Guild(tmp_path / "home", project)
    assert guild.ok("run", "go", "-y") == "1 2\n"
    assert len(guild.rows()) == 1
