"""The documentation says what is so: commands are executed, links lead somewhere, every command is described."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from glob import glob
from typing import TYPE_CHECKING

import click
import pytest

from docs.executed import ROOT, World, differences, refreshed, steps_of
from docs.generate_cli_reference import PAGE, all_commands, page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXECUTED = (
    "README.md",
    *(f"docs/{name}.md" for name in ("user-guide", "ledger-care", "selecting", "compare", "a-bad-evening")),
    "docs/examples-of-runs.md",
)
PAGES = sorted(
    os.path.relpath(path, ROOT)
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md")
    for path in glob(os.path.join(ROOT, pattern), recursive=True)
)
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def read(path: str) -> str:
    """Return the text of a file of the project."""
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


@pytest.mark.parametrize("path", EXECUTED)
def test_commands_print_what_the_page_shows(path: str, tmp_path: Path) -> None:
    """Every command in a `console` block of the page, executed in order, prints what stands below it."""
    text = read(path)
    assert len(steps_of(text)) > 5
    assert "\n\n".join(differences(text, str(tmp_path))) == ""


def test_a_page_that_shows_something_else_is_found_and_can_be_refreshed(tmp_path: Path) -> None:
    """Wrong output, a wrong id and missing lines are told with their line; refreshing mends all three."""
    text = (
        "```console\n$ guild run knn:train -y\nk: 6\naccuracy: 0.9667\n"
        "$ guild runs --all\n[0:aaaaaaaa]  ./iris-knn:train  2026-01-01 00:00:00  completed\n"
        "$ guild runs rm aaaaaaaa -y --all\nDeleted 1 run(s)\n```\nThat was aaaaaaaa.\n"
    )
    folders = [tmp_path / name for name in ("one", "two", "three")]
    for folder in folders:
        folder.mkdir()
    found = list(differences(text, str(folders[0])))
    assert [one.partition(":")[0] for one in found] == ["line 2", "line 7"]
    mended = refreshed(text, str(folders[1]))
    assert "\nk: 5\n" in mended
    assert "aaaaaaaa" not in mended
    assert "To undo: guild undo" in mended
    assert list(differences(mended, str(folders[2]))) == []


def test_every_command_and_option_has_help() -> None:
    """No command, group or option is left without words."""
    for context, command in all_commands():
        assert command.help, context.command_path
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{context.command_path} {parameter.name}"


def test_every_command_has_an_example_that_its_own_help_shows() -> None:
    """Under `Examples:`, each a line that begins with or holds the command as it is typed; click does not wrap them."""
    for context, command in all_commands():
        text = command.get_help(click.Context(command, info_name=context.info_name, parent=context.parent))
        _, found, examples = text.partition("\n  Examples:\n")
        assert found, context.command_path
        lines = [line.strip() for line in examples.partition("\n\n")[0].splitlines()]
        path = context.command_path.replace("guild runs ", "guild ").replace("guild delete", "guild rm")
        assert any(f"{path} " in f"{line.replace('guild runs ', 'guild ')} " for line in lines) or path == "guild runs"
        assert all("guild " in line for line in lines), (context.command_path, lines)


def test_every_command_in_the_code_can_be_reached() -> None:
    """Each function in `commands/` that is a click command is in the tree under `guild`."""
    reached = {command.callback.__name__ for _, command in all_commands() if command.callback}
    written = set(_click_commands())
    assert written
    assert written == reached


def _click_commands() -> Iterator[str]:
    for path in glob(os.path.join(ROOT, "commands", "*.py")):
        for node in ast.parse(read(path)).body:
            if isinstance(node, ast.FunctionDef):
                decorators = [ast.unparse(one) for one in node.decorator_list]
                if any(one.startswith(("click.command", "click.group")) for one in decorators):
                    yield node.name


def test_every_command_is_in_the_reference() -> None:
    """The reference has a section for each command."""
    text = read("docs/cli-reference.md")
    for context, _ in all_commands():
        assert f"\n## {context.command_path}\n" in text


def test_the_reference_is_current() -> None:
    """What the page says is what the program says; `python -m docs.generate_cli_reference` writes it anew."""
    assert read(PAGE) == page()


@pytest.mark.parametrize("path", PAGES)
def test_every_link_leads_somewhere(path: str) -> None:
    """Relative links name files that are there, and their anchors headings that are there."""
    text = _FENCED.sub("", read(path))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        full = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
        assert os.path.exists(os.path.join(ROOT, full)), f"{path}: {target}"
        if anchor:
            assert anchor in set(_anchors(full)), f"{path}: {target}"


def _anchors(path: str) -> Iterator[str]:
    for heading in re.findall(r"^#+ +(.+?) *$", _FENCED.sub("", read(path)), re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_every_variable_that_is_read_is_documented() -> None:
    """Each environment variable that the command line looks at stands in the user guide."""
    guide = read("docs/user-guide.md")
    found = set()
    for path in glob(os.path.join(ROOT, "commands", "*.py")):
        found.update(re.findall(r"environ\.(?:get\(|setdefault\(|pop\()?\[?\"([A-Z_]+)\"", read(path)))
    assert {"GUILD_HOME", "GUILD_LEDGER"} <= found
    assert [name for name in sorted(found) if f"`{name}`" not in guide] == []


def test_decisions_are_numbered_without_gaps() -> None:
    """Each decision has a number of its own, and its heading begins with it."""
    paths = sorted(glob(os.path.join(ROOT, "docs", "decisions", "*.md")))
    for number, path in enumerate(paths, 1):
        assert os.path.basename(path).startswith(f"{number:04}-")
        assert read(path).startswith(f"# {number}. ")


def test_every_field_of_the_json_output_is_documented(tmp_path: Path) -> None:
    """Each key that a `--json` prints stands in the user guide."""
    guide = read("docs/user-guide.md")
    world = World(str(tmp_path))
    try:
        world.execute("guild run knn:train -y")
        world.execute("guild run knn:train k=7 -y")
        world.execute("guild mark 0")
        printed = [
            "\n".join(world.execute(f"guild {words} --json 2>/dev/null"))
            for words in (
                "runs",
                "runs info",
                "log -n 1 --patch",
                "history 0",
                "undo --dry-run",
                "ledger verify",
                "ledger rebuild",
                "check",
                "diff --at 1 --at now",
                "compare --skip-op-cols",
                "diff",
            )
        ]
    finally:
        world.close()
    shown = re.sub(r"```yaml.*?```", "", guide, flags=re.DOTALL)
    for text in printed:
        found = json.loads(text)
        item = found[0] if isinstance(found, list) else found
        missing = [key for key in item if f"`{key}`" not in shown and f'"{key}":' not in shown]
        assert missing == []


def test_importing_the_programs_packages_does_not_need_the_documentation() -> None:
    """The scripts of the documentation are not part of the program: nothing imports them."""
    code = "import commands.main, sys; sys.exit(any(name.partition('.')[0] == 'docs' for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": ROOT}, check=False)
    assert done.returncode == 0
