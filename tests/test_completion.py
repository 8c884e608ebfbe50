"""What a shell is offered when Tab is pressed: asked as the shells ask, and once by a real bash."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli_kit import COMMAND, IRIS, ROOT, Guild, copied, make_project, report
from tests.completion_kit import net_fixture  # noqa: F401 - a fixture

ANSWERS = """\
import json, os, sys
from guild_ledger.main import claim_packages
claim_packages()
from commands.main import main

def answer(line):
    asking, telling = os.pipe()
    if not os.fork():
        os.dup2(telling, 1)
        word = "" if sys.argv[1] == "bash" else str(line.count(" "))
        os.environ.update(COMP_WORDS=line, COMP_CWORD=word, _GUILD_COMPLETE=sys.argv[1] + "_complete")
        main()
    os.close(telling)
    with os.fdopen(asking, "rb") as pipe:
        found = pipe.read().decode()
    return [found, os.waitstatus_to_exitcode(os.wait()[1])]

print(json.dumps([answer(line) for line in json.load(sys.stdin)]))
"""
"""Answers many lines, each in a process of its own that has guild imported already: starting it takes longest."""


def answers(guild: Guild, *lines: str, asking: str = "bash") -> list[list[str]]:
    """Return what guild answers to each command line, cursor at its end; it must not say anything else."""
    done = subprocess.run(
        [COMMAND[0], "-c", ANSWERS, asking],
        input=json.dumps(lines),
        cwd=guild.cwd,
        env=guild.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert [code for _, code in found] == [0] * len(lines)
    return [text.splitlines() for text, _ in found]


def offered(guild: Guild, line: str) -> list[str]:
    """Return the words that guild offers at the end of a command line."""
    return offers(guild, line)[0]


def offers(guild: Guild, *lines: str) -> list[list[str]]:
    """Return the words that guild offers at the end of each command line."""
    return [[one.partition(",")[2] for one in answer if one.startswith("plain,")] for answer in answers(guild, *lines)]


def described(guild: Guild, *lines: str) -> list[dict[str, str]]:
    """Return the words that guild offers to a shell that shows descriptions, with these; `_` stands for none."""
    found = answers(guild, *lines, asking="zsh")
    return [
        {answer[at + 1].replace("\\:", ":"): answer[at + 2] for at in range(0, len(answer) - 2, 3)} for answer in found
    ]


@pytest.fixture
def iris(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Guild:
    """Give a project and a home with runs."""
    return copied(tmp_path_factory, tmp_path)


def test_one_shell_asks_the_real_command(net: Guild) -> None:
    """The environment alone makes guild answer, whatever its arguments; with a number the words are split already."""
    asked = net.with_env(COMP_WORDS="guild run fit opt=", COMP_CWORD="3", _GUILD_COMPLETE="bash_complete")
    assert asked() == (0, "plain,opt=sgd\nplain,opt=adam\n", "")
    assert asked.with_env(_GUILD_COMPLETE="tcsh_complete")() == (0, "", "")


def test_commands_and_aliases_of_the_directory_are_offered(net: Guild) -> None:
    """The first word is a command, also one that the model file declares; after a group comes one of its own."""
    first, begun, of_runs, shells = offers(net, "guild ", "guild ru", "guild runs ", "guild completion ")
    assert {"run", "runs", "train", "operations", "grow"} <= set(first)
    assert begun == ["run", "runs"]
    assert {"delete", "list", "restore"} <= set(of_runs)
    assert shells == ["bash", "zsh", "fish"]


def test_options_are_offered_with_their_help(net: Guild) -> None:
    """After a dash come options; shells that can show it get the help text."""
    labels, staging = described(net, "guild runs --l", "guild run --stag")
    assert list(labels) == ["--label", "--limit"]
    assert staging == {"--stage": "Prepare the run, to be started later with --start."}


def test_operations_are_offered_in_every_spelling_that_may_follow(tmp_path: Path) -> None:
    """Bare where unique, with the model always, in full after `./`, and behind a part of a model's name."""
    iris = Guild(tmp_path / "home", make_project(tmp_path / "iris", IRIS))
    found, full, part, models = offers(iris, "guild run ", "guild run ./iris-svm:t", "guild run svm:", "guild train ")
    assert {"finetune", "test", "iris-cnn:train", "iris-svm:train"} <= set(found)
    assert "train" not in found
    assert full == ["./iris-svm:train"]
    assert part == ["svm:hang", "svm:train"]
    assert models == ["iris-cnn", "iris-svm"]
    assert described(iris, "guild run iris-cnn:tr") == [{"iris-cnn:train": "Train it"}]
    assert offered(iris.at(tmp_path), f"guild -C {tmp_path / 'iris'} run fine") == ["finetune"]


