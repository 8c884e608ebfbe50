"""Proves that whatever is wrong in a model file is refused where it stands, and that no file does any harm."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from operations.model_file import ModelFileError, load_model_file
from operations.model_inherit import MAX_ANCESTORS
from operations.model_items import MAX_INCLUDES

PAGE = Path(__file__).resolve().parent.parent / "docs" / "model-file.md"


def refusal(folder: Path, text: str, name: str = "guild.yml") -> str:
    """Return the message with which a model file is refused."""
    (folder / name).write_text(text)
    with pytest.raises(ModelFileError) as caught:
        load_model_file(str(folder / name))
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("{}", "1:1", ["has no name"]),
        ("train: x\nflags: {a: 1}\n", "1:1", ["'flags' is a key of models", "'operations'"]),
        ("model: m\nconfig: n\n", "2:9", ["both 'model' and 'config'"]),
        ("package: m\nmodel: n\n", "2:8", ["the package has both 'package' and 'model'"]),
        ("include: m\nmodel: n\n", "2:8", ["the include has both"]),
        ("model: {main: x}\n", "1:8", ["a mapping", "under 'operations'"]),
        ("config:\n", "1:8", ["'config' of a config is empty"]),
        ("config: a/b\n", "1:9", ["config name 'a/b'"]),
        ("- model: m\n- config: m\n", "2:11", ["duplicate config 'm'"]),
        ("- a: b\n- c: d\n", "2:3", ["second mapping of operations"]),
        ("- package: a\n- package: b\n", "2:12", ["second package 'b'"]),
        ("include:\n", "1:9", ["'include' is empty"]),
        ("include: {a: b}\n", "1:10", ["'include' is a mapping"]),
        ("include: [x, ]\ny: [\n", "3:1", ["not valid YAML"]),
        ("include: nowhere.yml\n", "1:10", ["cannot include 'nowhere.yml'", "No such file"]),
        ("include: .\n", "1:10", ["cannot include '.'", "directory"]),
        ('include: "a\\0b"\n', "1:10", ["U+0000"]),
        ("include: guild.yml\n", "1:10", ["includes itself"]),
        ("a: {main: {{x}}}\n", "1:12", ["a key is a mapping", "put '{{name}}' in quotes"]),
        ("a: !load b\n", "1:4", ["'!load'", "include: FILE"]),
        # Inheriting
        (
            "- config: base\n- model: m\n  extends: bse\n",
            "3:12",
            ["'bse', which is not defined", "did you mean 'base'"],
        ),
        ("model: m\nextends: m\n", "2:10", ["extends itself (m -> m)"]),
        ("- {model: a, extends: b}\n- {model: b, extends: a}\n", "2:23", ["(a -> b -> a)"]),
        ("model: m\nextends: {a: b}\n", "2:10", ["'extends' of model 'm' is a mapping"]),
        ("model: m\nextends: [' ']\n", "2:11", ["is empty"]),
        # Including
        ("model: m\nflags: {$include: n}\n", "2:19", ["'n', which is not defined"]),
        ("model: m\nflags: {$include: 'm:x'}\n", "2:19", ["operation 'x', which m does not define"]),
        ("model: m\nflags: {$include: 'a:b:c'}\n", "2:19", ["expected MODEL, MODEL:OPERATION"]),
        ("model: m\nflags: {$include: 'm:'}\n", "2:19", ["expected MODEL"]),
        ("model: m\nflags: {$include: 'm#'}\n", "2:19", ["expected MODEL"]),
        ("model: m\nflags: {$include: m}\n", "2:19", ["leads back", "'flags' of m"]),
        ("model: m\nflags: {$include: {a: b}}\n", "2:19", ["'$include' in 'flags' of m is a mapping"]),
        ("model: m\nresources: {$include: 'm:x'}\n", "2:23", ["operations have no resources"]),
        ("model: m\noperations: {$include: m}\n", "2:24", ["leads back"]),
        (
            "- config: c\n  flags: {abc: 1}\n- model: m\n  flags: {$include: 'c#abd'}\n",
            "4:21",
            ["'abd', which is not in 'flags' of c", "did you mean 'abc'"],
        ),
        ("- config: c\n  flags: [a]\n- model: m\n  flags: {$include: c}\n", "2:10", ["'flags' of c is a list"]),
        (
            "model: m\noperations: {a: {flags: {$include: b}}, b: {flags: {$include: a}}}\n",
            "2:36",
            ["leads back", "'flags' of m:a"],
        ),
        # Parameters
        ("model: m\nparams: [a]\n", "2:9", ["'params' of model 'm' is a list"]),
        ("model: m\nparams: {a: '{{b}}', b: '{{a}}'}\ndescription: '{{a}}'\n", "2:25", ["(a -> b -> a)"]),
        ("model: m\nparams: {a: [1]}\ndescription: 'x {{a}}'\n", "3:14", ["parameter 'a' is a list inside a text"]),
        ("model: m\nparams: {a: x}\nprivate: '{{a}}'\n", "3:10", ["'private' of model 'm' is text"]),
        # Models
        ("model: m\nprivate: 1\n", "2:10", ["'private' of model 'm' is a number", "'yes' or 'no'"]),
        ("model: m\nreferences: {a: b}\n", "2:13", ["'references' of model 'm' is a mapping"]),
        ("model: m\nextra: x\n", "2:8", ["'extra' of model 'm' is text"]),
        ("model: m\nop-defaults: [x]\noperations: {a: }\n", "2:14", ["'op-defaults' of model 'm' is a list"]),
        ("model: m\nop-defaults: {}\nop-default-config: {}\n", "3:1", ["both 'op-defaults' and 'op-default-config'"]),
        # Packages
        ("package: p\nversion: [1]\n", "2:10", ["'version' of package 'p' is a list: expected text"]),
        ("package: p\ntags: [{}]\n", "2:8", ["'tags' of package 'p' is a mapping"]),
        ("package: p\npackages: x\n", "2:11", ["'packages' of package 'p' is text"]),
        # Operations
        ("name: m\noperations: {a: {description: x}}\n", "2:14", ["has no 'cmd'", "'main'", "'exec'", "'steps'"]),
        ("a: {main: x, exec: y}\n", "1:14", ["both 'main' and 'exec'", "only one of cmd, main, exec, steps"]),
        ("a: {main: ' '}\n", "1:11", ["has no 'main'"]),
        ("a: {exec: [ls]}\n", "1:11", ["'exec' of operation 'a' is a list"]),
        ('a: {exec: "x\\0"}\n', "1:11", ["U+0000"]),
        ("a: [x]\n", "1:4", ["operation 'a' is a list"]),
        ("a: 5\n", "1:4", ["'main' of operation 'a' is a number"]),
        ("a: {flags-import: {b: c}}\n", "1:19", ["'flags-import' of operation 'a' is a mapping"]),
        ("a: {flags-dest: globl:x}\n", "1:17", ["'globl:x'", "global:NAME"]),
        ("a: {flags-dest: 'config:'}\n", "1:17", ["expected one of", "config:FILE"]),
        ("a: {env: [b]}\n", "1:10", ["'env' of operation 'a' is a list"]),
        ("a: {env: {b=c: d}}\n", "1:11", ["variable 'b=c'"]),
        ("a: {env: {b: [c]}}\n", "1:14", ["variable 'b' in 'env'", "a list"]),
        ("a: {label: [x]}\n", "1:12", ["'label' of operation 'a' is a list"]),
        ("a: {tags: [[x]]}\n", "1:12", ["'tags' of operation 'a' is a list"]),
        ("a: {default: maybe}\n", "1:14", ["'yes' or 'no'"]),
        ("a: {alias: 5}\n", "1:12", ["'alias' of operation 'a' is a number"]),
        ("a: {alias: -x}\n", "1:12", ["'-x' cannot be typed"]),
        ("a: {output-scalars: 5}\n", "1:21", ["'output-scalars' of operation 'a' has a number"]),
        ("a: {output-scalars: [{b: [c]}]}\n", "1:26", ["has a list"]),
        ("a: {output-scalars: {b: c}}\n", "1:25", ["'c' finds no number: expected a group, as in 'b: (\\value)'"]),
        (
            "a: {output-scalars: ['x=(.)']}\n",
            "1:22",
            ["finds no number: expected two groups", "named after their keys"],
        ),
        ("a: {output-scalars: {'': '(\\value)'}}\n", "1:26", ["'(\\value)' is of no key", "not ''"]),
        ("a: {output-scalars: '(.)(?P<b>.)'}\n", "1:21", ["of operation 'a'", "has groups without a name"]),
        ("a:\n  output-scalars:\n    b: 'x(\\value'\n", "3:8", ["no regular expression: missing )"]),
        # Flags
        (
            "a: {flags: {b: {type: integer}}}\n",
            "1:23",
            ["'type' of flag 'b' is 'integer'", "expected one of string, int"],
        ),
        ("a: {flags: {b: {type: nubmer}}}\n", "1:23", ["did you mean 'number'"]),
        ("a: {flags: {b: {min: x}}}\n", "1:22", ["'min' of flag 'b' is text: expected a number"]),
        ("a: {flags: {b: {max: yes}}}\n", "1:22", ["truth value"]),
        ("a: {flags: {b: {max: .nan}}}\n", "1:22", ["can be compared"]),
        ("a: {flags: {b: {min: 2, max: 1}}}\n", "1:22", ["'min' of flag 'b' is above its 'max' (1)"]),
        ("a: {flags: {b: {default: 3, max: 2}}}\n", "1:26", ["the default '3' of flag 'b'", "at most 2"]),
        ("a: {flags: {b: {default: [1, 0], min: 1}}}\n", "1:30", ["the default '0'", "at least 1"]),
        ("a: {flags: {b: {default: x, type: int}}}\n", "1:26", ["expected a whole number"]),
        ("a: {flags: {b: {default: 1.5, type: int}}}\n", "1:26", ["expected a whole number"]),
        ("a: {flags: {b: {default: x, type: float}}}\n", "1:26", ["expected a number"]),
        ("a: {flags: {b: {default: x, type: boolean}}}\n", "1:26", ["expected 'yes' or 'no'"]),
        ("a: {flags: {b: {default: x, choices: [y]}}}\n", "1:26", ["'x'", "one of its choices"]),
        ("a: {flags: {b: {default: yes, choices: [1]}}}\n", "1:26", ["one of its choices"]),
        ("a: {flags: {b: {default: 1, value: 2}}}\n", "1:29", ["both 'default' and 'value'"]),
        ("a: {flags: {b: {choices: [1], options: [1]}}}\n", "1:31", ["both 'choices' and 'options'"]),
        ("a: {flags: {b: {choices: x}}}\n", "1:26", ["'choices' of flag 'b' is text: expected a list"]),
        ("a: {flags: {b: {choices: [{args: {}}]}}}\n", "1:27", ["has no 'value'"]),
        ("a: {flags: {b: {choices: [{value: 1, args: x}]}}}\n", "1:44", ["'args' of a choice of flag 'b' is text"]),
        ("a: {flags: {b: {env-name: 1x}}}\n", "1:27", ["'env-name' of flag 'b' is '1x'"]),
        # Requirements and resources
        ("a: {requires: 5}\n", "1:15", ["'requires' of operation 'a' has a number"]),
        ("a: {requires: [[x]]}\n", "1:16", ["has a list"]),
        ("a: {requires: {name: x}}\n", "1:15", ["names nothing"]),
        ("a: {requires: {file: x, url: y}}\n", "1:25", ["both 'file' and 'url'"]),
        ("a: {requires: {file: [[]]}}\n", "1:23", ["'file' of 'requires' of operation 'a' is a list"]),
        ("a: {requires: {file: x, sha256: abc}}\n", "1:33", ["64 hexadecimal digits"]),
        ("a: {requires: {file: x, unpack: 1}}\n", "1:33", ["'yes' or 'no'"]),
        ("a: {requires: {file: x, select: '('}}\n", "1:33", ["no regular expression"]),
        ("a: {requires: {file: x, select: 'a{99999999999}'}}\n", "1:33", ["no regular expression"]),
        ("a: {requires: {file: x, select: {min: a, max: b}}}\n", "1:33", ["both 'min' and 'max'"]),
        ("a: {requires: {file: x, rename: y}}\n", "1:33", ["holds 1 words"]),
        ("a: {requires: {file: x, rename: {repl: y}}}\n", "1:33", ["has no 'pattern'"]),
        ("a: {requires: {file: x, rename: '[ y'}}\n", "1:33", ["no regular expression"]),
        ("a: {requires: {file: x, target-type: hard}}\n", "1:38", ["'hard'", "copy, link"]),
        ("a: {requires: {file: x, target-path: ../y}}\n", "1:38", ["'../y'", "below the run directory"]),
        ("a: {requires: {file: x, target-path: /y}}\n", "1:38", ["below the run directory"]),
        ("a: {requires: {file: x, params: {a: 1}}}\n", "1:25", ["no meaning for 'file'"]),
        ("a: {requires: {config: x, params: 1}}\n", "1:35", ["'params' of", "a number"]),
        ("model: m\nresources: [r]\n", "2:12", ["'resources' of model 'm' is a list"]),
        ("model: m\nresources: {a=b: x}\n", "2:13", ["resource name 'a=b'"]),
        ("model: m\nresources: {r: {file: x}}\n", "2:17", ["has the key 'file'", "in the list 'sources'"]),
        ("model: m\nresources: {r: [{name: x}]}\n", "2:17", ["does not say where it comes from"]),
        ("model: m\nresources: {r: [[x]]}\n", "2:17", ["a source of resource 'r' is a list"]),
        ("model: m\nresources: {r: {path: x, target-path: y}}\n", "2:26", ["both 'path' and 'target-path'"]),
        # Source code
        ("a: {sourcecode: 5}\n", "1:17", ["'sourcecode' of operation 'a' has a number"]),
        ("a: {sourcecode: [{}]}\n", "1:18", ["says nothing"]),
        ("a: {sourcecode: [exclude: [[x]]]}\n", "1:28", ["'exclude' of 'sourcecode'", "a list"]),
        ("a: {sourcecode: {root: [x]}}\n", "1:24", ["'root' of 'sourcecode'"]),
        ("a: {sourcecode: {select: [[x]]}}\n", "1:27", ["'select' of 'sourcecode'"]),
        # Steps
        ("a: {steps: b}\n", "1:12", ["'steps' of operation 'a' is text: expected a list"]),
        ("a: {steps: []}\n", "1:12", ["an empty list"]),
        ("a: {steps: [[b]]}\n", "1:13", ["a step of operation 'a' is a list"]),
        ("a: {steps: [' ']}\n", "1:13", ["is empty"]),
        ("a: {steps: [b c]}\n", "1:13", ["holds 'c'", "NAME=VALUE"]),
        ("a: {steps: ['b \"']}\n", "1:13", ["cannot be taken apart"]),
        ("a: {steps: [{flags: {}}]}\n", "1:13", ["has no 'run'"]),
        ("a: {steps: [{run: b, flags: [c]}]}\n", "1:29", ["holds 'c'"]),
        ("a: {steps: [{run: b, needed: 2}]}\n", "1:30", ["'yes' or 'no'"]),
    ],
)
def test_each_fault_is_told_with_its_place_and_what_was_expected(
    tmp_path: Path, text: str, place: str, words: list[str]
) -> None:
    """File, line and column are right, and the message says what would have been right."""
    message = refusal(tmp_path, text)
    assert message.startswith(f"{tmp_path}/guild.yml:{place}: "), message
    assert all(word in message for word in words), message
    assert message.splitlines()[-1].endswith("^")


def test_faults_of_an_included_file_name_that_file(tmp_path: Path) -> None:
    """The line shown is one of the file that is at fault, also when another file's model inherits it."""
    (tmp_path / "a.yml").write_text("config: c\nflags:\n  x: {type: y}\n")
    inherited = refusal(tmp_path, "- include: a.yml\n- model: m\n  extends: c\n")
    (tmp_path / "a.yml").write_text("name: [\n")
    broken = refusal(tmp_path, "include: a.yml\n")
    (tmp_path / "a.yml").write_bytes(b"name: \xff\n")
    bytes_ = refusal(tmp_path, "include: a.yml\n")
    (tmp_path / "a.yml").write_bytes(b"\n\x01")
    control = refusal(tmp_path, "include: a.yml\n")
    (tmp_path / "a.yml").write_bytes(b"# nothing\n")
    empty = refusal(tmp_path, "include: a.yml\n")

    assert inherited.startswith(f"{tmp_path}/a.yml:3:13: ")
    assert "3 |   x: {type: y}" in inherited
    assert broken.startswith(f"{tmp_path}/a.yml:2:1: ")
    assert bytes_.startswith(f"{tmp_path}/a.yml:1:7: byte 0xff")
    assert control.startswith(f"{tmp_path}/a.yml:2:1: character U+0001")
    assert empty.startswith(f"{tmp_path}/a.yml:1:1: the file is empty")


