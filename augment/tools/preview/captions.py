"""Says in a few words what `explain` reports."""

from __future__ import annotations

import math
import re
from typing import Any

_INNER = ("augmented", "stick_1", "stick_2")
"""How AugMix weighs its chains."""
_UNTOLD = ("layer", "applied", "key", "keys", "pairing", "permutation", "sign", "op", "operator", *_INNER)
_SILENT = ("Normalize", "Denormalize", "Resize", "CenterCrop", "Identity")
"""Layers that treat every image alike, and the operator of a policy that does nothing."""
_TURNS = ("degrees", "angle", "rotation")
_UNITS = {
    **dict.fromkeys((*_TURNS, "shear_x", "shear_y"), "°"),
    **dict.fromkeys(("translate_x", "translate_y"), " px"),
}
_ZERO_IS_NOTHING = ("degrees", "translate_x", "translate_y", "shear_x", "shear_y", "hue", "mean")
_ONE_IS_NOTHING = ("scale", "gain")
_RECTANGLE = ("top", "left", "height", "width")


def caption(explained: dict[str, Any]) -> list[str]:
    """Return a line for each layer that was applied, such as "resized crop 99x104 at (90, 130)".

    Places and sizes are in pixels of the layer's input, x before y and width before height.

    Example:
        >>> caption({"layers": [{"layer": "RandomRotation", "applied": True, "degrees": 12.0}]})
        ['rotation 12°']
    """
    lines = [_line(entry) for entry in explained["layers"] if entry["applied"]]
    return [line for line in lines if line] or ["unchanged"]


def _line(entry: dict[str, Any]) -> str:
    name = entry.get("operator") or entry["layer"].removeprefix("Random").removeprefix("Slot")
    told = {key: value for key, value in entry.items() if key not in _UNTOLD}
    if name in _SILENT or (entry["layer"] in _SILENT):
        return ""
    name = _words(name)
    if "operator" in entry:
        return f"{name} {_number(entry['value'])}" if entry["value"] else name
    if _is_number(told.get("top")):
        name, told = f"{name} {_rectangle(told)}", {key: told[key] for key in told if key not in _RECTANGLE}
    if isinstance(told.get("height"), list):  # several holes, of which those of no height are not there
        holes = sum(height > 0 for height in told["height"])
        return f"{name}, {holes} hole{'' if holes == 1 else 's'}"
    pairs = {key: value for key, value in told.items() if _tells(key, value)}
    words = [_pair(name, key, value, alone=len(pairs) == 1) for key, value in pairs.items()]
    return f"{name}{', ' if name.endswith(')') and words else ' '}{', '.join(words)}".strip()


def _rectangle(told: dict[str, Any]) -> str:
    place = f"at ({_number(told['left'])}, {_number(told['top'])})"
    return f"{_number(told['width'])}x{_number(told['height'])} {place}" if _is_number(told.get("height")) else place


def _tells(key: str, value: Any) -> bool:
    """Return whether a value is short, and not the one that changes nothing."""
    if isinstance(value, list):
        return len(value) <= 2 and all(map(_is_number, value))
    if isinstance(value, str):
        return True
    nothing = 0 if key in _ZERO_IS_NOTHING else 1 if key in _ONE_IS_NOTHING else math.nan
    return not math.isclose(value, nothing, abs_tol=1e-6)


def _pair(layer: str, key: str, value: Any, alone: bool) -> str:
    """Format "sigma 0.8"; the word is left out where it repeats the layer's name, or the unit tells it."""
    shown = " and ".join(map(_number, value)) if isinstance(value, list) else _number(value)
    shown += _UNITS.get(key, "")
    word = _words(re.sub("_(limit|range|val)$", "", key)).removeprefix(f"{layer} ")
    return shown if word == layer or (alone and key in _TURNS) else f"{word} {shown}"


def _words(name: str) -> str:
    """Split ResizedCrop, RGBShift or shear_x into lower-case words."""
    name = name.replace("_", " ").replace("IoU", "Iou").replace("BBox", "Box")
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return spaced.lower().replace("jpeg", "JPEG").replace("rgb", "RGB").replace("iou", "IoU")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))


def _number(value: Any) -> str:
    if isinstance(value, str):
        return value
    return f"{round(float(f'{value:.3g}'), 4):g}" if abs(value) < 1000 else f"{value:.0f}"
