"""Digits that are turned or mirrored."""

from __future__ import annotations

import torch

from lightning_modules.data.image_sets import TensorImages
from lightning_modules.tasks.making import Chance, digits, image_set, placed

TURNED = 5
"""Number of digits, from 0, that are told apart at any angle; 6 and 9 would be the same."""

ASYMMETRIC = (2, 3, 4, 5, 6, 7, 9)
"""Digits that differ from their mirror images."""


def rotated(seed: int) -> TensorImages:
    """The digits 0 to 4 at any angle; the label is the digit. Rotation is harmless and helps."""
    found, chance = digits(), Chance(seed)
    few = found.labels < TURNED
    images, labels = found.images[few], found.labels[few]
    return image_set(placed(images, chance.uniform(-180, 180, len(labels)), 13.0), labels, list("01234"))


def orientation(seed: int) -> TensorImages:
    """Digits turned by a multiple of 90 degrees, which is the label. Rotation beyond 45 degrees breaks it."""
    found, chance = digits(), Chance(seed)
    turn = chance.choice(4, len(found.labels))
    return image_set(placed(found.images, 90.0 * turn, 13.0), turn, ["0", "90", "180", "270"])


def mirrored(seed: int) -> TensorImages:
    """Digits of which half are mirrored, which is the label. A flip breaks it."""
    found, chance = digits(), Chance(seed)
    asymmetric = torch.isin(found.labels, torch.tensor(ASYMMETRIC))
    images = found.images[asymmetric]
    mirror = chance.choice(2, len(images))
    images = torch.where(mirror[:, None, None, None] == 1, images.flip(3), images)
    return image_set(placed(images, 0.0, 13.0), mirror, ["as written", "mirrored"])