def test_a_circle_of_files_is_refused(tmp_path: Path) -> None:
    """Also when it leads over links and other files."""
    (tmp_path / "a.yml").write_text("include: b.yml\n")
    (tmp_path / "b.yml").symlink_to("guild.yml")

    assert refusal(tmp_path, "include: a.yml\n").startswith(f"{tmp_path}/a.yml:1:10: 'b.yml' includes itself")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """Reading what is no file could last for ever."""
    os.mkfifo(tmp_path / "pipe")

    assert "not a regular file" in refusal(tmp_path, "include: pipe\n")
    assert "not a regular file" in refusal(tmp_path, "include: /dev/zero\n")


def test_files_that_include_each_other_too_deep_are_refused(tmp_path: Path) -> None:
    """A chain of files ends somewhere."""
    for number in range(MAX_INCLUDES + 5):
        (tmp_path / f"f{number}.yml").write_text(f"include: f{number + 1}.yml\n")

    assert "too many includes" in refusal(tmp_path, "include: f0.yml\n")


def test_models_that_extend_each_other_too_deep_are_refused(tmp_path: Path) -> None:
    """A chain of models does not exhaust the stack; one that is allowed is followed to its end."""

    def chain(length: int) -> str:
        items = [f"- {{config: c{n}, extends: c{n + 1}}}\n" for n in range(length)]
        return f"- {{model: m, extends: c0}}\n{''.join(items)}- {{config: c{length}, flags: {{a: 1}}}}\n"

    assert "too deep" in refusal(tmp_path, chain(5000))
    (tmp_path / "guild.yml").write_text(chain(MAX_ANCESTORS - 1))
    assert load_model_file(str(tmp_path / "guild.yml")).models[0].name == "m"


