"""Where what is required comes from: other runs, configuration, modules, names of resources, and the user instead."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace

import pytest

from ledger.canonical import encode
from ledger.errors import GuildError
from ledger.ids import RunId
from operations.definitions import FlagDef, ModelDef, OperationDef, RequirementDef, ResourceDef, SourceDef
from operations.dependencies import DependencyError, DependencyPlan, FoundRun
from operations.dependencies_modules import check_modules, missing_modules
from operations.planning import module_asker
from operations.requirements import RequirementError, override_names, required_resources
from operations.resolving import materialise
from operations.run_plan import RunPlan
from tests.dependencies_kit import (
    RUN_ID,
    World,
    file,
    operation,
    url_fixture,  # noqa: F401 - a fixture
    world_fixture,  # noqa: F401 - a fixture
)

OTHER_ID = "0123ffffffffffffffffffffffffffff"


# --- Operations -------------------------------------------------------------------------------------------------------


def test_a_run_is_looked_for_in_the_same_model_unless_one_is_named(world: World) -> None:
    """An expression with a group chooses a file, one without a scalar that chooses the run."""
    for spec in ("cnn:prepare", "rnn:prepare", "cnn:prepare,rnn:prepare"):
        world.runs[spec] = FoundRun(RUN_ID, str(world.elsewhere), None)
    sources = (
        operation("prepare", select_min="loss"),
        operation("rnn:prepare", select_max="m-([0-9]+)"),
        operation("prepare, rnn:prepare"),
    )
    op = OperationDef("train", requires=(RequirementDef("data", ResourceDef("data", sources)),))
    world.plan(operation=op, model=ModelDef("cnn", operations=(op,)))
    assert world.asked == [
        ("cnn:prepare", "loss", None),
        ("rnn:prepare", None, None),
        ("cnn:prepare,rnn:prepare", None, None),
    ]


def test_no_run_refuses_the_start_and_says_how_to_get_one(world: World) -> None:
    """By running it, or by naming a run."""
    with pytest.raises(DependencyError, match="no completed run of prepare") as caught:
        world.plan(operation("prepare"))
    assert caught.value.hint == "Run it first: guild run prepare. Or name a run or a directory: prepare=RUN."


@pytest.mark.parametrize("name", ["prepare", "operation:prepare", "data"])
@pytest.mark.parametrize("value", [RUN_ID, RUN_ID[:8], "folder"])
def test_the_user_may_name_a_run_or_a_directory(world: World, name: str, value: str) -> None:
    """By the start of its ID, relative to where the user is; nothing is searched then."""
    world.add_run("x", "a.csv")
    world.add_run("y", "b.csv", run_id=OTHER_ID)
    world.write("folder/a.csv", base=world.elsewhere)
    world.place(operation("prepare"), overrides={name: value})
    assert list(world.found()) == ["a.csv"]
    assert world.asked == []


@pytest.mark.parametrize(("value", "why"), [("0123", "2 runs have"), ("abc", "neither the ID"), ("", "neither the ID")])
def test_a_run_that_cannot_be_told_is_refused(world: World, value: str, why: str) -> None:
    """Nothing is guessed."""
    world.add_run("x")
    world.add_run("y", run_id=OTHER_ID)
    with pytest.raises(DependencyError, match=why):
        world.plan(operation("prepare"), overrides={"prepare": value})


# --- Configuration and modules ----------------------------------------------------------------------------------------


def config(world: World, **more: object) -> SourceDef:
    """Write a configuration file and make a source of it."""
    (world.project / "in").mkdir(exist_ok=True)
    (world.project / "in/c.json").write_text('{"lr": 1, "net": {"depth": 2}, "kept": "x"}')
    return SourceDef("config", "in/c.json", **more)  # type: ignore[arg-type] # handed on


def test_a_configuration_file_holds_parameters_and_the_flags_it_knows(world: World) -> None:
    """Flags go over parameters, a flag without a value changes nothing, others are none of its business."""
    source = config(world, params={"net.depth": "${deep}", "note": "lr is ${lr}"}, rename=(("c", "conf"),))
    world.place(source, flags={"lr": 0.5, "deep": 7, "kept": None, "unknown": 1})
    import json

    assert json.loads(world.found()["conf.json"]) == {
        "lr": 0.5,
        "net": {"depth": 7},
        "kept": "x",
        "note": "lr is 0.5",
    }


def test_flags_that_go_into_a_file_bring_it_along(world: World) -> None:
    """All of them, where the program looks for the file; written out as well it is there once."""
    source = config(world)
    flags = (FlagDef("lr"), FlagDef("new", arg_name="net.width"), FlagDef("skipped", arg_skip=True))
    op = OperationDef("train", flags=flags, flags_dest="config:in/c.json")
    world.place(operation=op, flags={"lr": 3, "new": 4, "skipped": 5})
    assert '"width":4' in world.found()["in/c.json"].replace(" ", "")
    assert "skipped" not in world.found()["in/c.json"]
    written = replace(op, requires=(RequirementDef("c", ResourceDef("c", (source,))),))
    assert len(world.plan(operation=written).items) == 1


def ask(argv: Sequence[str]) -> tuple[int, str]:
    """Start an interpreter as a run would."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_the_interpreter_of_the_run_is_asked_for_modules(world: World) -> None:
    """Dotted names as well; a name that makes no sense is missing."""
    names = ("json", "os.path", "json.no", "no_such_module", "no_such.thing", "")
    assert missing_modules(sys.executable, names, ask) == ("json.no", "no_such_module", "no_such.thing", "")
    plan = world.plan(SourceDef("module", "json, os"), SourceDef("module", "no_such_module"))
    assert plan.modules == ("json", "os", "no_such_module")
    with pytest.raises(DependencyError, match=r"'module:no_such_module' in data resource: .* has no module"):
        check_modules(plan, sys.executable, ask)
    assert materialise(plan, str(world.run_dir), cache_dir=world.home.cache_dir, told=world.told.append) == ()


