"""Proves that a process gets its flags as variables, and is otherwise what `python` itself would have started."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from operations.launching import LaunchError, is_variable_dest, launcher_arguments

if TYPE_CHECKING:
    from operations.definitions import FlagValue

Result = subprocess.CompletedProcess[str]


def script(folder: Path, text: str, name: str = "train.py") -> Path:
    """Write a script and return its path."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def python(*words: str, cwd: Path | None = None, **variables: str) -> Result:
    """Run Python with words, as a run would: unbuffered, in a directory of its own."""
    environment = os.environ | variables
    return subprocess.run(
        [sys.executable, "-u", *words], capture_output=True, text=True, cwd=cwd, env=environment, check=False
    )


def launched(path: Path, dest: str, values: dict[str, FlagValue], *words: str) -> str:
    """Return what a script prints that gets values as variables."""
    result = python(*launcher_arguments(dest, (str(path),), values), *words, cwd=path.parent)
    assert result.stderr == ""
    assert result.returncode == 0
    return result.stdout.strip()


def globals_of(folder: Path, text: str, values: dict[str, FlagValue], show: str) -> str:
    """Return the repr of an expression at the end of a script that gets values as globals."""
    return launched(script(folder, text + f"\nprint(repr(({show})))\n"), "globals", values)


# --- Globals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "values", "show", "expected"),
    [
        ("lr = 0.1", {"lr": 0.5}, "lr", "0.5"),
        ("epochs: int = 2\nsteps = epochs * 2", {"epochs": 5}, "epochs, steps", "(5, 10)"),
        ("a = b = 1", {"a": 2}, "a, b", "(2, 1)"),
        ("a = b = 1", {"a": 2, "b": 3}, "a, b", "(2, 3)"),
        ("a, b = 1, 2", {"b": 3}, "a, b", "(1, 3)"),
        ("shape = (1, 2)", {"shape": [3, 4]}, "shape", "(3, 4)"),
        ("layers = [1]", {"layers": [3, [4]]}, "layers", "[3, [4]]"),
        ("opt = {'a': 1}", {"opt": {"b": None}}, "opt", "{'b': None}"),
        ("n = -1", {"n": -7}, "n", "-7"),
        ("n = 2 ** 10", {"n": 3}, "n", "3"),
        ("x = 1\ny = x\nx = 2", {"x": 5}, "x, y", "(5, 5)"),
        ("x = int('3')\ny = x", {"x": 5}, "x, y", "(5, 5)"),
        ("x = 1\ny = x\nx = x * 2", {"x": 5}, "x, y", "(10, 5)"),
        ("from math import pi\ny = pi", {"pi": 3}, "y", "3"),
        ("if True:\n    x = 1\nelse:\n    x = 2", {"x": 5}, "x", "5"),
        ("try:\n    x = 1\nfinally:\n    y = x", {"x": 5}, "x, y", "(5, 5)"),
        ("'doc'\nfrom __future__ import annotations\nz: No = new", {"new": 5}, "__doc__, z", "('doc', 5)"),
        ("def f():\n    x = 1\n    return x", {"x": 5}, "f(), x", "(1, 5)"),
        ("x = 1", {"x": None}, "x", "1"),
        ("learning_rate = 1", {"learning-rate": 5}, "learning_rate", "5"),
    ],
)
def test_values_take_the_place_of_constants(
    tmp_path: Path, text: str, values: dict[str, FlagValue], show: str, expected: str
) -> None:
    """Where the script assigns the name itself, so that what it derives from it follows."""
    assert globals_of(tmp_path, text, values, show) == expected


@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        -0.0,
        1e-300,
        2**80,
        -(2**70),
        math.inf,
        -math.inf,
        math.nan,
        "",
        "true",
        'it\'s "quoted" \\n \n\t\0 \x7f {x} é 日本 \U0001f600 \u2028',
        "\udcff",
        "\ud83d \udcff",
        [[], {}, {"ü": ["NaN", math.nan, None]}],
    ],
)
def test_every_value_arrives_as_it_is(tmp_path: Path, value: FlagValue) -> None:
    """Numbers without JSON's limits, and text with whatever characters."""
    assert globals_of(tmp_path, "x = 0", {"x": value}, "ascii(x)") == repr(ascii(value))


def test_a_value_is_data(tmp_path: Path) -> None:
    """Nothing that a user types is run."""
    assert globals_of(tmp_path, "x = 0", {"x": "__import__('os')._exit(3)"}, "x") == "\"__import__('os')._exit(3)\""


