"""What a model file says, as plain values; apart from its reader, so that using them needs no YAML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from ledger.dataclass import dataclass, field

FlagValue: TypeAlias = bool | int | float | str | list["FlagValue"] | dict[str, "FlagValue"] | None
"""The value of a flag: what a YAML scalar, list or mapping with text keys can hold."""

FLAG_TYPES = ("string", "int", "float", "number", "boolean", "path", "existing-path", "filename", "auto")
"""What `type` of a flag may say; `auto` is what YAML makes of the text, and the same as saying nothing."""

SOURCE_KINDS = ("file", "url", "operation", "module", "config")
"""Where a source of a resource may come from; each is also the key that names it in a model file."""


@dataclass(frozen=True, slots=True)
class ChoiceDef:
    """One of the values that a flag may have; `args`, when given, are passed in place of the flag.

    `alias`, when given, may be typed instead of the value.
    """

    value: FlagValue
    description: str = ""
    args: Mapping[str, FlagValue] | None = None
    alias: FlagValue = None


@dataclass(frozen=True, slots=True)
class FlagDef:
    """One flag of an operation.

    Attributes:
        name: what a user types.
        default: None when there is none.
        description: its first line is what listings show.
        required: whether a run without a value is refused.
        type: one of `FLAG_TYPES`, None when nothing is said.
        choices: the values it may have; empty for any.
        allow_other: whether values besides the choices are accepted as well.
        minimum: the least number, None for any.
        maximum: the greatest number, None for any.
        arg_name: what the process calls it, None for its own name.
        arg_skip: whether the process is not told of it.
        arg_switch: the value at which only `--NAME` is passed, and nothing at any other; None for none.
        arg_split: text at which a value is taken apart into several arguments, None for none.
        env_name: environment variable that carries it besides `FLAG_NAME`, None for none.
        folder: absolute directory of the package that the default is inherited from, empty for none.
    """

    name: str
    default: FlagValue = None
    description: str = ""
    required: bool = False
    type: str | None = None
    choices: tuple[ChoiceDef, ...] = ()
    allow_other: bool = False
    minimum: float | None = None
    maximum: float | None = None
    arg_name: str | None = None
    arg_skip: bool = False
    arg_switch: FlagValue = None
    arg_split: str | None = None
    env_name: str | None = None
    folder: str = ""


@dataclass(frozen=True, slots=True)
class SourceDef:
    """One source of a resource.

    Attributes:
        kind: one of `SOURCE_KINDS`.
        target: what it names: a path in the project, a URL, `[MODEL:]OPERATION`, a module, a config file.
        name: what messages and overriding flags call it; empty for `target`.
        sha256: digest in hexadecimal that the file must have, None for any.
        unpack: whether an archive is unpacked; None decides by its name.
        select: regular expressions of the files wanted from a directory, an archive or a run; empty for all.
        select_min: instead of expressions: the scalar whose least value chooses the run; None for none.
        select_max: the same for the greatest value.
        rename: pairs of pattern and replacement for the names of what is resolved.
        target_path: directory below the run directory, empty for the resource's own.
        target_type: `copy` or `link`, None for the default.
        warn_if_empty: whether nothing found is worth a warning.
        fail_if_empty: whether nothing found is an error.
        params: of a config file: values to put in place, by dotted name.
        folder: absolute directory of the package that it is inherited from, empty for none.
    """

    kind: str
    target: str
    name: str = ""
    sha256: str | None = None
    unpack: bool | None = None
    select: tuple[str, ...] = ()
    select_min: str | None = None
    select_max: str | None = None
    rename: tuple[tuple[str, str], ...] = ()
    target_path: str = ""
    target_type: str | None = None
    warn_if_empty: bool = True
    fail_if_empty: bool = False
    params: Mapping[str, FlagValue] = field(default_factory=dict)
    folder: str = ""


@dataclass(frozen=True, slots=True)
class ResourceDef:
    """Files that operations require.

    Attributes:
        name: what `requires` calls it; of one written inline, its `name` or the name of its first source.
        sources: in the file's order.
        description: what it is.
        target_path: directory below the run directory that its files go to.
        target_type: `copy` or `link` for sources that say nothing; None for the default.
        default_unpack: for sources that say nothing; None decides by each name.
        private: whether listings leave it out.
    """

    name: str
    sources: tuple[SourceDef, ...]
    description: str = ""
    target_path: str = ""
    target_type: str | None = None
    default_unpack: bool | None = None
    private: bool = False


@dataclass(frozen=True, slots=True)
class RequirementDef:
    """What an operation requires: a resource by name, or one written where it is needed.

    Attributes:
        name: `RES`, `MODEL:RES` or `PACKAGE/RES`, which may hold `${flag}`; of an inline one, its own.
        resource: the inline one; None for a name, to be found once the flags are known.
        description: why it is needed.
    """

    name: str
    resource: ResourceDef | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class SourceRule:
    """Whether files that match are part of the source code; the last rule that matches decides.

    Attributes:
        include: True to take, False to leave out.
        pattern: with `*`, `?`, `[...]` and `**`, relative to the root.
        kind: `any`, `text`, `binary` (by content) or `dir`.
    """

    include: bool
    pattern: str
    kind: str = "any"


@dataclass(frozen=True, slots=True)
class SourceCodeDef:
    """What of a project belongs to the snapshot of an operation.

    Attributes:
        enabled: False to take none.
        root: directory relative to the model file.
        rules: applied after the usual ones, in order.
        only: whether nothing but what the rules include is taken.
    """

    enabled: bool = True
    root: str = "."
    rules: tuple[SourceRule, ...] = ()
    only: bool = False


@dataclass(frozen=True, slots=True)
class StepDef:
    """One step of an operation that runs others.

    Attributes:
        run: `[MODEL:]OPERATION`, which may hold `${flag}`.
        flags: words `NAME=VALUE` as on the command line; values may hold `${flag}`.
        name: what the run directory of the operation calls the step's run; empty for the operation's name.
        label: label template of the step's run, None for the operation's.
        tags: tags of the step's run.
        needed: whether an equal run that is complete is taken instead.
    """

    run: str
    flags: tuple[str, ...] = ()
    name: str = ""
    label: str | None = None
    tags: tuple[str, ...] = ()
    needed: bool = False


@dataclass(frozen=True, slots=True)
class OperationDef:
    """One operation of a model; exactly one of `cmd`, `main`, `exec` and `steps` is given.

    Attributes:
        name: what a user types.
        description: its first line is what listings show.
        cmd: a Python module or `.py` file of the project, with arguments; of the early format.
        flags: the model's and its own, in the file's order.
        main: a Python module (`train`, `pkg/train`) with arguments; of the later format.
        exec: any command with arguments; `${flag_args}` stands for the flags as arguments.
        steps: operations to run one after the other.
        requires: what must be there before the process starts.
        flags_import: which flags of the script are taken: names, or `all`; None when nothing is said.
        flags_import_skip: names not taken.
        flags_dest: where the process gets the flags: `args`, `args:click`, `globals`, `global:NAME`,
            `namespace:NAME`, `config:FILE`; None decides by the script.
        env: variables for the process; values may hold `${flag}`.
        label: template of the label, with `${flag}`; None for none.
        tags: tags of each run.
        sourcecode: its own, else the model's; None when neither says anything.
        output_scalars: patterns as written; None when nothing is said, False for none.
        compare: columns as written.
        default: whether `guild run` without a name means this operation.
        alias: name of a command that starts it as `guild ALIAS`; None for none.
        python_path: directories put before the module path, relative to the model file.
        stoppable: whether ending by a stop counts as completed.
        line: line of its name in the file, from 1; 0 when it is not from a file.
        any_flags: whether flags that nobody has defined are passed on; so it is with programs that cannot be read.
        parents: absolute directories of the packages that its model inherits from, the nearest first.
        folders: by key, for what it inherits from one of them: the absolute directory of that.
    """

    name: str
    description: str = ""
    cmd: str = ""
    flags: tuple[FlagDef, ...] = ()
    main: str = ""
    exec: str = ""
    steps: tuple[StepDef, ...] = ()
    requires: tuple[RequirementDef, ...] = ()
    flags_import: tuple[str, ...] | str | None = None
    flags_import_skip: tuple[str, ...] = ()
    flags_dest: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    label: str | None = None
    tags: tuple[str, ...] = ()
    sourcecode: SourceCodeDef | None = None
    output_scalars: FlagValue = None
    compare: tuple[str, ...] = ()
    default: bool = False
    alias: str | None = None
    python_path: tuple[str, ...] = ()
    stoppable: bool = False
    line: int = 0
    any_flags: bool = False
    parents: tuple[str, ...] = ()
    folders: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelDef:
    """One model.

    Attributes:
        name: empty for operations that a file holds without a model.
        description: its first line is what listings show.
        operations: in the file's order, inherited ones included.
        private: whether listings leave it out and names do not find it.
        resources: in the file's order, inherited ones included.
        references: URLs.
        extra: what the file says under `extra`, as written.
        project: absolute directory that its paths are relative to; empty for the model file's.
        package: name of the distribution that carries it; None for a model file's.
    """

    name: str
    description: str = ""
    operations: tuple[OperationDef, ...] = ()
    private: bool = False
    resources: tuple[ResourceDef, ...] = ()
    references: tuple[str, ...] = ()
    extra: Mapping[str, FlagValue] = field(default_factory=dict)
    project: str = ""
    package: str | None = None


@dataclass(frozen=True, slots=True)
class PackageDef:
    """What a model file says of the package that can be built from it; values as a wheel's metadata has them."""

    name: str
    version: str
    description: str = ""
    url: str = ""
    author: str = ""
    author_email: str = ""
    license: str = ""
    tags: tuple[str, ...] = ()
    data_files: tuple[str, ...] = ()
    python_requires: str = ""
    requires: tuple[str, ...] = ()
    packages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file as read.

    Attributes:
        path: the file, as it was given to the reader.
        project: the absolute directory that holds it; symbolic links are kept.
        models: in the file's order; the first that is not private is the default model.
        warnings: one text for each key that this program does not know and therefore ignored.
        package: its `package` item, None without one.
    """

    path: str
    project: str
    models: tuple[ModelDef, ...]
    warnings: tuple[str, ...] = ()
    package: PackageDef | None = None
