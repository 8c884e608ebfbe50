r"""What a source snapshot holds, and what it is called.

`manifest` has one line for each file:

    sha256 of the content, two spaces, kind, two spaces, size in bytes, two spaces, path

The kind is `f` (file), `x` (executable file) or `l` (symbolic link, whose content is its target). In the
path, a backslash is doubled, and control characters and bytes that are not UTF-8 are written `\xNN`.

The digest is the SHA-256 of the bytes `guild source snapshot 1` and a zero byte, followed for each file, in
the order of the bytes of their paths, by: the length of the path as 8 bytes big-endian, the path, the kind as
one byte, the 32 bytes of the SHA-256 of the content. So equal code has an equal digest on every machine.
"""

from __future__ import annotations

import os
import re

from artifacts.home import Home
from ledger.dataclass import dataclass
from ledger.errors import GuildError

_DOMAIN = b"guild source snapshot 1\0"
_FIELDS = 4
SOURCE_MODES = {"f": 0o444, "x": 0o555}
"""Permission bits of the files of a snapshot, by kind: nobody is to change one."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file in a snapshot.

    Attributes:
        path: relative to the project.
        kind: `f` for a file, `x` for an executable one, `l` for a symbolic link.
        size: in bytes.
        sha256: of its content, hexadecimal.
    """

    path: str
    kind: str
    size: int
    sha256: str


def snapshot_dir(home: Home, digest: str) -> str:
    """Return the folder of a snapshot.

    Raises:
        GuildError: `digest` is not 64 lowercase hexadecimal digits.
    """
    if re.fullmatch("[0-9a-f]{64}", digest) is None:
        raise GuildError(f"{digest!r} is not the digest of a source snapshot")
    return os.path.join(home.sources_dir, digest)


def snapshot_files_dir(home: Home, digest: str) -> str:
    """Return the folder with the files of a snapshot.

    Raises:
        GuildError: as `snapshot_dir`.
    """
    return os.path.join(snapshot_dir(home, digest), "files")


def read_manifest(home: Home, digest: str) -> tuple[SourceFile, ...]:
    """Return what a snapshot holds, in the order of the bytes of the paths.

    Raises:
        GuildError: there is no such snapshot, or its manifest is damaged.
    """
    path = os.path.join(snapshot_dir(home, digest), "manifest")
    try:
        with open(path, encoding="utf-8", newline="\n") as file:
            return tuple(_parse_line(line) for line in file.read().split("\n")[:-1])
    except FileNotFoundError:
        raise GuildError(f"there is no source snapshot {digest}") from None
    except (OSError, ValueError) as error:
        raise GuildError(f"the manifest of source snapshot {digest} cannot be read: {error}") from error


def snapshot_digest(files: list[SourceFile]) -> str:
    """Return the digest of a snapshot that holds `files`; their order does not matter."""
    import hashlib

    digest = hashlib.sha256(_DOMAIN)
    for path, file in sorted((os.fsencode(file.path), file) for file in files):
        digest.update(len(path).to_bytes(8, "big") + path + file.kind.encode() + bytes.fromhex(file.sha256))
    return digest.hexdigest()


def manifest_bytes(files: list[SourceFile]) -> bytes:
    """Return the manifest of a snapshot that holds `files`; their order does not matter."""
    return "".join(map(_format_line, sorted(files, key=lambda file: os.fsencode(file.path)))).encode()


def _format_line(file: SourceFile) -> str:
    return f"{file.sha256}  {file.kind}  {file.size}  {_escape(file.path)}\n"


def _parse_line(line: str) -> SourceFile:
    parts = line.split("  ", _FIELDS - 1)
    if len(parts) != _FIELDS:
        raise ValueError(f"not a line of a manifest: {line!r}")
    sha256, kind, size, path = parts
    return SourceFile(_unescape(path), kind, int(size), sha256)


def _escape(path: str) -> str:
    r"""Make a path fit for a line of text; bytes that are not UTF-8 are low surrogates here."""
    escaped = path.replace("\\", "\\\\")
    return re.sub("[\x00-\x1f\x7f\udc80-\udcff]", lambda match: f"\\x{ord(match[0]) & 0xFF:02x}", escaped)


def _unescape(text: str) -> str:
    def character(match: re.Match[str]) -> str:
        if match[1] is None:
            return "\\"
        byte = int(match[1], 16)
        return chr(byte if byte < 0x80 else 0xDC00 + byte)  # noqa: PLR2004 - beyond ASCII

    return re.sub(r"\\\\|\\x([0-9a-f]{2})", character, text)
