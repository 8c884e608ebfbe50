"""Golden events: what was once written is read for ever, and what is written now has the bytes that are on record.

A file of `tests/golden/` is never changed. A new event type or version brings a new file:
`python -m tests.test_golden_events` writes those that are missing.
"""

from __future__ import annotations

import json
import math
from dataclasses import fields
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

import pytest

from ledger import registry
from ledger.canonical import encode
from ledger.dataclass import dataclass
from ledger.errors import LedgerError
from ledger.events.base import Event
from ledger.events.book import LedgerAnchored, LedgerCreated, LedgerImported, LedgerRedacted
from ledger.events.life import RunDeleted, RunPurged, RunPurgeStarted, RunRestored, RunStatusChanged
from ledger.events.notes import (
    RunCommented,
    RunCommentWithdrawn,
    RunLabeled,
    RunMarked,
    RunProtected,
    RunScalarsRecorded,
    RunTagged,
)
from ledger.events.start import RunDependenciesResolved, RunImported, RunRestarted, RunStaged, RunStarted
from ledger.ids import LEDGER_STREAM
from ledger.log import Ledger
from ledger.registry import UPCASTERS, VERSIONS, Body, current_body, event_classes, read_event
from ledger.transaction import Header, NewEvent, Transaction
from tests.kit import HEADER, NOON, Ticking, happens, make_ledger, started, txn_id

GOLDEN = Path(__file__).parent / "golden"

HEAD_HASH = "839d1051e39b8c4122c892a31e1581cd13a6ae5e55cea5ba27fd6ef669343905"
"""Hash of the last transaction that `_golden_ledger` makes: the form of the chain is for ever, too.

A new version of the events it holds, `run.started` and `run.status_changed`, is the only reason to change it."""

EXAMPLES: dict[tuple[str, int], Event] = {
    (event.type, event.schema_version): event
    for event in (
        LedgerCreated(ledger_id="0123456789abcdef" * 2, format=1),
        LedgerImported(origin_id="ab" * 16, first=1, last=20, head_hash="cd" * 32),
        LedgerRedacted(stream="run/" + "1" * 32, stream_version=1, origin_id="ab" * 16, reason="a password in a flag"),
        LedgerAnchored(seq=12, hash="ef" * 32),
        RunStarted(
            project="/home/ann/größe\udcff",
            package=None,
            model="iris",
            operation="train",
            command=("python", "-um", "softmax", "--rate", "0.1"),
            flags={"$cost": -math.inf, "beta": [1, [None, True]], "rate": 0.1, "seed": 2**70, "steps": 100},
            label="first try 🌸",
            environment={"CUDA_VISIBLE_DEVICES": "0", "PATH": b"/bin:\xff"},
            sources={"bytes": 1200, "digest": "ab" * 32, "files": 3, "left_out": []},
            git={"commit": "12" * 20, "dirty": False},
            platform={"python": "3.11.2", "system": "Linux"},
            evidence={"boot": "b0", "host": "box", "pid": 4242, "started": 1.5},
            batch="5" * 32,
            proto="6" * 32,
        ),
        RunRestarted(
            command=("python", "-um", "softmax"),
            flags={"rate": 0.1},
            environment={"LANG": "C"},
            sources=None,
            git=None,
            platform={"python": "3.11.2"},
            evidence={"pid": 4243},
        ),
        RunDependenciesResolved(
            dependencies=({"from": "/home/ann/iris.csv", "kind": "file", "resource": "data", "source": "iris.csv"},)
        ),
        RunStaged(
            project=None,
            package="gpkg.iris",
            model="iris",
            operation="train",
            command=(),
            flags={},
            label=None,
            batch="7" * 32,
            proto=None,
            overrides={"data.csv": "/home/ann/mine.csv"},
        ),
        RunImported(
            source="/mnt/old/runs/7",
            project="/home/ann/iris",
            package=None,
            model="iris",
            operation="evaluate",
            flags={"threshold": math.nan},
            started=NOON,
            stopped=None,
            status="terminated",
            exit_status=None,
            label="from before",
            command=("python", "-um", "evaluate"),
            environment={"LANG": "C"},
            sources={"bytes": 1200, "digest": "ab" * 32, "files": 3, "left_out": []},
            git={"commit": "12" * 20, "dirty": True},
            platform={"system": "Linux"},
            evidence={"host": "box", "pid": 4242},
            batch="5" * 32,
            proto="6" * 32,
            overrides={"data.csv": "/home/ann/mine.csv"},
            reason="reboot",
            output={"bytes": 42, "lines": 2},
            home="7" * 32,
        ),
        RunStatusChanged(
            status="error",
            exit_status=-9,
            reason="the supervisor was lost",
            evidence={"lease": "free"},
            output={"bytes": 42, "lines": 2},
            stopped=NOON + 1,
        ),
        RunDeleted(selector="1:2", cause=None),
        RunRestored(selector="0", cause="no space left on device"),
        RunPurgeStarted(selector=":"),
        RunPurged(files=7, bytes=2**40),
        RunLabeled(label=None),
        RunTagged(added=("best", "v2"), removed=("draft",)),
        RunCommented(text="two\nlines", author={"actor": "ann", "host": "box", "time": NOON}),
        RunCommentWithdrawn(written=NOON, withdrawn=True),
        RunMarked(marked=True),
        RunProtected(protected=False),
        RunScalarsRecorded(
            scalars={"loss": {"count": 3, "first": [1.5, 0], "last": [math.nan, 2], "max": [1.5, 0], "mean": 0.75}}
        ),
    )
}
"""An event of each type and current version, every field in use; mappings in the order in which they come back."""


