"""What the made tasks have in common: digits, random numbers, and images as bytes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor

from lightning_modules.data.image_sets import TensorImages

SIZE = 16
"""Height and width of every image of the suite, in pixels."""


class Digits(NamedTuple):
    """scikit-learn's digits: images (N, 1, 8, 8) in [0, 1], and the digits (N,)."""

    images: Tensor
    labels: Tensor


def digits() -> Digits:
    """Return all 1,797 digits."""
    found = load_digits()
    images = torch.from_numpy(found.images)[:, None].float() / 16  # values range from 0 to 16
    return Digits(images, torch.from_numpy(found.target))


class Chance:
    """Random numbers for one task; the same seed gives the same numbers.

    Args:
        seed: the seed of the task.
    """

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Return uniform numbers in [low, high)."""
        return low + (high - low) * torch.rand(shape, generator=self.generator)

    def choice(self, count: int, number: int) -> Tensor:
        """Return `number` integers below `count`, all equally likely."""
        return torch.randint(count, (number,), generator=self.generator)

    def normal(self, *shape: int) -> Tensor:
        """Return standard normal numbers."""
        return torch.randn(shape, generator=self.generator)


def placed(
    images: Tensor,
    degrees: Tensor | float = 0.0,
    pixels: Tensor | float = SIZE,
    right: Tensor | float = 0.0,
    down: Tensor | float = 0.0,
) -> Tensor:
    """Draw images onto a black canvas of SIZE x SIZE pixels.

    Args:
        images: (N, 1, H, H).
        degrees: angle of each image (N,), counterclockwise.
        pixels: side of each image on the canvas (N,), in pixels.
        right, down: distance of its centre from the centre of the canvas (N,), in pixels.
    """
    count = len(images)
    turn = torch.as_tensor(degrees).expand(count) * (math.pi / 180)
    grow = SIZE / torch.as_tensor(pixels).expand(count)
    x, y = (torch.as_tensor(shift).expand(count) * (2 / SIZE) for shift in (right, down))
    cos, sin = turn.cos() * grow, turn.sin() * grow
    matrix = torch.stack([cos, -sin, -cos * x + sin * y, sin, cos, -sin * x - cos * y], 1).view(count, 2, 3)
    grid = F.affine_grid(matrix.float(), [count, 1, SIZE, SIZE], align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def image_set(images: Tensor, labels: Tensor, classes: Sequence[str]) -> TensorImages:
    """Return a data set of colour images from images (N, 1 or 3, H, W), clipped to [0, 1]."""
    pixels = (images.clamp(0, 1) * 255).round().to(torch.uint8).expand(-1, 3, -1, -1)
    return TensorImages(pixels.permute(0, 2, 3, 1).contiguous(), labels, classes)
