"""A run of warps on a GPU by one kernel, from its matrices to the values, as `warping` defines it.

Compiled torch writes every tap out with its index and its weight: 1,409 µs for a crop of 256 images on an H200, whose
bytes take 32 µs.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from augment.data.batch import PackedImages
from augment.data.types import Num
from augment.geometry import matrix as mat
from augment.geometry.interpolation import Window
from augment.geometry.motion import Step, shrinks
from augment.kernels.cpu.sampling import Source, can_be_counted, unchanged
from augment.kernels.cuda import library

_PIXELS = 512
"""Of a program: 113 µs for crops and turns of 256 images on an H100, against 118 to 153 for more and fewer. Reading the
bytes of neighbours by words of four took 109.
"""


def serves(image: Source, steps: Sequence[Step], interpolation: str) -> bool:
    """Whether the kernel can do it: on a GPU, without a gradient, and all steps are matrices that at most show their
    outside.
    """
    matrices = [step.matrix for step in steps]
    parts = (image.data,) if isinstance(image, PackedImages) else image if isinstance(image, tuple) else (image,)
    if not library.serves(*matrices, *parts) or matrices[0].dtype != torch.float32:
        return False
    if interpolation == "bicubic" or any(step.displace is not None or step.copied is not None for step in steps):
        return False
    if any(step.padding not in ("zeros", "none") for step in steps):
        return False
    return parts[0].dtype != torch.float64 and can_be_counted(image)


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
