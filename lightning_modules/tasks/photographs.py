"""Photographs from a folder, such as CIFAR-10's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from lightning_modules.data.image_sets import TensorImages
from lightning_modules.errors import UserError
from lightning_modules.tasks.making import SIZE

PER_CLASS = 200
"""Photographs of each class that the task uses, the first by name."""


def photographs(folder: str | Path | None) -> TensorImages:
    """Photographs of a folder with one subfolder for each class, at SIZE x SIZE pixels; the label is the class.

    Raises:
        UserError: if there is no such folder, or if it has fewer than two classes.
    """
    if folder is None or not Path(folder).is_dir():
        raise UserError(f"task='photographs': root={str(folder)!r} must be a folder with a subfolder for each class.")
    classes = sorted(path for path in Path(folder).iterdir() if path.is_dir())
    if len(classes) < 2:
        raise UserError(f"task='photographs': root={str(folder)!r} must have at least two subfolders, one per class.")
    found = [(path, label) for label, part in enumerate(classes) for path in sorted(part.iterdir())[:PER_CLASS]]
    pixels = torch.from_numpy(np.stack([_small(path) for path, _ in found]))
    return TensorImages(pixels, torch.tensor([label for _, label in found]), [path.name for path in classes])


def _small(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BOX))