def test_an_interpreter_that_does_not_answer_is_told() -> None:
    """It may be no Python at all; without modules it is not asked."""
    with pytest.raises(DependencyError, match="did not say"):
        missing_modules("/bin/false", ["json"], ask)
    assert missing_modules("/nowhere", [], ask) == ()


def test_modules_are_looked_for_where_the_run_has_them(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the project, not in the directory that the program was called in; an interpreter cannot take for ever."""
    world.write("mine.py")
    world.write("other.py", base=world.elsewhere)
    monkeypatch.chdir(world.elsewhere)
    command, nothing = (sys.executable,), dict[str, str]()
    plan = RunPlan(RunId(RUN_ID), str(world.project), "", "train", command, {}, nothing, None, "/", nothing)
    ask = module_asker(plan)
    assert missing_modules(sys.executable, ["mine", "other"], ask) == ("other",)
    with pytest.raises(GuildError, match="cannot be started"):
        missing_modules("/nowhere", ["mine"], ask)
    monkeypatch.setattr("operations.planning.ANSWER_SECONDS", 0.01)
    with pytest.raises(GuildError, match="did not say within"):
        missing_modules(sys.executable, ["mine"], ask)


# --- Names and overriding ---------------------------------------------------------------------------------------------


def test_resources_are_found_by_name_in_models_with_flags_filled_in(world: World) -> None:
    """`RES` in the own model, `MODEL:RES` in another; names and texts may refer to flags."""
    world.write("small.csv", "big.csv")
    shared = ModelDef("common", resources=(ResourceDef("big", (file("${size}.csv"),), target_path="${size}"),))
    own = ModelDef("cnn", resources=(ResourceDef("small", (file("small.csv"),)),))
    op = OperationDef("train", requires=(RequirementDef("small"), RequirementDef("common:${size}")))
    required = required_resources(op, own, (own, shared), {"size": "big"}, project=str(world.project))
    assert [one.name for one in required] == ["small", "common:big"]
    assert [one.resource.target_path for one in required] == ["", "big"]
    assert [one.resource.sources[0].target for one in required] == ["small.csv", "big.csv"]
    assert {"small", "file:small.csv", "small.csv", "big", "common:big", "big.csv"} <= override_names(required)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("smal", r"no resource of that name \(did you mean 'small'\?\)"),
        ("cn:small", r"there is no model 'cn' \(did you mean 'cnn'\?\)"),
        ("package/small", "no package that is installed"),
        ("${no}", "not defined"),
    ],
)
def test_a_name_that_is_not_found_is_told_with_what_it_may_be(world: World, name: str, why: str) -> None:
    """Before anything else is looked at."""
    model = ModelDef("cnn", resources=(ResourceDef("small", (file("small.csv"),)),))
    op = OperationDef("train", requires=(RequirementDef(name),))
    with pytest.raises(GuildError, match=why):
        world.plan(operation=op, model=model)


def test_a_resource_of_a_package_has_paths_of_the_package(world: World) -> None:
    """Whoever knows packages finds it."""
    world.write("p.csv", base=world.elsewhere)
    found = {"pkg/data": (ResourceDef("data", (file("p.csv"),)), str(world.elsewhere))}
    op = OperationDef("train", requires=(RequirementDef("pkg/data"),))
    required = required_resources(op, ModelDef(""), (), {}, project=str(world.project), find_package_resource=found.get)
    assert required[0].folder == str(world.elsewhere)
    with pytest.raises(RequirementError):
        required_resources(op, ModelDef(""), (), {}, project="", find_package_resource=lambda _name: None)


@pytest.mark.parametrize("name", ["raw", "file:data.csv", "data.csv", "data"])
def test_the_user_may_put_another_file_in_place_of_a_source(world: World, name: str) -> None:
    """Relative to where the user is; the run has it under its own name."""
    world.write("data.csv")
    world.write("mine.csv", base=world.elsewhere)
    world.place(file("data.csv", name="raw"), overrides={name: "mine.csv"})
    assert world.found() == {"mine.csv": "mine.csv"}


def test_the_user_may_put_a_file_in_place_of_a_url_and_the_other_way_round(world: World) -> None:
    """So that a run works without a net."""
    world.write("data.csv")
    world.write("mine.csv", base=world.elsewhere)
    remote = SourceDef("url", "https://host.invalid/x.csv", name="raw")
    plan = world.plan(remote, overrides={"raw": "mine.csv"})
    assert (plan.items[0].kind, plan.items[0].origin) == ("file", str(world.elsewhere / "mine.csv"))
    plan = world.plan(file("data.csv"), overrides={"data.csv": "https://host.invalid/x.csv"})
    assert (plan.items[0].kind, plan.items[0].origin) == ("url", "https://host.invalid/x.csv")


@pytest.mark.parametrize(
    ("name", "why"), [("dat", r"not the name .* \(did you mean 'data'\?\)"), ("data", "has 2 sources")]
)
def test_a_word_that_fits_nothing_or_several_sources_is_refused(world: World, name: str, why: str) -> None:
    """With what may be written instead."""
    world.write("one", "two")
    with pytest.raises(DependencyError, match=why):
        world.plan(file("one"), file("two"), overrides={name: "x"})


def test_a_module_cannot_be_replaced(world: World) -> None:
    """There is nothing that could stand for it."""
    with pytest.raises(DependencyError, match="cannot be replaced"):
        world.plan(SourceDef("module", "json"), overrides={"json": "x"})


def test_what_is_recorded_says_where_everything_is_from(world: World) -> None:
    """Run, path or URL, and the digest where it is known; it can be recorded as it is."""
    world.write("data.csv")
    world.add_run("prepare", "m")
    source = config(world)
    digest = hashlib.sha256(b"data.csv").hexdigest()
    remote = SourceDef("url", "https://host.invalid/x.csv", sha256="a" * 64)
    body = world.plan(file("data.csv", sha256=digest), operation("prepare"), source, remote).to_body()
    encode(body)
    assert [(one["source"], one["from"]) for one in body if isinstance(one, dict)] == [
        ("file:data.csv", f"{world.project}/data.csv"),
        ("operation:prepare", RUN_ID),
        ("config:in/c.json", f"{world.project}/in/c.json"),
        ("url:https://host.invalid/x.csv", "https://host.invalid/x.csv"),
    ]
    digests = [one.get("sha256") for one in body if isinstance(one, dict)]
    assert digests[0] == digest
    assert digests[1] is None
    assert digests[2] is not None
    assert digests[3] == "a" * 64


def test_an_operation_that_requires_nothing_has_an_empty_plan(world: World) -> None:
    """And nothing is looked at."""
    assert world.plan() == DependencyPlan()
    assert world.plan().to_body() == []
