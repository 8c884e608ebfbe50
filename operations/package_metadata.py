"""What the metadata of a wheel says, made from the `package` item of a model file and checked first.

Names, versions and requirements follow the specifications of the Python packaging authority; a value that pip would
refuse later is refused here, with the key it stands under.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence

from ledger.dataclass import dataclass
from ledger.errors import GuildError
from ledger.text import printable
from operations.definitions import PackageDef
from operations.package_probe import GROUP
from operations.packages import normalised

_NAME = re.compile(r"[A-Z0-9](?:[A-Z0-9._-]*[A-Z0-9])?", re.IGNORECASE | re.ASCII)
_VERSION = re.compile(
    r"v?(?:(?P<epoch>\d+)!)?(?P<release>\d+(?:\.\d+)*)"
    r"(?:[-_.]?(?P<pre>alpha|a|beta|b|preview|pre|rc|c)[-_.]?(?P<pre_number>\d*))?"
    r"(?:-(?P<dash>\d+)|[-_.]?(?P<post>post|rev|r)[-_.]?(?P<post_number>\d*))?"
    r"(?:[-_.]?(?P<dev>dev)[-_.]?(?P<dev_number>\d*))?"
    r"(?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?",
    re.IGNORECASE | re.ASCII,
)
_PRE = {"alpha": "a", "beta": "b", "preview": "rc", "pre": "rc", "c": "rc"}
_CLAUSE = re.compile(r"(?:(?:~=|==|!=|<=|>=|<|>)\s*(?P<version>[^\s*]+?)(?:\.\*)?|===\s*\S+)", re.ASCII)
_REQUIREMENT = re.compile(
    r"(?P<name>[A-Z0-9](?:[A-Z0-9._-]*[A-Z0-9])?)\s*(?:\[\s*[A-Z0-9._,\s-]*\])?\s*"
    r"(?:@\s*(?P<url>\S+)|\(?(?P<specifiers>[^;()@]*)\)?)\s*(?:;\s*(?P<marker>\S.*))?",
    re.IGNORECASE | re.ASCII,
)
# Licences whose identifiers may be claimed without a list at hand; any other text goes into the old field.
_SPDX = frozenset(
    """
    0BSD AGPL-3.0-only AGPL-3.0-or-later Apache-2.0 BSD-2-Clause BSD-3-Clause BSL-1.0 CC-BY-4.0 CC-BY-SA-4.0 CC0-1.0
    EPL-2.0 GPL-2.0-only GPL-2.0-or-later GPL-3.0-only GPL-3.0-or-later ISC LGPL-2.1-only LGPL-2.1-or-later
    LGPL-3.0-only LGPL-3.0-or-later MIT MPL-2.0 PSF-2.0 Unlicense Zlib
    """.split()  # noqa: SIM905 - read as prose
)
_OWN_NAMES = ("guild", "guild-ledger")
_SUMMARY_LIMIT = 512
_FIELD_LIMIT = 4096


class PackageError(GuildError):
    """A package cannot be built from the project as it is; nothing was written."""


@dataclass(frozen=True, slots=True)
class Readme:
    """The long description: its text and its content type."""

    text: str
    content_type: str


@dataclass(frozen=True, slots=True)
class Identity:
    """What a wheel is called.

    Attributes:
        name: as the model file has it.
        file_name: the name as it stands in names of files and as the default import package.
        version: in its normal form.
    """

    name: str
    file_name: str
    version: str

    @property
    def info_dir(self) -> str:
        """The folder of the metadata."""
        return f"{self.file_name}-{self.version}.dist-info"

    @property
    def wheel_name(self) -> str:
        """The name of the wheel's file."""
        return f"{self.file_name}-{self.version}-py3-none-any.whl"

    @property
    def import_package(self) -> str:
        """The folder that the project goes to when `packages` names none."""
        usable = self.file_name.isidentifier() and not keyword.iskeyword(self.file_name)
        return self.file_name if usable else f"model_{self.file_name}"


def identity_of(package: PackageDef) -> Identity:
    """Return what the wheel of a package is called.

    Raises:
        PackageError: a name or version is none that pip takes.
    """
    if not _NAME.fullmatch(package.name):
        raise PackageError(
            f"'{printable(package.name)}' is not the name of a package: expected ASCII letters and digits, "
            "with '-', '_' or '.' between them",
            hint="For example: package: iris-models",
        )
    if normalised(package.name) in _OWN_NAMES:
        raise PackageError(f"a package cannot be called '{package.name}'", hint="Choose a name of your own.")
    return Identity(package.name, normalised(package.name).replace("-", "_"), normal_version(package.version))


