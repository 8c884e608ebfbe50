"""Proves what a model file may say, and that everything else is refused where it stands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from operations.definitions import FlagDef, ModelDef, ModelFile, OperationDef
from operations.model_file import MAX_FILE_BYTES, ModelFileError, load_model_file
from operations.model_file_path import find_model_file
from operations.nodes import MAX_DEPTH, NodeError, compose, lines_of, value_of

ROOT = Path(__file__).resolve().parent.parent


def load(folder: Path, text: str | bytes) -> ModelFile:
    """Write a model file and read it."""
    path = folder / "MODELS"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_model_file(str(path))


def refusal(folder: Path, text: str | bytes) -> str:
    """Return the message with which a model file is refused."""
    with pytest.raises(ModelFileError) as caught:
        load(folder, text)
    return caught.value.message


def flags_of(folder: Path, flags: str) -> dict[str, FlagDef]:
    """Return the flags of an operation that is written with this flow mapping."""
    model_file = load(folder, f"name: m\noperations: {{t: {{cmd: fit, flags: {flags}}}}}\n")
    return {flag.name: flag for flag in model_file.models[0].operations[0].flags}


# --- Finding ------------------------------------------------------------------------------------------------


def test_the_first_known_name_wins(tmp_path: Path) -> None:
    """`MODELS` is preferred to `MODEL`, and `MODEL` to `guild.yml`."""
    for name in ("guild.yml", "MODEL", "MODELS"):
        (tmp_path / name).write_text("name: m\n")

        assert find_model_file(str(tmp_path)) == str(tmp_path / name)


def test_a_folder_named_models_does_not_count(tmp_path: Path) -> None:
    """A directory is no model file; the next name is tried, and parents are never searched."""
    (tmp_path / "MODELS").mkdir()
    assert find_model_file(str(tmp_path)) is None

    (tmp_path / "guild.yml").write_text("name: m\n")
    assert find_model_file(str(tmp_path)) == str(tmp_path / "guild.yml")
    assert find_model_file(str(tmp_path / "MODELS")) is None


def test_pipes_and_broken_links_do_not_count(tmp_path: Path) -> None:
    """Reading a pipe would wait for ever; a link counts only when it leads to a file."""
    os.mkfifo(tmp_path / "MODELS")
    (tmp_path / "MODEL").symlink_to("nowhere")
    assert find_model_file(str(tmp_path)) is None

    (tmp_path / "real").write_text("name: m\n")
    (tmp_path / "guild.yml").symlink_to("real")
    assert find_model_file(str(tmp_path)) == str(tmp_path / "guild.yml")


def test_finding_a_model_file_loads_no_yaml() -> None:
    """Every listing asks for the model file, so asking must not pay for a parser."""
    code = "import sys, operations.model_file_path as m; m.find_model_file('.'); sys.exit('yaml' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


# --- What a model file may say ------------------------------------------------------------------------------


def test_the_smallest_model_file_has_a_name_only(tmp_path: Path) -> None:
    """One mapping with a name is a model file; the project is the folder that holds it."""
    path = tmp_path / "MODELS"

    assert load(tmp_path, "name: m") == ModelFile(str(path), str(tmp_path), (ModelDef("m", "", ()),), ())


def test_every_key_of_the_format_is_read(tmp_path: Path) -> None:
    """Models, operations and flags keep the file's order and all that was said of them."""
    text = """
- name: iris-cnn
  description: |
    Iris CNN.
    Learns petals.
  operations:
    train: fit --fast
    finetune:
      cmd: fit.py
      description: Tune it
      flags:
        base: {description: Base checkpoint, required: yes}
        epochs: 5
        on: {default: [1, {a: 1e-4}]}
- model: iris-svm
"""
    base = FlagDef("base", None, "Base checkpoint", required=True)
    epochs = FlagDef("epochs", 5, "", required=False)
    on = FlagDef("on", [1, {"a": 0.0001}], "", required=False)
    train = OperationDef("train", "", "fit --fast", (), line=7)
    finetune = OperationDef("finetune", "Tune it", "fit.py", (base, epochs, on), line=8)

    model_file = load(tmp_path, text)

    assert model_file.models == (
        ModelDef("iris-cnn", "Iris CNN.\nLearns petals.", (train, finetune)),
        ModelDef("iris-svm", "", ()),
    )
    assert model_file.warnings == ()


