"""Lets `python -m guild_ledger` do what `guild` does, where the folder of scripts is not on PATH."""

from __future__ import annotations

from guild_ledger.main import main

main()
