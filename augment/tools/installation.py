"""Tells when augment was installed without its C++ kernels, because a run is then slow without any error."""

from __future__ import annotations

import sys

from augment.kernels import missing


def slow_installation() -> str | None:
    """Return what is missing, what that costs and the command that repairs it; None if nothing is missing."""
    return "; ".join(f"{problem}; {remedy}" for problem, remedy in missing()) or None


def warn_if_slow(device: str) -> None:
    """Print the warning if a tool uses the CPU, whose kernels they are."""
    warning = slow_installation() if device == "cpu" else None
    if warning:
        print(f"warning: {warning}", file=sys.stderr)
