"""Proves that a folder of scripts needs no model file: flags, tracebacks, exit codes and listings."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli_kit import PATIENCE, Guild, Row

SCRIPTS = {
    "parsed.py": """\
import argparse
import sys

parser = argparse.ArgumentParser()
parser.add_argument("--rows", type=int, default=3, help="How many rows")
parser.add_argument("--sep", choices=["comma", "blank"], default="comma")
parser.add_argument("--fast", action="store_true")
args = parser.parse_args()
print(sys.argv[1:], args.rows, args.sep, args.fast)
""",
    "clicked.py": """\
import sys

import click


@click.command()
@click.option("--lr", default=0.1, show_default=True, help="How far to go")
@click.option("--fast/--slow", default=False)
def main(lr, fast):
    print(sys.argv[1:], lr, fast)


if __name__ == "__main__":
    main()
""",
    "plain.py": """\
lr = 0.1
layers = [64, 32]
name = "base"
warm = False
_hidden = 1
print(__name__, [lr, layers, name, warm], __file__)
""",
    "broken.py": "lr = 0.1\ndef f(:\n    pass\n",
    "late.py": "lr = 0.1\n\n\ndef fail():\n    raise ValueError(f'lr is {lr}')\n\n\nfail()\n",
    "code.py": "import sys\n\ncode = 0\nsys.exit(code)\n",
    "asks.py": "import sys\n\ntimes = 1\nprint(sys.stdin.read().strip() * times)\n",
    "tabs.py": "n = 1\nfor i in range(2):\n\tif i:\n\t\tprint('tab', n)\n",
    "spawns.py": """\
import multiprocessing

factor = 2


def scaled(number):
    return number * factor


if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(scaled, [1, 2]))
""",
    "mein größter Lauf.py": "n = 1\nprint('größer', n)\n",
    "sub/inner.py": "from helper import twice\n\nn = 1\nprint('inner', twice(n))\n",
    "sub/helper.py": "def twice(n):\n    return 2 * n\n",
    "package/__init__.py": "",
    "package/__main__.py": "from .other import tell\n\nlr = 0.1\ntell(lr)\n",
    "package/other.py": "def tell(lr):\n    print(__package__, lr)\n",
    "deep/er/tool/__main__.py": "lr = 0.1\nprint(__spec__.name, lr)\n",
    "no-program/x.txt": "",
    "go.sh": 'echo "$0" "$@"\nexit 7\n',
    "tool": '#!/bin/sh\necho "tool $*"\n',
    "data.csv": "1,2\n",
}


@pytest.fixture(scope="module")
def guild(tmp_path_factory: pytest.TempPathFactory) -> Guild:
    """Give the command in a folder of scripts; the tests of this file share both."""
    base = tmp_path_factory.mktemp("scripts")
    folder = base / "my scripts"
    for name, text in SCRIPTS.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "tool").chmod(0o755)
    return Guild(base / "home", folder)


def newest(guild: Guild, op: str) -> Row:
    """Return the latest run of a script."""
    return guild.rows("--op", op)[0]


@pytest.mark.parametrize(
    ("words", "out"),
    [
        (["parsed.py"], "['--rows', '3', '--sep', 'comma'] 3 comma False"),
        (["parsed.py", "rows=5", "fast=yes"], "['--fast', '--rows', '5', '--sep', 'comma'] 5 comma True"),
        (["clicked.py", "lr=2", "fast=yes"], "['--fast', '--lr', '2.0'] 2.0 True"),
        (["./plain.py", "lr=1e-3"], "__main__ [0.001, [64, 32], 'base', False] {folder}/plain.py"),
        (["plain.py", "layers=[1,2]", "name=", "warm=1"], "__main__ [0.1, [1, 2], '', True] {folder}/plain.py"),
        (["tabs.py", "n=3"], "tab 3"),
        (["spawns.py", "factor=5"], "[5, 10]"),
        (["mein größter Lauf.py", "n=3"], "größer 3"),
        (["sub/inner.py", "n=3"], "inner 6"),
        (["package", "lr=3"], "package 3"),
        (["deep/er/tool/", "lr=3"], "tool.__main__ 3"),
        (["tool", "b=yes", "a=two words"], "tool --a two words --b"),
    ],
)
def test_flags_reach_a_script(guild: Guild, words: list[str], out: str) -> None:
    """As arguments where it parses them, else as its variables, also in workers; to other programs any flag may go."""
    assert guild.ok("run", *words, "-y") == out.format(folder=guild.cwd) + "\n"


def test_a_script_reads_what_is_piped_in(guild: Guild) -> None:
    """Standard input is the caller's."""
    assert guild.ok("run", "asks.py", "times=2", "-y", stdin="ab") == "abab\n"


