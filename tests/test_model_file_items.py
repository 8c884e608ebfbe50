"""Proves what models of a file may be, and what they inherit, include and fill in."""

from __future__ import annotations

from pathlib import Path

from operations.definitions import FlagDef, FlagValue, ModelDef, ModelFile, OperationDef, PackageDef
from operations.model_file import load_model_file


def load(folder: Path, text: str, name: str = "guild.yml") -> ModelFile:
    """Write a model file and read it."""
    (folder / name).write_text(text)
    return load_model_file(str(folder / name))


def models_of(folder: Path, text: str, name: str = "guild.yml") -> dict[str, ModelDef]:
    """Return the models of a file by name; it must give no warning."""
    read = load(folder, text, name)
    assert read.warnings == ()
    return {model.name: model for model in read.models}


def operation_of(model: ModelDef, name: str) -> OperationDef:
    """Return an operation of a model."""
    return {operation.name: operation for operation in model.operations}[name]


def defaults_of(model: ModelDef, name: str) -> dict[str, FlagValue]:
    """Return the defaults of the flags of an operation, in their order."""
    return {flag.name: flag.default for flag in operation_of(model, name).flags}


# --- Items --------------------------------------------------------------------------------------------------


def test_a_mapping_of_operations_is_a_model_without_a_name(tmp_path: Path) -> None:
    """Files of the later format may hold nothing but operations."""
    model = models_of(tmp_path, "train: train.py\ntest: {main: score --fast}\n")[""]

    assert [(op.name, op.main, op.line) for op in model.operations] == [
        ("train", "train.py", 1),
        ("test", "score --fast", 2),
    ]


def test_operations_without_a_model_may_stand_in_a_list(tmp_path: Path) -> None:
    """An item with `operations`, or of operations only, needs no name."""
    models = models_of(tmp_path, "- model: m\n- operations: {go: work}\n  flags: {a: 1}\n")
    assert list(models) == ["m", ""]
    assert defaults_of(models[""], "go") == {"a": 1}

    assert operation_of(models_of(tmp_path, "- go: work\n")[""], "go").main == "work"
    assert operation_of(models_of(tmp_path, "model: ''\noperations: {go: work}\n")[""], "go").main == "work"


def test_an_operation_may_be_called_like_a_key_of_models(tmp_path: Path) -> None:
    """Under `operations` every name is free."""
    assert operation_of(models_of(tmp_path, "operations: {model: a, flags: b}\n")[""], "flags").main == "b"


def test_a_text_is_cmd_in_the_early_vocabulary_and_main_in_the_later(tmp_path: Path) -> None:
    """The name of the file, or of the key, tells which time the file is from."""
    cases = [
        ("MODELS", "name: m\noperations: {go: work}\n", "cmd"),
        ("MODEL", "model: m\noperations: {go: work}\n", "cmd"),
        ("MODELS", "go: work\n", "cmd"),
        ("guild.yml", "name: m\noperations: {go: work}\n", "cmd"),
        ("guild.yml", "model: m\noperations: {go: work}\n", "main"),
        ("guild.yml", "go: work\n", "main"),
    ]

    for name, text, word in cases:
        (model,) = models_of(tmp_path, text, name).values()
        operation = model.operations[0]
        assert (operation.cmd, operation.main) == (("work", "") if word == "cmd" else ("", "work")), text


def test_an_operation_of_the_later_format_runs_the_module_of_its_name(tmp_path: Path) -> None:
    """`train-all 2:` with nothing said means the module `train_all_2`."""
    model = models_of(tmp_path, "model: m\noperations:\n  train-all 2:\n  b.c: {flags: {x: 1}}\n")["m"]

    assert [operation.main for operation in model.operations] == ["train_all_2", "b.c"]


def test_a_config_is_no_model(tmp_path: Path) -> None:
    """It is only inherited from."""
    assert list(models_of(tmp_path, "- config: c\n  flags: {a: 1}\n- model: m\n")) == ["m"]


def test_a_package_is_read_beside_the_models(tmp_path: Path) -> None:
    """What a wheel is made of stands in an item of its own."""
    text = "- package: p\n  version: 0.10\n  tags: x\n  packages: {p: src}\n- model: m\n"

    read = load(tmp_path, text)

    assert read.package == PackageDef("p", "0.10", tags=("x",), packages={"p": "src"})
    assert load(tmp_path, "package: p\n").package == PackageDef("p", "0.0.0")
    listed = load(tmp_path, "package: p\npackages: [p, q]\n").package
    assert listed is not None
    assert listed.packages == {"p": "p", "q": "q"}
    assert load(tmp_path, "model: m\n").package is None


