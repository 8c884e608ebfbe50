"""Archives of runs for tests: taken apart, changed by hand, and packed again, well or badly."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import warnings
import zipfile
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.cli_kit import Guild

MANIFEST = "guild-runs.json"
HEADER = {"actor": "eve", "host": "far", "argv": ["guild"], "cwd": "/", "program": "p"}
NOON = 1_750_000_000_000_000
RUN = "ab" * 16


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an archive.

    Attributes:
        name: as it stands there.
        content: of a file.
        kind: what it is.
        target: of a link.
    """

    name: str
    content: bytes = b""
    kind: bytes = tarfile.REGTYPE
    target: str = ""


@dataclass(slots=True)
class Forged:
    """An archive of one run with one file, to be changed in any way before it is written."""

    manifest: dict[str, Any]
    members: list[Member] = field(default_factory=list)

    @property
    def run(self) -> dict[str, Any]:
        """The entry of its only run."""
        found: dict[str, Any] = self.manifest["runs"][0]
        return found

    def add(self, path: str, content: bytes = b"more", *, listed: bool = True) -> None:
        """Add a file."""
        if listed:
            self.run["files"].append(described(path, content))
        self.members.append(Member(f"runs/{RUN}/{path}", content))

    def add_link(self, path: str, target: str) -> None:
        """Add a symbolic link."""
        self.run["links"].append({"path": path, "target": target})
        self.members.append(Member(f"runs/{RUN}/{path}", kind=tarfile.SYMTYPE, target=target))

    def write(self, path: Path) -> Path:
        """Write it as the ending of `path` says."""
        listed = [Member(MANIFEST, json.dumps(self.manifest).encode()), *self.members]
        (write_zip if path.suffix == ".zip" else write_tar)(path, listed)
        return path


def described(path: str, content: bytes, **changes: object) -> dict[str, object]:
    """Return the entry of a file."""
    return {
        "path": path,
        "size": len(content),
        "sha256": sha256(content).hexdigest(),
        "mode": 0o644,
        "modified": NOON * 1000,
        **changes,
    }


def happened(type_: str, version: int = 1, /, **body: object) -> dict[str, object]:
    """Return the entry of an event."""
    return {
        "txn_id": "0" * 32, "origin_id": "1" * 32, "time": NOON, "header": HEADER, "type": type_, "version": version,
        "body_hash": "2" * 64, "body": body,
    }  # fmt: skip


def forged() -> Forged:
    """Return an archive that is as it should be."""
    events = [
        happened("run.started", project="/p", package=None, model="m", operation="go", command=["go"], flags={"x": 1}),
        happened("run.status_changed", status="completed", exit_status=0),
    ]
    run = {"id": RUN, "events": events, "files": [], "links": [], "folders": [], "left_out": []}
    found = Forged({"kind": "guild-runs", "format": 1, "ledger_id": "c" * 32, "program": "guild", "runs": [run]})
    found.add("out.txt", b"hello\n")
    return found


def write_tar(path: Path, members: list[Member]) -> None:
    """Write a compressed tar file."""
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for member in members:
            info = tarfile.TarInfo(member.name)
            info.type, info.linkname, info.size = member.kind, member.target, len(member.content)
            archive.addfile(info, io.BytesIO(member.content))


_MODES = {tarfile.REGTYPE: 0o100644, tarfile.SYMTYPE: 0o120777, tarfile.DIRTYPE: 0o040755, tarfile.FIFOTYPE: 0o010644}


def write_zip(path: Path, members: list[Member]) -> None:
    """Write a zip file."""
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # names that are there twice
        for member in members:
            info = zipfile.ZipInfo(member.name + "/" * (member.kind == tarfile.DIRTYPE))
            info.external_attr = _MODES[member.kind] << 16
            archive.writestr(info, member.target.encode() or member.content)


def manifest_in(path: Path) -> dict[str, Any]:
    """Return the list of an archive that the program wrote."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return dict(json.loads(archive.read(MANIFEST)))
    with gzip.open(path) as plain, tarfile.open(fileobj=plain) as opened:
        content = opened.extractfile(MANIFEST)
        assert content is not None
        return dict(json.loads(content.read()))


def other_home(guild: Guild, name: str = "other") -> Guild:
    """Return the same command with another home beside the first one."""
    return replace(guild, home=guild.home.parent / name)


def shown(guild: Guild, run_id: str) -> dict[str, Any]:
    """Return all that is said of a run, but for where it is."""
    details: dict[str, Any] = guild.json("runs", "info", "--all", run_id)
    assert details.pop("run_dir") == str(guild.home / "runs" / run_id)
    return details
