"""The screen, or the file that takes its place."""

from __future__ import annotations

import sys

from rich.console import Console


def screen() -> Console:
    """Return a console as wide as the terminal, or wide enough for tables where the output goes to a file."""
    return Console(width=None if sys.stdout.isatty() else 200)
