"""The way from the original of an image to what a decoder left of it."""

from __future__ import annotations

from torch import Tensor

from augment.data.known import known
from augment.data.packed import PackedImages
from augment.data.types import Float
from augment.geometry import matrix as mat
from augment.geometry.motion import Motion


def as_stored(image: PackedImages, like: Float[Tensor, "b ..."]) -> Motion:
    """Returns the motion from originals to the reduced or cut images that are stored; see `data.packed.Origin`."""
    origin = known(image.origin)
    scale, (top, left) = origin.scale.to(like.dtype), origin.corner.to(like.dtype).unbind(1)
    shift = (scale - 1) / 2
    heights, widths = image.sizes.unbind(1)
    return Motion(
        matrix=mat.matrix(((scale, 0.0, shift - left), (0.0, scale, shift - top), (0.0, 0.0, 1.0)), like),
        in_size=(heights, widths),
        out_size=image.sides,
        separable=True,
        bound=(origin.max_scale, origin.max_scale),
        stored=True,
    )
