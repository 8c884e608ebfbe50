"""Models of installed packages that a model file extends: what is taken over, from where, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from operations.command import build_command
from operations.definitions import ModelDef, OperationDef, SourceDef
from operations.importing import script_path, with_imported_flags
from operations.model_file import ModelFileError, load_model_file
from operations.packages import Carried, Installed, PackagesError, models_of

IRIS = """\
- config: usual
  params: {word: base}
  flags: {lr: {default: 0.1, description: How far}, seed: 1}
- model: cnn
  description: Iris CNN
  private: yes
  extends: usual
  params: {module: train}
  flags: {depth: 2}
  resources:
    data: [file: iris.csv]
  operations:
    train:
      description: "{{word}} {{module}}"
      main: "{{module}}"
      requires: data
- model: net
  operations:
    $include: cnn#train
"""


@pytest.fixture(name="package")
def package_fixture(tmp_path: Path) -> Callable[..., Installed]:
    """Give what makes an installed package of a model file, with empty files beside it."""

    def make(name: str, models: str | None, *files: str) -> Installed:
        folder = tmp_path / "site" / name
        for file in files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text("")
        folder.mkdir(parents=True, exist_ok=True)
        if models is not None:
            (folder / "guild.yml").write_text(models)
        return Installed(name, "1.0", "", str(tmp_path / "site"), (Carried(name, name, str(folder)),))

    return make


@pytest.fixture(name="read")
def read_fixture(tmp_path: Path) -> Callable[..., ModelDef]:
    """Give what reads the last model of a project's file, beside installed packages."""

    def read(text: str, *packages: Installed) -> ModelDef:
        project = tmp_path / "project"
        project.mkdir(exist_ok=True)
        (project / "guild.yml").write_text(text)
        return load_model_file(str(project / "guild.yml"), lambda: packages).models[-1]

    return read


def refusal(read: Callable[..., ModelDef], text: str, *packages: Installed) -> str:
    """Return why a file is refused."""
    with pytest.raises(ModelFileError) as caught:
        read(text, *packages)
    return caught.value.message


def test_a_model_begins_with_what_a_model_of_a_package_says(
    read: Callable[..., ModelDef], package: Callable[..., Installed]
) -> None:
    """What the package's model inherits itself comes along, parameters take the child's values, `private` stays."""
    model = read("- model: mine\n  extends: Iris/cnn\n  params: {word: own}\n  flags: {lr: 5}\n", package("iris", IRIS))
    (train,) = model.operations
    assert (model.description, model.private, train.main, train.description) == (
        "Iris CNN",
        False,
        "train",
        "own train",
    )
    assert [(flag.name, flag.default, flag.description) for flag in train.flags] == [
        ("lr", 5, "How far"),
        ("seed", 1, ""),
        ("depth", 2, ""),
    ]
    assert [resource.name for resource in model.resources] == ["data"]


def test_what_is_included_in_the_package_brings_its_parameters(
    read: Callable[..., ModelDef], package: Callable[..., Installed]
) -> None:
    """An include means the file that it stands in, and so do the parameters of what it includes."""
    (train,) = read("- model: mine\n  extends: [iris/net]\n", package("iris", IRIS)).operations
    assert (train.main, train.description) == ("train", "base train")


def test_packages_are_not_looked_for_without_need(tmp_path: Path) -> None:
    """A file that extends only its own models asks nobody what is installed."""
    (tmp_path / "guild.yml").write_text("- config: c\n  flags: {a: 1}\n- model: m\n  extends: c\n")

    def installed() -> Sequence[Installed]:
        pytest.fail("asked")

    assert [model.name for model in load_model_file(str(tmp_path / "guild.yml"), installed).models] == ["m"]


def test_a_model_of_a_package_may_extend_one_of_another(
    read: Callable[..., ModelDef], package: Callable[..., Installed], tmp_path: Path
) -> None:
    """All of their folders are searched for modules, the nearest first; packages can do it as well as projects."""
    packages = package("iris", IRIS), package("deep", "- model: cnn\n  extends: iris/cnn\n")
    (train,) = read("- model: mine\n  extends: deep/cnn\n", *packages).operations
    assert train.parents == (str(tmp_path / "site/deep"), str(tmp_path / "site/iris"))
    assert train.folders == {"main": str(tmp_path / "site/iris")}
    deep = next(model for model in models_of(packages, pytest.fail) if model.package == "deep")
    assert deep.operations[0].parents == (str(tmp_path / "site/iris"),)


def sources_of(model: ModelDef, operation: OperationDef) -> list[SourceDef]:
    """Return all sources of a model and of one of its operations."""
    resources = [*model.resources, *(one.resource for one in operation.requires if one.resource)]
    return [source for resource in resources for source in resource.sources]


