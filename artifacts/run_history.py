"""What another ledger had recorded of an imported run, kept beside its output: evidence, which no command rests on.

The ledger that takes a run in says in its own events what is so now. Who did what, when, on which machine, and in which
transaction of which ledger, is only here; with the other ledger at hand, hash by hash, it can be proved.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from artifacts.run_files import OWN
from ledger.canonical import Value, encode
from ledger.errors import GuildError

_WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def keep_history(run_dir: str, ledger_id: str, events: Sequence[Mapping[str, Value]]) -> str:
    """Write the events of a run to the first free `.guild/history-N.jsonl`, durably; return its path in the directory.

    Raises:
        GuildError: `.guild` is no folder.
        OSError: the system could not.
    """
    folder = os.path.join(run_dir, OWN)
    if os.path.islink(folder) or (os.path.lexists(folder) and not os.path.isdir(folder)):
        raise GuildError(f"'{OWN}' of a run in the archive is no folder", hint="Nothing was imported.")
    os.makedirs(folder, exist_ok=True)
    number = 1
    while os.path.lexists(os.path.join(folder, _name(number))):
        number += 1
    with os.fdopen(os.open(os.path.join(folder, _name(number)), _WRITE_FLAGS, 0o600), "wb") as file:
        for event in events:
            file.write(encode({**event, "ledger_id": ledger_id}) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return f"{OWN}/{_name(number)}"


def _name(number: int) -> str:
    return f"history-{number}.jsonl"
