"""What a check of a home found: one line each, with its remedy. Told by those who look, shown and mended by others."""

from __future__ import annotations

from collections.abc import Iterator

from ledger.dataclass import dataclass, field

MOST = 10_000
"""Findings that are kept: a home with a million directories in the wrong place is mended in several goes."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        area: what it is about: home, ledger, index, runs, leases, leftovers.
        what: what is so, one sentence without a full stop.
        remedy: what to do about it.
        path: the file or folder that it is about.
        run: id of the run that it is about.
        is_problem: whether something is wrong; else it is harmless, and good to know.
        mend: what `--repair` calls the way to mend it; None when that is not for a program to do.
    """

    area: str
    what: str
    remedy: str
    path: str | None = None
    run: str | None = None
    is_problem: bool = True
    mend: str | None = None


@dataclass(slots=True)
class Findings:
    """All that was found, in the order found."""

    kept: list[Finding] = field(default_factory=list)
    dropped: int = 0

    def add(self, finding: Finding | None) -> None:
        """Keep a finding; None is none."""
        if finding is None:
            return
        if len(self.kept) < MOST:
            self.kept.append(finding)
        else:
            self.dropped += 1

    def to_mend(self, *ways: str) -> Iterator[Finding]:
        """Yield those that are mended in one of these ways."""
        return (finding for finding in self.kept if finding.mend in ways)


def shell_word(path: str) -> str:
    """Return a path as it is to be typed in a shell: a remedy is copied from the screen."""
    import shlex

    return shlex.quote(path)
