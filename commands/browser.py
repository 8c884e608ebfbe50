"""Opening a page in the user's browser, without waiting for it, and without a browser that would take the terminal."""

from __future__ import annotations

import os
import sys
from threading import Thread

from commands.terminal import note


def open_page(url: str) -> None:
    """Open a page in the background; where there is no browser with windows, say so."""
    has_screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform == "darwin"
    if not (has_screen or os.environ.get("BROWSER")):
        note("There is no browser to open here: open the address yourself.")
        return
    Thread(target=_open, args=(url,), daemon=True).start()


def _open(url: str) -> None:
    import webbrowser

    try:
        opened = webbrowser.open(url)
    except (webbrowser.Error, OSError):
        opened = False
    if not opened:
        note("No browser could be opened: open the address yourself.")
