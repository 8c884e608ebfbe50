"""TOML files written anew: other values in place, the rest to the letter, and the types that the file gives."""

from __future__ import annotations

import datetime as dt
import json
import math
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from operations.config_files import ConfigFileError, config_flags, read_config, written_config
from operations.definitions import FlagValue
from tests.cli_kit import Guild

TOML = """\
# training
lr = 0.10 # how far
when = 2018-01-01
'odd key' = 0x10

[model]   # the model
depth = 2
"a.b" = 3
opt = { beta = [0.9, 0.99], on = true }

[[blocks]]
kind = "x"

[model.deep]
text = '''
two
lines'''
"""


def made(folder: Path, text: str) -> str:
    """Write a file and return its path."""
    (folder / "c.toml").write_text(text, encoding="utf-8")
    return str(folder / "c.toml")


@pytest.mark.parametrize(
    ("values", "old", "new"),
    [
        ({}, "", ""),
        ({"lr": 0.1, "when": "2018-01-01", "odd key": 16, "model.a.b": 3, "blocks": [{"kind": "x"}]}, "", ""),
        ({"lr": 0.5}, "0.10", "0.5"),
        ({"lr": 2}, "0.10", "2.0"),
        ({"lr": True}, "0.10", "true"),
        ({"lr": "fast"}, "0.10", '"fast"'),
        ({"when": "2020-02-02"}, "2018-01-01", "2020-02-02"),
        ({"when": "never"}, "2018-01-01", '"never"'),
        ({"model.depth": 2.0}, "depth = 2", "depth = 2.0"),
        ({"model.a.b": [1, "x"]}, '"a.b" = 3', '"a.b" = [1, "x"]'),
        ({"model.opt.on": False}, "on = true", "on = false"),
        ({"model.deep.text": "one"}, "'''\ntwo\nlines'''", '"one"'),
        ({"model.deep.more": {"a": 1}}, "lines'''\n", "lines'''\n\n[model.deep.more]\na = 1\n"),
        ({"new.x": 1}, "lines'''\n", "lines'''\n\n[new]\nx = 1\n"),
        ({"blocks": [{"kind": "y"}]}, '"x"\n', '"y"'),
    ],
)
def test_values_are_put_in_place_and_nothing_else_changes(
    tmp_path: Path, values: dict[str, FlagValue], old: str, new: str
) -> None:
    """Comments, order, spelling and types stay; what is equal is not touched, and the file itself never."""
    assert written_config(made(tmp_path, TOML), values).decode() == TOML.replace(old, new, 1)
    assert (tmp_path / "c.toml").read_text() == TOML


def test_a_date_stays_one_for_who_reads_the_file(tmp_path: Path) -> None:
    """A flag is text; the file says a date."""
    path = made(tmp_path, TOML)
    assert {flag.name: flag.default for flag in config_flags(path)}["when"] == "2018-01-01"
    after = tomllib.loads(written_config(path, {"when": "2020-02-02", "lr": 1}).decode())
    assert (after["when"], type(after["lr"])) == (dt.date(2020, 2, 2), float)


def test_values_can_be_put_into_an_empty_file(tmp_path: Path) -> None:
    """Tables are made as they are needed, and top-level values stand before them."""
    written = written_config(made(tmp_path, ""), {"a.b.c": 1, "d": "x"}).decode()
    assert tomllib.loads(written) == {"a": {"b": {"c": 1}}, "d": "x"}


@pytest.mark.parametrize(
    ("text", "values", "problem"),
    [
        ("a = ", {}, "it is not TOML"),
        ("a = 1", {"a": None}, "cannot say that 'a' has no value"),
        ("a = 1", {"b": [1, {"c": [None]}]}, "cannot say that 'b' has no value"),
        ("a = 1", {"a.b": 1}, "'a.b' cannot be set because 'a' is no mapping"),
        ("a = 1", {"a": "\ud800"}, "UTF-8"),
        ("a = 1", {"\ud800": 1}, "UTF-8"),
    ],
)
def test_what_toml_cannot_say_is_refused(tmp_path: Path, text: str, values: dict[str, FlagValue], problem: str) -> None:
    """A run never gets another value than it was given."""
    with pytest.raises(ConfigFileError, match=problem):
        written_config(made(tmp_path, text), values)


SCALARS = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(st.characters(codec="utf-8"))
KEYS = st.text(st.characters(codec="utf-8", exclude_characters="."), min_size=1, max_size=3)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=5
)
TREES = st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=3) | VALUES, max_size=4)


@settings(deadline=None, max_examples=60)
@given(tree=TREES, name=st.lists(KEYS, min_size=1, max_size=3), value=VALUES)
def test_any_value_in_any_file_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[str, FlagValue], name: list[str], value: FlagValue
) -> None:
    """What is put in place is there, and all else says what it said."""
    path = made(tmp_path_factory.mktemp("config"), tomlkit.dumps(tree))
    expected: Any = read_config(path)
    holder = expected
    for part in name[:-1]:
        holder = holder.setdefault(part, {})
        if not isinstance(holder, dict):
            with pytest.raises(ConfigFileError, match="is no mapping"):
                written_config(path, {".".join(name): value})
            return
    Path(path).write_bytes(written_config(path, {".".join(name): value}))
    keeps_float = isinstance(holder.get(name[-1]), float) and type(value) is int
    holder[name[-1]] = float(value) if keeps_float else value  # type: ignore[arg-type]  # it is an int
    assert json.dumps(read_config(path), sort_keys=True) == json.dumps(expected, sort_keys=True)


def test_numbers_that_are_none_survive(tmp_path: Path) -> None:
    """Infinity and NaN are put in place as TOML spells them."""
    path = made(tmp_path, "a = 1\nb = nan\n")
    Path(path).write_bytes(written_config(path, {"a": math.inf, "b": math.nan}))
    assert Path(path).read_text() == "a = inf\nb = nan\n"


def test_flags_reach_a_toml_file(tmp_path: Path) -> None:
    """`flags-dest: config:FILE.toml` gives each run a copy with its flags; the project's file stays."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "guild.yml").write_text(
        "train:\n  exec: cat conf/settings.toml\n  flags-dest: config:conf/settings.toml\n  flags-import: all\n"
    )
    (project / "conf").mkdir()
    (project / "conf/settings.toml").write_text(TOML)
    guild = Guild(tmp_path / "home", project)
    assert guild.ok("run", "train", "-y") == TOML
    shown = guild.ok("run", "train", "model.depth=7", "lr=1", "when=2020-01-01", "-y")
    expected = TOML.replace("0.10", "1.0").replace("depth = 2", "depth = 7").replace("2018-01-01", "2020-01-01")
    assert shown == expected
    assert (project / "conf/settings.toml").read_text() == TOML
    assert "guild: flag 'lr' is 'x'" in guild.refused("run", "train", "lr=x", "-y")
    (project / "conf/settings.toml").write_text("a = [")
    assert "it is not TOML" in guild.refused("run", "train", "-y")