_ADDED = {
    ("run.commented", 1): ", author=None",
    ("run.imported", 1): ", command=(), environment={}, sources=None, git=None, platform={}, evidence={}, batch=None,"
    " proto=None, overrides={}, reason=None, output=None, home=None",
    ("run.staged", 1): ", batch=None, proto=None, overrides={}",
    ("run.started", 1): ", batch=None, proto=None",
}
"""What later versions have added to the events of older bodies."""


def _file(type_: str, version: int) -> Path:
    return GOLDEN / f"{type_}.{version}.json"


def _golden(event: Event) -> dict[str, str | int]:
    body = encode(event.to_body())
    return {
        "type": event.type,
        "schema_version": event.schema_version,
        "body": body.decode(),
        "body_hash": sha256(body).hexdigest(),
        "event": repr(event),
    }


def _read(path: Path) -> tuple[str, int, bytes, dict[str, str]]:
    kept = json.loads(path.read_bytes())
    return kept["type"], kept["schema_version"], kept["body"].encode(), kept


def test_there_is_a_golden_file_for_every_type_and_version() -> None:
    """Also for versions that only upcasters still read; and none for what the program does not know."""
    known = {(type_, version) for type_, last in VERSIONS.items() for version in range(1, last + 1)}
    assert {path.name for path in GOLDEN.iterdir()} == {_file(*key).name for key in known}


def test_the_registry_names_exactly_the_classes() -> None:
    """Every event class has its version in the table, and no name stands there without a class."""
    assert {name: cls.schema_version for name, cls in event_classes().items()} == dict(VERSIONS)
    assert all(cls.type == name for name, cls in event_classes().items())
    assert set(EXAMPLES) == {(name, cls.schema_version) for name, cls in event_classes().items()}


@pytest.mark.parametrize("path", sorted(GOLDEN.iterdir()), ids=lambda path: path.stem)
def test_golden_bytes_are_read_as_the_event_that_they_were(path: Path) -> None:
    """Whatever the program has become, an old body gives the same event; what it did not know of has its default."""
    type_, version, body, kept = _read(path)
    assert path == _file(type_, version)
    assert sha256(body).hexdigest() == kept["body_hash"]
    assert repr(read_event(type_, version, body)) == kept["event"][:-1] + _ADDED.get((type_, version), "") + ")"


@pytest.mark.parametrize("event", EXAMPLES.values(), ids=lambda event: event.type)
def test_an_event_is_written_as_the_golden_bytes(event: Event) -> None:
    """The shape of a body never changes without a new version."""
    kept = json.loads(_file(event.type, event.schema_version).read_bytes())
    assert _golden(event) == kept


@pytest.mark.parametrize("event", EXAMPLES.values(), ids=lambda event: event.type)
def test_a_key_from_the_future_is_left_out(event: Event) -> None:
    """A newer program may add optional keys to a body of the same version."""
    body = {**event.to_body(), "of_the_future": {"a": 1}}
    assert repr(read_event(event.type, event.schema_version, encode(body))) == repr(event)


