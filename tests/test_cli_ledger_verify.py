"""`guild ledger verify --quick` and `--anchor`, `guild ledger anchor`: what was proved, and what is kept elsewhere."""

from __future__ import annotations

import json
import re

import pytest

from tests.cli_kit import Guild, damage
from tests.lab_kit import guild_fixture  # noqa: F401 - a fixture


def test_a_quick_verification_reads_only_what_was_added(guild: Guild) -> None:
    """The first one reads everything and says so; the next ones go on from where the last one ended."""
    first = guild("ledger", "verify", "--quick")
    assert first.code == 0
    assert "not verified before" in first.err
    assert first.out.startswith("13 transactions, 13 events\n")
    guild.ok("label", "0", "x")
    second = guild("ledger", "verify", "--quick")
    assert second.err == ""
    assert second.out.startswith("1 transactions, 1 events after transaction 13, ")
    assert "index: not checked (--quick)\n" in second.out
    report = guild.json("ledger", "verify", "--quick")
    assert (report["since"], report["transactions"], report["ok"]) == (14, 0, True)


def test_a_full_verification_is_a_point_to_go_on_from(guild: Guild) -> None:
    """It needs no `--quick` to be remembered."""
    guild.ok("ledger", "verify")
    assert guild.json("ledger", "verify", "--quick")["since"] == 13


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("UPDATE txn SET hash = zeroblob(32) WHERE seq = 13", "transaction 13"),
        ("DELETE FROM txn WHERE seq = 13", "transaction 13"),
        ("UPDATE event SET body = x'7b7d' WHERE position = 14", "event 14"),
        ("UPDATE txn SET prev_hash = zeroblob(32) WHERE seq = 14", "transaction 14"),
        ("UPDATE origin SET head_seq = 13", "origin"),
        ("DELETE FROM event WHERE txn_seq = 14; DELETE FROM txn WHERE seq = 14", "origin"),
    ],
)
def test_a_quick_verification_finds_what_was_altered_at_its_point_or_behind(
    guild: Guild, statement: str, where: str
) -> None:
    """A point whose hash is no longer there is an alteration found, and so is whatever is wrong after it."""
    guild.ok("ledger", "verify")
    guild.ok("label", "0", "x", "-y")
    damage(guild.home / "ledger.db", statement.split("; "))
    result = guild("ledger", "verify", "--quick", "--json")
    assert result.code == 3
    assert json.loads(result.out)["problems"][0]["where"].startswith(where)
    assert guild("ledger", "verify", "--quick").code == 3, "an alteration is not forgotten by being told"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"version": 1, "ledger_id": "x"}', "\x00\xff", "[" * 5000])
def test_a_point_that_cannot_be_read_costs_nothing_but_time(guild: Guild, text: str) -> None:
    """It is derived: everything is verified, and another one is kept."""
    guild.ok("ledger", "verify")
    (guild.home / "index" / "verified").write_text(text, encoding="latin-1")
    result = guild("ledger", "verify", "--quick")
    assert (result.code, "not verified before" in result.err) == (0, True)
    assert guild.json("ledger", "verify", "--quick")["since"] == 13


def test_an_anchor_proves_that_its_history_is_still_there(guild: Guild) -> None:
    """It is printed as it is read, and still holds when more has been appended."""
    anchor = guild.ok("ledger", "anchor").strip()
    assert re.fullmatch(r"13:[0-9a-f]{64}", anchor)
    assert guild.json("ledger", "anchor") == {"seq": 13, "hash": anchor[3:]}
    guild.ok("label", "0", "x", "-y")
    for given in (anchor, anchor[3:], anchor.upper()):
        assert f"anchor: the ledger contains {given.lower()}\n" in guild.ok("ledger", "verify", "--anchor", given)
    assert guild("ledger", "verify", "--quick", "--anchor", anchor).code == 0


def test_a_wrong_anchor_says_nothing_of_the_index(guild: Guild) -> None:
    """The ledger itself is sound, so the index is compared with it."""
    guild.ok("runs")
    result = guild("ledger", "verify", "--anchor", "0" * 64)
    assert result.code == 3
    assert "index: equals a fresh replay\n" in result.out
    assert "BROKEN  anchor 0000" in result.out


def test_an_anchor_tells_a_ledger_that_lost_its_end_from_a_whole_one(guild: Guild) -> None:
    """An older copy is whole in itself; only what was kept elsewhere shows what is missing."""
    older = (guild.home / "ledger.db").read_bytes()
    guild.ok("label", "0", "x", "-y")
    anchor = guild.ok("ledger", "anchor").strip()
    (guild.home / "ledger.db").write_bytes(older)
    for index in (guild.home / "index").iterdir():
        index.unlink()
    assert guild("ledger", "verify").code == 0
    for given in (anchor, anchor[3:]):
        refused = guild.refused("ledger", "verify", "--anchor", given, code=3)
        assert f"first broken place: anchor {given}: " in refused


@pytest.mark.parametrize("text", ["", "13", "13:", "x:" + "a" * 64, "a" * 63, "a" * 65, "-1:" + "a" * 64])
def test_what_is_no_anchor_is_a_usage_error(guild: Guild, text: str) -> None:
    """A hash that was cut short proves less than it seems to."""
    assert "SEQ:HASH" in guild.refused("ledger", "verify", "--anchor", text, code=2)


def test_giving_an_anchor_out_can_be_recorded(guild: Guild) -> None:
    """The event names the transaction before it and its hash; without `--record` nothing is written."""
    before = guild.history()
    anchor = guild.json("ledger", "anchor")
    assert guild.history() == before
    assert guild.json("ledger", "anchor", "--record") == anchor
    newest = json.loads(guild.ok("log", "--json", "-n", "1"))
    (event,) = newest["events"]
    assert (event["type"], event["body"]) == ("ledger.anchored", anchor)
    assert guild("ledger", "verify").code == 0
