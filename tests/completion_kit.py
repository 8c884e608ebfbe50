"""The project that completion is asked about, for the tests of what is offered and of the shells' scripts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli_kit import Guild, make_project

CHOICES = """\
- name: net
  description: A net
  operations:
    fit:
      description: Fit it
      cmd: work
      alias: grow
      default: yes
      flags:
        opt: {default: sgd, options: [{value: sgd, description: plain}, {value: adam, description: with decay}]}
        note: {options: [two words, one]}
        fast: no
        lr: {default: 0.1, description: How fast}
        data: {type: path}
"""


@pytest.fixture(name="net")
def net_fixture(tmp_path: Path) -> Guild:
    """Give a project whose operation has all kinds of flags, and a home that is not there."""
    return Guild(tmp_path / "no" / "home", make_project(tmp_path / "project", CHOICES))
