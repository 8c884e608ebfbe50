"""Proves what operations, flags, resources, source code and steps of a model file say."""

from __future__ import annotations

from pathlib import Path

import pytest

from operations.definitions import (
    ChoiceDef,
    FlagDef,
    OperationDef,
    RequirementDef,
    ResourceDef,
    SourceCodeDef,
    SourceDef,
    SourceRule,
    StepDef,
)
from operations.model_file import load_model_file

DIGEST = "0123456789abcdefABCDEF0123456789abcdef0123456789abcdef0123456789"
REST = "target-type: link, warn-if-empty: no, fail-if-empty: yes"


def operation(folder: Path, *lines: str) -> OperationDef:
    """Return an operation `t` of which the file says these lines; the file must give no warning."""
    path = folder / "guild.yml"
    path.write_text("t:\n  main: work\n" + "".join(f"  {line}\n" for line in lines))
    read = load_model_file(str(path))
    assert read.warnings == ()
    return read.models[0].operations[0]


def test_every_key_of_an_operation_is_read(tmp_path: Path) -> None:
    """Nothing that is written is lost."""
    read = operation(
        tmp_path,
        "description: ' What it does '",
        "flags-import: [a, b]",
        "flags-import-skip: c",
        "flags-dest: global:P",
        "env: {A: 1, B: yes, C: , D: '${x}'}",
        "label: x=${x}",
        "tags: [a, 5]",
        "output-scalars: ['(\\key): (\\value)', {y: 'z=(\\value)'}]",
        "compare: [=lr, loss]",
        "default: yes",
        "alias: go",
        "python-path: [src, lib]",
        "stoppable: yes",
    )

    assert read == OperationDef(
        name="t",
        description="What it does",
        main="work",
        flags_import=("a", "b"),
        flags_import_skip=("c",),
        flags_dest="global:P",
        env={"A": "1", "B": "yes", "C": "", "D": "${x}"},
        label="x=${x}",
        tags=("a", "5"),
        output_scalars=["(\\key): (\\value)", {"y": "z=(\\value)"}],
        compare=("=lr", "loss"),
        default=True,
        alias="go",
        python_path=("src", "lib"),
        stoppable=True,
        line=1,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [("all", "all"), ("yes", "all"), ("no", ()), ("[]", ()), ("x", ("x",)), ("[x, y]", ("x", "y")), ("", None)],
)
def test_flags_to_import_are_all_none_or_named(tmp_path: Path, text: str, expected: object) -> None:
    """`no` is not the same as nothing said: then the script decides."""
    assert operation(tmp_path, f"flags-import: {text}").flags_import == expected


@pytest.mark.parametrize("text", ["args", "args:click", "globals", "global:NAME", "namespace:a.b", "config:conf/x.yml"])
def test_flags_go_to_one_of_the_known_places(tmp_path: Path, text: str) -> None:
    """All of the later format's destinations are kept as written."""
    assert operation(tmp_path, f"flags-dest: {text}").flags_dest == text
    assert operation(tmp_path, "flags-dest: dict:params").flags_dest == "global:params"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no", False), ("", None), ("'(.)(.)'", "(.)(.)"), ("{a: (b)}", {"a": "(b)"}), ("['(?P<a>.)']", ["(?P<a>.)"]),
        ("[]", []),
    ],
)  # fmt: skip
def test_output_scalars_are_kept_as_written(tmp_path: Path, text: str, expected: object) -> None:
    """`no` is told from nothing."""
    assert operation(tmp_path, f"output-scalars: {text}").output_scalars == expected


def test_every_key_of_a_flag_is_read(tmp_path: Path) -> None:
    """Nothing that is written is lost, and a flag with nothing behind it has no default."""
    read = operation(
        tmp_path,
        "flags:",
        "  a: {default: 3, description: D, required: yes, type: int, min: 1, max: 5.5, arg-name: aa, arg-skip: yes}",
        "  b: {value: x, choices: [x, {value: 1, description: D, args: {p: 1, q: }, alias: one}], allow-other: yes}",
        "  c: {arg-switch: on, arg-split: yes, env-name: C_1}",
        "  d: {arg-split: ','}",
        "  e: {arg-split: no, default: {k: [1]}}",
        "  f:",
    )

    assert read.flags == (
        FlagDef(
            name="a",
            default=3,
            description="D",
            required=True,
            type="int",
            minimum=1,
            maximum=5.5,
            arg_name="aa",
            arg_skip=True,
        ),
        FlagDef(
            name="b",
            default="x",
            choices=(ChoiceDef("x"), ChoiceDef(1, "D", {"p": 1, "q": None}, "one")),
            allow_other=True,
        ),
        FlagDef("c", arg_switch=True, arg_split=" ", env_name="C_1"),
        FlagDef("d", arg_split=","),
        FlagDef("e", {"k": [1]}),
        FlagDef("f"),
    )