# --- Mappings and namespaces --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "dest", "show", "expected"),
    [
        ("params = {'lr': 0.1, 'n': 1}\ny = params['lr'] * 2", "global:params", "params, y", "({'lr': 2, 'n': 1}, 4)"),
        ("params = dict(lr=1)", "global:params", "params", "{'lr': 2}"),
        ("class params:\n    lr = 1\ny = params.lr", "global:params", "y", "2"),
        ("y = params['lr']", "global:params", "y", "2"),
        ("from types import SimpleNamespace\ncfg = SimpleNamespace(lr=1)", "namespace:cfg", "cfg", "namespace(lr=2)"),
        ("from types import SimpleNamespace\ncfg = SimpleNamespace(lr=1)", "global:cfg", "cfg", "namespace(lr=2)"),
        ("import argparse\ncfg = argparse.Namespace(lr=1)", "namespace:cfg", "cfg", "Namespace(lr=2)"),
        ("class cfg:\n    lr = 1", "namespace:cfg", "cfg.lr", "2"),
        ("y = cfg.lr", "namespace:cfg", "y", "2"),
        ("if 1:\n    params = {}", "global:params", "params", "{'lr': 2}"),
    ],
)
def test_values_are_set_right_behind_the_assignment(
    tmp_path: Path, text: str, dest: str, show: str, expected: str
) -> None:
    """Entries of a mapping, or attributes of anything else; a variable that is not there is made."""
    path = script(tmp_path, f"{text}\nprint(repr(({show})))")
    assert launched(path, dest, {"lr": 2}) == expected


def test_dotted_names_lead_into_nested_values(tmp_path: Path) -> None:
    """As the flags are named that were read from there, unless the dot is part of the key."""
    text = "p = {'a.b': 1, 'm': {'d': 1}, 'a': {'b': 1}}\nprint(p)"
    shown = launched(script(tmp_path, text), "global:p", {"a.b": 2, "m.d": 3, "x.y": 4, "k-e y": 5})
    assert shown == "{'a.b': 2, 'm': {'d': 3}, 'a': {'b': 1}, 'x.y': 4, 'k-e y': 5}"
    text = "class c:\n    class m:\n        d = 1\nprint(c.m.d, c.w_d)"
    assert launched(script(tmp_path, text), "namespace:c", {"m.d": 3, "w-d": 4}) == "3 4"


@pytest.mark.parametrize(
    ("dest", "names"),
    [
        ("globals", ["1x", "a b", "class", "a.b", ""]),
        ("namespace:c", ["a..b", "a.class"]),
        ("args", ["x"]),
        ("global:", ["x"]),
        ("global:a.b", ["x"]),
        ("namespace:x;y", ["x"]),
    ],
)
def test_what_cannot_be_a_variable_is_refused(dest: str, names: list[str]) -> None:
    """Before anything is started, with what to do instead."""
    for name in names:
        with pytest.raises(LaunchError) as caught:
            launcher_arguments(dest, ("/x.py",), {name: 1})
        assert caught.value.hint


def test_the_destinations_of_variables_are_known() -> None:
    """All others are the business of whoever builds arguments."""
    assert [is_variable_dest(dest) for dest in ("globals", "global:x", "namespace:x")] == [True] * 3
    assert [is_variable_dest(dest) for dest in ("args", "args:click", "config:x.yml")] == [False] * 3


# --- As Python itself ---------------------------------------------------------------------------------------

SHOW = """
import sys
print(sorted(vars()), __name__, __file__, __package__, __doc__, __spec__ and __spec__.name, type(__loader__).__name__)
print(__cached__, sys.argv, sys.path, sys.modules["__main__"].__dict__ is globals())
print(*sorted(sys.modules), file=sys.stderr)
"""


