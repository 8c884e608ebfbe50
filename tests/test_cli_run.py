"""Which operation a run is of, with which flags, what is shown before it starts, and what is kept of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli_kit import WORK, Guild, make_project, project_of
from tests.cli_run_kit import (
    iris_fixture,  # noqa: F401 - a fixture
    only_run,
)


def test_part_of_a_name_that_is_unique_is_enough(iris: Guild) -> None:
    """`finetune`, `cnn:finetune`, `iris-cnn:finetune` and `./iris-cnn:finetune` are one operation."""
    for name in ("finetune", "cnn:finetune", "iris-cnn:finetune", "./iris-cnn:finetune"):
        assert iris.ok("run", name, "base=x", "-y") == "working --base x --rate 0.5\n"
    assert [row.op for row in iris.rows()] == ["./iris-cnn:finetune"] * 4


@pytest.mark.parametrize("name", ["train", "iris:train"])
def test_an_ambiguous_operation_names_its_candidates_and_starts_nothing(iris: Guild, name: str) -> None:
    """When several operations fit, none is chosen."""
    error = iris.refused("run", name, "-y")
    assert "  ./iris-cnn:train\n  ./iris-svm:train\n" in error
    assert not iris.home.exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nope", "cannot find operation 'nope'"),
        ("tran", "did you mean 'train'?"),
        ("rose:train", "cannot find a model matching 'rose'"),
        ("iris-cnn:nope", "operation 'nope' is not defined for model './iris-cnn'"),
        ("a:b:c", "'a:b:c' is not the name of an operation"),
        (":", "':' is not the name of an operation"),
        ("../iris-cnn:train", "cannot find a model matching '../iris-cnn'"),
        ("", "'' is not the name of an operation"),
    ],
)
def test_an_unknown_operation_is_refused(iris: Guild, name: str, message: str) -> None:
    """What is not defined does not start, and the message helps."""
    assert message in iris.refused("run", name, "-y")
    assert not iris.home.exists()


def test_no_operation_is_a_usage_error(iris: Guild) -> None:
    """`guild run` alone says what is missing."""
    error = iris.refused("run", code=2)
    assert error == ("guild: missing argument for [MODEL:]OPERATION\n`guild operations` lists what can be run.\n")


def test_without_a_model_file_nothing_can_be_run(iris: Guild, tmp_path: Path) -> None:
    """Outside a project the error says which files make one."""
    (tmp_path / "empty").mkdir()
    error = iris.at(tmp_path / "empty").refused("run", "train", "-y")
    assert "MODELS, MODEL or guild.yml" in error


def test_a_missing_required_flag_is_named_with_its_description(iris: Guild) -> None:
    """Nothing starts before every required flag has a value."""
    error = iris.refused("run", "finetune", "-y")
    assert "missing flags:\n\n  base  Base checkpoint\n\nRun the command again" in error
    assert not iris.home.exists()


@pytest.mark.parametrize(("value", "words"), [("0", "0"), ("no", "False"), ("''", "")])
def test_a_falsy_value_is_a_given_value(iris: Guild, value: str, words: str) -> None:
    """A required flag may be set to 0, no or empty text."""
    assert iris.ok("run", "finetune", f"base={value}", "-y") == f"working --base {words} --rate 0.5\n"


def test_operation_help_works_without_required_flags(iris: Guild) -> None:
    """`--help-op` describes flags, marks the required ones and tells the defaults of others."""
    text = iris.ok("run", "finetune", "--help-op")
    assert "iris-cnn:finetune" in text.splitlines()[0]
    assert "  base  Base checkpoint (required)\n" in text
    assert "  rate  How fast (default is 0.5)\n" in text
    assert not iris.home.exists()


def test_print_cmd_prints_and_starts_nothing(iris: Guild) -> None:
    """`--print-cmd` is one line that a shell understands; required flags are checked first."""
    text = iris.ok("run", "cnn:train", "epochs=a b", "--print-cmd")
    assert text.endswith(" -u -m work --epochs 'a b'\n")
    assert len(text.splitlines()) == 1
    assert "base" in iris.refused("run", "finetune", "--print-cmd")
    assert not iris.home.exists()


def test_an_undefined_flag_needs_force(iris: Guild) -> None:
    """A mistyped flag does not silently run with the default; --force-flags passes it."""
    assert "has no flag 'epoch' (did you mean 'epochs'?)" in iris.refused("run", "cnn:train", "epoch=1", "-y")
    assert "expected NAME=VALUE" in iris.refused("run", "cnn:train", "word", "-y")
    assert "given twice" in iris.refused("run", "cnn:train", "epochs=1", "epochs=2", "-y")
    assert not iris.home.exists()
    assert iris.ok("run", "cnn:train", "x=1", "--force-flags", "-y") == "working --epochs 3 --x 1\n"


def test_an_empty_label_is_refused(iris: Guild) -> None:
    """A shell variable that is not set must not become a label."""
    assert "the label or tag is empty" in iris.refused("run", "cnn:train", "-l", "", "-y", code=2)


@pytest.mark.parametrize("answer", ["", "y\n", "YES\n", " yes \n", "\n"])
def test_the_prompt_shows_the_flags_and_goes_on_by_default(iris: Guild, answer: str) -> None:
    """Enter, y and yes start the run; the prompt is on stderr."""
    result = iris("run", "finetune", "base=x", stdin=answer)
    question = "You are about to run ./iris-cnn:finetune\n  base: x\n  rate: 0.5\nContinue? (Y/n) "
    assert result.err.startswith(question)
    if answer:
        assert (result.code, result.out) == (0, "working --base x --rate 0.5\n")
    else:
        assert result.code == 1
        assert "-y" in result.err.removeprefix(question)
        assert not iris.home.exists()


@pytest.mark.parametrize("answer", ["n\n", "no\n", "nope\n", "yy\n", "y e s\n", "0\n"])
def test_any_other_answer_starts_nothing(iris: Guild, answer: str) -> None:
    """Only y or yes goes on; a refusal is no error."""
    result = iris("run", "cnn:train", stdin=answer)
    assert (result.code, result.out) == (0, "")
    assert not iris.home.exists()


def test_flags_reach_the_process_and_are_kept(iris: Guild) -> None:
    """Each run has its own directory, its flags are stored and its output is captured."""
    iris.ok("run", "cnn:train", "epochs=3", "-y")
    assert iris.ok("run", "cnn:train", "epochs=4", "-y") == "working --epochs 4\n"
    new, old = iris.ids()
    for run_id, epochs in ((new, 4), (old, 3)):
        details = iris.json("runs", "info", run_id)
        assert details["flags"] == {"epochs": epochs}
        assert details["run_dir"] == str(iris.home / "runs" / run_id)
        output = iris.home / "runs" / run_id / ".guild/output"
        assert output.read_text() == f"working --epochs {epochs}\n"
    assert f"  epochs: {3}\n" in iris.ok("runs", "info", "1")


def test_the_command_directory_is_where_guild_was_called(tmp_path: Path) -> None:
    """With -C the model file is elsewhere, and the process can tell both places."""
    guild = project_of(tmp_path, 'import os; print(os.environ["CMD_DIR"], os.environ["MODEL_DIR"])')
    assert guild.at(tmp_path).ok("-C", "project", "run", "go", "-y") == f"{tmp_path} {guild.cwd}\n"


def test_output_is_shown_as_it_is_written(tmp_path: Path) -> None:
    """Standard output of the script is not held back until its end, and each stream stays itself."""
    guild = project_of(tmp_path, 'import sys; print("now"); print("oops", file=sys.stderr); sys.stdin.read()')
    with guild.start("run", "go", "-y") as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == b"now\n"
        assert process.stderr.readline() == b"oops\n"
        assert [row.status for row in guild.rows()] == ["running"]
        process.stdin.close()
    assert process.returncode == 0
    run_dir = Path(str(only_run(guild)["run_dir"]))
    assert sorted((run_dir / ".guild/output").read_text().splitlines()) == ["now", "oops"]


@pytest.mark.parametrize("code", [0, 3, 255])
def test_the_exit_code_is_passed_on(tmp_path: Path, code: int) -> None:
    """`guild run` ends as the process did; 0 is completed and anything else an error."""
    guild = project_of(tmp_path, f"raise SystemExit({code})")
    assert guild("run", "go", "-y").code == code
    details = only_run(guild)
    assert details["exit_status"] == code
    assert details["status"] == ("error" if code else "completed")


def test_the_sources_of_a_run_are_kept(iris: Guild) -> None:
    """The code that ran can be read again after the project was changed; equal code is kept once."""
    iris.ok("run", "cnn:train", "-y")
    iris.ok("run", "cnn:train", "-y")
    first, second = (iris.json("runs", "info", index)["sources"] for index in ("0", "1"))
    assert first == second
    (iris.cwd / "work.py").write_text("print('other')\n")
    iris.ok("run", "cnn:train", "-y")
    third = iris.json("runs", "info", "0")["sources"]
    assert third["digest"] != first["digest"]
    kept = {path.name for path in (iris.home / "sources").iterdir()}
    assert {first["digest"], third["digest"]} <= kept
    copies = [p.read_text() for p in (iris.home / "sources" / first["digest"]).rglob("work.py")]
    assert copies == [WORK]


def git(folder: Path, *args: str) -> str:
    """Run git with an identity of its own and no configuration of the machine."""
    env = {
        **{name: os.environ[name] for name in ("PATH",) if name in os.environ},
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "ada",
        "GIT_AUTHOR_EMAIL": "ada@example.org",
        "GIT_COMMITTER_NAME": "ada",
        "GIT_COMMITTER_EMAIL": "ada@example.org",
    }
    done = subprocess.run(["git", *args], cwd=folder, env=env, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_the_commit_of_a_run_is_kept(iris: Guild) -> None:
    """In a git repository the commit is recorded, and whether the work tree had other changes."""
    git(iris.cwd, "init", "-q")
    git(iris.cwd, "add", ".")
    git(iris.cwd, "commit", "-qm", "start")
    commit = git(iris.cwd, "rev-parse", "HEAD")
    iris.ok("run", "cnn:train", "-y")
    assert iris.json("runs", "info")["git"] == {"commit": commit, "dirty": False}
    (iris.cwd / "work.py").write_text("print('other')\n")
    iris.ok("run", "cnn:train", "-y")
    assert iris.json("runs", "info")["git"] == {"commit": commit, "dirty": True}


def test_the_interpreter_of_the_active_environment_is_used(iris: Guild, tmp_path: Path) -> None:
    """With an activated virtual environment its python runs the operation."""
    (tmp_path / "env/bin").mkdir(parents=True)
    (tmp_path / "env/bin/python").symlink_to(sys.executable)
    text = iris.with_env(VIRTUAL_ENV=str(tmp_path / "env")).ok("run", "cnn:train", "--print-cmd")
    assert text.startswith(f"{tmp_path}/env/bin/python -u -m work")


def test_odd_values_arrive_as_typed(tmp_path: Path) -> None:
    """Line breaks, emoji, long text and bytes that are no UTF-8 pass through flags unharmed, and show on one line."""
    values = ["two\nlines", "🌷 tulip", "x" * 10_000, "caf\udce9", "a  b\t'\"$(x)`", "-x", "--exit", "=="]
    flags = [f"f{number}" for number in range(len(values))]
    code = (
        "import argparse, json\nparser = argparse.ArgumentParser()\n"
        f"for number in range({len(values)}): parser.add_argument(f'--f{{number}}')\n"
        "print(json.dumps(list(vars(parser.parse_args()).values())))"
    )
    guild = project_of(tmp_path, code, f"{{{', '.join(f'{name}: null' for name in flags)}}}")
    given = [f"{name}={value}" for name, value in zip(flags, values, strict=True)]
    assert json.loads(guild.ok("run", "go", *given, "-y")) == values
    shown = [line for line in guild.ok("runs", "info").splitlines() if line.startswith("  f")]
    assert [line.partition(":")[0].strip() for line in shown] == [*flags, "files"]
    assert "  f0: two\\nlines" in shown
    assert "  f3: caf\\xe9" in shown
    kept = guild.json("runs", "info")["flags"]
    assert kept.pop("f3") == {"$text": "Y2Fm7bOp"}  # JSON cannot say it as text
    assert list(kept.values()) == values[:3] + values[4:]
    assert "The ledger is whole." in guild.ok("ledger", "verify")


def test_the_preview_of_odd_values_stays_on_its_lines(tmp_path: Path) -> None:
    """A value cannot forge another line of the prompt or command the terminal."""
    guild = project_of(tmp_path, "", "{text: null}")
    error = guild("run", "go", "text=a\n  other: b\x1b[2J", stdin="n\n").err
    assert error == "You are about to run ./m:go\n  text: a\\n  other: b\\x1b[2J\nContinue? (Y/n) "


def test_run_shows_its_help(iris: Guild) -> None:
    """`guild run --help` is on stdout and tells every option."""
    text = iris.ok("run", "--help")
    for option in ("--yes", "--label", "--print-cmd", "--help-op", "--force-flags"):
        assert option in text


def test_an_operation_may_write_where_it_likes_in_its_directory(tmp_path: Path) -> None:
    """Files of a run are found in its directory, and only there."""
    guild = project_of(tmp_path, 'open("model.bin", "w").write("x"); import os; os.mkdir("sub")')
    guild.ok("run", "go", "-y")
    run_dir = Path(str(only_run(guild)["run_dir"]))
    assert sorted(os.listdir(run_dir)) == [".guild", "model.bin", "sub"]
    assert sorted(set(os.listdir(guild.cwd)) - {"__pycache__"}) == ["MODELS", "main.py"]


def test_all_model_file_names_are_found(tmp_path: Path) -> None:
    """MODELS, MODEL and guild.yml all make a project."""
    for name in ("MODELS", "MODEL", "guild.yml"):
        project = make_project(tmp_path / name)
        (project / "MODELS").rename(project / name)
        guild = Guild(tmp_path / "home", project)
        assert guild.ok("run", "cnn:train", "-y") == "working --epochs 3\n"
        assert [row.op for row in guild.rows()] == ["./iris-cnn:train"]


def test_the_output_kept_is_what_was_said(tmp_path: Path) -> None:
    """Bytes that are no text, no line break at the end, and lines of both streams are kept as they are."""
    code = 'import os; os.write(1, b"\\xff\\x00\\r\\nlast")'
    guild = project_of(tmp_path, code)
    result = guild("run", "go", "-y")
    assert result.out.encode("utf-8", "surrogateescape") == b"\xff\x00\r\nlast"
    run_dir = Path(str(only_run(guild)["run_dir"]))
    assert (run_dir / ".guild/output").read_bytes() == b"\xff\x00\r\nlast"