@pytest.mark.parametrize(
    "flag",
    [
        "{type: int, default: '5'}",
        "{type: int, default: 5.0}",
        "{type: int, default: '${other}'}",
        "{type: float, default: 'range[1:5]', min: 10}",
        "{type: number, default: [1, 2.5]}",
        "{type: string, default: 5}",
        "{type: boolean, default: no}",
        "{type: boolean, default: 1}",
        "{type: int, default: }",
        "{choices: [1, 2], default: '1'}",
        "{choices: [1, 2], default: [1, 2]}",
        "{choices: [1], allow-other: yes, default: 7}",
        "{choices: [{value: long, alias: l}], default: l}",
        "{min: 1, max: 1, default: 1}",
    ],
)
def test_defaults_that_fit_are_accepted(tmp_path: Path, flag: str) -> None:
    """Lists, references and functions stand for values that are looked at when a run starts."""
    assert operation(tmp_path, f"flags: {{a: {flag}}}").flags[0].name == "a"


def test_flags_of_the_model_come_after_those_of_the_operation(tmp_path: Path) -> None:
    """An operation's own flag takes the place of the model's."""
    (tmp_path / "MODELS").write_text(
        "name: m\nflags: {a: 1, b: {default: 2, description: B}}\noperations: {t: {cmd: x, flags: {c: 3, b: 9}}}\n"
    )

    read = load_model_file(str(tmp_path / "MODELS")).models[0].operations[0]

    assert read.flags == (FlagDef("c", 3), FlagDef("b", 9), FlagDef("a", 1))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x.csv", SourceDef("file", "x.csv")),
        ("file:x.csv", SourceDef("file", "x.csv")),
        ("'url:ftp://a/b'", SourceDef("url", "ftp://a/b")),
        ("https://a/b", SourceDef("url", "https://a/b")),
        ("operation:train", SourceDef("operation", "train")),
        ("module:numpy", SourceDef("module", "numpy")),
        ("config:c.yml", SourceDef("config", "c.yml")),
        ("{operation: [a, b]}", SourceDef("operation", "a,b")),
        ("{operation: 'm:a,b', select: {min: loss}}", SourceDef("operation", "m:a,b", select_min="loss")),
        (
            "{operation: a, select: [x, {regex: y}, {max: l}]}",
            SourceDef("operation", "a", "", None, None, ("x", "y"), None, "l"),
        ),
        ("{file: a, rename: 'x y'}", SourceDef("file", "a", rename=(("x", "y"),))),
        (
            "{file: a, rename: [x y, {pattern: '(b) c', repl: }]}",
            SourceDef("file", "a", rename=(("x", "y"), ("(b) c", ""))),
        ),
        ("{config: c, params: {a.b: 1}}", SourceDef("config", "c", params={"a.b": 1})),
        (
            f"{{url: u, name: n, sha256: {DIGEST}, unpack: no, target-path: d, {REST}}}",
            SourceDef(
                kind="url",
                target="u",
                name="n",
                sha256=DIGEST.lower(),
                unpack=False,
                target_path="d",
                target_type="link",
                warn_if_empty=False,
                fail_if_empty=True,
            ),
        ),
    ],
)
def test_sources_are_texts_or_mappings(tmp_path: Path, text: str, expected: SourceDef) -> None:
    """A text says by its beginning what it names; a mapping says it by its key."""
    (tmp_path / "guild.yml").write_text(f"model: m\nresources:\n  r: [{text}]\n")

    read = load_model_file(str(tmp_path / "guild.yml"))

    assert (read.models[0].resources, read.warnings) == ((ResourceDef("r", (expected,)),), ())


