r"""`output-scalars`: the numbers that an operation's own patterns find, in all the forms that model files have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from artifacts.output_patterns import PatternError, Patterns, check
from tests.cli_kit import Guild
from tests.test_output_scalars import read

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.canonical import Value

KERAS = "Epoch 1/3\n- loss: 0.5 - accuracy: 0.8\nEpoch 2/3\n- loss: 1e-1 - accuracy: nan\n"


@pytest.mark.parametrize(
    ("patterns", "text", "expected"),
    [
        (r"- (\key): (\value)", KERAS, {"loss": (0.1, None)}),
        ([r"Epoch (?P<step>\step)", r"- (\key): (\value)"], KERAS, {"loss": (0.1, 2)}),
        ([{"step": r"Epoch (\step)"}, r"(\key): (\value)"], KERAS, {"loss": (0.1, 2)}),
        ({"step": r"Epoch (\step)", "err": r"loss: (\value)"}, KERAS, {"err": (0.1, 2)}),
        (r"ep (?P<step>\step) - train (?P<loss>\value) - val (?P<v>\value)", "ep 3 - train 1 - val -.5e1",
         {"loss": (1.0, 3), "v": (-5.0, 3)}),
        (r"(\key)=(\value)", "lr=0.1,loss=0.3;x=Infinity", {"lr": (0.1, None), "x": (float("inf"), None)}),
        ({"loss": r"loss is \value"}, "the loss is 7!", {"loss": (7.0, None)}),
        (r"\key -> \value", "a -> 1", {"a": (1.0, None)}),
        ({"v": r"x\\value (\d+)"}, r"x\value 12", {"v": (12.0, None)}),
        ({"v": r"(?:é|ü)=(\S+)"}, "ü=1.5\nü=low", {"v": (1.5, None)}),
        (r"(?P<loss>\value)(?:s|ms)", "7ms", {"loss": (7.0, None)}),
        ({"loss": r"(?P<x>\value) (\value)"}, "1 2", {"loss": (1.0, None)}),
        ({"a b": r"A(\value)", "c": r"A(\value)"}, "A1 A2", {"a b": (2.0, None), "c": (2.0, None)}),
        ({"loss": r"loss: (\value)?"}, "loss: \n", {}),
        ([], "loss: 1", {}),
    ],
)  # fmt: skip
def test_patterns_find_keys_steps_and_values(
    tmp_path: Path, patterns: Value, text: str, expected: dict[str, tuple[float, int | None]]
) -> None:
    """Anywhere in a line and as often as it has them; a step counts for the line in which it stands."""
    found = read(tmp_path, text, patterns=patterns)
    assert {key: found[key]["last"] for key in expected} == expected
    assert bool(found) == bool(expected)


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        ("loss", "loss", "expected a group"),
        ("(.)", None, "expected two groups"),
        ("loss", None, "expected two groups"),
        ("(", "loss", "no regular expression"),
        ("(?P<a>.)(?P<a>.)", None, "no regular expression"),
        ("x{99999999999999999999}(.)", "loss", "no regular expression"),
        (r"loss (\value)", "", "is of no key: expected one of 1 to 256 characters that can be printed, not ''"),
        (r"loss (\value)", "a\nb", "is of no key"),
        (r"loss (\value)", "k" * 257, "is of no key"),
        (r"(\key) (?P<loss>\value)", None, "groups without a name beside named ones"),
        (r"(?P<loss>\value) (s|ms)", None, r"or write '\(\?:...\)'"),
    ],
)
def test_a_pattern_that_cannot_find_a_number_is_refused(text: str, key: str | None, said: str) -> None:
    """Before anything runs, and saying what was expected."""
    with pytest.raises(PatternError, match=said):
        check(text, key)


def test_a_long_line_is_passed_over(tmp_path: Path) -> None:
    """What a pattern costs may grow faster than the line; the lines beside it are read."""
    text = "a=1\n" + "a=2 " * 5_000 + "\na=3\n"
    found = read(tmp_path, text, patterns=r"(\key)=(\value)")
    assert (found["a"]["first"], found["a"]["last"], found["a"]["count"]) == ((1.0, None), (3.0, None), 2)


def test_every_pattern_of_a_text_that_is_no_number_is_left_out() -> None:
    """What a group found is a value only when it is a number; what is too long is no key."""
    patterns = Patterns(r"(\S+)=(\S+)")
    assert patterns.search("a=1 b=x c=0x1 " + "k" * 300 + "=2") == [("a", "1")]


@pytest.fixture
def guild(tmp_path: Path) -> Guild:
    """A home and an empty project."""
    (tmp_path / "project").mkdir()
    return Guild(tmp_path / "home", tmp_path / "project")


def test_an_operation_has_patterns_of_its_own(guild: Guild) -> None:
    """They take the place of the usual form, and what they find is shown, filtered and sorted like any scalar."""
    (guild.cwd / "guild.yml").write_text(
        "train:\n  main: train\n  output-scalars:\n    - step: 'Epoch (\\step)'\n    - '- (\\key): (\\value)'\n"
    )
    (guild.cwd / "train.py").write_text(f"print({KERAS!r} + 'other: 5')\n")
    assert guild("run", "train", "-y").code == 0
    scalars = guild.json("runs", "info", "--json")["scalars"]
    assert {key: summary["last"] for key, summary in scalars.items()} == {
        "loss": [0.1, 2],
        "accuracy": [{"$float": "nan"}, 2],
    }


def test_a_pattern_that_takes_for_ever_is_given_up(guild: Guild) -> None:
    """The run ends as ever, the other patterns find their numbers, and the one that was given up is named."""
    (guild.cwd / "guild.yml").write_text(
        "train:\n  main: train\n  output-scalars: {slow: '((a+)+)b', loss: 'loss=(\\value)'}\n"
    )
    (guild.cwd / "train.py").write_text("print('loss=1'); print('a' * 4000); print('loss=2')\n")
    result = guild("run", "train", "-y")
    assert result.code == 0
    assert "the pattern '((a+)+)b' took too long and was given up" in result.err
    assert guild.json("runs", "info", "--json")["scalars"]["loss"]["count"] == 2


def test_a_bad_pattern_is_an_error_of_the_model_file(guild: Guild) -> None:
    """With the line that holds it; nothing is started."""
    (guild.cwd / "guild.yml").write_text("train:\n  main: train\n  output-scalars:\n    loss: 'loss: (\\value'\n")
    (guild.cwd / "train.py").write_text("print('loss: 1')\n")
    error = guild.refused("run", "train", "-y", code=1)
    assert "guild.yml:4" in error
    assert "no regular expression: missing )" in error
    assert guild.json("runs", "--json") == []
