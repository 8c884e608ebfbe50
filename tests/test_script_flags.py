"""Proves which flags are found in a script that is only read, never run."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from operations.definitions import ChoiceDef, FlagDef, FlagValue
from operations.script_flags import ScriptError, ScriptFlags, read_holder_flags, read_script_flags


def read(tmp_path: Path, text: str) -> ScriptFlags:
    """Return the flags of a script with this text."""
    path = tmp_path / "train.py"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return read_script_flags(str(path))


def option(tmp_path: Path, words: str) -> FlagDef:
    """Return the flag of one `add_argument` call."""
    found = read(tmp_path, f"import argparse\nP = argparse.ArgumentParser()\nP.add_argument({words})\nP.parse_args()\n")
    assert found.dest == "args"
    (flag,) = found.flags
    return flag


def clicked(tmp_path: Path, words: str) -> FlagDef:
    """Return the flag of one `click.option` call."""
    text = f"import click\n@click.command()\n@click.option({words})\ndef main(**_): pass\nmain()\n"
    found = read(tmp_path, text)
    assert found.dest == "args:click"
    (flag,) = found.flags
    return flag


def names(found: ScriptFlags) -> list[str]:
    """Return the names of the flags."""
    return [flag.name for flag in found.flags]


# --- argparse -----------------------------------------------------------------------------------------------


def boolean(true: dict[str, FlagValue], false: dict[str, FlagValue]) -> tuple[ChoiceDef, ChoiceDef]:
    """Return the choices of a flag whose values have arguments of their own."""
    return ChoiceDef(True, args=true), ChoiceDef(False, args=false)


BOOLEANS = boolean({"a": "True"}, {"a": "False"})
X = (ChoiceDef("x"), ChoiceDef("y"))


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        ("'--a'", FlagDef("a", type="string")),
        ("'-a', '--a-b', '--other', default=1", FlagDef("a-b", 1)),
        ("'--a', default=1, type=int", FlagDef("a", 1, type="int")),
        ("'--a', default=-1e-3, type=float", FlagDef("a", -0.001, type="float")),
        ("'--a', default=2 * 16 ** 2, type=int", FlagDef("a", 512, type="int")),
        ("'--a', default=int(1e6), type=int", FlagDef("a", 1_000_000, type="int")),
        ("'--a', default='x' + 'y', type=str", FlagDef("a", "xy", type="string")),
        ("'--a', default=None, type=str", FlagDef("a", type="string")),
        ("'--a', default=argparse.SUPPRESS", FlagDef("a", type="string")),
        ("'--a', default=f(), type=int", FlagDef("a", type="int")),
        ("'--a', default=pathlib.Path('d'), type=pathlib.Path", FlagDef("a", "d", type="path")),
        ("'--a', type=bool, default=True", FlagDef("a", True, type="boolean")),
        ("'--a', type=str2bool, default=True", FlagDef("a", True, type="boolean", choices=BOOLEANS)),
        ("'--a', type=lambda x: x == 'True', default=False", FlagDef("a", False, type="boolean", choices=BOOLEANS)),
        ("'--a', type=eval, default=3", FlagDef("a", 3)),
        ("'--a', required=True, type=int", FlagDef("a", required=True, type="int")),
        ("'--a', choices=['x', 'y'], default='x'", FlagDef("a", "x", type="string", choices=X)),
        ("'--a', choices=range(1, 3), type=int", FlagDef("a", type="int", choices=(ChoiceDef(1), ChoiceDef(2)))),
        ("'--a', choices=list({'x': f, 'y': g}.keys())", FlagDef("a", type="string", choices=X)),
        ("'--a', action='store_true'", FlagDef("a", False, type="boolean", arg_switch=True)),
        ("'--no-a', action='store_false', dest='a'", FlagDef("no-a", False, type="boolean", arg_switch=True)),
        ("'--a', action='store_const', const=5", FlagDef("a", False, type="boolean", arg_switch=True)),
        (
            "'--a', action=argparse.BooleanOptionalAction, default=True",
            FlagDef("a", True, type="boolean", arg_name="no-a", arg_switch=False),
        ),
        (
            "'--a', action=argparse.BooleanOptionalAction, default=False",
            FlagDef("a", False, type="boolean", arg_switch=True),
        ),
        (
            "'--a', action=argparse.BooleanOptionalAction",
            FlagDef("a", type="boolean", choices=boolean({"a": True}, {"no-a": True})),
        ),
        ("'--a', nargs='+', type=int, default=[1, 2]", FlagDef("a", "1 2", arg_split=" ")),
        ("'--a', nargs=2, default=('x y', 'z')", FlagDef("a", "'x y' z", arg_split=" ")),
        ("'--a', nargs='?', type=int, default=1", FlagDef("a", 1, type="int")),
        ("'--a', action='append', default=['x']", FlagDef("a")),
        ("'--a', help='How  %(default)s 5%%', default=3, type=int", FlagDef("a", 3, "How 3 5%", type="int")),
        ("'--a', help='How (default: %(default)s)', default=f()", FlagDef("a", None, "How", type="string")),
        ("'--a', help='How %(prog)s goes (x)'", FlagDef("a", None, "How goes (x)", type="string")),
    ],
)  # fmt: skip
def test_an_option_of_argparse_is_a_flag(tmp_path: Path, words: str, flag: FlagDef) -> None:
    """What can be said without running the script is taken over; the rest stays open."""
    assert option(tmp_path, words) == flag


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p = ArgumentParser()\ng = p.add_argument_group('x')\ng.add_argument('--a')\np.parse_args()", ["a"]),
        ("p = ArgumentParser()\np.add_argument_group('x').add_argument('--a')\np.parse_known_args()", ["a"]),
        ("with_ = ArgumentParser\np = ArgumentParser()\np.add_argument('--a')\nwith_", None),
        ("def f():\n    p = ArgumentParser()\n    p.add_argument('--a')\n    return p.parse_args()", ["a"]),
        ("def f():\n    p = ArgumentParser()\n    p.add_argument('--a')\n    return p\nf().parse_args()", ["a"]),
        ("def f(p):\n    p.add_argument('--a')\nq = ArgumentParser()\nf(q)\nq.parse_args()", ["a"]),
        ("def f(p):\n    p.add_argument('--a')\n    return p\nq = f(ArgumentParser())\nq.parse_args()", ["a"]),
        ("def f(p):\n    p.add_argument('--a')\nq = ArgumentParser()\nq.parse_args()", ["a"]),
        ("q = ArgumentParser()\nq.add_argument('--a')\nother(q)", ["a"]),
        (
            (
                "p = ArgumentParser()\np.add_argument('--a')\ns = p.add_subparsers()\nt = s.add_parser('t')\n"
                "t.add_argument('--b')\ng = t.add_argument_group()\ng.add_argument('--c')\np.parse_args()"
            ),
            ["a"],
        ),
        (
            (
                "def f(p):\n    p.add_argument('--b')\np = ArgumentParser()\np.add_argument('--a')\n"
                "f(p.add_subparsers().add_parser('t'))\np.parse_args()"
            ),
            ["a"],
        ),
        (
            "p = ArgumentParser()\np.add_argument('--a')\nq = ArgumentParser()\nq.add_argument('--b')\nq.parse_args()",
            ["b"],
        ),
        (
            (
                "p = ArgumentParser(add_help=False)\np.add_argument('--a')\n"
                "q = ArgumentParser(\n  parents=[p])\nq.add_argument('--b')\nq.parse_args()"
            ),
            ["a", "b"],
        ),
        (
            (
                "class C:\n    def f(self):\n        self.p = ArgumentParser()\n        self.p.add_argument('--a')\n"
                "    def run(self):\n        return self.p.parse_args()"
            ),
            ["a"],
        ),
        (
            "class P(ArgumentParser):\n    def __init__(self):\n        self.add_argument('--a')\nP().parse_args()",
            ["a"],
        ),
        ("import argparse as ap\np = ap.ArgumentParser()\np.add_argument('--a')\np.parse_args()", ["a"]),
        ("p = ArgumentParser()\nfor _ in x:\n    p.add_argument('--a')\np.add_argument('--a')\np.parse_args()", ["a"]),
        ("parser.add_argument('--a')\nparser.parse_args()", None),
    ],
)  # fmt: skip
def test_only_the_parser_that_parses_counts(tmp_path: Path, text: str, expected: list[str] | None) -> None:
    """Through variables, functions, attributes, groups and parents; never a subcommand's."""
    found = read(tmp_path, f"from argparse import ArgumentParser\n{text}\n")
    assert (names(found) if found.dest == "args" else None) == expected


