"""Tells when augment was installed without its C++ kernels, because a run is then slow without any error."""

from __future__ import annotations

import sys
from pathlib import Path

from augment.kernels import missing

_ROOT = Path(__file__).resolve().parents[2]


def slow_installation() -> str | None:
    """Return what is missing, what that costs and the command that repairs it; None if nothing is missing."""
    problems = "; ".join(problem for problem, _ in missing())
    if not problems:
        return None
    checkout = (_ROOT / "pyproject.toml").is_file()
    source = f'-e "{_ROOT}"' if checkout else "--no-cache-dir --force-reinstall augment-inside"
    return f"{problems}; install g++, then run: {sys.executable} -m pip install --no-deps {source}"


def warn_if_slow(device: str) -> None:
    """Print the warning if a tool uses the CPU, whose kernels they are."""
    warning = slow_installation() if device == "cpu" else None
    if warning:
        print(f"warning: {warning}", file=sys.stderr)
