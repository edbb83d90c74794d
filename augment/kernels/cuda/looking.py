"""Where a run of warps looks, as the Triton kernels are told it; `warping_triton.warp` says what they take."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from augment.data.constants import constant
from augment.data.known import whole_size
from augment.geometry import matrix as mat
from augment.geometry.fill import Fill, in_bytes
from augment.geometry.interpolation import Window
from augment.geometry.motion import Motion, shrinks
from augment.kernels.cuda import library
from augment.kernels.source import Source, can_be_counted, source_dtype, unchanged


@dataclass(frozen=True)
class Looking:
    """What kernels that warp take.

    Attributes:
        tensors: the first arguments of the kernel, up to the colour.
        strides: of samples, channels, rows and columns, in elements.
        channels: of the image.
        size: (height, width) of the output.
        constants: by name.
    """

    tensors: tuple[Any, ...]
    strides: tuple[int, ...]
    channels: int
    size: tuple[int, int]
    constants: dict[str, Any]


def looks(image: Source, motions: Sequence[Motion], interpolation: str) -> bool:
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


def looking(
    image: Source, motions: Sequence[Motion], window: Window, interpolation: str, more: Sequence[float | Tensor]
) -> Looking:
    """Returns what kernels take.

    Args:
        image: (B, C, H, W), C planes (B, H, W) or packed images.
        motions: matrices with padding "zeros" or "none".
        window: part of the source that may be read.
        interpolation: "nearest" or "bilinear".
        more: further columns of the kernel's `numbers`, (B,) or one number for all samples.
    """
    nearest = interpolation == "nearest"
    data, offsets, sizes, channels = unchanged(image)
    matrices = torch.stack([motion.matrix for motion in motions], dim=1).contiguous()
    library.require_rows("warp", matrices.shape[0], images=data if offsets is None else offsets)
    shown = [motion.padding == "zeros" for motion in motions]
    bytes = data.dtype == torch.uint8
    fills = [in_bytes(motion.fill) if bytes and nearest else motion.fill for motion in motions]
    colour = next((fill for fill, show in zip(fills, shown, strict=True) if show and isinstance(fill, tuple)), None)
    single = [1.0 if isinstance(fill, tuple) or colour is not None else fill for fill in fills]
    frames = [(*motion.in_size, fill) for motion, fill in zip(motions, single, strict=True)]
    shrink, bound = shrinks(motions)
    numbers = [number for frame, show in zip(frames, shown, strict=True) for number in (frame if show else (0, 0, 0))]
    numbers += [*window.rows, *window.columns, *shrink, *more]
    height, width = whole_size(motions[-1].out_size)
    constants = {
        "HEIGHT": height,
        "WIDTH": width,
        "BYTES": bytes,
        "PACKED": offsets is not None,
        "STEPS": len(motions),
        "SHOWN": sum(show << s for s, show in enumerate(shown)),
        "PROJECTIVE": any(motion.projective for motion in motions),
        "NEAREST": nearest,
        "ANTIALIAS": max(bound) > 1 and not nearest,
    }
    colours = None if colour is None else constant(colour, matrices)
    tensors = (data, offsets, sizes, matrices, mat.side_by_side(numbers, matrices), colours)
    strides = (0, 1, 0, channels) if offsets is not None else data.stride()
    return Looking(tensors, strides, channels, (height, width), constants)