def test_defaults_and_constants_of_the_script_are_followed(tmp_path: Path) -> None:
    """`set_defaults` wins; names count when they are assigned once."""
    text = """
        import argparse
        LR, SIZES = 0.1, ("x", "y")
        N = 1
        N = 2
        def parse():
            parser = argparse.ArgumentParser()
            parser.add_argument("--lr", default=LR * 2, type=float)
            parser.add_argument("--size", choices=SIZES)
            parser.add_argument("--n", default=N, type=int)
            parser.add_argument("--top-k", default=1, type=int)
            parser.set_defaults(top_k=5)
            return parser.parse_args()
    """
    assert read(tmp_path, text).flags == (
        FlagDef("lr", 0.2, type="float"),
        FlagDef("size", type="string", choices=X),
        FlagDef("n", type="int"),
        FlagDef("top-k", 5, type="int"),
    )


def test_what_cannot_be_a_flag_is_noted(tmp_path: Path) -> None:
    """Positional arguments, short options and counters are named, help and version passed over."""
    text = """
        import argparse
        p = argparse.ArgumentParser()
        p.add_argument("data")
        p.add_argument("-x")
        p.add_argument("--verbose", action="count")
        p.add_argument("--version", action="version", version="1")
        p.add_argument("--help", action="help")
        p.parse_args()
    """
    found = read(tmp_path, text)
    assert found.flags == ()
    assert [note.partition(" cannot be a flag")[0] for note in found.notes] == [
        "positional argument 'data'",
        "option '-x'",
        "option '--verbose'",
    ]


