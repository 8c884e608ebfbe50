"""Processes and a broken index: killed while one is rebuilt, holding one that is replaced, rebuilding at once."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from projections.schema import fingerprint
from tests.cli_kit import Guild, copied
from tests.crash_kit import Kit, Trouble, opened_kit
from tests.test_index_damage import PAGE, REBUILT, expect, file_of, forget_beside, is_sound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def guild(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Guild:
    """Give the command with a home that has runs, and an index of them in one file."""
    guild = copied(tmp_path_factory, tmp_path)
    guild.ok("runs", "-a")
    return guild


@pytest.fixture(scope="module")
def kit() -> Iterator[Kit]:
    """Give processes that can be killed and stopped at a step of their work."""
    with opened_kit() as kit:
        yield kit


@pytest.fixture(scope="module")
def lived_in(kit: Kit) -> str:
    """Give a home with three runs and its index; only copied, never used."""
    home = kit.new_home()
    for size in range(3):
        assert kit.guild(home, "run", "train", f"size={size}", "-y").code == 0
    assert kit.guild(home, "runs", "rm", "1", "-y").code == 0
    assert kit.guild(home, "runs").code == 0
    return home


def broken(kit: Kit, home: str) -> str:
    """Return a copy of a home whose index is garbage."""
    copy = kit.copy(home)
    path = file_of(Path(copy))
    forget_beside(path)
    path.write_bytes(b"garbage" * 2000)
    return copy


def told(err: str) -> int:
    """Return how many lines say that the index was rebuilt."""
    return len(REBUILT.findall(err))


def test_a_kill_at_any_step_of_the_mending_leaves_what_the_next_command_mends(kit: Kit, lived_in: str) -> None:
    """At each seam of `runs` with a broken index: the next one answers as before, and says so unless it was done."""
    answer = kit.guild(kit.copy(lived_in), "runs").out
    whole = kit.guild(broken(kit, lived_in), "runs")
    assert (whole.out, told(whole.err)) == (answer, 1)
    published = whole.seams.index("rebuild.published")
    for at in range(1, len(whole.seams) + 1):
        home = broken(kit, lived_in)
        assert kit.guild(home, "runs", trouble=Trouble("die", at)).died
        result = kit.guild(home, "runs")
        assert (result.code, result.out, told(result.err)) == (0, answer, int(at <= published)), whole.seams[at - 1]
        assert is_sound(Path(home))
        kit.drop(home)


def _garbage_in_place(path: Path) -> None:
    path.write_bytes(b"garbage" * 2000)


def _garbage_renamed_over(path: Path) -> None:
    path.with_name("other").write_bytes(b"garbage" * 2000)
    path.with_name("other").rename(path)


def _cut_in_place(path: Path) -> None:
    os.truncate(path, PAGE)


def _emptied_in_place(path: Path) -> None:
    os.truncate(path, 0)


def _removed(path: Path) -> None:
    path.unlink()


def _folder_removed(path: Path) -> None:
    shutil.rmtree(path.parent)


REPLACEMENTS = (
    _garbage_in_place, _garbage_renamed_over, _cut_in_place, _emptied_in_place, _removed, _folder_removed,
)  # fmt: skip


@pytest.mark.parametrize("replace", REPLACEMENTS)
@pytest.mark.parametrize("behind", [False, True])
def test_an_index_that_is_replaced_while_a_process_has_it_open(
    kit: Kit, lived_in: str, replace: Callable[[Path], None], *, behind: bool
) -> None:
    """The process answers as before, from the old file or a new one; so does the next; one line each at most."""
    home = kit.copy(lived_in)
    if behind:
        assert kit.guild(home, "label", "0", "new", "-y", trouble=Trouble("die", 1, "append.committed")).died
    answer = kit.guild(kit.copy(home), "runs").out
    process = kit.start(home, "runs", trouble=Trouble("stop", 1, "catch_up.read"))
    assert process.wait().stopped
    replace(file_of(Path(home)))
    process.signal(signal.SIGCONT)
    first = process.wait()
    assert (first.code, first.out) == (0, answer), first
    assert told(first.err) <= 1
    second = kit.guild(home, "runs")
    assert (second.code, second.out) == (0, answer), second
    assert told(second.err) <= 1
    assert is_sound(Path(home))


def test_many_commands_that_find_a_broken_index_at_once_agree(kit: Kit, lived_in: str) -> None:
    """One of them rebuilds it and says so; the others use what it made; no answer differs."""
    answer = kit.guild(kit.copy(lived_in), "runs").out
    home = broken(kit, lived_in)
    with kit.together():
        processes = [kit.start(home, "runs") for _ in range(6)]
    results = [process.wait() for process in processes]
    assert {(result.code, result.out) for result in results} == {(0, answer)}
    assert sum(told(result.err) for result in results) == 1
    assert is_sound(Path(home))


def test_rebuilds_at_once_end_in_one_index(kit: Kit, lived_in: str) -> None:
    """By hand and by need, while others read and write: all succeed, the last index stands alone and is sound."""
    home = broken(kit, lived_in)
    with kit.together():
        processes = [kit.start(home, *words) for words in (["ledger", "rebuild"], ["runs"]) for _ in range(3)]
        processes.append(kit.start(home, "label", "0", "new", "-y"))
    results = [process.wait() for process in processes]
    assert [result.code for result in results] == [0] * 7, results
    assert kit.guild(home, "runs", "list", "new").out.count("\n") == 1
    assert [path.name for path in Path(home, "index").glob("*.db")] == [file_of(Path(home)).name]
    assert file_of(Path(home)).name.startswith(fingerprint())
    assert is_sound(Path(home))


def test_a_real_kill_in_the_middle_of_a_rebuild(guild: Guild) -> None:
    """SIGKILL after any time: the next command answers as before."""
    answer = guild.ok("runs", "-a")
    for patience in (0.05, 0.15, 0.2, 0.25, 0.3):
        file_of(guild.home).write_bytes(b"garbage" * 1000)
        process = guild.start("ledger", "rebuild", stdin=subprocess.DEVNULL)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()
        result = guild("runs", "-a")
        expect(result, answer, min(result.err.count("\n"), 1))
        assert is_sound(guild.home)
