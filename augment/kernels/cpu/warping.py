"""A run of warps on a CPU: the kernel of warping.cpp for `reference.warping.resample`."""

from collections.abc import Sequence

import torch
from torch import Tensor

from augment.data.types import Float
from augment.geometry.fill import by_channel
from augment.geometry.motion import Motion
from augment.geometry.reach import footprint_of, window_of
from augment.kernels.cpu.boundary import require
from augment.kernels.cpu.library import CPU, address, compiled_call, floats, kernels
from augment.kernels.cpu.sampling import columns, pixels, readable, source
from augment.kernels.reference.warping import resample
from augment.kernels.source import Source


def _serves(image: Source, motions: Sequence[Motion], interpolation: str, gpu_dtype: torch.dtype) -> bool:
    """Whether all motions are matrices without a padding other than a fill value, and rows do not stay rows.

    Where rows stay rows, sampling along one axis after the other is faster.
    """
    if interpolation != "bilinear" or all(motion.separable for motion in motions):
        return False
    if any(motion.displace is not None or motion.padding not in ("zeros", "none") for motion in motions):
        return False
    return readable(image, *(motion.matrix for motion in motions))


@resample.kernel(
    CPU,
    serves=_serves,
    tolerance=1e-5,
    reason="Writes no positions to memory, and reads only the taps that a pixel needs.",
)
def _(
    image: Source, motions: Sequence[Motion], interpolation: str, gpu_dtype: torch.dtype
) -> Float[Tensor, "b c oh ow"]:
    window, footprint = window_of(motions), footprint_of(motions)
    matrices = torch.stack([motion.matrix for motion in motions], dim=1)
    batch = len(matrices)
    sizes = columns(batch, matrices, *(extent for motion in motions for extent in motion.in_size))
    spans = columns(batch, matrices, *window.rows, *window.columns)
    radii = columns(batch, matrices, *footprint.radius)
    whole = pixels(image)
    shown = [by_channel(motion.fill if motion.padding == "zeros" else -1.0, whole[-1]) for motion in motions]
    fills = [value for colour in shown for value in colour]
    return _warp(*whole, matrices, sizes, fills, spans, radii, *motions[-1].out_size)


def _output(channels: int, matrices: Tensor, height: int, width: int) -> Tensor:
    # compiled code would make a constant of len(matrices)
    return matrices.new_empty(matrices.shape[0], channels, height, width)


@compiled_call(
    "warp",
    lambda image, offsets, sizes, channels, matrices, frames, fills, spans, radii, height, width: _output(
        channels, matrices, height, width
    ),
)
def _warp(
    image: Tensor,
    offsets: Tensor | None,
    sizes: Tensor | None,
    channels: int,
    matrices: Tensor,
    frames: Tensor,
    fills: list[float],
    spans: Tensor,
    radii: Tensor,
    height: int,
    width: int,
) -> Tensor:
    """Samples images where a run of motions looks.

    Args:
        image, offsets, sizes, channels: see `unchanged`.
        matrices: (B, motions, 3, 3) from positions in the output of a motion to positions in its input.
        frames: (B, 2 * motions) height and width of the input of each motion.
        fills: for each motion one value per channel outside its input, in [0, 1]; negative if it is not seen.
        spans: (B, 4) first and last row and column that may be read.
        radii: (B, 2) filter radius along y and x in source pixels.
        height, width: size of the output.
    """
    out = _output(channels, matrices, height, width)
    batch, motions = matrices.shape[:2]
    require("warp", matrices=(matrices, torch.float32, (batch, max(motions, 1), 3, 3)))
    if len(fills) != motions * channels:
        raise ValueError(f"kernel warp: fills must be {motions * channels} numbers, got {len(fills)}.")
    require("warp", frames=(frames, torch.float32, (batch, 2 * motions)))
    require("warp", spans=(spans, torch.float32, (batch, 4)), radii=(radii, torch.float32, (batch, 2)))
    matrices, frames = matrices.contiguous(), frames.contiguous()
    spans, radii = spans.contiguous(), radii.contiguous()
    kernels().augment_warp(
        *source("warp", batch, image, offsets, sizes, channels),
        *(address(spans), address(radii)),
        *(motions, address(matrices), address(frames), floats(*fills)),
        *(batch, height, width, address(out), torch.get_num_threads()),
    )
    return out