def test_the_project_is_absolute_and_keeps_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run belongs to the directory as the user calls it, however the file was named."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real" / "MODEL").write_text("name: m\n")
    monkeypatch.chdir(tmp_path)

    assert load_model_file("link/MODEL").project == str(tmp_path / "link")


def test_scalars_follow_yaml_with_two_changes(tmp_path: Path) -> None:
    """`1e-4` is a number; dates, times and `1:30` stay the text that was typed."""
    flags = flags_of(
        tmp_path, "{a: 1e-4, b: 2018-01-01, c: 1:30, d: no, e: 010, f: '5', g: ~, h: 2001-12-14t21:59:43Z}"
    )

    assert {name: flag.default for name, flag in flags.items()} == {
        "a": 0.0001,
        "b": "2018-01-01",
        "c": "1:30",
        "d": False,
        "e": 8,
        "f": "5",
        "g": None,
        "h": "2001-12-14t21:59:43Z",
    }


def test_flag_names_are_the_text_as_typed(tmp_path: Path) -> None:
    """`on`, `no` and `1` in the place of a name are names, not truth values or numbers."""
    assert list(flags_of(tmp_path, "{on: 1, no: 2, 1: 3}")) == ["on", "no", "1"]


def test_an_alias_repeats_a_value(tmp_path: Path) -> None:
    """Anchors and aliases are allowed, and each use gets a value of its own."""
    flags = flags_of(tmp_path, "{a: {default: &x [1]}, b: {default: *x}}")

    assert flags["a"].default == flags["b"].default == [1]
    assert flags["a"].default is not flags["b"].default


def test_empty_parts_count_as_left_out(tmp_path: Path) -> None:
    """A key with nothing behind it is the same as no key."""
    assert load(tmp_path, "name: m\ndescription:\noperations:\n").models == (ModelDef("m", "", ()),)
    assert flags_of(tmp_path, "") == {}


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    """Some editors write one; it is no part of the first key."""
    assert load(tmp_path, b"\xef\xbb\xbfname: m\n").models[0].name == "m"


def test_an_unknown_key_is_a_warning_with_its_line(tmp_path: Path) -> None:
    """What this program does not know is named, never dropped in silence and never fatal."""
    model_file = load(
        tmp_path,
        "name: m\nreqires: x\noperations:\n  t:\n    cmd: fit\n    objective: x\n    flags:\n      a: {defalt: 1}\n",
    )

    assert model_file.warnings == (
        f"{tmp_path}/MODELS:2: key 'reqires' of model 'm' is not known and is ignored",
        f"{tmp_path}/MODELS:6: key 'objective' of operation 't' is not supported and is ignored",
        f"{tmp_path}/MODELS:8: key 'defalt' of flag 'a' is not known and is ignored (did you mean 'default'?)",
    )


# --- What is refused ----------------------------------------------------------------------------------------