# --- click --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        ("'--a'", FlagDef("a", type="string")),
        ("'-a', '--a-b', 'x', default=1", FlagDef("a-b", 1, type="int")),
        ("'--a', default=0.5, help='5% of it'", FlagDef("a", 0.5, "5% of it", type="float")),
        ("'--a', type=click.INT", FlagDef("a", type="int")),
        ("'--a', type=click.Path(exists=True), required=True", FlagDef("a", required=True, type="path")),
        ("'--a', type=click.Choice(['x', 'y'])", FlagDef("a", choices=X)),
        ("'--a', type=click.IntRange(1, max=5), default=2", FlagDef("a", 2, type="int", minimum=1, maximum=5)),
        ("'--a', type=click.FloatRange(max=0.5)", FlagDef("a", type="float", maximum=0.5)),
        ("'--a', is_flag=True", FlagDef("a", False, type="boolean", arg_switch=True)),
        ("'--a', flag_value='x'", FlagDef("a", False, type="boolean", arg_switch=True)),
        ("'--a/--no-a'", FlagDef("a", False, type="boolean", arg_switch=True)),
        ("'--a/--b', default=True", FlagDef("a", True, type="boolean", arg_name="b", arg_switch=False)),
        ("'--a', nargs=2, default=(1, 2)", FlagDef("a", "1 2", arg_split=" ")),
        ("'--a', multiple=True, default=['x']", FlagDef("a")),
        (
            "'--a', type=bool",
            FlagDef("a", type="boolean", choices=boolean({"a": "true"}, {"a": "false"})),
        ),
    ],
)  # fmt: skip
def test_an_option_of_click_is_a_flag(tmp_path: Path, words: str, flag: FlagDef) -> None:
    """With click's own rules for types, ranges and switches."""
    assert clicked(tmp_path, words) == flag


def test_a_group_of_click_takes_only_its_own_options(tmp_path: Path) -> None:
    """A command's options would have to come behind its name; arguments are noted."""
    text = """
        from click import group, option, argument
        @group()
        @option("--a")
        @argument("path")
        def cli(): pass
        @cli.command()
        @option("--b")
        def sub(): pass
    """
    found = read(tmp_path, text)
    assert names(found) == ["a"]
    assert found.notes == ("positional argument 'path' cannot be a flag: only options with a long name (--NAME) can",)


def test_click_that_is_only_imported_does_not_count(tmp_path: Path) -> None:
    """Without a command the script's variables are its flags."""
    assert read(tmp_path, "import click\nimport argparse\nx = 1\n") == ScriptFlags(
        "globals", (FlagDef("x", 1, type="number"),)
    )


# --- Variables ----------------------------------------------------------------------------------------------


