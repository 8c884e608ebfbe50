"""The files of the page itself: nothing in them can turn somebody's text into markup or ask another host."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

STATIC = Path(__file__).parent.parent / "view" / "web" / "static"
VENDOR = STATIC / "vendor"
MODULES = sorted(path for path in STATIC.rglob("*.js") if VENDOR not in path.parents)
MOST_LINES = 400

MARKUP = (
    "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "DOMParser", "srcdoc", "createContextualFragment",
    "setHTMLUnsafe", "eval(", "new Function", "javascript:",
)  # fmt: skip
"""Ways to make markup or code out of text."""

NAMESPACE = "http://www.w3.org/2000/svg"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(STATIC)))
def test_a_module_of_the_page_is_small_and_makes_text_of_text(path: Path) -> None:
    """Every module says why it is there, is short, makes no markup of text, and names no other host."""
    text = path.read_text(encoding="utf-8")
    assert text.startswith("// ")
    assert len(text.splitlines()) <= MOST_LINES
    assert [word for word in MARKUP if word in text] == []
    assert set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"']*", text)) <= {NAMESPACE}


def test_every_module_that_is_imported_is_there() -> None:
    """What a module imports, and what the page names, is a file; nothing lies about unused."""
    used = {STATIC / "index.html", STATIC / "app.js"}
    for path in MODULES:
        for name in re.findall(r"(?:from|import\()\s*\"(\.[^\"]+)\"", path.read_text(encoding="utf-8")):
            used.add((path.parent / name).resolve())
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    used |= {STATIC / name for name in re.findall(r"\"/static/([^\"]+)\"", page)}
    assert [path for path in used if not path.is_file()] == []
    ours = {path for path in STATIC.rglob("*") if path.is_file() and VENDOR not in path.parents}
    assert ours - used == set()


def test_the_page_has_no_script_and_no_style_of_its_own() -> None:
    """What the content security policy forbids is not there: code or style in the page itself."""
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"<script(?![^>]*\ssrc=)", page) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=", page) == []
    assert "//" not in page.replace("<!doctype html>", "")


def test_what_others_wrote_is_as_it_was_published() -> None:
    """Every vendored file has the checksum that the page beside it tells."""
    told = dict(re.findall(r"\| `(uplot/[^`]+)` \|.*\| `([0-9a-f]{64})` \|", (VENDOR / "README.md").read_text("utf-8")))
    there = {
        str(path.relative_to(VENDOR)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (VENDOR / "uplot").iterdir()
    }
    assert told == there
