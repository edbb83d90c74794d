"""A run of warps on a GPU: one kernel for `reference.warping.resample`, from the matrices to the values.

Compiled torch computes an index and a weight for every tap: a crop of 256 images takes 1,409 µs on an H200, on which
reading and writing their bytes takes 32 µs.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from augment.data.types import Num
from augment.geometry.interpolation import Window
from augment.geometry.motion import Motion
from augment.geometry.reach import window_of
from augment.kernels.cuda.library import TRITON
from augment.kernels.cuda.looking import looking, looks
from augment.kernels.reference.warping import resample
from augment.kernels.source import Source

_PIXELS = 512
"""Pixels per program: crops and rotations of 256 images take 113 µs on an H100, against 118 to 153 µs with more or
fewer. Reading neighbouring bytes as words of four took 109 µs.
"""


@resample.kernel(
    TRITON,
    serves=lambda image, motions, interpolation, gpu_dtype: looks(image, motions, interpolation),
    tolerance=1e-4,
    reason="Compiled torch computes every tap by itself: a crop of 256 images took 1,409 µs, moving their bytes 32 µs.",
)
def _(image: Source, motions: Sequence[Motion], interpolation: str, gpu_dtype: torch.dtype) -> Num[Tensor, "b c oh ow"]:
    return warped(image, motions, window_of(motions), interpolation, gpu_dtype)


def warped(
    image: Source, motions: Sequence[Motion], window: Window, interpolation: str, dtype: torch.dtype = torch.float32
) -> Num[Tensor, "b c oh ow"]:
    """Samples images at the positions to which a run of motions maps, with their fill values outside.

    Args:
        image: (B, C, H, W), C planes (B, H, W) or packed images.
        motions: matrices with padding "zeros" or "none".
        window: part of the source that may be read.
        interpolation: "nearest", which keeps the type of the image, or "bilinear".
        dtype: type of interpolated values: floats in [0, 1], or uint8 for the nearest bytes.
    """
    from augment.kernels.cuda.warping_triton import warp  # imports Triton

    nearest = interpolation == "nearest"
    look = looking(image, motions, window, interpolation, [])
    data, batch, (height, width) = look.tensors[0], motions[0].matrix.shape[0], look.size
    out = motions[0].matrix.new_empty(batch, look.channels, height, width, dtype=data.dtype if nearest else dtype)
    warp[(batch * -(-height * width // _PIXELS),)](
        *look.tensors, out, *look.strides, CHANNELS=look.channels, PIXELS=_PIXELS, **look.constants
    )
    return out
