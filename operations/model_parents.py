"""Models of installed packages that a model file extends; apart because few do, and a look at packages takes a while.

A package's model is taken with all that it inherits and includes where it is defined. Its parameters are replaced
only in the model that extends it, which may say others.
"""

from __future__ import annotations

import os.path
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ledger.errors import GuildError
from ledger.text import did_you_mean, printable
from operations.model_include import Includes
from operations.model_inherit import Asked, Family, Lent
from operations.model_items import read_items
from operations.model_shapes import NAMES
from operations.model_text import Owner
from operations.model_tree import Budget, found, is_nothing, mapping_of, merged, text_of
from operations.nodes import MappingNode, Node, NodeError
from operations.packages import model_path_of, normalised

if TYPE_CHECKING:
    from collections.abc import Sequence

    from operations.model_text import Notes, Sources
    from operations.packages import Carried, InstalledPackages

_LISTED = 8


class Parents:
    """The models of packages that one model file extends; each package's file is read once."""

    def __init__(self, installed: InstalledPackages | None, sources: Sources, notes: Notes, budget: Budget) -> None:
        """Take what the file that is read has in common with those of packages.

        Args:
            installed: gives the packages; None for none.
            sources: where texts go.
            notes: where warnings go.
            budget: how much may be copied.
        """
        self._installed = installed
        self._sources = sources
        self._notes = notes
        self._budget = budget
        self._carried: dict[str, Carried] | None = None
        self._files: dict[str, _PackageFile] = {}

    def lend(self, asked: Asked) -> Lent:
        """Return what the model says that `PACKAGE/MODEL` names.

        Raises:
            NodeError: there is no such package or model, its file cannot be used, or it leads back to the child.
        """
        package, _, model = asked.name.partition("/")
        if not package or not model or "/" in model:
            raise _wrong(asked, "is no name of a model", "expected MODEL, or PACKAGE/MODEL of an installed package")
        file = self._file(asked, package)
        if model not in file.family.items:
            known = [name for name in file.family.items if name]
            wanted = f"expected one of {_listed(known)}" if known else "it has none with a name"
            missing = f"is not there: package '{file.package}' has no such model"
            raise _wrong(asked, missing, f"{wanted}{did_you_mean(model, known)}")
        name = f"{file.package}/{model}"
        if name in asked.chain:
            raise asked.circle(name)
        asked.check_depth()
        return file.model(model, asked.chain)

    def _file(self, asked: Asked, package: str) -> _PackageFile:
        carried = self._packages(asked)
        found = carried.get(normalised(package))
        if found is None:
            known = sorted(one.package for one in carried.values())
            wanted = f"expected one of {_listed(known)}" if known else "there is none at all"
            missing = f"is not there: no package '{package}' that carries models is installed"
            raise _wrong(asked, missing, f"{wanted}{did_you_mean(package, known)}")
        if found.package not in self._files:
            self._files[found.package] = self._read(asked, found)
        return self._files[found.package]

    def _packages(self, asked: Asked) -> dict[str, Carried]:
        if self._carried is None:
            try:
                packages = self._installed() if self._installed else ()
            except GuildError as error:
                raise _wrong(asked, "cannot be looked for", error.message) from error
            self._carried = {}
            for carried in (carried for one in packages for carried in one.carried):
                self._carried.setdefault(normalised(carried.package), carried)
        return self._carried

    def _read(self, asked: Asked, carried: Carried) -> _PackageFile:
        try:
            path = model_path_of(carried)
            owner = Owner(carried.package, os.path.dirname(os.path.abspath(path)))
            items = read_items(path, self._sources, self._notes, owner)
        except OSError as error:
            raise _wrong(asked, "cannot be read", str(error.strerror)) from error
        except GuildError as error:
            raise _wrong(asked, "cannot be used", error.message) from error
        return _PackageFile(owner, Family(items, self._budget, self.lend, carried.package), self._budget)


class _PackageFile:
    """The model file of a package."""

    def __init__(self, owner: Owner, family: Family, budget: Budget) -> None:
        self.package = owner.package
        self.family = family
        self._folder = owner.folder
        self._includes = Includes(_Wholes(family), budget)

    def model(self, name: str, chain: tuple[str, ...]) -> Lent:
        """Return a model with all that it inherits and includes, and with the parameters that all of this may need."""
        self.family.whole(self.family.items[name], chain)
        node = self._includes.written_out(name)
        lenders = self._includes.lenders(name)
        params = found(node, "params")
        for lender in lenders:
            params = _params(params, found(self.family.whole(self.family.items[lender]), "params"))
        if params is not None:
            rest = [pair for pair in node.pairs if pair[0].text != "params"]
            node = mapping_of([*rest, (text_of("params", params.place), params)], node.place)
        folders = [self._folder, *(folder for one in (name, *lenders) for folder in self.family.folders(one))]
        return Lent(node, tuple(dict.fromkeys(folders)))


class _Wholes(Mapping[str, MappingNode]):
    """The models of a package with what they inherit, found when they are asked for: others may be at fault."""

    def __init__(self, family: Family) -> None:
        self._family = family

    def __getitem__(self, name: str) -> MappingNode:
        return self._family.whole(self._family.items[name])

    def __contains__(self, name: object) -> bool:
        return name in self._family.items

    def __iter__(self) -> Iterator[str]:
        return iter(self._family.items)

    def __len__(self) -> int:
        return len(self._family.items)


def _params(over: Node | None, under: Node | None) -> Node | None:
    if over is None or under is None or is_nothing(over) or is_nothing(under):
        return under if over is None or is_nothing(over) else over
    return merged(under, over, NAMES)


def _wrong(asked: Asked, what: str, wanted: str) -> NodeError:
    return NodeError(f"{asked.child} extends '{asked.name}', which {what}: {wanted}", asked.place)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(printable(name, 60) for name in names[:_LISTED]) + more
