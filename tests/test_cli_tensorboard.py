"""`guild tensorboard` from outside: the real TensorBoard on real runs, and what is said where there is none."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from artifacts.event_writing import number_event, record, version_event
from tests.cli_crowd import LIVE, crowd
from tests.cli_kit import PATIENCE, ROOT, Guild, wait_until


@pytest.fixture(scope="module")
def guild(tmp_path_factory: pytest.TempPathFactory) -> Guild:
    """Give the command with runs, one with event files, one with series; in a temporary folder of its own."""
    folder = tmp_path_factory.mktemp("tensorboard")
    made = crowd(folder)
    logs = made.home / "runs" / LIVE[4] / "logs"
    logs.mkdir()
    with open(logs / "events.out.tfevents.1.x", "wb") as file:
        file.writelines(map(record, (version_event(1.0), number_event(1.0, 1, "own", 0.5))))
    (made.home / "runs" / LIVE[1] / ".guild" / "scalars.csv").write_text("key,step,time,value\nloss,1,2.0,0.25\n")
    (folder / "tmp").mkdir()
    return made.with_env(TMPDIR=str(folder / "tmp"))


@pytest.fixture
def bare(guild: Guild, tmp_path: Path) -> Guild:
    """Give the command in an environment without TensorBoard."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nclass No:\n  def find_spec(self, name, *_):\n    if name == 'tensorboard':\n"
        "      raise ModuleNotFoundError(name)\nsys.meta_path.insert(0, No())\n"
    )
    (tmp_path / "bin").mkdir()
    return guild.with_env(PYTHONPATH=f"{tmp_path}:{ROOT}", PATH=f"{tmp_path / 'bin'}:/usr/bin:/bin")


def asked(url: str, path: str) -> Any:
    """Return what TensorBoard answers."""
    with urllib.request.urlopen(url + path, timeout=PATIENCE) as answer:  # noqa: S310 - its own address
        return json.loads(answer.read())


@pytest.fixture
def board(guild: Guild) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Give a running `guild tensorboard` and its address."""
    process = guild.start("tb", "-n", "--refresh-interval", "1", "-O", "load_fast=false")
    try:
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        assert line.startswith("TensorBoard: http://127.0.0.1:"), (line, process.communicate())
        yield process, line.split()[-1]
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


def test_the_real_one_shows_the_runs_and_follows_them(guild: Guild, board: tuple[subprocess.Popen[bytes], str]) -> None:
    """Own event files, captured series, flags; a deleted run goes, one with a new label is renamed; nothing stays."""
    process, url = board
    tags = "data/plugin/scalars/tags"
    own, printed = "e4e40000 m:train label 4/logs", "a1bb0000 m:test"
    wait_until(lambda: asked(url, tags).keys() == {own, printed})
    assert {run: list(found) for run, found in asked(url, tags).items()} == {own: ["own"], printed: ["loss"]}
    assert asked(url, f"data/plugin/scalars/scalars?run={printed.replace(' ', '%20')}&tag=loss") == [[2.0, 1, 0.25]]
    wait_until(lambda: asked(url, "data/plugins_listing")["hparams"]["enabled"])
    guild.ok("runs", "rm", LIVE[4], "-y")
    guild.ok("label", LIVE[1], "--set", "a/../b")
    wait_until(lambda: asked(url, tags).keys() == {f"{printed} a_.._b"})
    guild.ok("runs", "restore", LIVE[4], "-y")
    guild.ok("label", LIVE[1], "--clear")
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 128 + signal.SIGTERM
    assert os.listdir(guild.env["TMPDIR"] or "") == []
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", int(url.rstrip("/").rpartition(":")[2])), timeout=5)


def test_where_it_is_not_installed_that_is_said(bare: Guild) -> None:
    """With the command that installs it; nothing is started or left behind."""
    said = bare.refused("tensorboard", "-n")
    assert said.endswith(f"TensorBoard is not installed\nTo install it: {sys.executable} -m pip install tensorboard\n")
    assert os.listdir(bare.env["TMPDIR"] or "") == []


def test_a_program_on_the_path_is_used_and_its_failure_told(bare: Guild, tmp_path: Path) -> None:
    """Given where to look and to listen; when it ends by itself, its last words are shown."""
    program = tmp_path / "bin" / "tensorboard"
    program.write_text('#!/bin/sh\necho "no \x1b[31mway: $*"\nls "$5"\nexit 3\n')
    program.chmod(0o755)
    said = bare.refused("tensorboard", "-n", "-O", "x=1", LIVE[0])
    assert "guild: TensorBoard ended with exit code 3\nno \\x1b[31mway: --x=1 --logdir " in said
    assert " --host 127.0.0.1 --port " in said
    assert os.listdir(bare.env["TMPDIR"] or "") == []


def test_what_the_system_refuses_at_the_first_look_is_told(bare: Guild, tmp_path: Path) -> None:
    """A path below the temporary folder that gets too long, here: a warning, and TensorBoard is started anyway."""
    program = tmp_path / "bin" / "tensorboard"
    program.write_text("#!/bin/sh\necho started\nexit 3\n")
    program.chmod(0o755)
    deep = bare.home / "runs" / LIVE[4] / "logs" / "plugins" / ("d" * 250)
    deep.mkdir(parents=True)
    (deep / "a.pb").touch()
    folder = tmp_path / "tmp"
    while len(str(folder)) < 3_700:
        folder /= "t" * 200
    folder.mkdir(parents=True)
    said = bare.with_env(TMPDIR=str(folder)).refused("tensorboard", "-n", LIVE[4])
    shutil.rmtree(deep)
    assert "WARNING: the runs shown could not be brought up to date: File name too long" in said
    assert "guild: TensorBoard ended with exit code 3\nstarted" in said
    assert list(folder.iterdir()) == []


def test_what_cannot_be_shown_is_refused(guild: Guild) -> None:
    """A run that is none, a port that is taken, an address of another machine, options that guild gives itself."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        cases = {
            ("nope",): (1, "could not find a run matching 'nope'"),
            ("--port", port): (1, f"port {port}: Address already in use"),
            ("--host", "203.0.113.1"): (1, "TensorBoard cannot listen at '203.0.113.1'"),
            ("--port", "70000"): (2, "70000 is not in the range"),
            ("-O", "nothing"): (2, "'nothing' is not NAME=VALUE"),
            ("-O", "logdir=/"): (2, "logdir is given to TensorBoard by guild"),
            ("--refresh-interval", "0"): (2, "0 is not in the range"),
        }
        results = guild.many([["tb", "-n", *words] for words in cases])
    for (words, (code, said)), result in zip(cases.items(), results, strict=True):
        assert (result.code, result.out) == (code, ""), words
        assert said in result.err, words
    assert os.listdir(guild.env["TMPDIR"] or "") == []
