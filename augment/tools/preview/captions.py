"""What `explain` tells, short enough to stand under a picture."""

from __future__ import annotations

import textwrap
from typing import Any

_UNTOLD = ("layer", "applied", "key", "pairing")
_SILENT = ("Normalize", "Denormalize", "Resize", "CenterCrop")
"""Layers that do the same to every image."""


def caption(explained: dict[str, Any], width: int) -> list[str]:
    """Lines of at most `width` characters; a layer that was applied starts a new one."""
    lines = []
    for entry in explained["layers"]:
        if not entry["applied"] or entry["layer"] in _SILENT:
            continue
        name = entry["layer"].removeprefix("Random").removeprefix("Slot")
        told = {key: value for key, value in entry.items() if key not in _UNTOLD}
        if "operator" in told:
            name, told = told["operator"], {"": told["value"]} if told["value"] else {}
        if name == "Identity":
            continue
        words = (_word(key, value, initials=len(told) > 2) for key, value in told.items())
        line = " ".join([name, *filter(None, words)])
        lines += textwrap.wrap(line, width, subsequent_indent=" ")
    return lines or ["unchanged"]


def _word(name: str, value: Any, initials: bool) -> str:
    """degrees=5.8, or d5.8 where there are many; long lists are left out."""
    if isinstance(value, list) and (len(value) > 2 or any(isinstance(v, list) for v in value)):
        return ""
    number = ",".join(map(_number, value)) if isinstance(value, list) else _number(value)
    if initials:
        return "".join(part[0] for part in name.split("_")) + number
    return f"{name}={number}" if name else number


def _number(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