@pytest.mark.parametrize("kind", ["script", "module", "package", "linked"])
@pytest.mark.parametrize("option", ["-B", "-P"])
def test_a_program_sees_what_python_itself_would_show_it(tmp_path: Path, kind: str, option: str) -> None:
    """Names, arguments and module path are the same, and hardly a module is loaded before it."""
    path = script(tmp_path, SHOW, "pkg/sub/train.py")
    script(tmp_path, SHOW, "pkg/sub/__main__.py")
    (tmp_path / "linked.py").symlink_to(path)
    program = {
        "script": (str(path),),
        "module": ("-m", "pkg.sub.train"),
        "package": ("-m", "pkg.sub"),
        "linked": (str(tmp_path / "linked.py"),),
    }[kind]

    bare = python(option, *program, "a", "--b=c", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    words = launcher_arguments("globals", program, {"sys": None})
    ours = python(option, *words, "a", "--b=c", cwd=tmp_path, PYTHONPATH=str(tmp_path))

    assert bare.stdout
    assert ours.stdout == bare.stdout
    assert {*ours.stderr.split()} - {*bare.stderr.split()} <= {"__future__", "_ast"}


FAILURES = {
    "error": "def f():\n    return 1 / 0\nf()\n",
    "chained": "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('x') from e\n",
    "syntax": "x = 1\ny = = 2\n",
    "latin": "# coding: latin-1\n'\u00e9'.encode()[9]\n",
    "exit": "import sys\nsys.exit(7)\n",
    "text": "raise SystemExit('said')\n",
    "signal": "raise KeyboardInterrupt\n",
    "hook": "import sys, traceback\nsys.excepthook = lambda *a: print(len(traceback.extract_tb(a[2])))\n1 / 0\n",
    "atexit": "import atexit\natexit.register(print, 'bye')\n1 / 0\n",
    "thread": "import threading\nt = threading.Thread(target=int, args='x', name='t')\nt.start()\nt.join()\n",
    "import": "import helper\n",
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_program_fails_as_it_would_by_itself(tmp_path: Path, name: str) -> None:
    """Its traceback shows its own lines alone; exit status and last words are the same."""
    path = script(tmp_path, FAILURES[name])
    script(tmp_path, "1 / 0\n", "helper.py")

    bare = python(str(path))
    ours = python(*launcher_arguments("globals", (str(path),), {"unused": 1}))

    assert (ours.returncode, ours.stdout, ours.stderr) == (bare.returncode, bare.stdout, bare.stderr)


@pytest.mark.parametrize("program", [("/nowhere/x.py",), ("-m", "nope"), ("-m", "nope.sub"), ("-m", "json")])
def test_a_program_that_is_not_there_is_reported_in_one_line(tmp_path: Path, program: tuple[str, ...]) -> None:
    """As Python does, with its exit status."""
    bare = python(*program, cwd=tmp_path)
    ours = python(*launcher_arguments("globals", program, {}), cwd=tmp_path)

    assert ours.returncode == bare.returncode != 0
    assert ours.stderr.count("\n") == 1
    assert "launch" not in ours.stderr


def test_a_module_without_source_cannot_be_given_variables(tmp_path: Path) -> None:
    """Said plainly, where its flags would otherwise be lost in silence."""
    result = python(*launcher_arguments("globals", ("-m", "zipimport"), {"x": 1}), cwd=tmp_path)
    assert "the source of module zipimport cannot be read" in result.stderr
    assert result.returncode == 1


def test_modules_of_the_project_may_be_called_like_those_of_the_library(tmp_path: Path) -> None:
    """Nothing is imported before the script, so its own `json` is the one it gets."""
    for name in ("json", "ast", "runpy", "names", "flags"):
        script(tmp_path, "", f"{name}.py")
    path = script(tmp_path, "import json, ast, names\nx = 1\nprint(json.__file__, x)")
    assert launched(path, "globals", {"x": 2}) == f"{tmp_path}/json.py 2"


def test_the_source_can_be_inspected_and_classes_pickled(tmp_path: Path) -> None:
    """The script is `__main__` in every respect that libraries look at."""
    text = """
        import inspect, pickle, warnings
        size = 1
        class Net:
            width = size
        def f(x):
            return x
        print(inspect.getsource(f), pickle.loads(pickle.dumps(Net())).width, Net.__module__)
    """
    shown = launched(script(tmp_path, text), "globals", {"size": 5})
    assert shown.split() == ["def", "f(x):", "return", "x", "5", "__main__"]


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
@pytest.mark.parametrize("kind", ["script", "module"])
def test_worker_processes_have_the_same_values(tmp_path: Path, method: str, kind: str) -> None:
    """However `multiprocessing` starts them: a worker that runs the script anew gets the flags anew."""
    text = f"""
        import multiprocessing as mp
        size = 1
        double = size * 2
        def work(x):
            return x, size, double
        def outer(x):
            with mp.get_context({method!r}).Pool(1) as pool:
                return pool.map(work, [x])
        if __name__ == "__main__":
            with mp.get_context({method!r}).Pool(1) as pool:
                print(pool.map(work, [1, 2]))
            with __import__("concurrent.futures").futures.ProcessPoolExecutor(
                1, mp_context=mp.get_context({method!r})
            ) as pool:
                print(list(pool.map(outer, [3])))
    """
    path = script(tmp_path, text)
    program = (str(path),) if kind == "script" else ("-m", "train")

    result = python(*launcher_arguments("globals", program, {"size": 5}), cwd=tmp_path)

    assert result.stdout.split("\n") == ["[(1, 5, 10), (2, 5, 10)]", "[[(3, 5, 10)]]", ""], result.stderr
