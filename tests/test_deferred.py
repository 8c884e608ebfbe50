"""Stand-ins for standard modules must say what the modules say: each is compared with the real one."""

from __future__ import annotations

import inspect
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from guild_ledger.deferred import Deferred, defer_modules

TEXTS = ["", "one line", "  led in", "out  ", "a\ttab", "\n\n  two\n    lines\n  \n", "first\n  second\n  third"]
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> dict[str, Deferred]:
    """Give the stand-ins, put in place as at a start; the real modules are back afterwards."""
    for name in ("inspect", "platform"):
        monkeypatch.delitem(sys.modules, name)
    defer_modules()
    found = {name: sys.modules[name] for name in ("inspect", "platform")}
    assert all(isinstance(module, Deferred) for module in found.values())
    return {name: module for name, module in found.items() if isinstance(module, Deferred)}


@pytest.mark.parametrize("text", TEXTS)
def test_texts_are_cleaned_as_the_module_does_it(stand_ins: dict[str, Deferred], text: str) -> None:
    """One line or many, the stand-in returns what `inspect.cleandoc` does."""
    assert stand_ins["inspect"].cleandoc(text) == inspect.cleandoc(text)


def test_one_line_is_cleaned_without_the_module(stand_ins: dict[str, Deferred]) -> None:
    """The usual question loads nothing."""
    assert stand_ins["inspect"].cleandoc(" a line") == "a line"
    assert sys.modules["inspect"] is stand_ins["inspect"]


def test_the_system_has_the_name_that_the_module_tells(stand_ins: dict[str, Deferred]) -> None:
    """The stand-in of `platform` names the system as the real one does, and loads nothing for it."""
    assert stand_ins["platform"].system() == platform.system()
    assert sys.modules["platform"] is stand_ins["platform"]


def test_anything_else_is_asked_of_the_real_module(stand_ins: dict[str, Deferred]) -> None:
    """The first other question loads the module, and whoever imports it afterwards gets that one."""
    assert stand_ins["platform"].python_version() == platform.python_version()
    assert not isinstance(sys.modules["platform"], Deferred)
    assert stand_ins["inspect"].isfunction(defer_modules)
    with pytest.raises(AttributeError, match="no_such_thing"):
        _ = stand_ins["inspect"].no_such_thing


def test_modules_that_are_loaded_stay() -> None:
    """Nothing is put in the place of a module that somebody has imported already."""
    defer_modules()
    assert (sys.modules["inspect"], sys.modules["platform"]) == (inspect, platform)


def test_names_can_be_imported_from_a_stand_in() -> None:
    """`from inspect import signature` works behind it, and so does a library that uses much of it."""
    code = (
        "import sys; from guild_ledger.deferred import defer_modules; defer_modules()\n"
        "from inspect import signature; import dataclasses, platform, uuid\n"
        "print(signature(defer_modules), platform.machine(), type(sys.modules['inspect']).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (f"() -> 'None' {platform.machine()} module\n", "")