def test_flags_then_their_values_are_offered(net: Guild) -> None:
    """`NAME=` of those not given yet, then choices with descriptions, yes and no, or paths."""
    rules = {
        "guild run fit ": ["data=", "fast=", "lr=", "note=", "opt="],
        "guild run fit lr=1 l": [],
        "guild run fit opt=": ["opt=sgd", "opt=adam"],
        "guild run net:fit fast=": ["fast=yes", "fast=no"],
        "guild run fit data=wo": ["data=work.py"],
        "guild run fit @MO": ["@MODELS"],
        "guild run opt=ad": ["opt=adam"],
        "guild run opt=adam l": ["lr="],
        "guild grow net opt=s": ["opt=sgd"],
        "guild grow ": ["net", "data=", "fast=", "lr=", "note=", "opt="],
    }
    assert dict(zip(rules, offers(net, *rules), strict=True)) == rules
    choice, flag = described(net, "guild run fit opt=a", "guild run fit l")
    assert choice == {"opt=adam": "with decay"}
    assert flag == {"lr=": "How fast (default is 0.1)"}


def test_scripts_are_offered_with_their_flags(tmp_path: Path) -> None:
    """In a directory without a model file the scripts are the operations, and what they parse are the flags."""
    (tmp_path / "fit.py").write_text(
        '"""Fit a line."""\nimport argparse\np = argparse.ArgumentParser()\n'
        'p.add_argument("--order", choices=["asc", "desc"])\np.parse_args()\n'
    )
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "more.py").write_text("x = 1\n")
    guild = Guild(tmp_path / "home", tmp_path)
    assert described(guild, "guild run ")[0]["fit.py"] == "Fit a line."
    rules = {
        "guild run fit.py ord": ["order="],
        "guild run fit.py order=": ["order=asc", "order=desc"],
        "guild run sub/": ["sub/more.py"],
    }
    assert dict(zip(rules, offers(guild, *rules), strict=True)) == rules


def test_runs_are_offered_by_index_and_id_and_described(iris: Guild) -> None:
    """Wherever a RUN can stand; the options before it limit them as they limit the command."""
    ids = [run_id[:8] for run_id in iris.ids()]
    everything = [*map(str, range(len(ids))), *ids]
    rules = {
        **dict.fromkeys(
            (f"guild {line} " for line in ("runs rm", "runs info", "run --proto", "run --restart")), everything
        ),
        "guild runs rm -T ": ["0", ids[2]],
        "guild runs rm --op svm:train ": ["0", ids[3]],
        f"guild runs rm {ids[1][:6]}": [ids[1]],
        "guild run --start ": [],
    }
    assert dict(zip(rules, offers(iris, *rules), strict=True)) == rules
    about = described(iris, "guild runs info 0")[0]["0"]
    assert about.startswith("./iris-cnn:train ")
    assert about.endswith(" completed good one")


def test_recorded_operations_and_labels_are_offered(iris: Guild) -> None:
    """`--op` gets operations that have runs, label options and `runs list` the labels in use, `label` runs as well."""
    rules = {
        "guild runs --op=./iris-svm:": ["./iris-svm:hang", "./iris-svm:train"],
        "guild runs -l g": ["good one"],
        "guild runs list ": ["bad", "good one"],
        "guild run -l b": ["bad"],
    }
    assert dict(zip(rules, offers(iris, *rules), strict=True)) == rules
    operations, labels = offers(iris, "guild runs --op ", "guild label 0 ")
    assert {"train", "iris-cnn:train", "hang"} <= set(operations)
    assert {"0", "good one"} <= set(labels)


def test_tags_are_offered_where_one_can_stand(iris: Guild) -> None:
    """`--tag` of every command gets the tags in use, `guild tag` runs as well; not those of deleted runs."""
    iris.ok("tag", "0", "--add", "paper", "--add", "baseline", "-y")
    iris.ok("tag", "1", "gone")
    iris.ok("runs", "rm", "1", "-y")
    rules = {
        "guild runs --tag ": ["baseline", "paper"],
        "guild runs rm --tag=p": ["paper"],
        "guild tag 0 --remove b": ["baseline"],
        "guild tag 0 pa": ["paper"],
        "guild label 0 --set b": ["bad"],
        "guild runs rm --tag paper ": ["0", iris.ids()[0][:8]],
    }
    assert dict(zip(rules, offers(iris, *rules), strict=True)) == rules


def test_every_command_that_takes_runs_offers_them(iris: Guild) -> None:
    """By index with a description, and by id, those that the scope and the options before the cursor leave."""
    ids = [run_id[:8] for run_id in iris.ids("-E")]
    commands = [
        "cat",
        "comment",
        "diff",
        "label",
        "ls",
        "mark",
        "open",
        "protect",
        "runs delete",
        "runs info",
        "runs rm",
    ]
    commands += ["select", "tag", "tensorboard", "unprotect"]
    for offered_words in offers(iris, *(f"guild {command} -E " for command in commands)):
        assert offered_words[:2] == ["0", *ids]
    for words in described(iris, *(f"guild {command} -E 0" for command in commands)):
        assert words["0"].startswith("./iris-cnn:test ")
        assert words["0"].endswith(" error bad")
    iris.ok("runs", "rm", "-E", "-y")
    for offered_words in offers(iris, "guild runs restore ", "guild runs purge ", "guild runs info -d "):
        assert offered_words == ["0", *ids]


