"""A run of warps on a GPU by one kernel, from its matrices to the values, as `reference.warping` defines it.

Compiled torch writes every tap out with its index and its weight: 1,409 µs for a crop of 256 images on an H200, whose
bytes take 32 µs.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from augment.data.types import Num
from augment.geometry import matrix as mat
from augment.geometry.interpolation import Window
from augment.geometry.motion import Step, shrinks
from augment.geometry.reach import window_of
from augment.kernels.cuda import library
from augment.kernels.cuda.library import TRITON
from augment.kernels.reference.warping import resample
from augment.kernels.source import Source, can_be_counted, source_dtype, unchanged

_PIXELS = 512
"""Of a program: 113 µs for crops and turns of 256 images on an H100, against 118 to 153 for more and fewer. Reading the
bytes of neighbours by words of four took 109.
"""


def _serves(image: Source, steps: Sequence[Step], interpolation: str, kept: torch.dtype) -> bool:
    """All steps are matrices that at most show their outside."""
    if interpolation == "bicubic" or any(step.displace is not None or step.copied is not None for step in steps):
        return False
    if any(step.padding not in ("zeros", "none") for step in steps) or steps[0].matrix.dtype != torch.float32:
        return False
    return source_dtype(image) != torch.float64 and can_be_counted(image)


@resample.kernel(
    TRITON,
    serves=_serves,
    tolerance=1e-4,
    reason="Compiled torch writes every tap out: a crop of 256 images took 1,409 µs, whose bytes take 32 µs.",
)
def _(image: Source, steps: Sequence[Step], interpolation: str, kept: torch.dtype) -> Num[Tensor, "b c oh ow"]:
    return warped(image, steps, window_of(steps), interpolation, kept)


def warped(
    image: Source, steps: Sequence[Step], window: Window, interpolation: str, dtype: torch.dtype = torch.float32
) -> Num[Tensor, "b c oh ow"]:
    """Values where a run of steps looks, floats in [0, 1] or the nearest bytes of them as `dtype` says, or the nearest
    pixels as they are; blended to the fill values of the frames that it leaves.
    """
    from augment.kernels.cuda.warping_triton import warp  # imports Triton

    nearest = interpolation == "nearest"
    data, offsets, sizes, channels = unchanged(image)
    matrices = torch.stack([step.matrix for step in steps], dim=1).contiguous()
    batch = matrices.shape[0]
    library.require_rows("warp", batch, images=data if offsets is None else offsets)
    shown = [step.padding == "zeros" for step in steps]
    levels = data.dtype == torch.uint8
    frames = [(*step.in_size, round(step.fill * 255) if levels and nearest else step.fill) for step in steps]
    shrink, bound = shrinks(steps)
    numbers = [number for frame, seen in zip(frames, shown, strict=True) for number in (frame if seen else (0, 0, 0))]
    numbers += [*window.rows, *window.columns, *shrink]
    antialias = max(bound) > 1 and not nearest
    height, width = steps[-1].out_size
    out = matrices.new_empty(batch, channels, height, width, dtype=data.dtype if nearest else dtype)
    strides = (0, 1, 0, channels) if offsets is not None else data.stride()
    warp[(batch * -(-height * width // _PIXELS),)](
        data,
        offsets,
        sizes,
        matrices,
        mat.side_by_side(numbers, matrices),
        out,
        *strides,
        HEIGHT=height,
        WIDTH=width,
        CHANNELS=channels,
        BYTES=levels,
        PACKED=offsets is not None,
        STEPS=len(steps),
        SHOWN=sum(seen << s for s, seen in enumerate(shown)),
        PROJECTIVE=any(step.projective for step in steps),
        NEAREST=nearest,
        ANTIALIAS=antialias,
        PIXELS=_PIXELS,
    )
    return out
