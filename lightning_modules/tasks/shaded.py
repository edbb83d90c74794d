"""Digits whose colour or brightness is the label."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_modules.data.image_sets import TensorImages
from lightning_modules.tasks.making import Chance, digits, image_set, placed

NOISE = 0.15
"""Standard deviation of the noise on the images, which are in [0, 1]."""


def colour(seed: int) -> TensorImages:
    """A digit in one of eight hues, which is the label, on a grey ground. A change of hue breaks it."""
    found, chance = digits(), Chance(seed)
    number = len(found.labels)
    hue = chance.choice(8, number)
    angle = 360 / 8 * hue + chance.uniform(-12, 12, number)
    strokes = placed(found.images, chance.uniform(-30, 30, number), 12.0)
    strength = chance.uniform(0.2, 0.6, number, 1, 1, 1)
    ground = chance.uniform(0.2, 0.6, number, 1, 1, 1)
    images = ground + strength * strokes * (2 * pure(angle)[:, :, None, None] - 1)
    return image_set(images + NOISE * chance.normal(*images.shape), hue, [str(45 * k) for k in range(8)])


def brightness(seed: int) -> TensorImages:
    """A digit on a ground of one of six shades of grey, which is the label. A change of brightness breaks it."""
    found, chance = digits(), Chance(seed)
    number = len(found.labels)
    shade = chance.choice(6, number)
    ground = 0.15 + 0.1 * shade + chance.uniform(-0.03, 0.03, number)
    strokes = placed(found.images, chance.uniform(-30, 30, number), 12.0)
    ink = chance.uniform(-0.6, 0.6, number, 3, 1, 1)
    images = ground[:, None, None, None] + ink * strokes
    return image_set(images + NOISE * chance.normal(*images.shape), shade, list("123456"))


def pure(degrees: Tensor) -> Tensor:
    """Return the colours (N, 3) in [0, 1] of hues (N,) in degrees, at full saturation and value."""
    corner = (torch.tensor([5.0, 3.0, 1.0]) + degrees[:, None] / 60) % 6
    return 1 - torch.minimum(corner, 4 - corner).clamp(0, 1)
