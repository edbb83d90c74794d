"""Resampling along one axis after the other, for maps under which rows stay rows and columns stay columns.

The cost is the sum of both numbers of taps instead of their product, and whole rows are read as they lie in memory.
"""

import torch
from torch import Tensor

from augment.data.known import known
from augment.data.pixels import compute_dtype
from augment.data.types import Float, Images, Num
from augment.geometry.interpolation import Tap
from augment.kernels.reference.filtering import total

_WRITTEN_OUT = 4
"""Most taps that compiled code writes out one by one; more become a loop, because compiling would take minutes."""


def two_passes(image: Images, rows: list[Tap], columns: list[Tap]) -> tuple[Float[Tensor, "b oh ow"], ...]:
    """Returns weighted sums of rows, then of columns, as float planes in the range of the image.

    Args:
        image: (B, C, H, W).
        rows: taps (B, oh, 1) along y.
        columns: taps (B, 1, ow) along x.
    """
    channels = image.shape[1]
    interleaved = channels > 1 and image.is_contiguous(memory_format=torch.channels_last)
    lines = image.permute(0, 2, 3, 1) if interleaved else image.transpose(1, 2)  # (B, H, W, C) or (B, H, C, W)
    half = _blended_rows(lines.flatten(2), rows).unflatten(2, lines.shape[2:])
    pixels = half if interleaved else half.transpose(2, 3)
    return tuple(_blended_columns(pixels[..., c], columns) for c in range(channels))


def two_limited_passes(
    image: Images, rows: list[Tap], columns: list[Tap], most: float
) -> tuple[Float[Tensor, "b oh ow"], ...]:
    """Returns weighted sums of columns, cut to [0, most], and then of rows; see `two_passes`."""
    turned = image.permute(0, 3, 1, 2)  # (B, W, C, H)
    half = _blended_rows(turned.flatten(2), _turned(columns)).clamp(0, most).unflatten(2, turned.shape[2:])
    return tuple(_blended_columns(half[:, :, c], _turned(rows)).mT for c in range(image.shape[1]))


def _turned(taps: list[Tap]) -> list[Tap]:
    """Exchanges rows and columns."""
    return [(pixel.mT, known(weight).mT) for pixel, weight in taps]


def _blended_rows(lines: Num[Tensor, "b h n"], taps: list[Tap]) -> Float[Tensor, "b oh n"]:
    sample = torch.arange(lines.shape[0], device=lines.device)[:, None]
    pixels = [row[..., 0].to(torch.int64) for row, _ in taps]
    weights = [known(weight) for _, weight in taps]  # (B, oh, 1)
    dtype = compute_dtype(lines.dtype)
    if torch.compiler.is_compiling() and len(taps) > _WRITTEN_OUT:
        values = lines[sample[..., None], torch.stack(pixels, dim=-1)].to(dtype)  # (B, oh, taps, n)
        return (values * torch.stack(weights, dim=2)).sum(2)
    return total(lines[sample, p].to(dtype) * w for p, w in zip(pixels, weights, strict=True))


def _blended_columns(plane: Float[Tensor, "b oh w"], taps: list[Tap]) -> Float[Tensor, "b oh ow"]:
    height = plane.shape[1]
    pixels = [column.to(torch.int64).expand(-1, height, -1) for column, _ in taps]
    weights = [known(weight) for _, weight in taps]  # (B, 1, ow)
    if torch.compiler.is_compiling() and len(taps) > _WRITTEN_OUT:
        values = plane.gather(2, torch.stack(pixels, dim=-1).flatten(2)).unflatten(2, (-1, len(taps)))
        return (values * torch.stack(weights, dim=-1)).sum(-1)
    return total(plane.gather(2, p) * w for p, w in zip(pixels, weights, strict=True))
