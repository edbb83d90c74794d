"""The end of a pipeline in one operator: the last run of warps, the layers after it that change a pixel by itself, and
the type of the result.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from augment.data.operator import Operator, operator, tensors_in
from augment.data.pixels import finished, kept_dtype
from augment.data.types import Bool, Images
from augment.geometry.motion import Motion
from augment.kernels.reference.coloring import adjust_color
from augment.kernels.reference.pixelwise import erase, normalize
from augment.kernels.reference.warping import resample
from augment.kernels.source import Source

LINKED: tuple[Operator, ...] = (adjust_color, normalize, erase)
"""Operators that a chain may consist of: what they make of a pixel is told by their arguments, not by a function."""


@dataclass(frozen=True)
class Link:
    """A layer of the chain.

    Attributes:
        operator: one of `LINKED`.
        chosen: which samples it changes; None for all.
        arguments: what the operator takes after the image and the chosen samples.
    """

    operator: Operator
    chosen: Bool[Tensor, " b"] | None
    arguments: tuple[Any, ...]

    def tensors(self) -> list[Tensor]:
        """What decides whether a kernel serves; see `data.operator`."""
        return tensors_in([self.chosen, self.arguments])


@operator
def finish(
    image: Source, motions: Sequence[Motion], interpolation: str, chain: Sequence[Link], dtype: torch.dtype
) -> Images:
    """Samples images where a run of motions looks, changes their pixels, and brings them to the type of the result.

    Args:
        image: (B, C, H, W), C planes (B, H, W) or packed images, uint8 or float; all channels are colours.
        motions: the last one fixes the size.
        interpolation: "nearest" or "bilinear".
        chain: what follows, one after another.
        dtype: type of the result, see `finished`.
    """
    moved = resample(image, list(motions), interpolation, kept_dtype(dtype))
    for link in chain:
        moved = link.operator(moved, link.chosen, *link.arguments)
    return finished(moved, dtype)