def test_an_error_names_the_place_and_shows_the_line(tmp_path: Path) -> None:
    """File, line, column, key and expectation are in the message, and a caret stands under the fault."""
    message = refusal(tmp_path, "name: m\noperations:\n  train: {cmd: fit, flags: [a, b]}\n")

    assert message == (
        f"{tmp_path}/MODELS:3:28: 'flags' of operation 'train' is a list: expected a mapping of names\n"
        "  3 |   train: {cmd: fit, flags: [a, b]}\n"
        "    |                            ^"
    )


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("", "1:1", ["the file is empty", "expected a model"]),
        ("# only a comment\n", "1:1", ["the file is empty"]),
        ("---\n", "1:1", ["the file is empty"]),
        ("just words", "1:1", ["text", "expected a model"]),
        ("[]", "1:1", ["a list and no model"]),
        ("- m\n", "1:3", ["the model is text", "expected a mapping"]),
        ("name: a: b\n", "1:8", ["not valid YAML"]),
        ("name: [a\n", "2:1", ["not valid YAML", "from line 1"]),
        ("name: m\noperations:\n\tt: fit\n", "3:1", ["a tab", "expected blanks"]),
        ("name: m\n---\nname: n\n", "2:1", ["second document"]),
        ("- name: m\n- name: m\n", "2:9", ["duplicate model 'm'"]),
        ("name: m\nname: n\n", "2:1", ["duplicate key 'name'", "line 1"]),
        ("name: m\noperations: {t: a, t: b}\n", "2:20", ["duplicate key 't'"]),
        (
            "name: m\noperations: {t: {cmd: a, flags: {a: {default: {b: 1, b: 2}}}}}\n",
            "2:54",
            ["duplicate key 'b'"],
        ),
        ("description: x\n", "1:1", ["has no name", "'name' (or 'model')"]),
        ("name: m\nmodel: n\n", "2:8", ["both 'name' and 'model'"]),
        ("name: 5\n", "1:7", ["a number", "expected text"]),
        ("name: yes\n", "1:7", ["truth value", "expected text"]),
        ("name: [m]\n", "1:7", ["a list", "expected text"]),
        ("name:\n", "1:6", ["empty"]),
        ("name: ' '\n", "1:7", ["empty"]),
        ("name: a/b\n", "1:7", ["'a/b'", "expected no '/'"]),
        ("name: a:b\n", "1:7", ["'a:b'", "expected no '/', ':'"]),
        ('name: "a\\nb"\n', "1:7", ["'a\\nb'", "line break"]),
        ('name: "a\\e[2J"\n', "1:7", ["'a\\x1b[2J'", "control character"]),
        ("name: -m\n", "1:7", ["'-m'"]),
        ("name: m\ndescription: [a]\n", "2:14", ["'description' of model 'm' is a list"]),
        ("name: m\noperations: [t]\n", "2:13", ["'operations' of model 'm' is a list"]),
        ("name: m\noperations: {'': fit}\n", "2:14", ["operation name is empty"]),
        ("name: m\noperations: {a/b: fit}\n", "2:14", ["operation name 'a/b'"]),
        ("name: m\noperations:\n  t:\n", "3:5", ["operation 't' has no 'cmd'"]),
        ("name: m\noperations:\n  t: {flags: {a: 1}}\n", "3:3", ["operation 't' has no 'cmd'"]),
        ("name: m\noperations: {t: {cmd: ' '}}\n", "2:23", ["operation 't' has no 'cmd'"]),
        ("name: m\noperations: {t: {cmd: 5}}\n", "2:23", ["'cmd' of operation 't' is a number"]),
        ("name: m\noperations: {t: [fit]}\n", "2:17", ["operation 't' is a list", "'cmd'"]),
        ("name: m\noperations: {t: {cmd: a, flags: x}}\n", "2:33", ["'flags' of operation 't' is text"]),
        ("name: m\noperations: {t: {cmd: a, flags: {a=b: 1}}}\n", "2:34", ["flag name 'a=b'"]),
        ("name: m\noperations: {t: {cmd: a, flags: {'': 1}}}\n", "2:34", ["flag name is empty"]),
        ("name: m\noperations: {t: {cmd: a, flags: {--lr: 1}}}\n", "2:34", ["flag name '--lr'"]),
        (
            "name: m\noperations: {t: {cmd: a, flags: {a: {required: maybe}}}}\n",
            "2:48",
            ["'required' of flag 'a' is text", "'yes' or 'no'"],
        ),
        ("name: !!python/object/apply:os.system [ls]\n", "1:7", ["tag '!!python/object/apply:os.system'"]),
        ("name: !load x\n", "1:7", ["tag '!load'"]),
        ("name: m\nx: !!timestamp 2018-01-01\n", "2:4", ["tag '!!timestamp'"]),
        ("name: m\nx: !!int many\n", "2:4", ["tag '!!int'"]),
        ("<<: {name: m}\n", "1:1", ["merge key '<<'"]),
        ("? [a]\n: b\n", "1:3", ["a key is a list"]),
        ("name: &a [*a]\n", "1:11", ["alias '*a'"]),
        ("name: *x\n", "1:7", ["alias '*x'"]),
        ("name: m\nx: a\x07b\n", "2:5", ["U+0007"]),
        ("name: m\x00\n", "1:8", ["U+0000"]),
        (b"name: m\ndescription: caf\xe9\n", "2:17", ["byte 0xe9", "expected UTF-8"]),
        (b"\xff\xfen\x00:\x00", "1:1", ["byte 0xff", "expected UTF-8"]),
    ],
)
def test_what_is_no_model_file_is_refused_where_it_stands(
    tmp_path: Path, text: str | bytes, place: str, words: list[str]
) -> None:
    """Each fault is reported with its line and column, the key it is about and what was expected."""
    message = refusal(tmp_path, text)

    assert message.startswith(f"{tmp_path}/MODELS:{place}: ")
    assert all(word in message for word in words), message
    assert message.splitlines()[2].endswith("^")