def test_a_script_in_another_directory_runs_there(guild: Guild) -> None:
    """With -C as after a change of the directory."""
    assert guild.at("/").ok("-C", str(guild.cwd), "run", "tabs.py", "n=4", "-y") == "tab 4\n"


@pytest.mark.parametrize(("script", "code"), [("code.py", 9), ("go.sh", 7)])
def test_the_exit_code_is_the_script_s(guild: Guild, script: str, code: int) -> None:
    """And the run is listed as an error."""
    result = guild("run", script, f"code={code}", "-y")
    assert (result.code, newest(guild, script).status) == (code, "error")


def test_a_traceback_shows_the_script_alone(guild: Guild) -> None:
    """No frame of what has set its variables."""
    process = guild.start("run", "late.py", "lr=3", "-y")
    _, err = process.communicate(b"", PATIENCE)
    lines = err.decode().splitlines()
    path = guild.cwd / "late.py"
    assert process.returncode == 1
    assert lines[0] == "Traceback (most recent call last):"
    assert [line for line in lines if line.startswith("  File")] == [
        f'  File "{path}", line 8, in <module>',
        f'  File "{path}", line 5, in fail',
    ]
    assert lines[-1] == "ValueError: lr is 3"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["broken.py"], "broken.py: it is not valid Python, line 2"),
        (["plain.py", "nam=x"], "'plain.py' has no flag 'nam' (did you mean 'name'?)"),
        (["plain.py", "_hidden=2"], "'plain.py' has no flag '_hidden'"),
        (["parsed.py", "rows=many"], "flag 'rows' is 'many': expected an integer"),
        (["parsed.py", "sep=none"], "Unsupported value for 'sep'"),
        (["plian.py"], "there is no script"),
        (["data.csv"], "neither Python (.py) nor a shell script (.sh)"),
        (["no-program"], "no operations here because no model file defines any"),
        (["../out.py"], "there is no script"),
        (["train"], "no operations here because no model file defines any"),
    ],
)
def test_what_cannot_run_is_refused(guild: Guild, words: list[str], said: str) -> None:
    """With the reason and a hint; nothing is recorded."""
    guild.ok("runs")
    before = guild.state()
    assert said in guild.refused("run", *words, "-y")
    assert guild.state() == before


def test_help_tells_the_flags_of_a_script(guild: Guild) -> None:
    """With what its parser says of them."""
    out = guild.ok("run", "parsed.py", "--help-op")
    assert "guild run [OPTIONS] parsed.py [FLAG=VALUE]..." in out
    assert "rows  How many rows (int) (default is 3)" in out
    assert "lr    How far to go" in guild.ok("run", "clicked.py", "--help-op")


def test_without_a_model_file_all_runs_are_listed(guild: Guild, tmp_path: Path) -> None:
    """Each under its script's path, seen from where the list is asked for."""
    guild.ok("run", "sub/inner.py", "-y")
    result = guild("runs", "-n", "1")
    assert result.err == ""
    assert "  ./sub/inner.py  " in result.out
    assert "/sub/inner.py  " in guild.at(tmp_path).ok("runs", "-n", "1", "--op", "inner")
    assert guild.json("runs", "info", "--op", "inner")["flags"] == {"n": 1}


def test_a_run_of_a_script_can_be_started_again(guild: Guild) -> None:
    """From what is recorded of it: the script's path and its flags."""
    guild.ok("run", "package", "lr=7", "-y")
    row = newest(guild, "package")
    assert guild.ok("run", "--restart", row.short, "-y") == "package 7\n"
    assert guild.ok("run", "--proto", row.short, "-y") == "package 7\n"


def test_beside_a_model_file_scripts_run_as_well(tmp_path: Path) -> None:
    """Unless an operation has the name; their runs belong to the project."""
    project = tmp_path / "project"
    project.mkdir()
    for name in ("plain.py", "other.py"):
        (project / name).write_text("lr = 1\nprint('script', lr)\n")
    (project / "guild.yml").write_text("plain.py: {exec: echo operation}\nother: {exec: echo other}\n")
    guild = Guild(tmp_path / "home", project)
    assert guild.ok("run", "plain.py", "-y") == "operation\n"
    assert guild.ok("run", "other.py", "lr=2", "-y") == "script 2\n"
    assert [row.op for row in guild.rows()] == ["./other.py", "./plain.py"]
