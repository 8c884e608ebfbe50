"""What `guild operations` and `guild models` have in common: their options, their scope, and how rows are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from commands.app import App
from commands.catalogs import catalog_of
from commands.options import json_option
from commands.table import aligned
from commands.terminal import note, page, warn, width
from ledger.dataclass import dataclass
from ledger.text import printable

if TYPE_CHECKING:
    from operations.catalog import Catalog
    from operations.definitions import ModelDef

F = TypeVar("F", bound=Callable[..., Any])

LONGEST_NAME = 300
LONGEST_LINE = 400


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a listing.

    Attributes:
        name: full name.
        description: all lines of it; the row shows the first.
        details: the lines that `-v` adds, made when they are asked for.
        data: the JSON object, made when it is asked for.
    """

    name: str
    description: str
    details: Callable[[], Iterable[str]]
    data: Callable[[], dict[str, object]]


def catalog_options(command: F) -> F:
    """Add the filters and options of both listings to a command."""
    for option in (
        json_option,
        click.option("-v", "--verbose", is_flag=True, help="Show more of each."),
        click.option("-i", "--installed", is_flag=True, help="Only those of installed packages."),
        click.option("-a", "--all", "everywhere", is_flag=True, help="Those of installed packages as well."),
        click.argument("filters", metavar="[FILTER]...", nargs=-1),
    ):
        option(command)
    return command


def models_in_scope(app: App, catalog: Catalog, *, everywhere: bool, installed: bool) -> list[ModelDef]:
    """Return the models that a listing is about, and say so when the working directory limits it.

    Raises:
        ModelFileError: the directory's model file cannot be used.
    """
    if installed:
        return [model for model in catalog.packaged_models() if not model.private]
    is_local = catalog.path is not None
    if is_local and not everywhere:
        where = "the current directory" if app.directory is None else f"'{printable(app.directory, LONGEST_LINE)}'"
        note(f"Limiting models to {where} (use --all to include all)")
    if not is_local and (above := catalog.way_up()):
        note(above)
    local = list(catalog.local_models)
    packaged = catalog.packaged_models() if everywhere or not is_local else ()
    return [model for model in (*local, *packaged) if not model.private]


def show(items: Iterable[Item], filters: Sequence[str], *, verbose: bool, as_json: bool) -> None:
    """Print the items that hold every filter in their name or description, sorted by name."""
    wanted = sorted((item for item in items if _fits(item, filters)), key=lambda item: item.name)
    page(_json_lines(wanted) if as_json else _lines(wanted, verbose=verbose))


def opened(app: App) -> Catalog:
    """Return what can be run from the command's directory."""
    return catalog_of(app)


def tell_warnings(catalog: Catalog) -> None:
    """Say what the model file holds that is ignored."""
    if catalog.model_file is not None:
        for text in catalog.model_file.warnings:
            warn(text)


def _fits(item: Item, filters: Sequence[str]) -> bool:
    text = f"{item.name}\n{item.description}".lower()
    return all(word.lower() in text for word in filters)


def first_line(text: str) -> str:
    """Return what a row shows of a description."""
    return printable((text.strip().splitlines() or [""])[0], LONGEST_LINE)


def details_lines(description: str) -> Iterator[str]:
    """Yield what `-v` shows of a description: the lines after the first."""
    rest = "\n".join(description.strip().splitlines()[1:]).strip()
    yield "  details:" if rest else "  details: -"
    for line in rest.splitlines():
        yield f"    {printable(line.strip(), LONGEST_LINE)}".rstrip()


def _lines(items: Sequence[Item], *, verbose: bool) -> Iterator[str]:
    rows = [(printable(item.name, LONGEST_NAME), first_line(item.description)) for item in items]
    for item, line in zip(items, aligned(rows, None if verbose else width()), strict=True):
        yield line
        if verbose:
            yield from item.details()


def _json_lines(items: Sequence[Item]) -> Iterator[str]:
    """Yield a JSON array of the items, one line each."""
    yield "["
    for number, item in enumerate(items, 1):
        yield f"  {_json(item.data())}{',' if number < len(items) else ''}"
    yield "]"


def _json(data: dict[str, object]) -> str:
    import orjson

    from ledger.canonical import Value, encode

    try:
        return orjson.dumps(data).decode()
    except TypeError:  # text that is no Unicode: in the form that the ledger's bodies have
        from typing import cast

        return encode(cast("dict[str, Value]", data)).decode()
