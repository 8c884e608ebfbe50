"""The cheap dataclasses do what the standard ones do: the same declarations are made twice and compared."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from ledger.dataclass import dataclass, field, names, replace, required, values


@dataclass(frozen=True, slots=True)
class Point:
    """A frozen one with each kind of field."""

    kind: ClassVar[str] = "point"

    x: int
    y: int = 2
    marks: list[int] = field(default_factory=list)
    secret: str = field(default_factory=lambda: "s", repr=False)

    def total(self) -> int:
        """Return a sum, to see that methods stay."""
        return self.x + self.y


@dataclass(frozen=True, slots=True)
class Place(Point):
    """One that inherits fields and overrides a default."""

    y: int = 5
    name: str = "here"


@dataclass(slots=True, kw_only=True)
class Box:
    """A mutable one, by keyword only."""

    width: int
    height: int = 1


@dataclass(frozen=True, slots=True)
class Nothing:
    """One without fields."""


@dataclasses.dataclass(frozen=True, slots=True)
class StandardPoint:
    """What the standard module makes of the fields of `Point`."""

    x: int
    y: int = 2
    marks: list[int] = dataclasses.field(default_factory=list)
    secret: str = dataclasses.field(default_factory=lambda: "s", repr=False)


CALLS: list[Callable[[Any], Any]] = [
    lambda cls: cls(1),
    lambda cls: cls(1, 3),
    lambda cls: cls(x=1, marks=[4]),
    lambda cls: cls(1, 3, [4], "t"),
    lambda cls: cls(),
    lambda cls: cls(1, x=1),
    lambda cls: cls(1, z=1),
    lambda cls: cls(1, 2, [], "t", 5),
]


def outcome(call: Callable[[Any], Any], cls: Any) -> object:
    """Return the fields of what a call makes, or the words of its refusal."""
    try:
        return values(call(cls)) if cls is Point else dataclasses.asdict(call(cls))
    except TypeError as error:
        return str(error).replace("StandardPoint", "Point").rpartition("__init__")[2]


@pytest.mark.parametrize("call", CALLS)
def test_a_call_does_what_the_standard_one_does(call: Callable[[Any], Any]) -> None:
    """Arguments, defaults and refusals are those of the standard decorator."""
    assert outcome(call, Point) == outcome(call, StandardPoint)


def test_a_default_that_is_made_is_made_for_each() -> None:
    """Two objects do not share a list."""
    first, second = Point(1), Point(1)
    first.marks.append(1)
    assert (first.marks, second.marks) == ([1], [])


def test_a_frozen_one_refuses_changes_and_others() -> None:
    """Nothing is assigned to or deleted from a frozen object, and nothing has a `__dict__`."""
    point = Point(1)
    with pytest.raises(dataclasses.FrozenInstanceError, match="x"):
        point.x = 2  # type: ignore[misc] # what is refused
    with pytest.raises(dataclasses.FrozenInstanceError, match="x"):
        del point.x
    assert point.x == 1
    assert not hasattr(point, "__dict__")


def test_a_mutable_one_takes_changes_by_keyword_only() -> None:
    """What is not frozen can be changed, has no hash, and its fields have names only."""
    box = Box(width=2)
    box.height = 3
    assert (box.width, box.height) == (2, 3)
    assert Box.__hash__ is None
    with pytest.raises(TypeError):
        Box(2)
    with pytest.raises(AttributeError):
        box.depth = 1


def test_equal_ones_are_equal_and_of_one_class() -> None:
    """Equality asks for the class and every field; the hash agrees with it."""
    assert Place(1) == Place(1, 5)
    assert Place(1) != Place(1, 6)
    assert Point(1, 5) != Place(1)
    assert hash(Place(1, marks=())) == hash(Place(1, marks=()))  # type: ignore[arg-type] # a list has no hash
    assert Nothing() == Nothing()
    assert len({Nothing(), Nothing()}) == 1


def test_the_text_is_that_of_the_standard_one() -> None:
    """A field that is not to be shown is left out of the text."""
    assert repr(Point(1)) == repr(StandardPoint(1)).replace("StandardPoint", "Point")
    assert repr(Nothing()) == "Nothing()"


def test_inherited_fields_come_first_with_the_new_default() -> None:
    """A subclass has the fields of its base in their order, a default that it gives anew, and its own after them."""
    assert names(Place) == ("x", "y", "marks", "secret", "name")
    assert required(Place) == ("x",)
    assert (Place(1).y, Place(1).total(), Place.kind) == (5, 6, "point")


def test_copies_are_equal() -> None:
    """Frozen objects go through pickle, copy, deepcopy and replace."""
    place = Place(1, marks=[2])
    assert pickle.loads(pickle.dumps(place)) == place  # noqa: S301 - written a moment before
    assert copy.copy(place) == copy.deepcopy(place) == place
    assert replace(place, x=4) == Place(4, marks=[2])
    with pytest.raises(TypeError):
        replace(place, z=4)  # type: ignore[call-arg] # what is refused


def test_the_standard_functions_know_them() -> None:
    """`fields`, `replace`, `asdict`, `is_dataclass` and patterns work as with standard ones."""
    assert dataclasses.is_dataclass(Point)
    assert [found.name for found in dataclasses.fields(Place)] == list(names(Place))
    assert dataclasses.asdict(Place(1)) == values(Place(1))
    assert dataclasses.replace(Place(1), y=7).y == 7
    match Point(1, 9):
        case Point(x, y):
            assert (x, y) == (1, 9)
