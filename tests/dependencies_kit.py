"""What tests of required files share: a small world of a project, a home and a run that requires something."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from artifacts.home import Home
from artifacts.placing import Placed
from operations.definitions import FlagValue, ModelDef, OperationDef, RequirementDef, ResourceDef, SourceDef
from operations.dependencies import DependencyPlan, FoundRun, plan_dependencies
from operations.resolving import materialise

RUN_ID = "0123456789abcdef0123456789abcdef"


class World:
    """A project, a home, and runs in it."""

    def __init__(self, root: Path) -> None:
        self.project = root / "project"
        self.home = Home(str(root / "home"))
        self.run_dir = root / "home" / "runs" / ("f" * 32)
        self.elsewhere = root / "elsewhere"
        self.told: list[str] = []
        self.asked: list[tuple[str, str | None, str | None]] = []
        self.runs: dict[str, FoundRun] = {}
        for folder in (self.project, self.elsewhere):
            folder.mkdir()
        self.home.ensure()
        self.run_dir.mkdir()

    def write(self, *names: str, base: Path | None = None) -> None:
        """Write files whose content is their name."""
        for name in names:
            path = (base or self.project) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)

    def add_run(self, spec: str, *names: str, run_id: str = RUN_ID) -> Path:
        """Make a run that `spec` finds."""
        path = Path(self.home.runs_dir, run_id)
        path.mkdir()
        self.write(".guild/output", *names, base=path)
        self.runs[spec] = FoundRun(run_id, str(path), spec)
        return path

    def find_run(self, spec: str, *, select_min: str | None, select_max: str | None) -> FoundRun | None:
        """Find a run as the command line would."""
        self.asked.append((spec, select_min, select_max))
        return self.runs.get(spec)

    def plan(
        self,
        *sources: SourceDef,
        flags: Mapping[str, FlagValue] | None = None,
        overrides: Mapping[str, str] | None = None,
        operation: OperationDef | None = None,
        model: ModelDef | None = None,
        **resource: str,
    ) -> DependencyPlan:
        """Plan an operation that requires the sources, as one resource called `data`."""
        inline = ResourceDef("data", sources, **resource)  # type: ignore[arg-type] # only texts are given here
        requires = (RequirementDef("data", inline),) if sources else ()
        operation = operation or OperationDef("train", main="train", requires=requires)
        model = model or ModelDef("", operations=(operation,))
        return plan_dependencies(
            operation,
            model,
            (model,),
            flags or {},
            project=str(self.project),
            home=self.home,
            find_run=self.find_run,
            overrides=overrides or {},
            cwd=str(self.elsewhere),
        )

    def place(self, *sources: SourceDef, **more: object) -> tuple[Placed, ...]:
        """Plan and put everything into the run directory."""
        return self.materialise(self.plan(*sources, **more))  # type: ignore[arg-type] # handed on

    def materialise(self, plan: DependencyPlan, *, again: bool = False) -> tuple[Placed, ...]:
        """Put what is planned into the run directory."""
        return materialise(plan, str(self.run_dir), cache_dir=self.home.cache_dir, told=self.told.append, again=again)

    def found(self) -> dict[str, str]:
        """Return what is in the run directory: content of files, `-> target` of links."""
        result = {}
        for path in sorted(self.run_dir.rglob("*")):
            name = str(path.relative_to(self.run_dir))
            if name.startswith(".guild/"):
                continue
            if path.is_symlink():
                result[name] = f"-> {path.readlink()}"
            elif path.is_file():
                result[name] = path.read_text()
        return result


@pytest.fixture(name="world")
def world_fixture(tmp_path: Path) -> World:
    """Give an empty world."""
    return World(tmp_path)


def file(target: str, **more: object) -> SourceDef:
    """Make a file source."""
    return SourceDef("file", target, **more)  # type: ignore[arg-type] # handed on


def operation(target: str, **more: object) -> SourceDef:
    """Make an operation source."""
    return SourceDef("operation", target, **more)  # type: ignore[arg-type] # handed on


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder without a word."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the server uses
        """Say nothing."""


@pytest.fixture(name="url")
def url_fixture(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve the folder `elsewhere`."""
    monkeypatch.setenv("no_proxy", "*")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(world.elsewhere)))
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()