def normal_version(text: str) -> str:
    """Return a version in its normal form: `1.0-beta.2` is `1.0b2`.

    Raises:
        PackageError: it is none.
    """
    found = _VERSION.fullmatch(text.strip())
    if found is None:
        raise PackageError(
            f"'version: {printable(text)}' is not a version that pip understands",
            hint="For example: 1.0, 1.0rc1, 1.0.post1 or 2.1.dev3",
        )
    parts = [".".join(str(int(number)) for number in found["release"].split("."))]
    if found["epoch"] and int(found["epoch"]):
        parts.insert(0, f"{int(found['epoch'])}!")
    if found["pre"]:
        word = found["pre"].lower()
        parts.append(f"{_PRE.get(word, word)}{int(found['pre_number'] or 0)}")
    if found["dash"] or found["post"]:
        parts.append(f".post{int(found['dash'] or found['post_number'] or 0)}")
    if found["dev"]:
        parts.append(f".dev{int(found['dev_number'] or 0)}")
    if found["local"]:
        local = re.split("[-_.]", found["local"].lower())
        parts.append("+" + ".".join(str(int(part)) if part.isdigit() else part for part in local))
    return "".join(parts)


def metadata_text(package: PackageDef, identity: Identity, readme: Readme | None, licenses: Sequence[str]) -> str:
    """Return the text of METADATA.

    Args:
        package: what the model file says.
        identity: what the wheel is called.
        readme: the long description, None for the rest of the short one.
        licenses: names of licence files.

    Raises:
        PackageError: a requirement is none that pip takes.
    """
    summary, _, rest = package.description.strip().partition("\n")
    fields = [
        ("Metadata-Version", "2.4"),
        ("Name", identity.name),
        ("Version", identity.version),
        ("Summary", summary[:_SUMMARY_LIMIT]),
        ("Keywords", ",".join(" ".join(tag.replace(",", " ").split()) for tag in package.tags)),
        ("Author", package.author),
        ("Author-email", package.author_email),
        (_license_field(package.license), package.license),
        *(("License-File", name) for name in licenses),
        ("Project-URL", f"Homepage, {package.url}" if package.url else ""),
        ("Requires-Python", _checked_specifiers(package.python_requires, "python-requires")),
        *(("Requires-Dist", _checked_requirement(text)) for text in package.requires),
        ("Description-Content-Type", readme.content_type if readme else ""),
    ]
    lines = [f"{key}: {printable(' '.join(value.split()), _FIELD_LIMIT)}" for key, value in fields if value.strip()]
    body = readme.text if readme else rest.strip()
    return "\n".join(lines) + "\n" + (f"\n{body.rstrip()}\n" if body.strip() else "")


def entry_points_text(package: str, import_package: str) -> str:
    """Return the text of entry_points.txt: where the models are."""
    return f"[{GROUP}]\n{package} = {import_package}\n"


def _license_field(text: str) -> str:
    words = text.replace("(", " ").replace(")", " ").split()
    names, joints = words[::2], words[1::2]
    known = len(words) % 2 == 1 and _SPDX.issuperset(names) and {"AND", "OR"}.issuperset(joints)
    return "License-Expression" if known else "License"


def _checked_specifiers(text: str, key: str) -> str:
    for clause in filter(None, (part.strip() for part in text.split(","))):
        found = _CLAUSE.fullmatch(clause)
        if found is None or (found["version"] and not _VERSION.fullmatch(found["version"])):
            raise PackageError(
                f"'{printable(clause)}' under '{key}' is not a condition on a version", hint="For example: >=3.11,<4"
            )
    return text


def _checked_requirement(text: str) -> str:
    found = _REQUIREMENT.fullmatch(text.strip())
    if found is None:
        raise PackageError(
            f"'{printable(text)}' under 'requires' is not a requirement that pip understands",
            hint="For example: numpy>=1.26 or pandas[excel]~=2.1",
        )
    _checked_specifiers(found["specifiers"] or "", "requires")
    return text
