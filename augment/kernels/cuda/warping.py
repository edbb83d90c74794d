"""A run of warps on a GPU: one kernel for `reference.warping.resample`, from the matrices to the values.

Compiled torch computes an index and a weight for every tap: a crop of 256 images takes 1,409 µs on an H200, on which
reading and writing their bytes takes 32 µs.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from augment.data.constants import constant
from augment.data.known import whole_size
from augment.data.types import Num
from augment.geometry import matrix as mat
from augment.geometry.fill import Fill, in_bytes
from augment.geometry.interpolation import Window
from augment.geometry.motion import Motion, shrinks
from augment.geometry.reach import window_of
from augment.kernels.cuda import library
from augment.kernels.cuda.library import TRITON
from augment.kernels.reference.warping import resample
from augment.kernels.source import Source, can_be_counted, source_dtype, unchanged

_PIXELS = 512
"""Pixels per program: crops and rotations of 256 images take 113 µs on an H100, against 118 to 153 µs with more or
fewer. Reading neighbouring bytes as words of four took 109 µs.
"""


def _serves(image: Source, motions: Sequence[Motion], interpolation: str, gpu_dtype: torch.dtype) -> bool:
    """Whether all motions are matrices without a padding other than one colour, or a number each."""
    if interpolation in ("bicubic", "area") or any(
        motion.displace is not None or motion.copied is not None for motion in motions
    ):
        return False
    if any(motion.padding not in ("zeros", "none") for motion in motions) or motions[0].matrix.dtype != torch.float32:
        return False
    return source_dtype(image) != torch.float64 and can_be_counted(image) and len(_colours(motions)) < 2


def _colours(motions: Sequence[Motion]) -> set[Fill]:
    """Returns what the motions show outside their inputs, if it is a number per channel for any of them."""
    found = {motion.fill for motion in motions if motion.padding == "zeros"}
    return found if any(isinstance(fill, tuple) for fill in found) else set()


@resample.kernel(
    TRITON,
    serves=_serves,
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
    data, offsets, sizes, channels = unchanged(image)
    matrices = torch.stack([motion.matrix for motion in motions], dim=1).contiguous()
    batch = matrices.shape[0]
    library.require_rows("warp", batch, images=data if offsets is None else offsets)
    shown = [motion.padding == "zeros" for motion in motions]
    bytes = data.dtype == torch.uint8
    fills = [in_bytes(motion.fill) if bytes and nearest else motion.fill for motion in motions]
    colour = next((fill for fill, show in zip(fills, shown, strict=True) if show and isinstance(fill, tuple)), None)
    single = [1.0 if isinstance(fill, tuple) or colour is not None else fill for fill in fills]
    frames = [(*motion.in_size, fill) for motion, fill in zip(motions, single, strict=True)]
    shrink, bound = shrinks(motions)
    numbers = [number for frame, show in zip(frames, shown, strict=True) for number in (frame if show else (0, 0, 0))]
    numbers += [*window.rows, *window.columns, *shrink]
    antialias = max(bound) > 1 and not nearest
    height, width = whole_size(motions[-1].out_size)
    out = matrices.new_empty(batch, channels, height, width, dtype=data.dtype if nearest else dtype)
    strides = (0, 1, 0, channels) if offsets is not None else data.stride()
    warp[(batch * -(-height * width // _PIXELS),)](
        data,
        offsets,
        sizes,
        matrices,
        mat.side_by_side(numbers, matrices),
        None if colour is None else constant(colour, matrices),
        out,
        *strides,
        HEIGHT=height,
        WIDTH=width,
        CHANNELS=channels,
        BYTES=bytes,
        PACKED=offsets is not None,
        STEPS=len(motions),
        SHOWN=sum(show << s for s, show in enumerate(shown)),
        PROJECTIVE=any(motion.projective for motion in motions),
        NEAREST=nearest,
        ANTIALIAS=antialias,
        PIXELS=_PIXELS,
    )
    return out
