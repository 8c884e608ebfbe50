"""Build the command line of an operation's process from its definition and the values of its flags."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ledger.dataclass import dataclass
from ledger.errors import GuildError
from ledger.text import printable
from operations.flag_args import CLICK, EARLY, LATER, argument_words, arguments, shadowed_warning, spelled_options

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from operations.definitions import FlagValue, OperationDef
    from operations.flag_args import Argument

# No model file can hold a zero character, so these marks meet nothing that a user wrote.
_ESCAPED = "\0{"
_FLAG_ARGS = "\0flag_args"
_INTERPRETERS = ("python", "bash", "sh", "zsh", "Rscript", "node", "perl", "ruby", "julia")


class CommandError(GuildError):
    """The operation cannot be made into a command; nothing was started."""


@dataclass(frozen=True, slots=True)
class Command:
    """What to execute, and what the user should know about it.

    Attributes:
        argv: the program and its arguments.
        warnings: one text each.
        python_path: absolute directories that Python searches for modules before the project.
    """

    argv: tuple[str, ...]
    warnings: tuple[str, ...]
    python_path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Written:
    """The command as the model file has it: the key that says it, and its words with references replaced."""

    key: str
    words: list[str]
    place: str


def build_command(operation: OperationDef, flags: Mapping[str, FlagValue], interpreter: str, project: str) -> Command:
    """Return the command that runs an operation.

    The first word of `cmd` and `main` is a Python module (`train`, `pkg.mod`; with `dir/mod` the directory is
    searched for it) or a `.py` file of the project; none is looked for here, the process itself reports a missing
    one. `exec` is any program, and gets the flags where `${flag_args}` stands, if anywhere. How the flags reach
    the process is said by `flags_dest`.

    Args:
        operation: the operation that is to run.
        flags: the values as `resolve_flags` returns them.
        interpreter: the Python to run it with.
        project: the absolute directory of the model file.

    Raises:
        CommandError: the command is empty, has an open quote or leads out of the project, flags cannot be passed
            the way that is said, or an argument cannot be passed to a process.
        TemplateError: a reference names no flag.
    """
    written = _written(operation, flags, interpreter)
    told = arguments(operation, flags)
    if written.key == "exec":
        command = _exec_command(operation, written, told, project)
    else:
        command = _python_command(operation, written, told, interpreter, project)
    _refuse_impossible(operation, command.argv)
    return command


def operation_environment(operation: OperationDef, flags: Mapping[str, FlagValue]) -> dict[str, str]:
    """Return the variables that the operation adds to its process: those of `env`, and flags with a variable.

    Raises:
        CommandError: a value cannot be passed to a process.
        TemplateError: a reference names no flag.
    """
    from operations.templates import filled, text_of

    result = {
        name: filled(text, flags, what=f"env {printable(name)} of operation '{operation.name}'")
        for name, text in operation.env.items()
    }
    for flag in operation.flags:
        if flag.env_name and flags.get(flag.name) is not None:
            result[flag.env_name] = text_of(flags[flag.name])
    _refuse_impossible(operation, list(result.values()))
    return result


def label_of(operation: OperationDef, flags: Mapping[str, FlagValue]) -> str | None:
    """Return the label that the operation's template gives; None without a template or when nothing remains.

    Besides the flags, `${default_label}` stands for all of them as `NAME=VALUE`.

    Raises:
        TemplateError: a reference names no flag.
    """
    if operation.label is None:
        return None
    from operations.templates import filled, text_of

    summary = " ".join(f"{name}={text_of(flags[name])}" for name in sorted(flags) if flags[name] is not None)
    values = {"default_label": summary, **flags}
    return filled(operation.label, values, what=f"label of operation '{operation.name}'").strip() or None


def format_command(argv: Iterable[str]) -> str:
    """Return a command as one would type it in a POSIX shell."""
    import shlex

    return shlex.join(argv)


def _python_command(
    operation: OperationDef,
    written: _Written,
    told: Mapping[str, Argument],
    interpreter: str,
    project: str,
) -> Command:
    word, *own = written.words
    root, roots = _root(operation, written.key, word, project)
    program, python_path = _program(word, root)
    python_path += _own_python_path(operation, project)
    if roots:
        python_path += roots
    elif root != project:
        python_path.append(root)
    warnings: list[str] = []
    dest = _dest(operation)
    kind, _, target = dest.partition(":")
    if kind in ("globals", "global", "namespace"):
        from operations.launching import launcher_arguments

        values = {name: argument.value for name, argument in told.items()}
        program = [*launcher_arguments(dest, program, values)]
    elif kind == "config":
        _inside(target, project, "file")  # it is written with what the operation requires
    else:
        style = EARLY if written.key == "cmd" else LATER
        passed, warnings = _passed(written, told, CLICK if target else style, own)
        own += passed
    return Command((interpreter, "-u", *program, *own), tuple(warnings), tuple(python_path))


def _exec_command(operation: OperationDef, written: _Written, told: Mapping[str, Argument], project: str) -> Command:
    """Return the command of `exec`, whose words may hold `${flag_args}`: as a word of its own, or inside one."""
    passed: list[str] = []
    warnings: list[str] = []
    dest = _dest(operation)
    kind, _, target = dest.partition(":")
    if kind == "config":
        _inside(target, project, "file")
    elif kind in ("globals", "global", "namespace"):
        warnings.append(f"flags-dest '{dest}' of operation '{operation.name}' is ignored: exec takes only arguments")
    else:
        others = [word for word in written.words if _FLAG_ARGS not in word]
        passed, warnings = _passed(written, told, CLICK if target else LATER, others)
    argv: list[str] = []
    for word in written.words:
        argv += passed if word == _FLAG_ARGS else [word.replace(_FLAG_ARGS, format_command(passed))]
    if not argv:
        raise _missing_command(operation, written.key)
    path = tuple(_own_python_path(operation, project))
    places: tuple[str, ...] = (project,)
    if operation.parents:
        from operations.parent_folders import folders

        places = folders(operation, written.key, project)
        path += places
    return Command(tuple(_with_project_script(argv, places)), tuple(warnings), path)


def _written(operation: OperationDef, flags: Mapping[str, FlagValue], interpreter: str) -> _Written:
    import shlex

    from operations.templates import filled

    key = "exec" if operation.exec else "main" if operation.main else "cmd"
    text = operation.exec or operation.main or operation.cmd
    place = f"{key} of operation '{operation.name}'"
    try:
        # Splitting takes a backslash away, and with it the mark that a reference is none.
        words = shlex.split(text.replace("\\${", _ESCAPED))
    except ValueError as error:
        raise CommandError(
            f"{place} cannot be split into words: {str(error).lower()}",
            hint=f"Mend the quotes in: {printable(text)}",
        ) from error
    values: dict[str, FlagValue] = {"python_exe": interpreter, **flags}
    if key == "exec":
        values["flag_args"] = _FLAG_ARGS
    words = [filled(word, values, what=place).replace(_ESCAPED, "${") for word in words]
    if not words or not words[0]:
        raise _missing_command(operation, key)
    return _Written(key, words, place)


def _missing_command(operation: OperationDef, key: str) -> CommandError:
    if operation.steps:
        return CommandError(
            f"operation '{operation.name}' runs other operations and has no command of its own",
            hint="Run one of its steps by its name to see what it starts",
        )
    wanted = "a program" if key == "exec" else "a Python module or a .py file"
    return CommandError(
        f"missing {key} for operation '{operation.name}'",
        hint=f"Write {wanted} as the first word of its {key}",
    )


def _dest(operation: OperationDef) -> str:
    dest = operation.flags_dest or "args"
    kind, _, target = dest.partition(":")
    if dest in ("args", "args:click", "globals") or (kind in ("global", "namespace", "config") and target.strip()):
        return dest
    raise CommandError(
        f"flags-dest of operation '{operation.name}' is '{printable(dest)}': expected "
        "args, args:click, globals, global:NAME, namespace:NAME or config:FILE",
        hint="Mend flags-dest in the model file",
    )


def _root(operation: OperationDef, key: str, word: str, project: str) -> tuple[str, tuple[str, ...]]:
    """Return the directory that a script or module is looked for in, and all that are when there are several.

    It is that of the source code, when `sourcecode` says one and `main` what is run.
    """
    if operation.parents:
        from operations.parent_folders import module_roots, root_of

        roots = module_roots(operation, key, project)
        return root_of(word, roots), roots
    root = operation.sourcecode.root if operation.sourcecode and key == "main" else ""
    return os.path.normpath(os.path.join(project, root)) if root not in ("", ".") else project, ()


def _own_python_path(operation: OperationDef, project: str) -> list[str]:
    if not operation.python_path:
        return []
    from operations.parent_folders import python_path

    return python_path(operation, project)


def _program(word: str, root: str) -> tuple[list[str], list[str]]:
    """Return what follows the interpreter, and the directories to search for a module first."""
    if word.endswith(".py"):
        return [_inside(word, root, "script")], []
    directory, _, module = word.rpartition("/")
    if not directory:
        return ["-m", word], []
    return ["-m", module], [_inside(directory, root, "directory")]


def _inside(relative: str, root: str, kind: str) -> str:
    path = os.path.normpath(os.path.join(root, relative))
    root = os.path.normpath(root)
    if os.path.commonpath((root, path)) != root:
        raise CommandError(
            f"{kind} '{printable(relative)}' lies outside the project directory {printable(root, 4096)}",
            hint=f"Move the {kind} into the project, or run a module that is installed",
        )
    return path


def _with_project_script(argv: list[str], places: Sequence[str]) -> list[str]:
    """Return the command with the script that it starts as an absolute path, since it starts in the run directory.

    Only what is run is looked for in `places`, as a rule the project's directory: the program itself when it is a path,
    and the first argument of a well-known interpreter. Any other word may just as well name a file that the process is
    to write.
    """
    position = 0
    if os.path.basename(argv[0]).rstrip("0123456789.") in _INTERPRETERS:
        position = next((number for number, word in enumerate(argv) if number and not word.startswith("-")), 0)
        if argv[1:position] and argv[position - 1] in ("-c", "-m", "-e"):
            return argv
    word = argv[position]
    if (position or "/" in word) and not os.path.isabs(word):
        paths = (os.path.normpath(os.path.join(place, word)) for place in places)
        argv[position] = next(filter(os.path.isfile, paths), word)
    return argv


def _passed(
    written: _Written, told: Mapping[str, Argument], style: str, words: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Return the flags as arguments, and warnings for those that the command spells out itself."""
    spelled = spelled_options(words)
    passed: list[str] = []
    warnings: list[str] = []
    for name, argument in told.items():
        if name in spelled:
            warnings.append(shadowed_warning(written.place, argument, name))
        else:
            passed += argument_words(name, argument, style)
    return passed, warnings


def _refuse_impossible(operation: OperationDef, argv: Sequence[str]) -> None:
    """Find what the system would refuse, so that it is an error of the flag and not a crash at the start."""
    for word in argv:
        try:
            possible = b"\0" not in os.fsencode(word)
        except UnicodeEncodeError:
            possible = False
        if not possible:
            shown = printable(word, 80)
            raise CommandError(
                f"operation '{operation.name}' cannot be started: '{shown}' cannot be passed to a process",
                hint="Remove the character that is written as an escape here",
            )
