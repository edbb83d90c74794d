"""Radial distortion by a lens."""

from __future__ import annotations

import torch
from torch import Tensor

from augment.data.types import Shaped, Size

Extent = float | Shaped[Tensor, "#b #h #w"]

_FARTHEST = 1e3
"""Largest squared distance that is distorted: far outside any image, so that positions stay finite."""


def extents(size: Size) -> tuple[Extent, Extent]:
    """Returns the (height, width) of images shaped to broadcast over (B, H, W)."""
    height, width = (n[:, None, None] if isinstance(n, Tensor) else n for n in size)
    return height, width


def distorted(
    size: tuple[Extent, Extent],
    unit: tuple[Extent, Extent],
    first: Shaped[Tensor, "b 1 1"],
    second: Shaped[Tensor, "b 1 1"] | float,
    x: Shaped[Tensor, "..."],
    y: Shaped[Tensor, "..."],
) -> tuple[Tensor, Tensor]:
    """Stretches positions away from the image centre by 1 + first * r**2 + second * r**4 (Brown 1966).

    Args:
        size: (height, width) of the images in pixels.
        unit: distances (vertical, horizontal) in pixels that count as r = 1.
        first, second: coefficients, k1 and k2 in OpenCV.
        x, y: positions in pixels, which broadcast to (B, H, W).
    """
    centre_y, centre_x = (size[0] - 1) / 2, (size[1] - 1) / 2
    u, v = x - centre_x, y - centre_y
    squared = ((u / unit[1]) ** 2 + (v / unit[0]) ** 2).clamp(max=_FARTHEST)
    stretch = 1 + squared * (first + second * squared)
    return torch.broadcast_tensors(centre_x + u * stretch, centre_y + v * stretch)
