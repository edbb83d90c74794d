"""Patterns without an object: textures at any angle, and a spot that almost every change breaks."""

from __future__ import annotations

import math

import torch

from lightning_modules.data.image_sets import TensorImages
from lightning_modules.tasks.making import SIZE, Chance, image_set

NUMBER = 1800
"""Number of images, about as many as there are digits."""

ASPECTS = ((2.5, 0.0), (3.5, 0.0), (2.5, 2.5), (3.5, 3.5), (2.5, 3.5), (3.0, 1.5))
"""For each texture, the frequencies of its two crossed waves in cycles per image; 0 leaves the second one out."""


def texture(seed: int) -> TensorImages:
    """Waves and crossed waves at any angle and phase; the label is their kind. Rotation is harmless and helps."""
    chance = Chance(seed)
    kind = chance.choice(len(ASPECTS), NUMBER)
    angle = chance.uniform(-math.pi, math.pi, NUMBER, 1, 1)
    phase = chance.uniform(-math.pi, math.pi, 2, NUMBER, 1, 1)
    down, right = torch.meshgrid(*2 * [torch.linspace(-0.5, 0.5, SIZE)], indexing="ij")
    along, across = right * angle.cos() + down * angle.sin(), down * angle.cos() - right * angle.sin()
    first, second = torch.tensor(ASPECTS)[kind].T[:, :, None, None]
    waves = (2 * math.pi * first * along + phase[0]).sin()
    crossed = (2 * math.pi * second * across + phase[1]).sin() * (second > 0)
    images = 0.5 + 0.15 * (waves + crossed)[:, None]
    noisy = images + 0.2 * chance.normal(*images.shape)
    return image_set(noisy, kind, [f"{a:g} x {b:g}" for a, b in ASPECTS])


def nothing(seed: int) -> TensorImages:
    """A soft spot; the label is its quadrant, and whether it is red or blue. Almost every change breaks it."""
    chance = Chance(seed)
    middle = chance.uniform(-0.45, 0.45, 2, NUMBER, 1, 1)
    blue = chance.choice(2, NUMBER)
    down, right = torch.meshgrid(*2 * [torch.linspace(-0.5, 0.5, SIZE)], indexing="ij")
    spot = (-((down - middle[0]) ** 2 + (right - middle[1]) ** 2) / (2 * 0.12**2)).exp()[:, None]
    colours = 0.5 * torch.tensor([[1.0, 0.4, 0.4], [0.4, 0.4, 1.0]])[blue]
    images = 0.35 + spot * colours[:, :, None, None]
    quadrant = 2 * (middle[0, :, 0, 0] > 0) + (middle[1, :, 0, 0] > 0).long()
    classes = [f"{place}, {tint}" for tint in ("red", "blue") for place in ("1", "2", "3", "4")]
    return image_set(images + 0.05 * chance.normal(*images.shape), quadrant + 4 * blue, classes)
