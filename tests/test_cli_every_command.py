"""One way to say which runs: every command that takes runs has the same options, and means and refuses the same."""

from __future__ import annotations

import re
from typing import NamedTuple

import click
import pytest

from commands.options import SELECTION_HELP
from docs.generate_cli_reference import all_commands
from tests.cli_crowd import DELETED, LIVE, crowd
from tests.cli_kit import LOCAL_SCOPE, Guild, Result


class Taker(NamedTuple):
    """A command that takes runs, in a form that shows which and changes nothing.

    Attributes:
        words: to be followed by a selection.
        alone: whether it takes one run.
        default: what it is about when no RUN is given: `latest` or `all`.
        listing: the command that lists what its indexes count in.
        lists: whether it is a list itself: one without a line is no error.
    """

    words: tuple[str, ...]
    alone: bool = False
    default: str = "latest"
    listing: str = "guild runs"
    lists: bool = False

    @property
    def ids(self) -> tuple[str, ...]:
        """The runs that it is about."""
        return DELETED if self.listing.endswith("--deleted") else LIVE

    @property
    def local(self) -> list[int]:
        """Numbers of the runs that it is about in the project's scope."""
        return [0, 1, 2] if self.words[0] == "stop" else [0, 1, 2, 4]


TAKERS = {
    "cat": Taker(("cat", "--output"), alone=True),
    "comment": Taker(("comment", "-m", "x", "--dry-run")),
    "compare": Taker(("compare", "--table"), default="all", lists=True),
    "label": Taker(("label", "--set", "x", "--dry-run")),
    "ls": Taker(("ls",), alone=True),
    "mark": Taker(("mark", "--clear", "--dry-run")),
    "open": Taker(("open", "--cmd", "echo"), alone=True),
    "protect": Taker(("protect", "--dry-run")),
    "runs delete": Taker(("runs", "delete", "--dry-run"), default="all"),
    "runs info": Taker(("runs", "info"), alone=True),
    "runs purge": Taker(("runs", "purge", "--dry-run"), default="all", listing="guild runs --deleted"),
    "runs restore": Taker(("runs", "restore", "--dry-run"), default="all", listing="guild runs --deleted"),
    "select": Taker(("select",), alone=True),
    "stop": Taker(("stop", "--dry-run"), default="all", listing="guild runs --running"),
    "tag": Taker(("tag", "--add", "x", "--dry-run")),
    "unprotect": Taker(("unprotect", "--dry-run")),
    "watch": Taker(("watch", "--no-follow"), alone=True),
}


NEEDING = ("mark", "unprotect")
"""Commands that leave out runs which have no mark or protection to be removed."""


@pytest.fixture(scope="module")
def open_home(tmp_path_factory: pytest.TempPathFactory) -> Guild:
    """Give a home in which one run is marked and none protected; nobody changes it."""
    return crowd(tmp_path_factory.mktemp("open"))


@pytest.fixture(scope="module")
def noted_home(tmp_path_factory: pytest.TempPathFactory) -> Guild:
    """Give a home in which every run is marked and protected; nobody changes it."""
    return crowd(tmp_path_factory.mktemp("noted"), noted=True)


@pytest.fixture(params=sorted(TAKERS))
def taker(request: pytest.FixtureRequest) -> Taker:
    """Give each command."""
    return TAKERS[request.param]


@pytest.fixture
def guild(taker: Taker, open_home: Guild, noted_home: Guild) -> Guild:
    """Give a home in which the command has something to do to every run."""
    return noted_home if taker.words[0] in NEEDING else open_home


def limits_of(command: click.Command) -> dict[str, tuple[object, ...]]:
    """Return the options that limit runs, each with its names, its help and whether it may be repeated."""
    return {
        str(option.name): (option.opts, option.secondary_opts, option.help, option.multiple, option.metavar)
        for option in command.params
        if isinstance(option, click.Option) and (option.name in LIMITS or str(option.name).startswith("status_"))
    }


LIMITS = (
    *("fresh", "everywhere", "operations", "labels", "without_label", "with_tags", "with_mark", "with_comments"),
    *("started_within", "with_digest", "filters"),
)


BY_NAME_ONLY = {
    "history": "one run, which may have been purged: no list has it",
    "ledger redact": "what cannot be taken back is asked for run by run",
}
"""Commands that take runs but no filters, and why."""


TESTED_APART = {
    "diff": "takes two runs, and one stands for it and the one before",
    "export": "an archive leaves out runs that have not ended",
    "tensorboard": "it starts TensorBoard, and goes on until it is ended",
    "view": "it serves pages until it is ended",
}
"""Commands whose selections are tested with what they do, and why."""


