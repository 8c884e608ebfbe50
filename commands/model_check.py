"""Tell of a broken model file beside what a command does, without reading a sound one each time.

Reading a model file takes about as long as all the rest of a listing. So the home keeps a note of which state of which
file was found sound; a file that is not, or has changed since, is read. Listings never fail for its sake.
"""

from __future__ import annotations

import os
from contextlib import suppress

from commands.terminal import warn
from ledger.errors import GuildError

_LONGEST_NOTE = 200


def warn_of_broken_model_file(path: str, cache_dir: str) -> None:
    """Show what is wrong with a model file, if anything is.

    Args:
        path: of the model file.
        cache_dir: the home's cache; when there is no home yet, or it may not be written, no note is kept.
    """
    try:
        status = os.stat(path)
    except OSError:
        return
    state = f"{status.st_mtime_ns} {status.st_ctime_ns} {status.st_size} {status.st_ino}"
    note = _note_path(path, cache_dir)
    if _read(note) == state:
        return
    from commands.catalogs import installed_packages
    from operations.model_file import load_model_file

    try:
        load_model_file(path, installed_packages)
    except GuildError as error:
        warn(f"the model file cannot be used: {error.message}")
        return
    if os.path.isdir(os.path.dirname(cache_dir)):
        with suppress(OSError):
            os.makedirs(os.path.dirname(note), mode=0o700, exist_ok=True)
            with open(note, "w", encoding="ascii") as file:
                file.write(state)


def _note_path(path: str, cache_dir: str) -> str:
    from binascii import crc32  # hashlib takes long to import, and a note that is mistaken for another fits no file

    name = os.fsencode(path)
    return os.path.join(cache_dir, "model-files", f"{crc32(name):08x}{crc32(name[::-1]):08x}")


def _read(note: str) -> str:
    try:
        with open(note, encoding="ascii") as file:
            return file.read(_LONGEST_NOTE)
    except (OSError, ValueError):
        return ""