def test_files_are_included_where_they_are_named(tmp_path: Path) -> None:
    """Items are spliced in order, relative to the including file, each file once."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "one.yml").write_text("- include: two.yml\n- model: one\n")
    (tmp_path / "sub" / "two.yml").write_text("model: two\n")

    models = models_of(tmp_path, "- model: a\n- include: [sub/one.yml, sub/two.yml]\n- model: z\n")

    assert list(models) == ["a", "two", "one", "z"]


def test_included_files_have_the_vocabulary_of_the_file_that_was_asked_for(tmp_path: Path) -> None:
    """A text in a file that `MODELS` includes is a `cmd`, too."""
    (tmp_path / "more.yml").write_text("model: m\noperations: {go: work}\n")

    assert models_of(tmp_path, "include: more.yml\n", "MODELS")["m"].operations[0].cmd == "work"


# --- Inheriting ---------------------------------------------------------------------------------------------


def test_a_model_begins_with_what_it_extends(tmp_path: Path) -> None:
    """Mappings are merged to the last attribute, and what the model says itself wins."""
    text = """
- config: base
  description: Base
  references: [u]
  resources: {r: [file: x], s: [file: y]}
  flags: {lr: {default: 1, description: Rate}, n: 2}
  extra: {a: 1, b: 1}
  operations:
    train: {main: fit, description: Train, env: {A: 1, B: 1}, requires: r, flags: {x: 1}}
    test: score
- model: m
  extends: base
  references: [v, w]
  resources: {r: [file: z]}
  flags: {lr: 5, o: 3}
  extra: {b: 2}
  operations:
    train: {env: {B: 2}, requires: [], flags: {y: 2}}
    test: {description: Test}
"""

    model = models_of(tmp_path, text)["m"]

    assert (model.description, model.references, model.extra) == ("Base", ("v", "w"), {"a": 1, "b": 2})
    assert [(resource.name, resource.sources[0].target) for resource in model.resources] == [("r", "z"), ("s", "y")]
    train = operation_of(model, "train")
    assert (train.main, train.description, train.env, train.requires) == ("fit", "Train", {"A": "1", "B": "2"}, ())
    assert defaults_of(model, "train") == {"x": 1, "y": 2, "lr": 5, "n": 2, "o": 3}
    assert operation_of(model, "test").main == "score"
    assert {flag.name: flag for flag in train.flags}["lr"] == FlagDef("lr", 5, "Rate")


def test_what_an_operation_runs_is_inherited_as_one(tmp_path: Path) -> None:
    """`exec` of the child takes the place of `main` of the parent, and `value` that of `default`."""
    text = "- config: c\n  flags: {a: {default: 1, choices: [1]}}\n  operations: {go: work}\n"
    text += "- model: m\n  extends: c\n  flags: {a: {value: 2, options: [2]}}\n  operations: {go: {exec: ls}}\n"

    model = models_of(tmp_path, text)["m"]

    assert (model.operations[0].main, model.operations[0].exec) == ("", "ls")
    assert defaults_of(model, "go") == {"a": 2}


def test_an_earlier_parent_wins_and_privacy_is_not_inherited(tmp_path: Path) -> None:
    """Of two parents the first named decides; a private base makes no private model."""
    text = "- name: a\n  private: yes\n  flags: {x: 1}\n- name: b\n  flags: {x: 2, y: 2}\n"
    text += "- name: m\n  extends: [a, b]\n  operations: {go: work}\n"

    models = models_of(tmp_path, text)

    assert defaults_of(models["m"], "go") == {"x": 1, "y": 2}
    assert (models["a"].private, models["m"].private) == (True, False)


def test_grandparents_and_models_further_down_are_found(tmp_path: Path) -> None:
    """The order of the items does not matter to inheriting."""
    text = "- model: m\n  extends: b\n- config: b\n  extends: a\n- config: a\n  operations: {go: work}\n"

    assert operation_of(models_of(tmp_path, text)["m"], "go").main == "work"


def test_defaults_of_operations_lie_under_each_of_them(tmp_path: Path) -> None:
    """`op-defaults` gives every operation what it does not say itself."""
    text = "model: m\nop-defaults: {env: {A: 1}, flags: {x: {default: 1, min: 0}}, main: fit}\n"
    text += "operations:\n  a:\n  b: {exec: ls, flags: {x: 2}, env: {B: 1}}\n"

    a, b = models_of(tmp_path, text)["m"].operations

    assert (a.main, a.env, a.flags) == ("fit", {"A": "1"}, (FlagDef("x", 1, minimum=0),))
    assert (b.main, b.exec, b.env, b.flags) == ("", "ls", {"A": "1", "B": "1"}, (FlagDef("x", 2, minimum=0),))


# --- Including ----------------------------------------------------------------------------------------------

_LENDER = """
- config: c
  flags: {a: {default: 1, description: A}, b: 2}
  resources: {r: [file: x], s: [file: y]}