def test_staged_and_deleted_runs_are_offered_where_they_are_meant(iris: Guild) -> None:
    """`--start` gets staged runs only, and restoring the deleted ones."""
    iris.ok("run", "cnn:train", "--stage", "-y")
    staged, deleted = iris.ids("--staged")[0], iris.ids("-T")[0]
    iris.ok("runs", "rm", deleted, "-y")
    assert offers(iris, "guild run --start ", "guild runs restore ") == [["0", staged[:8]], ["0", deleted[:8]]]


def test_a_run_that_no_list_has_shown_yet_is_offered(tmp_path: Path) -> None:
    """What the index has not read of the ledger counts too, also when there is no index at all."""
    guild = Guild(tmp_path / "home", make_project(tmp_path / "iris"))
    guild.ok("run", "finetune", "base=1", "-y")
    shutil.rmtree(tmp_path / "home" / "index")
    assert len(offered(guild, "guild runs info ")) == 2
    guild.ok("runs")
    guild.ok("run", "finetune", "base=2", "-y")
    found = offered(guild, "guild runs info ")
    assert found == ["0", "1", *(run_id[:8] for run_id in guild.ids())]


def test_completing_leaves_no_trace(net: Guild, iris: Guild) -> None:
    """No home is made, nothing in a home changes, no file comes or goes, and no dead run is declared ended."""
    offers(net, "guild runs rm ", "guild run ", "guild runs --op ", "guild run --start ")
    assert not net.home.parent.exists()
    iris.ok("run", "cnn:train", "--stage", "-y")

    def state() -> dict[str, tuple[int, int]]:
        paths = [path for path in iris.home.rglob("*") if path.is_file()]
        return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in paths}

    before = state()
    assert all(offers(iris, "guild runs rm ", "guild runs --op ", "guild run --start ", "guild runs -l "))
    assert state() == before


@pytest.mark.parametrize("text", ["- name: [", "- name: x\n  extends: nobody\n", "\x00"])
def test_a_broken_model_file_offers_nothing_in_silence(tmp_path: Path, text: str) -> None:
    """A person is typing: no message may get into the line."""
    guild = Guild(tmp_path / "home", make_project(tmp_path / "project", text))
    run, train, commands = offers(guild, "guild run fit ", "guild train ", "guild ")
    assert (run, train) == ([], [])
    assert "run" in commands


def test_a_broken_home_or_line_offers_nothing_in_silence(tmp_path: Path, iris: Guild) -> None:
    """Neither a ledger or an index that is none, nor a half typed line, says a word."""
    (iris.home / "ledger.db").write_bytes(b"no ledger" * 1000)
    (tmp_path / "file").write_text("")
    rules = {
        "guild runs rm ": [],
        f"guild -H {tmp_path / 'file'} runs rm ": [],
        "guild -C /nowhere run ": [],
        'guild run "iris-svm:tr': ["iris-svm:train"],
        "guild nothing ": [],
        "guild run --gpus ": [],
        "guild runs -n ": [],
    }
    assert dict(zip(rules, offers(iris, *rules), strict=True)) == rules


def test_many_runs_are_cut_to_what_can_be_read(tmp_path: Path) -> None:
    """At most fifty words; what is typed then chooses among all runs."""
    from benchmarks.history import home_with

    home = home_with(str(tmp_path), 100)
    guild = Guild(Path(home.root), tmp_path)
    assert len(offered(guild, "guild runs info ")) == 50
    last = guild.ids()[-1]
    assert last[:8] in offered(guild, f"guild runs info {last[:7]}")


def test_starting_guild_does_not_import_what_completes(net: Guild) -> None:
    """Only a shell that asks pays for it; nor is the model file read when a listing has found it sound before."""
    net.ok("runs")
    net.ok("runs")
    code = (
        "import sys; sys.argv = ['guild', 'runs']\n"
        "from guild_ledger.main import claim_packages; claim_packages()\n"
        "from commands.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([name for name in sys.modules if 'completing' in name or 'shell' in name or 'yaml' in name])"
    )
    env = {**net.environment(), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([COMMAND[0], "-c", code], env=env, cwd=net.cwd, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_columns_are_offered(iris: Guild) -> None:
    """Attributes, then flags and scalars by their bare names; with a prefix all kinds; the last of several columns."""
    report(iris, iris.ids()[1], loss=0.5)
    sort, begun, prefixed, lowest, last, group, scalar = offers(
        iris,
        "guild runs --sort ",
        "guild runs list --sort l",
        "guild runs --sort flag:",
        "guild runs --columns min",
        "guild runs --columns id,loss,o",
        "guild runs --group-by d",
        "guild select --min ",
    )
    assert {"label", "duration", "epochs", "rate", "loss"} <= set(sort)
    assert begun == ["label", "loss"]
    assert prefixed == ["flag:base", "flag:epochs", "flag:rate"]
    assert lowest == []
    assert last == ["id,loss,operation", "id,loss,operation_name"]
    assert group == ["digest", "day"]
    assert scalar == ["loss"]
