"""Run a script or a module as `python` itself would, with some of its variables set; loaded by `launch_child.py` alone.

The values are put into the syntax tree in place of the constants that stand there, so whatever the script derives
from them follows. Nothing of this program may show: no name in the script's namespace, no entry on its module path, no
frame in its tracebacks. Nothing is imported before the script that Python would not have loaded anyway, because a
module of the script's own directory may have that name, and because this runs at the start of every such run.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import ModuleType, TracebackType
    from typing import Any


_OURS = __file__.removesuffix("program.py")


def start(names: dict[str, Any]) -> None:
    """Do what the process was started for: run a program, or become a worker of one.

    Args:
        names: the namespace of `launch_child.py`: what Python has put there, a program of its own shall have too.
    """
    if names["__name__"] == "__main__":
        run(sys.argv[1], sys.argv[2], sys.argv[3:], names)
    else:
        work(names["ORDER"], names)


def run(dest: str, values: str, program: list[str], own: dict[str, object], name: str = "__main__") -> None:
    """Run a program in this process; `sys.argv`, `sys.path` and `__main__` become the program's.

    With another name than `__main__` this is a worker of a running program, whose path and arguments it has.
    """
    try:
        is_main = name == "__main__"
        if is_main and values != "{}":
            sys.meta_path.insert(0, _Hook((dest, values, program[: 1 + (program[0] == "-m")])))
        read = _module if program[0] == "-m" else _script
        source, names, location = read(program, is_main=is_main)
        code = _syntax().assigned(source, location, dest, values)
        main = type(sys)(name)
        vars(main).update({key: item for key, item in own.items() if key[:2] == key[-2:] == "__"})
        vars(main).update(names | {"__doc__": None, "__name__": name})
        if "__annotations__" in own:
            vars(main)["__annotations__"] = {}
        sys.modules[name] = sys.modules["__main__"] = main
        exec(code, vars(main))  # noqa: S102 # this is what the file is for
    except BaseException as error:
        _hide_frames(error)
        raise


def _script(program: list[str], *, is_main: bool) -> tuple[bytes, dict[str, object], str]:
    import os

    path = program[0]
    if is_main:
        _set_path(os.path.dirname(os.path.realpath(path)))
        sys.argv[:] = program
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError as error:
        sys.stderr.write(f"{sys.executable}: can't open file {path!r}: [Errno {error.errno}] {error.strerror}\n")
        sys.exit(2)
    return source, _names(path, _loader("__main__", path), None), path


def _module(program: list[str], *, is_main: bool) -> tuple[bytes, dict[str, object], str]:
    import os

    name = program[1]
    if is_main:
        _set_path(os.getcwd())
        sys.argv[:] = ["-m", *program[2:]]  # as Python has it while it looks for the module
    spec = _spec(name)
    if spec is None or spec.loader is None or not spec.origin:
        sys.exit(f"{sys.executable}: No module named {name}")
    read = getattr(spec.loader, "get_data", None)
    if read is None or not spec.origin.endswith(".py"):
        sys.exit(f"{sys.executable}: the source of module {name} cannot be read, so its variables cannot be set")
    if is_main:
        sys.argv[0] = spec.origin
    return read(spec.origin), _names(spec.origin, spec.loader, spec), spec.origin


def _spec(name: str) -> ModuleSpec | None:
    from importlib.util import find_spec

    try:
        spec = find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            return find_spec(f"{name}.__main__")
    except ImportError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # a parent package that fails for a reason of its own shows its traceback
        return None
    return spec


def _syntax() -> ModuleType:
    """Return the neighbour of this file that knows syntax trees: loaded without a trace, and compiled only once."""
    module = type(sys)("launch_syntax")
    _loader("launch_syntax", f"{_OURS}syntax.py").exec_module(module)
    return module


def _loader(name: str, path: str) -> Loader:
    loader: Loader = sys.modules["_frozen_importlib_external"].SourceFileLoader(name, path)
    return loader


def _set_path(first: str) -> None:
    if not sys.flags.safe_path:
        sys.path[0] = first


def _names(path: str, loader: object, spec: ModuleSpec | None) -> dict[str, object]:
    """Return what Python says of a main program in its namespace."""
    cached, package = getattr(spec, "cached", None), getattr(spec, "parent", None)
    return {"__file__": path, "__loader__": loader, "__spec__": spec, "__cached__": cached, "__package__": package}


def _hide_frames(error: BaseException) -> None:
    """Leave the frames of these files out when the error is shown, by whatever hook the script has set."""
    shown = error.__traceback__
    while shown is not None and shown.tb_frame.f_code.co_filename.startswith(_OURS):
        shown = shown.tb_next
    show = sys.excepthook

    def hook(kind: type[BaseException], value: BaseException, trace: TracebackType | None) -> None:
        if value is error:
            trace = shown
            value.__traceback__ = shown
        show(kind, value, trace)

    sys.excepthook = hook


# --- Worker processes ---------------------------------------------------------------------------------------


class _Hook:
    """Waits for `multiprocessing.spawn` to be imported: its workers would run the program without the values."""

    def __init__(self, order: tuple[str, str, list[str]]) -> None:
        self._order = order

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "multiprocessing.spawn":
            return None
        sys.meta_path.remove(self)
        found = (finder.find_spec(name, path, target) for finder in sys.meta_path)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_change(module: ModuleType) -> None:
                load(module)
                _share(module, self._order)

            vars(spec.loader)["exec_module"] = load_and_change
        return spec


class _Again:
    """Becomes a call of `work` in the worker that unpickles it, which needs no module of ours for that."""

    def __init__(self, order: tuple[str, str, list[str]]) -> None:
        self._order = order

    def __reduce__(self) -> tuple[object, ...]:
        from runpy import run_path

        return run_path, (f"{_OURS}child.py", {"ORDER": self._order}, "launch_worker")


def _share(spawn: ModuleType, order: tuple[str, str, list[str]]) -> None:
    """Let workers get the order to run the program with its values in place of its mere name."""
    make = spawn.get_preparation_data

    def get_preparation_data(name: str) -> dict[str, object]:
        data: dict[str, object] = make(name)
        if data.pop("init_main_from_path", None) or data.pop("init_main_from_name", None):
            data["launch"] = _Again(order)
        return data

    spawn.__dict__["get_preparation_data"] = get_preparation_data


def work(order: tuple[str, str, list[str]], own: dict[str, object]) -> None:
    """Make this process, a worker that is about to be prepared, run the program with its values as well."""
    from multiprocessing import spawn

    _share(spawn, order)
    prepare = spawn.prepare

    def prepare_and_run(data: dict[str, object]) -> None:
        prepare(data)
        run(*order, own, "__mp_main__")

    spawn.__dict__["prepare"] = prepare_and_run
