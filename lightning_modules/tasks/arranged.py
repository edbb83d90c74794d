"""Small digits whose place or size is the label."""

from __future__ import annotations

from lightning_modules.data.image_sets import TensorImages
from lightning_modules.tasks.making import Chance, digits, image_set, placed

NOISE = 0.15
"""Standard deviation of the noise on the images, which are in [0, 1]."""


def position(seed: int) -> TensorImages:
    """A digit in one of five columns, which is the label, at any height. Shifting to the side breaks it."""
    found, chance = digits(), Chance(seed)
    number = len(found.labels)
    column = chance.choice(5, number)
    right = 2.0 * (column - 2) + chance.uniform(-0.5, 0.5, number)
    images = placed(found.images, 0.0, 8.0, right, chance.uniform(-4, 4, number))
    return image_set(images + NOISE * chance.normal(*images.shape), column, list("12345"))


def size(seed: int) -> TensorImages:
    """A digit in one of four sizes, which is the label, at any place. Scaling breaks it."""
    found, chance = digits(), Chance(seed)
    number = len(found.labels)
    step = chance.choice(4, number)
    pixels = 7 * 1.25**step * chance.uniform(0.95, 1.05, number)
    shift = chance.uniform(-2, 2, 2, number)
    images = placed(found.images, 0.0, pixels, *shift)
    return image_set(images + NOISE * chance.normal(*images.shape), step, list("1234"))
