"""Proves what configuration files say as flags, and that they are written anew with nothing else changed."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from operations.config_files import ConfigFileError, config_flags, read_config, written_config
from operations.definitions import FlagDef, FlagValue

YAML = """\
# training
lr: 1e-3
name: base   # the first
when: 2018-01-01
quoted: '007'
layers: [64, 32]
model:
  depth: 2
  blocks:
    - {kind: conv, size: 3}
  text: |
    two
    lines
1: one
empty:
"""


def made(tmp_path: Path, name: str, text: str) -> str:
    """Write a file and return its path."""
    (tmp_path / name).write_text(text, encoding="utf-8")
    return str(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.yml", "lr: 0.1\nfast: yes\nmodel: {depth: 2, name: base}\nlayers: [1, 2]\n"),
        ("c.YAML", "lr: 0.1\nfast: yes\nmodel: {depth: 2, name: base}\nlayers: [1, 2]\n"),
        ("c.json.in", '\ufeff{"lr": 0.1, "fast": true, "model": {"depth": 2, "name": "base"}, "layers": [1, 2]}'),
        ("c.toml", "lr = 0.1\nfast = true\nlayers = [1, 2]\n[model]\ndepth = 2\nname = 'base'\n"),
    ],
)
def test_every_format_says_the_same(tmp_path: Path, name: str, text: str) -> None:
    """The ending of the name decides the format; nested mappings stay nested."""
    expected = {"lr": 0.1, "fast": True, "model": {"depth": 2, "name": "base"}, "layers": [1, 2]}
    assert read_config(made(tmp_path, name, text)) == expected


def test_an_ini_file_is_a_mapping_of_sections(tmp_path: Path) -> None:
    """Values are what YAML makes of their text; what DEFAULT gives to all sections is said once."""
    text = "[DEFAULT]\nseed = 1\n[train]\nLR = 1e-3\nfast: yes\nname = 50%\nalone\n[other]\nseed = 2\n"
    assert read_config(made(tmp_path, "c.ini", text)) == {
        "DEFAULT": {"seed": 1},
        "train": {"LR": 0.001, "fast": True, "name": "50%", "alone": None},
        "other": {"seed": 2},
    }


def test_each_value_is_a_flag_with_a_dotted_name(tmp_path: Path) -> None:
    """Lists are values; the type is that of the default, and a number may be any number."""
    text = "lr: 1\nmodel: {fast: no, name: base, opt: {beta: [0.9, 0.99]}, none: ~}\n"
    assert config_flags(made(tmp_path, "c.yml", text)) == (
        FlagDef("lr", 1, type="number"),
        FlagDef("model.fast", False, type="boolean"),
        FlagDef("model.name", "base", type="string"),
        FlagDef("model.opt.beta", [0.9, 0.99]),
        FlagDef("model.none"),
    )


def test_a_written_yaml_file_keeps_what_is_not_replaced(tmp_path: Path) -> None:
    """Dates, number keys, quotes and block text mean the same to another YAML reader as before."""
    path = made(tmp_path, "c.yml", YAML)
    before = yaml.safe_load(YAML)

    after = yaml.safe_load(written_config(path, {"model.depth": 5, "lr": 0.5}))

    assert after == before | {"lr": 0.5, "model": before["model"] | {"depth": 5}}
    assert list(after) == list(before)
    assert (tmp_path / "c.yml").read_text() == YAML


@pytest.mark.parametrize("text", ["", "# nothing\n", "~\n"])
def test_values_can_be_put_into_an_empty_yaml_file(tmp_path: Path, text: str) -> None:
    """An empty file is a mapping without entries."""
    assert yaml.safe_load(written_config(made(tmp_path, "c.yml", text), {"a.b": [1]})) == {"a": {"b": [1]}}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"a": 2}, {"a": 2, "b": {"c": 1, "d.e": 1}, "b.x": 0}),
        ({"b.c": None}, {"a": 1, "b": {"c": None, "d.e": 1}, "b.x": 0}),
        ({"b.d.e": 2}, {"a": 1, "b": {"c": 1, "d.e": 2}, "b.x": 0}),
        ({"b.x": 2}, {"a": 1, "b": {"c": 1, "d.e": 1}, "b.x": 2}),
        ({"b.n": 2}, {"a": 1, "b": {"c": 1, "d.e": 1, "n": 2}, "b.x": 0}),
        ({"p.q.r": 2}, {"a": 1, "b": {"c": 1, "d.e": 1}, "b.x": 0, "p": {"q": {"r": 2}}}),
        ({"b": [1, "x"]}, {"a": 1, "b": [1, "x"], "b.x": 0}),
    ],
)
@pytest.mark.parametrize("name", ["c.json", "c.yml"])
def test_values_are_put_in_place_by_dotted_name(
    tmp_path: Path, name: str, values: dict[str, FlagValue], expected: object
) -> None:
    """A name that exists wins however its dots fall; one that does not is added with the mappings it needs."""
    path = made(tmp_path, name, '{"a": 1, "b": {"c": 1, "d.e": 1}, "b.x": 0}')
    assert yaml.safe_load(written_config(path, values)) == expected


def test_a_name_cannot_lead_through_a_value(tmp_path: Path) -> None:
    """Nothing is overwritten to make room for a mapping."""
    with pytest.raises(ConfigFileError, match=r"'a.b.c' cannot be set because 'a.b' is no mapping"):
        written_config(made(tmp_path, "c.yml", "a: {b: 1}"), {"a.b.c": 2})


def test_ini_values_are_put_into_their_sections(tmp_path: Path) -> None:
    """The longest known section is meant; what is not replaced keeps its text, and new sections are added."""
    path = made(tmp_path, "c.cfg", "[DEFAULT]\nseed = 010\n[train]\nLR = 1e-3\n[train.opt]\nbeta = 0x10\n")

    (tmp_path / "d.cfg").write_bytes(
        written_config(path, {"train.LR": 0.5, "train.opt.gamma": True, "new.x": [1, "a"], "top": 3, "train.n": None})
    )

    written = " ".join((tmp_path / "d.cfg").read_text().split())
    assert written == (
        '[DEFAULT] seed = 010 top = 3 [train] LR = 0.5 n = [train.opt] beta = 0x10 gamma = true [new] x = [1,"a"]'
    )


@pytest.mark.parametrize("values", [{"a.b\nc": 1}, {"a]\n[b.c": 1}, {"a.b": "x\n[y]\nz = 1"}, {"a.b": " x "}])
def test_what_ini_cannot_say_is_refused(tmp_path: Path, values: dict[str, FlagValue]) -> None:
    """A value never becomes another value, a name never another section."""
    path = made(tmp_path, "c.ini", "[a]\n")
    if values == {"a.b": "x\n[y]\nz = 1"}:  # indented, such text is one value
        assert b"\n\t[y]\n" in written_config(path, values)
        return
    with pytest.raises(ConfigFileError, match="an INI file cannot say"):
        written_config(path, values)


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("c.txt", "", "its format is not known"),
        ("c.yml", "a: [1", "line 2: this is not valid YAML"),
        ("c.yml", "a: 1\na: 2", "line 2: duplicate key 'a'"),
        ("c.yml", "[1]", "expected a mapping"),
        ("c.json", "{,}", "it is not JSON"),
        ("c.json", "[" * 200_000, "nested too deep"),
        ("c.json", "5", "expected a mapping"),
        ("c.ini", "a = 1", "it is not INI"),
        ("c.ini", "[a]\nb = 1\nb = 2\n", "it is not INI"),
        ("c.toml", "a = ", "it is not TOML"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_an_error(tmp_path: Path, name: str, text: str, problem: str) -> None:
    """The message names the file and the reason."""
    path = made(tmp_path, name, text)
    with pytest.raises(ConfigFileError, match=problem) as caught:
        read_config(path)
    assert path in caught.value.message


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """Missing, a directory, not text, too large."""
    (tmp_path / "d.yml").mkdir()
    (tmp_path / "b.yml").write_bytes(b"a: 1\nb: \xff\n")
    with open(tmp_path / "l.yml", "wb") as file:
        file.truncate(10 * 1024 * 1024 + 1)
    for name, problem in (
        ("m.yml", "No such file"),
        ("d.yml", "directory"),
        ("b.yml", "line 2 is not UTF-8"),
        ("l.yml", "larger than 10 MB"),
        ("\0.yml", "null"),
    ):
        with pytest.raises(ConfigFileError, match=problem):
            read_config(f"{tmp_path}/{name}")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None, max_examples=50)
@given(values=st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1), VALUES, max_size=4))
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, values: dict[str, FlagValue]) -> None:
    """Any value survives in YAML and JSON, whatever characters it holds."""
    folder = tmp_path_factory.mktemp("config")
    wanted = {name.replace(".", "_"): value for name, value in values.items()}
    written = written_config(made(folder, "c.json", "{}"), wanted)
    assert json.loads(written) == wanted
    assert yaml.safe_load(written_config(made(folder, "c.yml", ""), wanted)) == wanted


def test_numbers_that_are_none_survive(tmp_path: Path) -> None:
    """Infinity and NaN are put in place as each format spells them."""
    for name in ("c.json", "c.yml"):
        path = made(tmp_path, name, '{"a": 1}')
        Path(path).write_bytes(written_config(path, {"a": math.inf, "b": math.nan}))
        again = json.loads(Path(path).read_text()) if name == "c.json" else read_config(path)
        assert again["a"] == math.inf
        assert repr(again["b"]) == "nan"