def test_files_belong_to_the_file_that_names_them(
    read: Callable[..., ModelDef], package: Callable[..., Installed], tmp_path: Path
) -> None:
    """A path that the package says is relative to the package, one that the project says to the project."""
    base = (
        "- model: base\n  params: {data: a.csv}\n  resources: {r: [{file: '{{data}}'}, {config: c.yml}]}\n"
        "  operations: {go: {main: go, requires: [file: b.csv], flags-dest: 'config:f.yml'}}\n"
    )
    iris, site = package("iris", base), str(tmp_path / "site/iris")
    model = read("- model: m\n  extends: iris/base\n", iris)
    assert [source.folder for source in sources_of(model, model.operations[0])] == [site] * 3
    assert model.operations[0].folders == {"main": site, "flags-dest": site}
    own = "- model: m\n  extends: iris/base\n  params: {data: mine.csv}\n"
    own += "  operations: {go: {main: go, requires: x.csv}}\n"
    model = read(own, iris)
    assert [(source.target, source.folder) for source in sources_of(model, model.operations[0])] == [
        ("mine.csv", ""),
        ("c.yml", site),
    ]
    assert "main" not in model.operations[0].folders


def test_a_module_is_the_packages_own_where_the_package_names_it(
    read: Callable[..., ModelDef], package: Callable[..., Installed], tmp_path: Path
) -> None:
    """The project's module of the same name counts for what the project says; each finds what only the other has."""
    iris = package(
        "iris", "- model: base\n  operations: {a: fit, b: src/fit, c: fit.py, d: only}\n", "fit.py", "src/fit.py"
    )
    site, project = str(tmp_path / "site/iris"), str(tmp_path / "project")
    text = "- model: m\n  extends: iris/base\n  operations: {e: fit, f: helper, g: fit.py}\n"
    (tmp_path / "project").mkdir()
    for name in ("fit", "only"):
        (tmp_path / f"project/{name}.py").write_text("")
    (tmp_path / "site/iris/helper.py").write_text("")
    found = {one.name: one for one in read(text, iris).operations}
    paths = {name: script_path(one, project, (project,)) for name, one in found.items()}
    assert paths == {
        "a": f"{site}/fit.py",
        "b": f"{site}/src/fit.py",
        "c": f"{site}/fit.py",
        "d": f"{project}/only.py",
        "e": f"{project}/fit.py",
        "f": f"{site}/helper.py",
        "g": f"{project}/fit.py",
    }
    commands = {name: build_command(one, {}, "py", project) for name, one in found.items()}
    assert commands["a"].python_path == (site, project)
    assert commands["e"].python_path == commands["f"].python_path == (project, site)
    assert commands["b"].python_path[0] == f"{site}/src"
    assert [commands[name].argv[-1] for name in "cg"] == [f"{site}/fit.py", f"{project}/fit.py"]


def test_scripts_paths_and_roots_of_an_inherited_operation_lie_in_the_package(
    read: Callable[..., ModelDef], package: Callable[..., Installed], tmp_path: Path
) -> None:
    """So it is with what `exec` starts, with `python-path`, and with the root that `sourcecode` says."""
    iris = package(
        "iris",
        "- model: base\n  sourcecode: {root: src}\n"
        "  operations: {x: {exec: sh go.sh}, y: {main: fit, python-path: lib}, z: {main: help, python-path: lib}}\n",
        *("go.sh", "src/fit.py", "lib/help.py"),
    )
    site, project = str(tmp_path / "site/iris"), str(tmp_path / "project")
    shell, fit, own = read("- model: m\n  extends: iris/base\n", iris).operations
    assert build_command(shell, {}, "py", project).argv == ("sh", f"{site}/go.sh")
    assert script_path(fit, project, ()) == f"{site}/src/fit.py"
    assert script_path(own, project, ()) == f"{site}/lib/help.py"
    assert build_command(fit, {}, "py", project).python_path == (f"{site}/lib", f"{site}/src", site, project)


def test_flags_come_from_the_configuration_file_that_the_run_will_get(
    read: Callable[..., ModelDef], package: Callable[..., Installed], tmp_path: Path
) -> None:
    """It is that of the package that names it, else the project's, never that of another package."""
    base = "- model: base\n  operations: {go: {main: go, flags-dest: 'config:f.json'}}\n"
    packages = package("iris", base), package("rose", "- model: other\n  operations: {x: x}\n", "f.json")
    operations = read("- model: m\n  extends: [iris/base, rose/other]\n", *packages).operations
    go = next(one for one in operations if one.name == "go")
    found = {}
    for place in ("rose", "project", "iris"):
        (tmp_path / ("project" if place == "project" else f"site/{place}") / "f.json").write_text(f'{{"{place}": 1}}')
        imported = with_imported_flags(go, str(tmp_path / "project"), ())
        found[place] = [flag.name for flag in imported.flags]
    assert found == {"rose": [], "project": ["project"], "iris": ["iris"]}


