"""The options that limit runs, as a person would type them: to tell what is shown, and to spell a command again."""

from __future__ import annotations

from collections.abc import Sequence

from commands.options import Limits


def limit_words(limits: Limits, runs: Sequence[str] = ()) -> list[str]:
    """Return the words of these limits, the filter left out, and of RUN arguments."""
    words = ["--all"] if limits.everywhere else []
    for option, texts in (("--op", limits.operations), ("--label", limits.labels), ("--tag", limits.tags),
                          ("--comment", limits.comments)):  # fmt: skip
        words += [word for text in texts for word in (option, text)]
    words += [f"--{status}" for status in limits.statuses]
    words += ["--unlabeled"] if limits.unlabeled else []
    if limits.marked is not None:
        words.append("--marked" if limits.marked else "--unmarked")
    for option, text in (("--started", limits.started), ("--digest", limits.digest), ("--at", limits.at)):
        words += [option, text] if text else []
    return [*words, *runs]
