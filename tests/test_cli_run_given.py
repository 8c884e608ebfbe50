"""What is given to a run reaches it: files in place of required ones, settings of choices; and what is no gift."""

from __future__ import annotations

from pathlib import Path

from tests.cli_kit import Guild, make_project

COPY = """\
- model: m
  operations:
    go:
      main: main
      flags: {n: 1}
      requires: [{file: data.csv}]
"""
CONFIG = """\
- model: m
  operations:
    go:
      main: main
      flags-dest: config:settings.yml
      flags:
        size:
          default: small
          choices:
            - {value: small, args: {width: 1, name: "s-${n}"}}
            - {value: large, args: {width: 9, depth: 3}}
        n: 5
"""


def test_a_restarted_run_gets_the_files_it_was_started_with(tmp_path: Path) -> None:
    """What stood in place of a required file counts at every later start, from any folder, until another is named."""
    project = make_project(tmp_path / "project", main="")
    (project / "MODELS").unlink()
    (project / "guild.yml").write_text(COPY)
    for name in ("data", "mine", "other"):
        (project / f"{name}.csv").write_text(f"{name}\n")
    guild = Guild(tmp_path / "home", project)
    guild.ok("run", "go", "data.csv=mine.csv", "-y")
    (run_id,) = guild.ids()

    def taken(*words: str) -> str:
        guild.at(tmp_path).ok("run", "--restart", run_id, *words, "-y")
        (told,) = guild.json("runs", "info", run_id)["dependencies"]
        assert (told["given_as"] in ("data.csv", "file:data.csv"), told["given"]) == (True, told["from"])
        return Path(told["from"]).name

    assert taken("n=2") == "mine.csv"
    assert taken(f"file:data.csv={project}/other.csv") == "other.csv"
    assert taken() == "other.csv"
    assert taken(f"data.csv={project}/mine.csv") == "mine.csv"
    assert taken() == "mine.csv"
    guild.ok("run", "go", "-y")
    (told,) = guild.json("runs", "info", "0")["dependencies"]
    assert (Path(told["from"]).name, "given" in told) == ("data.csv", False)


def test_a_choice_brings_settings_into_the_configuration_file(tmp_path: Path) -> None:
    """In place of its flag, as it does on a command line; other flags stand beside them."""
    project = make_project(tmp_path / "project", main="print(open('settings.yml').read())")
    (project / "MODELS").unlink()
    (project / "guild.yml").write_text(CONFIG)
    (project / "settings.yml").write_text("width: 0\n")
    guild = Guild(tmp_path / "home", project)
    assert guild.ok("run", "go", "-y").split() == ["width:", "1", "n:", "5", "name:", "s-5"]
    assert guild.ok("run", "go", "size=large", "-y").split() == ["width:", "9", "n:", "5", "depth:", "3"]


def test_below_a_project_the_way_to_it_is_told(tmp_path: Path) -> None:
    """A folder without a model file is no project, even if one lies above; the error names that one."""
    project = make_project(tmp_path / "pro\x1bject", "{name: m, operations: {go: main}}\n", main="")
    (project / "deep" / "down").mkdir(parents=True)
    guild = Guild(tmp_path / "home", project / "deep" / "down")
    shown = str(project).replace("\x1b", "\\x1b")
    for words, code in ((("run", "go", "-y"), 1), (("run", "-y"), 2), (("run", "m:go"), 1)):
        assert f"A model file is in {shown}: change to there, or use guild -C.\n" in guild.refused(*words, code=code)
    assert "A model file is in" not in guild.at(project).refused("run", "nope", "-y")
    told = f"A model file is in {shown}: change to there, or use guild -C.\n"
    for command in ("package", "help"):
        assert told in guild.refused(command)
    for command in ("operations", "models"):
        listed = guild(command)
        assert (listed.code, listed.out, listed.err) == (0, "", told)
        assert "A model file is in" not in guild.at(project)(command).err


def test_an_empty_run_directory_is_no_directory(tmp_path: Path) -> None:
    """An unset variable in a script must not run an operation in the project itself."""
    project = make_project(tmp_path / "project", "{name: m, operations: {go: main}}\n", main="")
    guild = Guild(tmp_path / "home", project)
    assert "--run-dir needs a path, and got an empty one\n" in guild.refused("run", "go", "--run-dir", "", "-y", code=2)