def test_neighbours_in_the_package_are_found_from_elsewhere(
    read: Callable[..., ModelDef], package: Callable[..., Installed]
) -> None:
    """`MODEL:NAME` of a package means its own models, also where another file inherits it."""
    base = (
        "- model: base\n  resources: {r: [operation: 'train,cnn:train']}\n  operations:\n"
        "    go: {main: go, requires: ['cnn:data', r, {resource: 'cnn:data'}, 'operation:cnn:train']}\n"
        "    all: {steps: [go, 'cnn:train lr=1', {run: 'cnn:train'}]}\n"
    )
    model = read("- model: m\n  extends: iris/base\n", package("iris", base))
    go, both = model.operations
    assert [one.name for one in go.requires] == ["iris/cnn:data", "r", "iris/cnn:data", "iris/cnn:train"]
    assert model.resources[0].sources[0].target == "train,iris/cnn:train"
    assert [step.run for step in both.steps] == ["go", "iris/cnn:train", "iris/cnn:train"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("irs/cnn", ["no package 'irs' that carries models is installed", "expected one of iris", "mean 'iris'?"]),
        ("iris/cn", ["package 'iris' has no such model", "expected one of usual, cnn, net", "did you mean 'cnn'?"]),
        ("iris/", ["no name of a model", "PACKAGE/MODEL"]),
        ("/cnn", ["no name of a model"]),
        ("iris/cnn/x", ["no name of a model"]),
        ("cn", ["'cn', which is not defined"]),
    ],
)
def test_what_is_not_there_is_named_with_its_place(
    read: Callable[..., ModelDef], package: Callable[..., Installed], name: str, expected: list[str]
) -> None:
    """File, line, column and key, what there is, and what is near."""
    message = refusal(read, f"- model: m\n  extends: {name}\n", package("iris", IRIS))
    assert f"guild.yml:2:12: model 'm' extends '{name}'" in message
    for part in expected:
        assert part in message


def test_packages_that_cannot_be_asked_or_read_are_named(
    read: Callable[..., ModelDef], package: Callable[..., Installed], tmp_path: Path
) -> None:
    """No packages, an environment that does not answer, a package without its model file, or with a broken one."""
    text = "- model: m\n  extends: iris/cnn\n"
    assert "no package 'iris' that carries models is installed" in refusal(read, text)

    def broken() -> Sequence[Installed]:
        raise PackagesError("no such luck")

    path = tmp_path / "project/guild.yml"
    with pytest.raises(ModelFileError, match=r"guild\.yml:2:12: .* cannot be looked for: no such luck"):
        load_model_file(str(path), broken)
    with pytest.raises(ModelFileError, match="no package 'iris'"):
        load_model_file(str(path))
    assert "there is no model file in" in refusal(read, text, package("iris", None))
    assert "site/iris/guild.yml:2:1: this is not valid YAML" in refusal(read, text, package("iris", "[[["))
    bad = "- model: cnn\n  operations: {go: {main: go, flags: {a: {min: x}}}}\n"
    assert "site/iris/guild.yml:2:" in refusal(read, text, package("iris", bad))


def test_another_model_of_the_package_that_is_wrong_harms_nobody(
    read: Callable[..., ModelDef], package: Callable[..., Installed]
) -> None:
    """Only what is extended is looked at."""
    iris = package("iris", "- model: bad\n  extends: nowhere\n- model: cnn\n  operations: {go: fit}\n")
    assert [one.name for one in read("- model: m\n  extends: iris/cnn\n", iris).operations] == ["go"]
    assert "'nowhere', which is not defined" in refusal(read, "- model: m\n  extends: iris/bad\n", iris)


@pytest.mark.parametrize(
    ("one", "two", "way"),
    [
        ("- model: a\n  extends: two/b\n", "- model: b\n  extends: one/a\n", "one/a -> two/b -> one/a"),
        ("- model: a\n  extends: one/a\n", "- model: b\n", "one/a -> one/a"),
        ("- model: a\n  extends: c\n- config: c\n  extends: a\n", "- model: b\n", "one/a -> one/c -> one/a"),
        (
            "- model: a\n  extends: two/b\n",
            "- model: b\n  flags: {$include: c}\n- config: c\n  extends: one/a\n",
            "leads back",
        ),
    ],
)
def test_circles_through_packages_are_refused(
    read: Callable[..., ModelDef], package: Callable[..., Installed], one: str, two: str, way: str
) -> None:
    """Whichever way it goes, the message shows it."""
    packages = package("one", one), package("two", two)
    assert way in refusal(read, "- model: m\n  extends: one/a\n", *packages)


def test_no_chain_of_packages_is_too_long_for_the_program(
    read: Callable[..., ModelDef], package: Callable[..., Installed]
) -> None:
    """Fifty levels are read, more are an error."""

    def chain(length: int) -> list[Installed]:
        texts = [f"- model: m\n  extends: p{n + 1}/m\n" for n in range(length)] + ["- model: m\n  flags: {a: 1}\n"]
        return [package(f"p{n}", text) for n, text in enumerate(texts)]

    assert read("- model: m\n  extends: p0/m\n", *chain(49)).name == "m"
    assert "too deep" in refusal(read, "- model: m\n  extends: p0/m\n", *chain(60))


def test_an_include_cannot_name_a_package(read: Callable[..., ModelDef], package: Callable[..., Installed]) -> None:
    """The message says what can."""
    message = refusal(read, "- model: m\n  flags: {$include: iris/cnn}\n", package("iris", IRIS))
    assert "'iris/cnn', which is not defined" in message
    assert "'extends: PACKAGE/MODEL'" in message
