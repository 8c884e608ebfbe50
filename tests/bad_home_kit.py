"""What tests of homes that are wrong share: the commands that each of them is tried with."""

from __future__ import annotations

from tests.lab_kit import guild_fixture  # noqa: F401 - a fixture

SOME_COMMANDS = (["runs"], ["runs", "rm", "0", "-y"], ["run", "iris-svm:train", "-y"])


EVERY_COMMAND = (
    *SOME_COMMANDS,
    ["log"],
    ["runs", "info"],
    ["runs", "restore", "-y"],
    ["runs", "purge", "-y"],
    ["label", "0", "x"],
    ["ledger", "verify"],
    ["ledger", "rebuild"],
)
