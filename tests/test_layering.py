"""The house as it is built: which package may import which, what only commands may do, and how large a part may be."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent

ALLOWED = {
    "ledger": set(),
    "projections": {"ledger"},
    "artifacts": {"ledger"},
    "operations": {"ledger", "artifacts"},
    "migrations": {"ledger"},
    "view": {"ledger", "projections", "artifacts"},
    "commands": {"ledger", "projections", "artifacts", "operations", "view", "guild_ledger"},
    "guild_ledger": {"commands"},
}
"""What each package may import, besides itself."""

EXCEPTIONS = {("ledger/migrate.py", "migrations"), ("artifacts/series.py", "guild_ledger")}
"""A single module may import what its package may not."""

FRONT = (
    "commands/", "guild_ledger/main.py", "guild_ledger/__main__.py", "guild_ledger/scalars.py",
    "guild_ledger/reading.py", "guild_ledger/run_facts.py", "guild_ledger/runs.py", "operations/launch_",
)  # fmt: skip
"""Where the program may talk to people, look at the environment, and end; what runs in a user's process may as well."""

FORBIDDEN_CALLS = {"print", "input", "breakpoint", "exit", "quit"}
FORBIDDEN_NAMES = {
    "click", "sys.exit", "sys.argv", "sys.stdin", "sys.stdout", "sys.stderr", "os.environ", "os.environb", "os.getenv",
    "os.getenvb", "os.putenv", "os.path.expanduser", "os.path.expandvars", "os.getcwd", "pathlib.Path.home",
    "pathlib.Path.cwd", "getpass",
}  # fmt: skip
"""Names that only the front may use, written out in full."""

MOST_LINES_OF_A_MODULE = 400
MOST_LINES_OF_A_FUNCTION = 60

MODULES = sorted(
    str(path.relative_to(ROOT))
    for package in ALLOWED
    for path in (ROOT / package).rglob("*.py")
    if "__pycache__" not in path.parts
)

TEST_FILES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("*.py"))


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse((ROOT / module).read_text(encoding="utf-8"), module)