def test_every_key_of_a_resource_is_read(tmp_path: Path) -> None:
    """Also the early `path`, and the short forms of a list and a text."""
    (tmp_path / "guild.yml").write_text(
        "model: m\nresources:\n"
        "  a: {description: D, path: in, target-type: copy, default-unpack: no, private: yes, sources: [x]}\n"
        "  b: {target-path: in, sources: x}\n  c: x\n  d: [x]\n"
    )
    source = (SourceDef("file", "x"),)

    assert load_model_file(str(tmp_path / "guild.yml")).models[0].resources == (
        ResourceDef("a", source, "D", "in", "copy", default_unpack=False, private=True),
        ResourceDef("b", source, target_path="in"),
        ResourceDef("c", source),
        ResourceDef("d", source),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data", RequirementDef("data")),
        ("m:data", RequirementDef("m:data")),
        ("pkg/data-${x}", RequirementDef("pkg/data-${x}")),
        ("{resource: data, description: Why}", RequirementDef("data", None, "Why")),
        ("file:a", RequirementDef("a", ResourceDef("a", (SourceDef("file", "a"),)))),
        ("{file: a}", RequirementDef("a", ResourceDef("a", (SourceDef("file", "a"),)))),
        (
            "{file: a, name: n, target-path: d, description: W}",
            RequirementDef("n", ResourceDef("n", (SourceDef("file", "a", "n", target_path="d"),), "W"), "W"),
        ),
        (
            "{name: n, path: d, sources: [a, {operation: b}]}",
            RequirementDef(
                "n", ResourceDef("n", (SourceDef("file", "a"), SourceDef("operation", "b")), target_path="d")
            ),
        ),
        ("{sources: [a]}", RequirementDef("a", ResourceDef("a", (SourceDef("file", "a"),)))),
    ],
)
def test_requirements_are_names_sources_or_resources(tmp_path: Path, text: str, expected: RequirementDef) -> None:
    """By name, or written where it is needed; one alone needs no list."""
    assert operation(tmp_path, f"requires: {text}").requires == (expected,)
    assert operation(tmp_path, "requires:", f"- {text}", "- b").requires == (expected, RequirementDef("b"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("yes", SourceCodeDef()),
        ("no", SourceCodeDef(enabled=False)),
        ("[]", SourceCodeDef(enabled=False)),
        ("'*.py'", SourceCodeDef(rules=(SourceRule(include=True, pattern="*.py"),), only=True)),
        ("[a, b]", SourceCodeDef(rules=(SourceRule(True, "a"), SourceRule(True, "b")), only=True)),
        ("[a, exclude: b]", SourceCodeDef(rules=(SourceRule(True, "a"), SourceRule(False, "b")), only=True)),
        ("[exclude: a, b]", SourceCodeDef(rules=(SourceRule(False, "a"), SourceRule(True, "b")))),
        ("[exclude: [a, b]]", SourceCodeDef(rules=(SourceRule(False, "a"), SourceRule(False, "b")))),
        (
            "[include: {text: [a, b], dir: c}]",
            SourceCodeDef(
                rules=(SourceRule(True, "a", "text"), SourceRule(True, "b", "text"), SourceRule(True, "c", "dir"))
            ),
        ),
        ("{root: src}", SourceCodeDef(root="src")),
        ("{root: src, select: no}", SourceCodeDef(enabled=False, root="src")),
        ("{select: [exclude: a]}", SourceCodeDef(rules=(SourceRule(False, "a"),))),
        ("{exclude: {binary: a}}", SourceCodeDef(rules=(SourceRule(False, "a", "binary"),))),
    ],
)
def test_source_code_is_chosen_by_patterns_or_rules(tmp_path: Path, text: str, expected: SourceCodeDef | None) -> None:
    """Patterns mean only these; rules change the usual ones."""
    assert operation(tmp_path, f"sourcecode: {text}").sourcecode == expected


def test_operations_have_the_source_code_and_scalars_of_their_model(tmp_path: Path) -> None:
    """Unless they say something themselves."""
    text = "model: m\nsourcecode: no\noutput-scalars: {x: (.)}\n"
    text += "operations: {a: , b: {sourcecode: yes, output-scalars: no}}\n"
    (tmp_path / "guild.yml").write_text(text)

    a, b = load_model_file(str(tmp_path / "guild.yml")).models[0].operations

    assert (a.sourcecode, a.output_scalars) == (SourceCodeDef(enabled=False), {"x": "(.)"})
    assert (b.sourcecode, b.output_scalars) == (SourceCodeDef(), False)


def test_steps_are_texts_or_mappings(tmp_path: Path) -> None:
    """Flags are kept as the words that would be typed, whatever their kind."""
    (tmp_path / "guild.yml").write_text(
        "t:\n  steps:\n    - a\n    - \"m:a x=1 y='two words'\"\n"
        "    - {run: a z=1, flags: {i: 1, r: 1e-4, s: '5', t: no, l: [1, x], n: , v: '${x}', w: a b}, needed: yes}\n"
        "    - {run: a, flags: [x=1, y=a b], name: n, label: 'l ${x}', tags: q}\n"
    )

    read = load_model_file(str(tmp_path / "guild.yml"))

    assert read.warnings == ()
    assert read.models[0].operations[0].steps == (
        StepDef("a"),
        StepDef("m:a", ("x=1", "y=two words")),
        StepDef(
            "a",
            ("z=1", "i=1", "r=0.0001", 's="5"', "t=false", 'l=[1,"x"]', "n=null", "v=${x}", "w=a b"),
            needed=True,
        ),
        StepDef("a", ("x=1", "y=a b"), "n", "l ${x}", ("q",)),
    )