def test_every_command_that_takes_runs_has_the_same_options_and_help() -> None:
    """Whatever has a RUN among its arguments also has all limits, word for word, and the help on selecting."""
    commands = {context.command_path.removeprefix("guild "): command for context, command in all_commands()}
    takers = {
        path: command
        for path, command in commands.items()
        if any("RUN" in str(param.metavar) for param in command.params if isinstance(param, click.Argument))
        and path not in BY_NAME_ONLY
    }
    listing = limits_of(commands["runs list"])
    assert len(listing) == len(LIMITS) + 5
    assert limits_of(commands["runs"]) == listing
    for path, command in takers.items():
        assert limits_of(command) == listing, path
        assert command.epilog == SELECTION_HELP, path
    assert {path for path, command in commands.items() if "filters" in limits_of(command)} == {
        *takers,
        "runs",
        "runs list",
    }
    alike = {path.removeprefix("runs ") for path in takers}
    assert alike == {path.removeprefix("runs ") for path in TAKERS} | set(TESTED_APART)
    for path, command in takers.items():
        assert takers.get(path.removeprefix("runs "), command) is command, path


SELECTIONS: list[tuple[list[str], int]] = [
    (["0"], 0),
    (["00"], 0),
    (["2"], 2),
    (["1:1"], 1),
    (["--fresh", "1"], 1),
    (["-l", "label 2", "0"], 2),
    (["--label", "bel 0"], 0),
    (["--unlabeled", "0"], 1),
    (["--tag", "paper", "0"], 1),
    (["--marked", "0"], 2),
    (["--unmarked", "1"], 1),
    (["--comment", "look", "0"], 1),
    (["--started", "2026-01-04", "0"], 2),
    (["--started", "between 2026-01-05 and 2026-01-05"], 1),
    (["--digest", "222", "0"], 2),
    (["-F", "lr = 0.1"], 1),
    (["-F", "lr > 0", "--filter", "lr < 0.3", "1"], 2),
    (["--op", "test", "0"], 1),
    (["-o", "m:train", "--operation", "nothing", "1"], 2),
    (["--all", "3"], 3),
    (["-a", "--digest", "33"], 3),
]


def test_every_command_means_the_same_runs(taker: Taker, guild: Guild) -> None:
    """Scope, then filters, then the number or the beginning of an id: whatever is done, it is done to that run."""
    by_id = [([taker.ids[2][:4]], 2), ([taker.ids[1]], 1), (["-a", taker.ids[3][:5]], 3)]
    by_status = [(["-R" if taker.ids is LIVE else "-C", "2"], 2)]
    cases = [*SELECTIONS, *by_id, *by_status]
    if taker.words[0] in NEEDING:
        cases = [(words, expected) for words, expected in cases if "marked" not in words[0]]
    results = guild.many([[*taker.words, *words] for words, _ in cases])
    for (words, expected), result in zip(cases, results, strict=True):
        assert result.code == 0, (words, result)
        assert _runs_in(result.both, taker) == [expected], (words, result)
        assert (LOCAL_SCOPE in result.err) is not bool({"-a", "--all"} & set(words)), (words, result)


def _runs_in(text: str, taker: Taker) -> list[int]:
    """Return the numbers of the runs whose ids stand in a text."""
    return [number for number, run_id in enumerate(taker.ids) if run_id[:8] in text]


def test_every_command_takes_several_runs_or_says_that_it_takes_one(taker: Taker, guild: Guild) -> None:
    """Both ends of a range are meant, each run counts once; a command for one run names those that were meant."""
    cases = {
        ("0", "1"): [0, 1], ("1:2",): [1, 2], (":1", "0"): [0, 1], (":",): taker.local, ("1:",): taker.local[1:],
        ("2", "00", "0:2"): [0, 1, 2], ("--op", "train", ":"): [n for n in taker.local if n != 1],
    }  # fmt: skip
    results = guild.many([[*taker.words, *words] for words in cases])
    for (words, expected), result in zip(cases.items(), results, strict=True):
        if not taker.alone:
            assert sorted(_shown(result.out, taker)) == expected, result
        elif len(words) == 1:
            assert result.code == 1
            assert f"guild: '{words[-1]}' matches multiple runs:\n" in result.err
            assert _runs_in(result.err, taker) == expected
            assert "Name one run." in result.err


def _shown(text: str, taker: Taker) -> list[int]:
    """Return the numbers of the runs in a preview or a table, in its order."""
    ids = [run_id[:8] for run_id in taker.ids]
    return [ids.index(found) for found in re.findall(r"^(?:  \[)?([0-9a-f]{8})\]?  ", text, re.MULTILINE)]