- model: l
  flags: {f: 1}
  operations: {go: {main: work, flags: {x: 1, y: 2}}, other: more}
"""


def included(folder: Path, model: str) -> ModelDef:
    """Return the model `m` of a file that also holds a config and a model to include from."""
    return models_of(folder, f"{_LENDER}- model: m\n{model}")["m"]


def test_flags_are_included_from_models_configs_and_operations(tmp_path: Path) -> None:
    """Each way to name them gives the flags; what stands there itself wins and keeps other attributes."""
    model = included(tmp_path, "  operations: {t: {flags: {$include: c, a: 5}}}\n")
    assert model.operations[0].flags == (FlagDef("a", 5, "A"), FlagDef("b", 2))

    cases: list[tuple[str, dict[str, FlagValue]]] = [
        ("l", {"f": 1}),
        ("l:go", {"x": 1, "y": 2}),
        ("'l:go#y'", {"y": 2}),
        ("'c#b, a'", {"b": 2, "a": 1}),
        ("[c, 'l:go#x']", {"x": 1, "a": 1, "b": 2}),
        ("u", {"z": 9}),
        ("':u'", {"z": 9}),
        ("", {}),
    ]
    for spec, expected in cases:
        model = included(tmp_path, f"  operations: {{t: {{flags: {{$include: {spec}}}}}, u: {{flags: {{z: 9}}}}}}\n")
        assert defaults_of(model, "t") == expected, spec


def test_of_several_includes_an_earlier_one_wins(tmp_path: Path) -> None:
    """As with `extends`."""
    text = "- config: a\n  flags: {x: 1}\n- config: b\n  flags: {x: 2, y: 2}\n"
    text += "- model: m\n  flags: {$include: [a, b]}\n  operations: {t: }\n"

    assert defaults_of(models_of(tmp_path, text)["m"], "t") == {"x": 1, "y": 2}


def test_resources_and_operations_are_included(tmp_path: Path) -> None:
    """Whole sections, or some names of them; what an included operation includes is looked up where it goes."""
    model = included(tmp_path, "  resources: {$include: 'c#r'}\n  operations: {$include: l, go: {label: x}}\n")

    assert [resource.name for resource in model.resources] == ["r"]
    assert [(op.name, op.main, op.label) for op in model.operations] == [("go", "work", "x"), ("other", "more", None)]
    assert defaults_of(model, "go") == {"x": 1, "y": 2}
    assert [op.name for op in included(tmp_path, "  operations: {$include: 'l#other'}\n").operations] == ["other"]
    assert [op.name for op in included(tmp_path, "  operations: {$include: 'l:other'}\n").operations] == ["other"]


def test_inherited_includes_are_kept_beside_own_ones(tmp_path: Path) -> None:
    """A child that includes more does not lose what its parent includes."""
    text = "- config: a\n  flags: {x: 1}\n- config: b\n  flags: {x: 2, y: 2}\n"
    text += "- config: p\n  flags: {$include: a, p: 1}\n- model: m\n  extends: p\n  flags: {$include: b}\n"
    text += "  operations: {t: }\n"

    assert defaults_of(models_of(tmp_path, text)["m"], "t") == {"x": 2, "y": 2, "p": 1}


def test_includes_lead_to_other_includes(tmp_path: Path) -> None:
    """What is included may include in turn."""
    text = "- config: a\n  flags: {x: 1}\n- config: b\n  flags: {$include: a, y: 2}\n"
    text += (
        "- model: m\n  flags: {$include: b}\n  operations: {t: {flags: {$include: u}}, u: {flags: {$include: 'b#y'}}}\n"
    )

    assert defaults_of(models_of(tmp_path, text)["m"], "t") == {"y": 2, "x": 1}


# --- Parameters ---------------------------------------------------------------------------------------------


def test_parameters_are_put_into_every_text(tmp_path: Path) -> None:
    """Inside a text as written, alone as the value itself, and through each other; inherited ones can be replaced."""
    text = """