def test_long_chains_of_includes_and_parameters_are_refused(tmp_path: Path) -> None:
    """Neither exhausts the stack."""
    flags = "".join(f"- {{config: c{n}, flags: {{$include: c{n + 1}}}}}\n" for n in range(3000))
    params = ", ".join(f"p{n}: '{{{{p{n + 1}}}}}'" for n in range(3000))

    assert "at most 50" in refusal(tmp_path, f"- {{model: m, flags: {{$include: c0}}}}\n{flags}- config: c3000\n")
    assert "too deep" in refusal(tmp_path, f"model: m\nparams: {{{params}}}\ndescription: '{{{{p0}}}}'\n")


@pytest.mark.parametrize(
    "text",
    [
        # Each parameter is twice as long as the next.
        "model: m\nparams:\n  p0: xxxxxxxxxx\n"
        + "".join(f"  p{n}: '{{{{p{n - 1}}}}}{{{{p{n - 1}}}}}'\n" for n in range(1, 45))
        + "description: '{{p44}}'\n",
        "model: m\nparams:\n  p0: [x]\n"
        + "".join(f"  p{n}: ['{{{{p{n - 1}}}}}', '{{{{p{n - 1}}}}}']\n" for n in range(1, 45))
        + "extra: '{{p44}}'\n",
        # One long text that holds another often.
        f"model: m\nparams: {{p: {'x' * 100_000}}}\ndescription: '{'{{p}}' * 100_000}'\n",
        # Many models with a large parent.
        "- config: c\n  extra: {a: ["
        + "1," * 5000
        + "]}\n"
        + "".join(f"- {{model: m{n}, extends: c}}\n" for n in range(2000)),
        # Many operations with many flags of their model.
        "model: m\nflags:\n"
        + "".join(f"  f{n}: 1\n" for n in range(5000))
        + "operations:\n"
        + "".join(f"  o{n}: x\n" for n in range(5000)),
        # Many operations with large defaults.
        "model: m\nop-defaults: {env: {"
        + ", ".join(f"A{n}: 1" for n in range(5000))
        + "}}\noperations:\n"
        + "".join(f"  o{n}: x\n" for n in range(5000)),
        # Many includes of one section.
        "- config: c\n  flags:\n"
        + "".join(f"    f{n}: 1\n" for n in range(5000))
        + "- model: m\n  operations:\n"
        + "".join(f"    o{n}: {{flags: {{$include: c}}}}\n" for n in range(2000)),
    ],
    ids=["texts", "lists", "long", "parents", "flags", "defaults", "includes"],
)
def test_a_file_that_stands_for_too_much_is_refused(tmp_path: Path, text: str) -> None:
    """A few lines cannot be made to fill the memory."""
    assert "too large" in refusal(tmp_path, text)