def test_constants_at_the_top_level_are_flags(tmp_path: Path) -> None:
    """Public names with plain values; what is computed, private or a mapping is the script's own business."""
    text = """
        import os
        from math import pi
        lr = 0.1
        lr = 0.2
        batch_size: int = 2 * 16
        name, fast = "base", True
        a = b = -1
        layers = (64, [32])
        nothing = None
        steps = batch_size * 2
        root = os.getcwd()
        size = int("5")
        _private = __version__ = 1
        opt = {"x": 1}
        items = [{}]
        big = 10 ** 10 ** 10
        raw = b"x"
        unset: int
        if True:
            inner = 1
        def f():
            local = 1
        class C:
            attribute = 1
    """
    found = read(tmp_path, text)
    assert found.dest == "globals"
    assert {flag.name: flag.default for flag in found.flags} == {
        "lr": 0.2, "batch_size": 32, "name": "base", "fast": True, "a": -1, "b": -1, "layers": [64, [32]],
        "nothing": None,
    }  # fmt: skip
    assert [flag.type for flag in found.flags][2:4] == ["string", "boolean"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("h = {'a': 1, 'b': {'c': [2]}, 'd': f(), 3: 4, **x}", {"a": 1, "b.c": [2]}),
        ("h = dict(a=1, b=f())", {"a": 1}),
        ("h = types.SimpleNamespace(a=1)", {"a": 1}),
        ("class h:\n    a: int = 1\n    _b = 2", {"a": 1}),
        ("class C:\n    a: int = 1\n    b: int = 2\nh = C(b=3)", {"a": 1, "b": 3}),
        ("h = f()", {}),
        ("h = 5", {}),
        ("", {}),
    ],
)
def test_what_a_variable_holds_are_flags(tmp_path: Path, text: str, expected: dict[str, object]) -> None:
    """Entries of a mapping, attributes of a namespace or class."""
    path = tmp_path / "t.py"
    path.write_text(text)
    assert {flag.name: flag.default for flag in read_holder_flags(str(path), "h")} == expected


# --- Files --------------------------------------------------------------------------------------------------


def test_a_script_is_never_run(tmp_path: Path) -> None:
    """Neither its statements nor anything it imports."""
    (tmp_path / "helper.py").write_text("raise SystemExit(9)")
    text = "import helper, sys\nx = 1\nopen('ran', 'w')\ny = __import__('os')._exit(3)\n"
    assert names(read(tmp_path, text)) == ["x"]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"x = 1\ny = = 2\n", "line 2: invalid syntax"),
        (b"x = '\xff'\n", "encoding"),
        (b"# coding: nothing\n", "unknown encoding"),
        (b"x = 1\0", "null bytes"),
        (b"(" * 5000, "not valid Python"),
        (b"x = " + b"-" * 100_000 + b"1", "not valid Python"),
    ],
)
def test_a_script_that_is_no_python_is_an_error(tmp_path: Path, content: bytes, problem: str) -> None:
    """The message names the file and, where there is one, the line."""
    path = tmp_path / "bad.py"
    path.write_bytes(content)
    with pytest.raises(ScriptError, match=problem) as caught:
        read_script_flags(str(path))
    assert str(path) in caught.value.message


def test_a_script_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """Missing, a directory, too large."""
    with open(tmp_path / "large.py", "wb") as file:
        file.truncate(10 * 1024 * 1024 + 1)
    for name, problem in (("none.py", "No such file"), ("", "directory"), ("large.py", "larger than 10 MB")):
        with pytest.raises(ScriptError, match=problem):
            read_script_flags(str(tmp_path / name))


def test_a_script_is_decoded_as_it_says(tmp_path: Path) -> None:
    """By its cookie or byte order mark, as Python does it."""
    path = tmp_path / "latin.py"
    path.write_bytes(b"# coding: latin-1\nx = '\xe9'\n")
    assert read_script_flags(str(path)).flags[0].default == "é"
    path.write_bytes(b"\xef\xbb\xbfx = '\xc3\xa9'\n")
    assert read_script_flags(str(path)).flags[0].default == "é"


def test_a_warning_of_the_script_is_not_shown(tmp_path: Path) -> None:
    """An invalid escape is the script's own matter; here nothing is printed."""
    path = tmp_path / "w.py"
    path.write_text("x = '\\d'\n")
    code = f"from operations.script_flags import read_script_flags as r; print(len(r({str(path)!r}).flags))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert (result.stdout, result.stderr) == ("1\n", "")


ROOT = Path(__file__).resolve().parent.parent
