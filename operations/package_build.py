"""Build a wheel from a project whose model file has a `package` item; no network and no build backend are needed.

A wheel of plain files is a zip archive with three small texts in it, so it is written here, and the same project always
gives the same bytes: entries are sorted and bear no time.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from ledger.dataclass import dataclass
from operations.package_files import PackageFile, is_file_inside, layout_of, package_files
from operations.package_metadata import (
    Identity,
    PackageError,
    Readme,
    entry_points_text,
    identity_of,
    metadata_text,
)

if TYPE_CHECKING:
    from zipfile import ZipFile

    from artifacts.home import Home
    from operations.definitions import ModelFile, PackageDef

_CHUNK = 1 << 20
_README_BYTES = 1 << 20
_READMES = {
    "readme.md": "text/markdown",
    "readme.rst": "text/x-rst",
    "readme.txt": "text/plain",
    "readme": "text/plain",
}
_LICENSES = ("license", "licence", "copying", "notice")
_NO_TIME = (1980, 1, 1, 0, 0, 0)
_MODE, _EXECUTABLE = 0o100644, 0o100755
_UNIX = 3
_WHEEL = "Wheel-Version: 1.0\nGenerator: {program}\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@dataclass(frozen=True, slots=True)
class Built:
    """A wheel.

    Attributes:
        path: absolute path of it.
        name: of the package.
        version: in its normal form.
        files: how many files of the project it holds.
        is_new: False when the very same wheel was there before.
    """

    path: str
    name: str
    version: str
    files: int
    is_new: bool


def build_package(
    file: ModelFile,
    out_dir: str,
    *,
    env: Mapping[str, str],
    home: Home,
    program: str,
    force: bool = False,
    warn: Callable[[str], None],
) -> Built:
    """Write the wheel of a project into a directory, which is made when it is missing.

    Args:
        file: the project's model file.
        out_dir: absolute path of the directory.
        env: the user's environment, for git.
        home: the home of runs, which is no part of the project even when it lies there.
        program: what the wheel says it was written by.
        force: whether another wheel of the same version is replaced.
        warn: told what of the project is left out.

    Raises:
        PackageError: the project cannot be packaged, or another wheel of this version is there; nothing was written.
    """
    if file.package is None:
        raise PackageError(
            f"{file.path!r} says nothing of a package",
            hint="Add an item to it, such as:\n- package: my-models\n  version: 1.0",
        )
    identity = identity_of(file.package)
    layout = layout_of(file, identity.import_package)
    files = package_files(file, layout, out_dir=out_dir, env=env, home=home, warn=warn)
    texts = _texts(file, file.package, identity, layout.home) | {"WHEEL": _WHEEL.format(program=program).encode()}
    path = os.path.join(out_dir, identity.wheel_name)
    try:
        is_new = _write(path, identity, files, texts, force=force)
    except OSError as error:
        where = f" ({error.filename!r})" if error.filename else ""
        raise PackageError(f"the wheel cannot be written: {error.strerror or error}{where}") from error
    return Built(path, identity.name, identity.version, len(files), is_new)


def _texts(file: ModelFile, package: PackageDef, identity: Identity, import_package: str) -> dict[str, bytes]:
    """Return the texts that come from the project, by name."""
    top = sorted(name for name in os.listdir(file.project) if is_file_inside(file.project, name))
    licenses = [name for name in top if name.lower().partition(".")[0] in _LICENSES and name.isprintable()]
    texts = {f"licenses/{name}": _content(os.path.join(file.project, name)) for name in licenses}
    readme = _readme(file.project, top)
    texts["METADATA"] = metadata_text(package, identity, readme, licenses).encode(errors="replace")
    texts["entry_points.txt"] = entry_points_text(package.name, import_package).encode()
    return texts


def _readme(project: str, names: Sequence[str]) -> Readme | None:
    for wanted, content_type in _READMES.items():
        for name in names:
            if name.lower() == wanted:
                text = _content(os.path.join(project, name)).decode(errors="replace")
                return Readme(text.replace("\r\n", "\n"), f"{content_type}; charset=UTF-8")
    return None


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_README_BYTES)
    except OSError as error:
        raise PackageError(f"{path!r} cannot be read: {error.strerror}") from error


def _write(
    path: str, identity: Identity, files: Sequence[PackageFile], texts: Mapping[str, bytes], *, force: bool
) -> bool:
    """Write the wheel beside its place and move it there whole; tell whether anything changed."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    work = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.{os.urandom(8).hex()}")
    try:
        _write_archive(work, identity, files, texts)
        if os.path.lexists(path):
            if _digest(path) == _digest(work):
                return False
            if not force:
                raise PackageError(
                    f"{path!r} is there already, and is another one",
                    hint="Give the package a new 'version' in the model file, or use --force to replace the wheel.",
                )
        os.replace(work, path)
    finally:
        with suppress(OSError):
            os.unlink(work)
    return True


def _write_archive(path: str, identity: Identity, files: Sequence[PackageFile], texts: Mapping[str, bytes]) -> None:
    from io import BytesIO
    from zipfile import ZIP_DEFLATED, ZipFile

    record: list[tuple[str, str, int]] = []
    with ZipFile(path, "x", ZIP_DEFLATED) as archive:
        for file in files:
            if file.source is None:
                record.append(_add(archive, file.target, BytesIO(), executable=False))
                continue
            with open(file.source, "rb") as source:
                executable = bool(os.fstat(source.fileno()).st_mode & 0o100)
                record.append(_add(archive, file.target, source, executable=executable))
        for name, content in sorted(texts.items()):
            record += [_add(archive, f"{identity.info_dir}/{name}", BytesIO(content), executable=False)]
        lines = _record_lines(record, f"{identity.info_dir}/RECORD")
        _add(archive, f"{identity.info_dir}/RECORD", BytesIO("".join(lines).encode()), executable=False)


def _add(archive: ZipFile, target: str, source: IO[bytes], *, executable: bool) -> tuple[str, str, int]:
    from zipfile import ZIP_DEFLATED, ZipInfo

    entry = ZipInfo(target, _NO_TIME)
    entry.compress_type = ZIP_DEFLATED
    entry.create_system = _UNIX
    entry.external_attr = (_EXECUTABLE if executable else _MODE) << 16
    digest, size = hashlib.sha256(), 0
    # Sizes are not known before: without the wide header a file beyond 2 GiB could not be finished.
    with archive.open(entry, "w", force_zip64=True) as out:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            out.write(chunk)
    return target, base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode(), size


def _record_lines(record: Sequence[tuple[str, str, int]], own: str) -> Iterator[str]:
    """Yield the lines of RECORD, in CSV; its own has neither digest nor size."""
    for target, digest, size in record:
        yield f"{_quoted(target)},sha256={digest},{size}\n"
    yield f"{_quoted(own)},,\n"


def _quoted(text: str) -> str:
    if not any(letter in text for letter in ',"\r\n'):
        return text
    return '"' + text.replace('"', '""') + '"'


def _digest(path: str) -> bytes:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