- config: c
  params: {n: 2, deep: "{{ n }}", list: [1, "{{n}}"], none: , rate: 1e-4}
  operations:
    t:
      main: fit --n={{n}}-{{deep}}-{{none}}-{{rate}}
      flags: {a: "{{n}}", b: {default: "{{list}}"}, c: "{{rate}}", d: "{{none}}", e: "{{n}}{{n}}"}
- {model: x, extends: c}
- {model: y, extends: c, params: {n: 3}}
"""

    models = models_of(tmp_path, text)

    assert operation_of(models["x"], "t").main == "fit --n=2-2--1e-4"
    assert operation_of(models["y"], "t").main == "fit --n=3-3--1e-4"
    assert defaults_of(models["x"], "t") == {"a": 2, "b": [1, 2], "c": 0.0001, "d": None, "e": "22"}


def test_what_is_included_may_use_parameters_of_where_it_comes_from(tmp_path: Path) -> None:
    """Those of the model that includes it win."""
    text = "- config: c\n  params: {n: 1, o: 1}\n  flags: {a: '{{n}}', b: '{{o}}'}\n"
    text += "- model: m\n  params: {o: 2}\n  flags: {$include: c}\n  operations: {t: }\n"

    assert defaults_of(models_of(tmp_path, text)["m"], "t") == {"a": 1, "b": 2}


def test_an_unknown_parameter_stays_with_a_warning(tmp_path: Path) -> None:
    """Other programs use double braces, too, so they are no fault."""
    read = load(tmp_path, "model: m\nparams: {depth: 1}\noperations:\n  t: {exec: 'echo {{dept}} {{ }} {{a b}}'}\n")

    assert read.models[0].operations[0].exec == "echo {{dept}} {{ }} {{a b}}"
    near = "(did you mean 'depth'?)"
    assert read.warnings == (
        f"{tmp_path}/guild.yml:4: '{{{{dept}}}}' is no parameter of model 'm' and is left as it is {near}",
    )


# --- Warnings -----------------------------------------------------------------------------------------------


def test_a_key_is_warned_of_once_however_often_it_is_inherited(tmp_path: Path) -> None:
    """One line of the file is one warning."""
    text = "- config: c\n  plugins: x\n  operations: {t: {main: a, lable: x}}\n"
    text += "".join(f"- {{model: m{n}, extends: c}}\n" for n in range(5))

    (warning,) = load(tmp_path, text).warnings

    assert warning == (
        f"{tmp_path}/guild.yml:3: key 'lable' of operation 't' is not known and is ignored (did you mean 'label'?)"
    )


def test_what_the_later_format_says_and_this_program_does_not_do_is_warned_of(tmp_path: Path) -> None:
    """The name of a config for all operations, and options of the command line in a step."""
    text = "model: m\nop-default-config: c\noperations:\n  t:\n    steps: [u x=1 --max-trials 3 y=2]\n"

    read = load(tmp_path, text)

    assert read.models[0].operations[0].steps[0].flags == ("x=1", "y=2")
    assert read.warnings == (
        f"{tmp_path}/guild.yml:2: 'op-default-config' of model 'm' is a name, which is not supported and is ignored",
        f"{tmp_path}/guild.yml:5: '--max-trials 3' in a step of operation 't' is not supported and is ignored",
    )


def test_warnings_name_the_included_file(tmp_path: Path) -> None:
    """The line is one of the file that holds the key."""
    (tmp_path / "more.yml").write_text("\n- model: m\n  plugins: x\n")

    assert load(tmp_path, "include: more.yml\n").warnings == (
        f"{tmp_path}/more.yml:3: key 'plugins' of model 'm' is not supported and is ignored",
    )


def test_of_many_warnings_only_some_are_told(tmp_path: Path) -> None:
    """A file of another program does not bury the terminal, nor take long."""
    text = "model: m\n" + "".join(f"key{n}: 1\n" for n in range(20_000))

    warnings = load(tmp_path, text).warnings

    assert len(warnings) == 51
    assert warnings[-1] == "... and 19950 more warnings"
