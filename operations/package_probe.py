"""What the distributions of one Python environment declare; nothing of them is imported.

This file also runs in other interpreters than the program's own, older ones included, which know nothing of it: so it
imports only the standard library, and gives plain lists.
"""

from __future__ import annotations

GROUP = "guild_ledger.models"
"""The entry points by which a distribution says that it carries models: `PACKAGE = IMPORT_PACKAGE`."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.metadata import Distribution

    Row = tuple[str, str, str, str, list[tuple[str, str, str]]]


def probe(everything: bool) -> list[Row]:
    """Return name, version, summary, location and entries of each distribution that carries models.

    An entry is the package's name, what it points to, and the absolute folder of that, empty when there is none.

    Args:
        everything: whether distributions without models are listed as well.
    """
    from importlib.metadata import distributions

    rows, names = [], set()
    for distribution in distributions():
        try:
            row = _row(distribution, everything)
        except Exception:  # noqa: BLE001, S112 - one damaged distribution must not hide the others
            continue
        if row is not None and _normal(row[0]) not in names:
            names.add(_normal(row[0]))
            rows.append(row)
    return rows


def _row(distribution: Distribution, everything: bool) -> Row | None:
    declares = GROUP in (distribution.read_text("entry_points.txt") or "")
    if not declares and not everything:
        return None
    name = _text(distribution, "Name")
    location = str(distribution.locate_file(""))
    if not name or (not everything and _is_shadowed(name, location)):
        return None
    entries = []
    for entry in distribution.entry_points if declares else ():
        if entry.group == GROUP:
            target = entry.value.partition(":")[0].partition("[")[0].strip()
            entries.append((entry.name, target, _folder(distribution, target)))
    return name, _text(distribution, "Version"), _text(distribution, "Summary"), location, entries


def _text(distribution: Distribution, key: str) -> str:
    return str((distribution.metadata.get_all(key) or [""])[0])


def _is_shadowed(name: str, location: str) -> bool:
    """Tell whether another version, nearer on the path, is the one that imports find."""
    from importlib.metadata import distribution

    return str(distribution(name).locate_file("")) != location


def _folder(distribution: Distribution, target: str) -> str:
    import os

    parts = target.split(".")
    if not all(part.isidentifier() for part in parts):
        return ""
    # Where its files are comes first: a folder of that name in the working directory must not stand in for it.
    beside = os.path.abspath(str(distribution.locate_file(os.path.join(*parts))))
    if os.path.isdir(beside):
        return beside
    found = _search(parts[0])
    below = os.path.join(found, *parts[1:]) if found else ""
    return os.path.abspath(below) if below and os.path.isdir(below) else ""


def _search(name: str) -> str:
    """Return the folder of a top-level package, as an editable installation may have it anywhere; looking is safe."""
    from importlib.util import find_spec

    try:
        spec = find_spec(name)
    except Exception:  # noqa: BLE001 - finders are anybody's code
        return ""
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    return str(places[0]) if places else ""


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")
