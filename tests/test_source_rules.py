"""What is source code: `.guildignore` means what git means by it, and the rules of an operation come after it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifacts.home import Home
from artifacts.ignore_rules import IgnoreFiles
from artifacts.source_manifest import read_manifest
from artifacts.source_rules import DEFAULT_RULES, SnapshotRules
from artifacts.sources import Snapshot, SnapshotFailure, SnapshotPlan, plan_snapshot, take_snapshot
from operations.definitions import SourceCodeDef, SourceRule
from tests.sources_kit import ENV


@pytest.fixture(params=["git", "no git"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Give an empty project, in git and outside it."""
    folder = tmp_path / "project"
    folder.mkdir()
    if request.param == "git":
        subprocess.run(["git", "init", "-q"], cwd=folder, env=ENV, check=True)
    return folder


def fill(folder: Path, *names: str) -> None:
    """Make files whose content is their name; `.bin` ones are binary."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() + (b"\0" if name.endswith(".bin") else b""))


def planned(project: Path, code: SourceCodeDef | None = None, rules: SnapshotRules = DEFAULT_RULES) -> SnapshotPlan:
    """Plan, which must work."""
    plan = plan_snapshot(str(project), rules, ENV, None, code)
    assert isinstance(plan, SnapshotPlan), plan
    return plan


def names(plan: SnapshotPlan) -> set[str]:
    """Return what would be taken, `.guildignore` and `.gitignore` files aside."""
    return {file.path for file in plan.files if not file.path.endswith("ignore")}


def take(*patterns: str | SourceRule, only: bool = False) -> SourceCodeDef:
    """Make rules: `+pattern` includes, `-pattern` excludes."""
    rules = (SourceRule(one[0] == "+", one[1:]) if isinstance(one, str) else one for one in patterns)
    return SourceCodeDef(rules=tuple(rules), only=only)


def test_a_guildignore_leaves_out_what_it_names_and_that_is_told(project: Path) -> None:
    """At the top and in folders; a folder counts as one where it need not be looked into."""
    fill(project, "train.py", "big.txt", "data/x.csv", "sub/a.txt", "sub/b.csv", "sub/deep/c.csv", "tracked.csv")
    (project / ".guildignore").write_text("# comment\n\nbig.txt\n/data/\n")
    (project / "sub/.guildignore").write_text("*.csv\n!b.csv\n")
    plan = planned(project)
    assert names(plan) == {"train.py", "sub/a.txt", "sub/b.csv", "tracked.csv"}
    told = {item.path.rstrip("/").partition("/x.csv")[0]: item.reason.value for item in plan.left_out}
    assert told == dict.fromkeys(["big.txt", "data", "sub/deep/c.csv"], "left out by a rule")


def test_a_guildignore_takes_back_what_git_ignores(tmp_path: Path) -> None:
    """With `!`, for a file as for a folder; what git tracks can be left out."""
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, env=ENV, check=True)
    fill(tmp_path, "a.py", "data/x.csv", "data/sub/y.csv", "logs/z.log", "keep.log", "tracked.R")
    (tmp_path / ".gitignore").write_text("data/\n*.log\n")
    subprocess.run(["git", "add", "."], cwd=tmp_path, env=ENV, check=True)
    (tmp_path / ".guildignore").write_text("*.R\n!data\n!keep.log\n")
    plan = planned(tmp_path)
    assert names(plan) == {"a.py", "data/x.csv", "data/sub/y.csv", "keep.log"}
    assert {item.path for item in plan.left_out} == {"tracked.R", "logs/z.log"}


def test_a_walk_does_not_enter_what_is_ignored(tmp_path: Path) -> None:
    """A folder of a million files must not use up what may be looked at."""
    fill(tmp_path, *(f"data/{number}" for number in range(30)), "src/deep/code.py")
    (tmp_path / ".guildignore").write_text("data\n")
    rules = SnapshotRules(max_seen=10)
    assert names(planned(tmp_path, rules=rules)) == {"src/deep/code.py"}
    (tmp_path / ".guildignore").unlink()
    assert names(planned(tmp_path, take("-data"), rules)) == {"src/deep/code.py"}


def test_a_folder_marked_against_copying_is_left_out(project: Path) -> None:
    """By a file `.guild-nocopy` in it."""
    fill(project, "a.py", "data/.guild-nocopy", "data/x", "data/sub/y", "database/z")
    assert names(planned(project)) == {"a.py", "database/z"}


FILES = ("train.py", "conf.yml", "sub/model.py", "sub/deep/net.py", "sub/weights.bin", "data/x.csv", "data/y.py")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (take(), FILES),
        (take("-*.py"), ("conf.yml", "sub/weights.bin", "data/x.csv")),
        (take("-*.py", "+train.py"), ("train.py", "conf.yml", "sub/weights.bin", "data/x.csv")),
        (take("+train.py", "-*.py"), ("conf.yml", "sub/weights.bin", "data/x.csv")),
        (take("-sub/*.py"), ("train.py", "conf.yml", "sub/weights.bin", "data/x.csv", "data/y.py")),
        (take("-data"), ("train.py", "conf.yml", "sub/model.py", "sub/deep/net.py", "sub/weights.bin")),
        (take("-data/*", "+data/y.py"), tuple(set(FILES) - {"data/x.csv"})),
        (take("-data", "+data/y.py"), tuple(set(FILES) - {"data/x.csv"})),
        (take("-**/deep/**"), tuple(set(FILES) - {"sub/deep/net.py"})),
        (take("-*", "+*.yml"), ("conf.yml",)),
        (take("+*.py", only=True), ("train.py", "sub/model.py", "sub/deep/net.py", "data/y.py")),
        (take("+**/*.py", "-data", only=True), ("train.py", "sub/model.py", "sub/deep/net.py")),
        (take("+sub", only=True), ("sub/model.py", "sub/deep/net.py", "sub/weights.bin")),
        (take("+./sub/[mx]odel.?y", only=True), ("sub/model.py",)),
        (take(only=True), ()),
        (take(SourceRule(False, "*", "binary")), tuple(set(FILES) - {"sub/weights.bin"})),
        (take(SourceRule(True, "sub/*", "text"), only=True), ("sub/model.py", "sub/deep/net.py")),
        (take(SourceRule(False, "d*", "dir")), ("train.py", "conf.yml", "sub/model.py", "sub/weights.bin")),
        (take(SourceRule(False, "train.py", "dir")), FILES),
        (take("-[", "-x[z-a]"), FILES),
    ],
)
def test_the_last_rule_that_matches_decides(project: Path, code: SourceCodeDef, expected: Sequence[str]) -> None:
    """Names at any depth, paths from the root, folders with all in them, text and binary by content."""
    fill(project, *FILES)
    assert names(planned(project, code)) == set(expected)


def test_rules_come_after_guildignore(project: Path) -> None:
    """A rule that leads by name into an ignored folder takes from it; `*.csv` does not."""
    fill(project, "a.csv", "data/x.csv", "data/y.csv", "data/sub/z.csv")
    (project / ".guildignore").write_text("data\n*.csv\n")
    assert names(planned(project, take("+*.csv"))) == {"a.csv"}
    assert names(planned(project, take("+data/x.csv"))) == {"data/x.csv"}


def test_rules_take_what_git_ignores(tmp_path: Path) -> None:
    """As they come after what git says as well."""
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, env=ENV, check=True)
    fill(tmp_path, "a.py", "a.cfg", "data/x.csv", "data/y.bin", "venv/lib.py")
    (tmp_path / ".gitignore").write_text("data/\n*.cfg\nvenv/\n")
    assert names(planned(tmp_path, take("+*.cfg"))) == {"a.py", "a.cfg"}
    assert names(planned(tmp_path, take("+data/*.csv"))) == {"a.py", "data/x.csv"}
    assert names(planned(tmp_path, take("+*.csv"))) == {"a.py"}


def test_the_root_of_the_rules_is_what_is_taken(project: Path, tmp_path: Path) -> None:
    """Paths are relative to it; it may lie above the model file, and must be there."""
    fill(project, "a.py", "src/b.py", "src/.guildignore")
    home = Home(str(tmp_path / "home"))
    snapshot = take_snapshot(home, str(project), ENV, code=SourceCodeDef(root="src"))
    assert isinstance(snapshot, Snapshot)
    assert [file.path for file in read_manifest(home, snapshot.digest)] == [".guildignore", "b.py"]
    above = take_snapshot(home, str(project / "src"), ENV, code=SourceCodeDef(root=".."))
    assert isinstance(above, Snapshot)
    assert {file.path for file in read_manifest(home, above.digest)} == {"a.py", "src/.guildignore", "src/b.py"}
    missing = take_snapshot(home, str(project), ENV, code=SourceCodeDef(root="none"))
    assert isinstance(missing, SnapshotFailure)


def test_rules_that_switch_it_off_leave_no_snapshot(project: Path, tmp_path: Path) -> None:
    """And nothing of one in the home."""
    fill(project, "a.py")
    home = Home(str(tmp_path / "home"))
    assert take_snapshot(home, str(project), ENV, code=SourceCodeDef(enabled=False)) is None
    assert not os.path.exists(home.sources_dir)


def test_a_guildignore_that_is_no_file_says_nothing(project: Path) -> None:
    """A folder, a link or a pipe of that name; nothing waits for a writer."""
    fill(project, "a.py", "one/b.py", "two/c.py", "patterns")
    (project / "patterns").write_text("*\n")
    (project / ".guildignore").mkdir()
    (project / "one/.guildignore").symlink_to("../patterns")
    os.mkfifo(project / "two/.guildignore")
    assert {"a.py", "one/b.py", "two/c.py"} <= names(planned(project))


# --- The same as git --------------------------------------------------------------------------------------------------

PATHS = (
    *("a", "b", "ab", "a.py", "b.txt", "x y", "!a", "#a", "a\\b", "a*", "[a]", ".a", "A", "b ", "a]", "a-", "^"),
    *("d/a", "d/b", "d/a.py", "d/e/a", "d/e/b", "e/a", "e/d/a", "a/b", "a/d/b", "d/e/f/a.py", "e/d/e/b"),
)
PATTERNS = (
    *("a", "*", "?", "*.py", "/a", "a/", "/d/", "d/", "d/a", "/d/a", "d/*", "d/**", "**/a", "**/d/a", "d/**/a", "**"),
    *("!a", "!d/a", "!*.py", "!d/", "\\!a", "\\#a", "#a", "x\\ y", "x y  ", "b\\ ", "a\\\\b", "a\\*", "\\a", "a\\"),
    *("[ab]", "[!a]", "[^a]", "[a-b]*", "[]a]", "[!]a]", "[[]a]", "[a", "[", "]", "[a\\]]", "\\[a]", "[z-a]", "a[]-]"),
    *("**/", "/**", "/*", "*/", "d/**/**/a", "***", "d/***/a", "a**", "**a", "/", "//", "!/", "d//a", "*/a", "*/*/a"),
    *("d/e", "/e", "e/**/b", "!d/e/b", "\ufeff", " a", "  ", "A", "?", ".*", "[a-", "[^]", "*[", "a/**", "!**"),
)


def git_says(folder: Path, paths: Sequence[str]) -> set[str]:
    """Ask git which of the paths are ignored by `.gitignore` files."""
    done = subprocess.run(
        ["git", "check-ignore", "--no-index", "-z", "--stdin"],
        cwd=folder,
        env=ENV,
        input="\0".join(paths).encode(),
        capture_output=True,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr
    return {name.decode() for name in done.stdout.split(b"\0") if name}


def guild_says(folder: Path, paths: Sequence[str]) -> set[str]:
    """Ask the `.guildignore` files the same."""
    files = IgnoreFiles(str(folder))
    for path in ("", "d", "e"):
        files.load(path)
    return {path for path in paths if files.hiding(os.path.dirname(path)) or files.says(path, is_folder=False) is True}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a repository with folders and nothing in them."""
    folder = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q"], cwd=folder, env=ENV, check=True)
    for name in ("d", "e"):
        (folder / name).mkdir()
    return folder


def both_say(repository: Path, texts: dict[str, Sequence[str]]) -> tuple[set[str], set[str]]:
    """Write the lines into files of both names and ask both."""
    for folder in ("", "d", "e"):
        for name in (".gitignore", ".guildignore"):
            (repository / folder / name).write_text("\n".join(texts.get(folder, ())) + "\n")
    return guild_says(repository, PATHS), git_says(repository, PATHS)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_each_pattern_means_what_git_means(repository: Path, pattern: str) -> None:
    """Alone, and after a pattern that ignores everything at the top."""
    for lines in ([pattern], ["/*", pattern]):
        ours, gits = both_say(repository, {"": lines})
        assert ours == gits, lines


@settings(max_examples=60, deadline=None)
@given(
    lines=st.lists(st.sampled_from(PATTERNS), max_size=5),
    below=st.lists(st.sampled_from(PATTERNS), max_size=3),
)
def test_patterns_together_mean_what_git_means(repository: Path, lines: list[str], below: list[str]) -> None:
    """Later lines and nearer files win, and nothing is taken from a folder that is left out."""
    ours, gits = both_say(repository, {"": lines, "d": below})
    assert ours == gits