def test_the_caret_stands_under_wide_characters(tmp_path: Path) -> None:
    """Characters that take two cells push the caret as far as they push the text."""
    lines = refusal(tmp_path, "name: 日本: x\n").splitlines()

    assert lines[1:] == ["  1 | name: 日本: x", f"    | {' ' * 10}^"]


def test_a_huge_line_is_shown_only_around_the_fault(tmp_path: Path) -> None:
    """The message stays readable when the line is not."""
    lines = refusal(tmp_path, f"name: {'x' * 5000}: y\n").splitlines()

    assert lines[0].startswith(f"{tmp_path}/MODELS:1:5007: ")
    assert max(map(len, lines[1:])) < 120
    assert lines[1].index(": y") == lines[2].index("^")


def test_a_path_cannot_command_the_terminal(tmp_path: Path) -> None:
    """A folder's name is shown escaped."""
    folder = tmp_path / "a\x1b[2J"
    folder.mkdir()

    assert "\x1b" not in refusal(folder, "name: [")
    assert "\\x1b[2J" in refusal(folder, "name: [")


def test_an_alias_bomb_is_refused_before_it_grows(tmp_path: Path) -> None:
    """A few lines that would stand for a billion values are an error."""
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
    )

    assert "too large" in refusal(tmp_path, bomb)


def test_deep_nesting_is_refused_and_not_a_crash(tmp_path: Path) -> None:
    """Nesting that would overflow a recursive parser is an ordinary error, written out or by aliases."""
    chain = "a0: &a0 []\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, MAX_DEPTH + 10))

    assert "too deep" in refusal(tmp_path, "[" * 200_000)
    assert "too deep" in refusal(tmp_path, "- " * 200_000)
    assert "too large" in refusal(tmp_path, chain)


def test_many_values_are_refused(tmp_path: Path) -> None:
    """A file within the size limit can still hold too many values."""
    assert "too large" in refusal(tmp_path, "name: m\nx: [" + "1," * 150_000 + "]\n")


def test_a_file_above_the_limit_is_refused(tmp_path: Path) -> None:
    """A file that cannot be a model file is not read to its end."""
    assert "larger than 10 MB" in refusal(tmp_path, b"name: m\n#" + b" " * MAX_FILE_BYTES)


def test_a_file_that_cannot_be_read_is_an_error_with_its_reason(tmp_path: Path) -> None:
    """The system's reason is passed on."""
    with pytest.raises(ModelFileError, match="No such file"):
        load_model_file(str(tmp_path / "MODELS"))
    with pytest.raises(ModelFileError, match="directory"):
        load_model_file(str(tmp_path))


# --- Any text -----------------------------------------------------------------------------------------------

_SIGNS = list("a:{}[],'!@%~\"\\\x00\n\té\u2028\udcff")
_WORDS = ["name", "<<", "1e5", "*a", "&a ", "!!int ", '"\\ud800"', '"\\UFFFFFFFF"', "---\n", "...\n"]
_PIECES = st.sampled_from([*_SIGNS, *_WORDS, ": ", "- ", "  ", "# ", "| ", "> ", "? "])
_TEXTS = st.lists(_PIECES, max_size=25).map("".join)


def fault_of(text: str) -> NodeError | None:
    """Return the error with which a text is refused, or None when it is a tree that has a value."""
    try:
        node = compose(text)
    except NodeError as error:
        return error
    if node is not None:
        value_of(node)
    return None


@settings(deadline=None)
@given(_TEXTS)
def test_any_text_is_a_tree_or_an_error_with_a_place(text: str) -> None:
    """No text makes the reader fail in any other way than by its own error, at a place within the text."""
    fault = fault_of(text)

    assert fault is None or (fault.problem and 0 <= fault.place.line < len(lines_of(text)) + 1)


@settings(deadline=None)
@given(_TEXTS)
def test_the_pure_python_parser_is_as_safe(text: str) -> None:
    """Where the YAML library has no compiled parser, its Python one is used with the same guarantees."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(yaml, "CSafeLoader", raising=False)

        fault = fault_of(text)

    assert fault is None or fault.problem


def test_both_parsers_read_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiled and the Python parser give one result."""
    text = "- {name: m, operations: {t: {cmd: 'fit', flags: {a: ! 5, b: !!str 6, c: \"\\t\", d: 1e3}}}}\n"
    compiled = load(tmp_path, text)
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)

    assert load(tmp_path, text) == compiled