@cache
def _nodes(tree: ast.Module) -> list[ast.AST]:
    return list(ast.walk(tree))


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the line and the full name of everything that a module imports, at its top or in a function."""
    for node in _nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative imports hide the package"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def used_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the line and the full name of everything imported, or reached through what is imported."""
    names = {}
    for node in _nodes(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    yield from imports(tree)
    for node in _nodes(tree):
        if isinstance(node, (ast.Attribute, ast.Name)):
            first, dot, rest = ast.unparse(node).partition(".")
            if first in names:
                yield node.lineno, names[first] + dot + rest


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield all functions and methods of a module."""
    for node in _nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def forbidden(tree: ast.Module) -> list[str]:
    """Return what in a module only the front may do."""
    found = [
        f"line {line}: {name}"
        for line, name in used_names(tree)
        if any(name == bad or name.startswith(bad + ".") for bad in FORBIDDEN_NAMES)
    ]
    calls = (node for node in _nodes(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name))
    for call in calls:
        name = ast.unparse(call.func)
        found += [f"line {call.lineno}: {name}()"] if name in FORBIDDEN_CALLS else []
    return sorted(set(found))


def strangers(module: str, tree: ast.Module) -> list[str]:
    """Return the imports of packages of ours that a module's package may not import."""
    package = module.partition("/")[0]
    found = []
    for line, name in imports(tree):
        other = name.split(".")[0]
        if (
            other in ALLOWED
            and other != package
            and other not in ALLOWED[package]
            and (module, other) not in EXCEPTIONS
        ):
            found.append(f"line {line}: {name}")
    return found


def unannotated(tree: ast.Module) -> list[str]:
    """Return the functions whose parameters or result have no type."""
    found = []
    for function in functions(tree):
        given = function.args
        parameters = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        bare = [one.arg for one in parameters if one is not None and one.annotation is None]
        if set(bare) - {"self", "cls"} or function.returns is None:
            found.append(f"line {function.lineno}: {function.name}({', '.join(bare)})")
    return found


def lines_of(module: str) -> int:
    """Return how many lines a file has."""
    return len((ROOT / module).read_text(encoding="utf-8").splitlines())


def long_functions(tree: ast.Module) -> list[str]:
    """Return the functions that fit on no screen."""
    return [
        function.name
        for function in functions(tree)
        if (function.end_lineno or 0) - function.lineno >= MOST_LINES_OF_A_FUNCTION
    ]


def test_the_modules_are_found() -> None:
    """The walk sees every package; none can hide by being forgotten."""
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks", "docs"}
    assert folders == set(ALLOWED)
    assert {module.partition("/")[0] for module in MODULES} == set(ALLOWED)


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_one_way(module: str) -> None:
    """Commands to operations, artifacts and projections, and all of them to the ledger: never back, never across."""
    assert strangers(module, _tree(module)) == []


@pytest.mark.parametrize("module", [module for module in MODULES if not module.startswith(FRONT)])
def test_only_the_front_talks_to_people_and_looks_around(module: str) -> None:
    """Below `commands` nothing prints, prompts, ends the program, or reads environment, home or working directory."""
    assert forbidden(_tree(module)) == []


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_explained_typed_and_small(module: str) -> None:
    """It says why it is there; each function has types and fits on a screen; all of it can be read at one sitting."""
    tree = _tree(module)
    assert ast.get_docstring(tree)
    assert unannotated(tree) == []
    assert lines_of(module) <= MOST_LINES_OF_A_MODULE
    assert long_functions(tree) == []


@pytest.mark.parametrize("file", TEST_FILES)
def test_a_file_of_tests_is_explained_and_small(file: str) -> None:
    """As a module is: one subject, which its name and its first line say; what several share is in a kit."""
    assert ast.get_docstring(_tree(file))
    assert lines_of(file) <= MOST_LINES_OF_A_MODULE
    assert long_functions(_tree(file)) == []


@pytest.mark.parametrize("module", MODULES)
def test_whatever_is_public_is_explained(module: str) -> None:
    """Public functions, classes and their methods have a docstring."""
    named = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    top = [node for node in _tree(module).body if isinstance(node, named) and node.name[0] != "_"]
    inside = [node for holder in top if isinstance(holder, ast.ClassDef) for node in holder.body]
    public = [*top, *(node for node in inside if isinstance(node, named) and node.name[0] != "_")]
    assert [node.name for node in public if not ast.get_docstring(node)] == []


def test_no_two_modules_import_each_other() -> None:
    """At their tops: a circle would make the order of imports matter."""
    graph = {module: set(_top_level(module)) for module in MODULES}
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join((*way, module))
        if module not in done:
            for other in graph[module]:
                visit(other, (*way, module))
            done.add(module)

    for module in MODULES:
        visit(module, ())


def _top_level(module: str) -> Iterator[str]:
    """Yield the modules of ours that a module imports when it is loaded."""
    for node in _tree(module).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for _, name in imports(ast.Module([node], [])):
                for part in (name, name.rpartition(".")[0]):
                    path = part.replace(".", "/") + ".py"
                    if path in MODULES and path != module:
                        yield path


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("print('x')", ["line 1: print()"]),
        ("def f():\n    import click", ["line 2: click"]),
        ("from click import echo", ["line 1: click.echo"]),
        ("import os\nos.environ['X']", ["line 2: os.environ"]),
        ("import os as o\no.environ.get('X')", ["line 2: os.environ", "line 2: os.environ.get"]),
        ("from os import environ", ["line 1: os.environ"]),
        ("from os.path import expanduser as e\ne('~')", ["line 1: os.path.expanduser", "line 2: os.path.expanduser"]),
        ("import os.path\nos.path.expanduser('~')", ["line 2: os.path.expanduser"]),
        ("import sys\nsys.exit(1)", ["line 2: sys.exit"]),
        ("from pathlib import Path\nPath.home()", ["line 2: pathlib.Path.home"]),
        ("import os\nos.path.join('a')", []),
        ("self.print('x')\nclickable = 1", []),
    ],
)
def test_the_walk_sees_what_is_forbidden(code: str, found: list[str]) -> None:
    """In any spelling: at the top or in a function, by another name, or through its module."""
    assert forbidden(ast.parse(code)) == found


@pytest.mark.parametrize(
    ("module", "code", "found"),
    [
        ("ledger/x.py", "from projections.query import Query", ["line 1: projections.query.Query"]),
        ("ledger/x.py", "def f():\n    import commands.app", ["line 2: commands.app"]),
        ("ledger/x.py", "import migrations", ["line 1: migrations"]),
        ("ledger/migrate.py", "import migrations", []),
        ("artifacts/x.py", "from operations import names", ["line 1: operations.names"]),
        ("operations/x.py", "from artifacts import home\nimport ledger.ids", []),
        ("projections/x.py", "if True:\n    from artifacts.home import Home", ["line 2: artifacts.home.Home"]),
    ],
)
def test_the_walk_sees_imports_that_point_the_wrong_way(module: str, code: str, found: list[str]) -> None:
    """Also those inside functions and conditions."""
    assert strangers(module, ast.parse(code)) == found
