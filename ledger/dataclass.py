"""Dataclasses that cost next to nothing until one is made.

A command imports some forty to seventy of them, most of which it never uses, and the standard decorator writes,
compiles and runs five or six methods for each: a third of the time of `guild run`. Here the methods that can be shared
are shared, and `__init__` is compiled when the first object is made. What is declared, and what type checkers see, is
the standard thing; `dataclasses.fields`, `replace` and `asdict` work too (they build what they need when asked).

Import `dataclass`, `field` and `replace` from here instead of from `dataclasses`.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, NoReturn, TypeVar

    T = TypeVar("T")

__all__ = ["dataclass", "field", "names", "replace", "required", "values"]

_REQUIRED = object()  # stands for the default of a field that has none


class _Field:
    """What `field` says of a field: how its default is made, and whether it is shown."""

    __slots__ = ("factory", "shown")

    def __init__(self, *, default_factory: Callable[[], object] | None = None, repr: bool = True) -> None:  # noqa: A002 - the standard's own name
        self.factory = default_factory
        self.shown = repr


class _Standard:
    """An attribute that the standard module asks for: taken from a twin that the standard decorator made."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: object, owner: type) -> object:
        import dataclasses

        params = _fields(owner)
        twin = dataclasses.make_dataclass(
            owner.__name__,
            [(name, object, _standard_field(default)) for name, default in params.items()],
            frozen=getattr(owner, "__setattr__", None) is _refuse_assignment,
            kw_only=True,
        )
        for name in ("__dataclass_fields__", "__dataclass_params__"):
            setattr(owner, name, getattr(twin, name))
        return getattr(twin, self.name)


def required(cls: type) -> tuple[str, ...]:
    """Return the names of the fields without a default, in their order."""
    return tuple(name for name, default in _fields(cls).items() if _is_required(default))


def names(cls: type) -> tuple[str, ...]:
    """Return the names of the fields, in their order."""
    return tuple(_fields(cls))


def values(of: object) -> dict[str, Any]:
    """Return the values of an object's fields by name; they are not copied."""
    return {name: getattr(of, name) for name in _fields(type(of))}


def _decorator(*, slots: bool, frozen: bool = False, kw_only: bool = False) -> Callable[[type], type]:
    if not slots:
        raise TypeError("only classes with slots are made here")

    def decorated(cls: type) -> type:
        return _made(cls, frozen=frozen, kw_only=kw_only)

    return decorated


def _made(cls: type, *, frozen: bool, kw_only: bool) -> type:
    """Return the class again with slots for its fields, and with the methods of a dataclass."""
    namespace = dict(vars(cls))
    own = {
        name: namespace.pop(name, _REQUIRED)
        for name, kind in cls.__annotations__.items()
        if not str(kind).startswith("ClassVar")
    }
    inherited: dict[str, object] = {}
    for base in reversed(cls.__mro__[1:]):
        inherited.update(_fields(base))
    fields = inherited | own
    namespace.pop("__dict__", None)
    namespace.pop("__weakref__", None)
    namespace["__slots__"] = tuple(name for name in own if name not in inherited)
    namespace["__fields__"] = fields
    namespace["__values__"] = attrgetter(*fields) if fields else _nothing
    namespace["__match_args__"] = () if kw_only else tuple(fields)
    namespace["__init__"] = _first_init(fields, frozen=frozen, kw_only=kw_only)
    namespace.update({name: method for name, method in _SHARED.items() if name not in namespace})
    if frozen:
        namespace.update(__setattr__=_refuse_assignment, __delattr__=_refuse_deletion, __hash__=_hash)
    else:
        namespace["__hash__"] = None
    return type(cls)(cls.__name__, cls.__bases__, namespace)


def _first_init(fields: Mapping[str, object], *, frozen: bool, kw_only: bool) -> Callable[..., None]:
    """Return an `__init__` that puts a compiled one in its own place when it is called for the first time."""

    def first(self: object, *args: object, **kwargs: object) -> None:
        compiled = _compiled(fields, frozen=frozen, kw_only=kw_only)
        for cls in type(self).__mro__:
            if vars(cls).get("__init__") is first:
                type.__setattr__(cls, "__init__", compiled)
        compiled(self, *args, **kwargs)

    return first


def _compiled(fields: Mapping[str, object], *, frozen: bool, kw_only: bool) -> Callable[..., None]:
    """Return the `__init__` of these fields. Their names come from source files, never from data."""
    known: dict[str, Any] = {"_set": object.__setattr__, "_unset": _REQUIRED}
    parameters = ["self", "*"] if kw_only and fields else ["self"]
    lines = []
    for name, default in fields.items():
        value = name
        if _is_required(default):
            parameters.append(name)
        elif isinstance(default, _Field):
            known[f"_make_{name}"] = default.factory
            parameters.append(f"{name}=_unset")
            value = f"_make_{name}() if {name} is _unset else {name}"
        else:
            known[f"_default_{name}"] = default
            parameters.append(f"{name}=_default_{name}")
        lines.append(f" _set(self, {name!r}, {value})" if frozen else f" self.{name} = {value}")
    text = f"def __init__({', '.join(parameters)}):\n" + ("\n".join(lines) or " pass")
    exec(text, known)  # noqa: S102 - see above; the standard decorator does the same
    compiled: Callable[..., None] = known["__init__"]
    return compiled


def _fields(cls: type) -> Mapping[str, object]:
    found: Mapping[str, object] = getattr(cls, "__fields__", {})
    return found


def _is_required(default: object) -> bool:
    return default is _REQUIRED or (isinstance(default, _Field) and default.factory is None)


def _standard_field(default: object) -> Any:
    import dataclasses

    if _is_required(default):
        return dataclasses.field()
    if isinstance(default, _Field):
        return dataclasses.field(default_factory=default.factory or dict, repr=default.shown)
    return dataclasses.field(default=default)


def _nothing(_of: object) -> tuple[()]:
    return ()


def _equal(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    values_of = type(self).__values__
    return values_of(self) == values_of(other)


def _hash(self: Any) -> int:
    return hash(type(self).__values__(self))


def _shown(self: object) -> str:
    fields = _fields(type(self)).items()
    shown = [name for name, default in fields if not isinstance(default, _Field) or default.shown]
    return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"


def _reduced(self: object) -> tuple[object, ...]:
    """Say how to make the object again: neither pickle nor copy may assign to a frozen one."""
    return _again, (type(self), values(self))


def _again(cls: Callable[..., T], given: Mapping[str, object]) -> T:
    return cls(**given)


def _refuse_assignment(_self: object, name: str, _value: object) -> NoReturn:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_deletion(_self: object, name: str) -> NoReturn:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _replaced(of: T, /, **changes: object) -> T:
    return type(of)(**{**values(of), **changes})


_SHARED = {
    "__eq__": _equal,
    "__repr__": _shown,
    "__reduce__": _reduced,
    "__dataclass_fields__": _Standard("__dataclass_fields__"),
    "__dataclass_params__": _Standard("__dataclass_params__"),
}

if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace
else:
    dataclass, field, replace = _decorator, _Field, _replaced
