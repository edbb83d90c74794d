"""One small picture for every layer: a photograph, and what the layer makes of it from low to high."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from augment.tools.preview.examples import example_layer, layer_names
from augment.tools.preview.samples import Sample
from augment.tools.preview.sheet import sheet_of, written
from augment.tools.preview.strips import strips

MOST_BYTES = 45_000
"""Largest size of a picture, so that a page with many of them loads quickly."""

_STEPS, _SIDE, _ROWS = 5, 120, 3


def draw_gallery(folder: Path, samples: list[Sample], names: Sequence[str] | None = None) -> list[Path]:
    """Write NAME.jpg for each layer into a folder, and return the files.

    Args:
        folder: of the pictures; created if missing.
        samples: two or more images of one size.
        names: of the layers; None means all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name in layer_names() if names is None else names:
        file = folder / f"{name}.jpg"
        rows = strips(example_layer(name), samples, _STEPS, _SIDE, most=_ROWS)
        written(sheet_of(rows, _SIDE), file, MOST_BYTES)
        files.append(file)
    return files