@pytest.mark.parametrize("event", EXAMPLES.values(), ids=lambda event: event.type)
def test_a_body_without_a_required_key_is_refused(event: Event) -> None:
    """It is named, instead of a value being made up; what has a default may be missing."""
    for field in fields(event):
        body = event.to_body()
        del body[field.name]
        try:
            again = read_event(event.type, event.schema_version, encode(body))
        except LedgerError as error:
            assert field.name in error.message  # noqa: PT017 - either outcome is right
        else:
            given = {name: value for name, value in event.to_body().items() if name in body}
            assert repr(again) == repr(type(event)(**given))


@dataclass(frozen=True, slots=True)
class _Weighed(Event):
    """An event of the tests only, in its third version: kilograms, once grams, once without a unit."""

    type: ClassVar[str] = "run.weighed"
    schema_version: ClassVar[int] = 3

    kilograms: float
    scale: str = "unknown"


def _with_unit(body: Body) -> Body:
    return {"grams": body["weight"]}


def _in_kilograms(body: Body) -> Body:
    return {"kilograms": float(str(body["grams"])) / 1000}


@pytest.fixture
def weighed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the program know `run.weighed`, with all its versions."""
    monkeypatch.setattr(registry, "VERSIONS", {**VERSIONS, "run.weighed": 3})
    monkeypatch.setitem(UPCASTERS, ("run.weighed", 1), _with_unit)
    monkeypatch.setitem(UPCASTERS, ("run.weighed", 2), _in_kilograms)
    classes = {**event_classes(), "run.weighed": _Weighed}
    monkeypatch.setattr(registry, "event_classes", lambda: classes)


@pytest.mark.usefixtures("weighed")
@pytest.mark.parametrize(
    ("version", "body"),
    [(1, b'{"weight":250}'), (2, b'{"grams":250}'), (3, b'{"kilograms":0.25,"scale":"unknown"}')],
)
def test_a_body_of_any_version_is_lifted_to_the_present_one(version: int, body: bytes) -> None:
    """Upcasters are applied one version at a time, and what has no value yet gets its default."""
    assert read_event("run.weighed", version, body) == _Weighed(kilograms=0.25)


@pytest.mark.usefixtures("weighed")
def test_every_older_version_has_its_upcaster() -> None:
    """No version that was ever written may be without a way up."""
    older = {(type_, version) for type_, last in registry.VERSIONS.items() for version in range(1, last)}
    assert set(UPCASTERS) == older


@pytest.mark.parametrize(("type_", "version"), [("run.labeled", 2), ("run.renamed", 1), ("", 1)])
def test_what_a_newer_program_wrote_is_not_guessed_at(type_: str, version: int) -> None:
    """An unknown type or version is refused with advice to update."""
    with pytest.raises(LedgerError, match="not known to this program") as caught:
        current_body(type_, version, b"{}")
    assert "update" in str(caught.value.hint)


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'{"$int":"0x1"}', b"{"])
def test_a_body_that_is_no_mapping_is_refused(body: bytes) -> None:
    """Also when its bytes are sound."""
    with pytest.raises(LedgerError):
        current_body("run.labeled", 1, body)


def _golden_ledger(folder: Path) -> Ledger:
    """Make a ledger in which everything is fixed, ids and times included."""
    ledger = make_ledger(folder, Ticking())
    header = Header(
        actor="änn\udcff", host="box", argv=("guild", "rm", "0"), cwd="/", program="p 1", reason="r", undoes="00" * 16
    )
    _append(ledger, 1, HEADER, started(1, label="a"), happens(1, EXAMPLES["run.status_changed", 1]))
    _append(ledger, 2, header, happens(1, RunDeleted()), NewEvent(LEDGER_STREAM, EXAMPLES["ledger.anchored", 1]))
    return ledger


def _append(ledger: Ledger, number: int, header: Header, *events: NewEvent) -> None:
    """Append a transaction whose id is fixed, too."""
    ledger.append(Transaction(header, events, txn_id=txn_id(number)))


def test_the_form_of_the_chain_never_changes(tmp_path: Path) -> None:
    """The same transactions have the same hashes in every version of the program, or no old ledger would verify."""
    ledger = _golden_ledger(tmp_path)
    head = ledger.store.head().hash.hex()
    ledger.store.close()
    assert head == HEAD_HASH


def _write_missing() -> None:
    for (type_, version), event in EXAMPLES.items():
        if not _file(type_, version).exists():
            _file(type_, version).write_text(json.dumps(_golden(event), indent=1) + "\n", encoding="ascii")


if __name__ == "__main__":
    _write_missing()