# --- Any file -----------------------------------------------------------------------------------------------

_EXAMPLE = """
- package: p
  version: 1.0
- config: base
  params: {n: 2, l: [1, 2]}
  flags: {lr: {default: 0.1, min: 0, max: 1, type: float}, seed: 1}
  resources: {data: {path: in, sources: [x.csv, {url: 'https://a/b', sha256: abc, select: [a, b]}]}}
- model: m
  extends: [base]
  description: "{{n}} things"
  op-defaults: {env: {A: 1}, tags: [x]}
  sourcecode: [exclude: {dir: data}]
  operations:
    train:
      main: fit --n={{n}}
      requires: [data, {operation: m:prep, rename: 'a b'}, {config: c.yml, params: {a.b: 1}}]
      flags: {$include: 'base#lr', opt: {choices: [sgd, {value: adam, args: {b: 1}}], default: sgd}, q: "{{l}}"}
      output-scalars: {loss: 'x (\\\\d)'}
    all:
      steps: [prep, {run: train lr=1, flags: {a: b}, needed: yes}]
    prep: {exec: 'ls ${flag_args}', flags-dest: config:x.yml, flags-import: all, default: yes, label: l}
- name: n
  operations: {$include: m#prep}
"""
_TOKENS = [
    *("{}", "[]", "''", "5", "-1", "yes", "~", ".nan", "{{n}}", "'{{l}}'", "[[x]]", "{a: b}", "$include", "extends"),
    *("main", "cmd", "steps", "flags", "sources", "m", "base", "m:train", "'\\0'", '"\\0"', '"\\ud800"', "&a", "*a"),
    *(
        ":",
        "- ",
        "\n",
        "  ",
        "#",
        "'",
        "{",
        "}",
        "[",
        "]",
        ",",
        "include: guild.yml",
        "package: p",
        "min",
        "a{9999999999}",
    ),
]
_EDITS = st.lists(
    st.tuples(st.integers(0, len(_EXAMPLE)), st.integers(0, 25), st.sampled_from(_TOKENS)), min_size=1, max_size=4
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(_EDITS)
def test_no_change_to_a_file_brings_the_reader_down(tmp_path: Path, edits: list[tuple[int, int, str]]) -> None:
    """Whatever is cut out of a file and put in, it is read, or refused at a place."""
    text = _EXAMPLE.replace("sha256: abc", f"sha256: {'ab' * 32}")
    for start, length, token in edits:
        text = text[:start] + token + text[start + length :]
    path = tmp_path / "guild.yml"
    path.write_text(text)

    try:
        read = load_model_file(str(path))
    except ModelFileError as error:
        assert error.message.startswith(f"{path}:")  # noqa: PT017 - either outcome will do
    else:
        assert all(warning.startswith((f"{path}:", "... and")) for warning in read.warnings)


def test_the_example_of_changes_is_read_as_it_stands(tmp_path: Path) -> None:
    """Otherwise the changes would all be made to a file that is refused for another reason."""
    path = tmp_path / "guild.yml"
    path.write_text(_EXAMPLE.replace("sha256: abc", f"sha256: {'ab' * 32}"))

    read = load_model_file(str(path))

    assert (read.warnings, [model.name for model in read.models]) == ((), ["m", "n"])


def test_the_page_says_the_limits() -> None:
    """Limits that change, change on the page."""
    page = PAGE.read_text("utf-8")

    assert f"{MAX_INCLUDES} deep" in page
    assert f"over {MAX_ANCESTORS} levels" in page
    assert sys.getrecursionlimit() > 10 * MAX_ANCESTORS
