"""Formats the output of `explain` as a short caption."""

from __future__ import annotations

import textwrap
from typing import Any

_UNTOLD = ("layer", "applied", "key", "pairing")
_SILENT = ("Normalize", "Denormalize", "Resize", "CenterCrop")
"""Layers that treat every image alike."""


def caption(explained: dict[str, Any], width: int) -> list[str]:
    """Return lines of at most `width` characters, a new line for each applied layer."""
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
    """Format a value as degrees=5.8, or as d5.8 if there are many; long lists are omitted."""
    if isinstance(value, list) and (len(value) > 2 or any(isinstance(v, list) for v in value)):
        return ""
    number = ",".join(map(_number, value)) if isinstance(value, list) else _number(value)
    if initials:
        return "".join(part[0] for part in name.split("_")) + number
    return f"{name}={number}" if name else number


def _number(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