def test_without_a_run_it_is_the_latest_or_all(taker: Taker, guild: Guild) -> None:
    """Notes and files are about the latest run that matches, what moves runs and stops them about all that match."""
    plain, filtered, none = guild.many(
        [[*taker.words], [*taker.words, "--op", "train"], [*taker.words, "--op", "nothing"]]
    )
    everything = taker.default == "all"
    assert _runs_in(plain.both, taker) == (taker.local if everything else [0])
    assert _runs_in(filtered.both, taker) == ([n for n in taker.local if n != 1] if everything else [0])
    if taker.lists:
        assert (none.code, none.out.count("\n")) == (0, 1)
        return
    assert none.code == 1
    assert re.search(r"^guild: (no run|No runs|Nothing to) ", none.err, re.MULTILINE), none
    assert none.out == ""


NO_RUN = ["99", "4", "0:9", "9:", "9" * 30, "0:" + "9" * 30, "-1", "-1:", "zzz", "1:x", "1:2:3", "", " 0", "f" * 32]


def test_every_command_refuses_what_names_no_run(taker: Taker, guild: Guild) -> None:
    """Out of range, negative, huge, no id: the same words and the way to the list, and nothing is done."""
    count = len(taker.local)
    same = " with the same options" if taker.words[0] == "stop" else ""
    there = f"for a list (there are {count}, from 0 to {count - 1})."
    hint = "A run is named by its index, by START:STOP, or by its id."
    before = guild.state()
    results = guild.many([[*taker.words, "--", spec] for spec in NO_RUN])
    for spec, result in zip(NO_RUN, results, strict=True):
        assert result == (
            1,
            "",
            f"{LOCAL_SCOPE}guild: could not find a run matching '{spec}'\nTry `{taker.listing}`{same} {there} {hint}\n",
        )
    assert guild.state() == before


def test_every_command_refuses_what_is_not_certain(taker: Taker, guild: Guild) -> None:
    """A range that runs backwards, a beginning of several ids, a run that is elsewhere; one such word is enough."""
    other = {LIVE: DELETED, DELETED: LIVE}[taker.ids]
    elsewhere = "is deleted" if taker.ids is LIVE else "is not deleted"
    shared = taker.ids[0][:2]
    cases: dict[tuple[str, ...], str] = {
        ("2:1",): "guild: range 2:1 selects nothing: its start is after its end\nDid you mean 1:2?\n",
        (shared,): f"guild: '{shared}' matches multiple runs:\n  {taker.ids[0][:8]}\n  {taker.ids[1][:8]}\n",
        (other[0],): f"guild: run {other[0][:8]} {elsewhere}",
        (taker.ids[3],): f"guild: run {taker.ids[3][:8]} belongs to another project: add --all",
        ("--op", "test", taker.ids[0]): f"guild: run {taker.ids[0][:8]} is not among the runs that the given options",
    }
    if not taker.alone:
        cases[("0", "zzz")] = cases[("zzz", "0")] = "guild: could not find a run matching 'zzz'\n"
    before = guild.state()
    for (words, message), result in zip(
        cases.items(), guild.many([[*taker.words, *words] for words in cases]), strict=True
    ):
        assert result.code == 1, (words, result)
        assert message in result.err, (words, result)
        assert result.out == ""
    assert guild.state() == before


BAD_LIMITS = {
    ("--op", ""): "--op needs a text, and got an empty one\n",
    ("--label", ""): "--label needs a text, and got an empty one\n",
    ("--tag", ""): "--tag needs a text, and got an empty one\n",
    ("--comment", ""): "--comment needs a text, and got an empty one\n",
    ("--started", ""): "--started needs a text, and got an empty one\n",
    ("--digest", ""): "--digest needs a text, and got an empty one\n",
    ("-F", ""): "--filter needs a text, and got an empty one\n",
    ("--started", "whenever"): "whenever",
    ("--digest", "xyz"): "'xyz' is not the beginning of a digest\n",
    ("-F", "lr >"): "guild: expected a value\n  lr >\n      ^\n",
    ("-F", "attr:lable = x"): "there is no attribute 'lable' (did you mean 'label'?)\n",
    ("--labl", "x"): "unrecognized option '--labl' (did you mean --label?)\n",
}


@pytest.fixture(scope="module")
def listed(open_home: Guild) -> list[Result]:
    """Give what `guild runs list` says to bad limits."""
    return open_home.many([["runs", "list", *words] for words in BAD_LIMITS])


def test_every_command_refuses_the_same_limits_in_the_same_words(
    taker: Taker, guild: Guild, listed: list[Result]
) -> None:
    """An empty text, a time, digest or expression that is none: told as `guild runs list` tells it."""
    results = guild.many([[*taker.words, *words] for words in BAD_LIMITS])
    for (words, message), expected, result in zip(BAD_LIMITS.items(), listed, results, strict=True):
        assert message in expected.err, expected
        assert result.out == ""
        assert (result.code, _without_try(result.err)) == (expected.code, _without_try(expected.err)), words


def _without_try(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("Try 'guild "))
