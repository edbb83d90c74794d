"""Resampling along one axis after the other, for maps that keep rows rows and columns columns.

It costs the sum of both numbers of taps instead of their product, and reads whole rows as they lie in memory.
"""

import torch
from torch import Tensor

from augment.data.pixels import compute_dtype
from augment.data.types import Float, Images, Num
from augment.geometry.interpolation import Tap

_WRITTEN_OUT = 4
"""Most taps that are written out one by one when compiling; more become a loop, or compiling takes minutes."""


def two_passes(image: Images, rows: list[Tap], columns: list[Tap]) -> tuple[Float[Tensor, "b oh ow"], ...]:
    """Weighted sums of rows, then of columns, as planes in the image's own range.

    Args:
        image: (B, C, H, W).
        rows: taps (B, oh, 1) along y.
        columns: taps (B, 1, ow) along x.
    """
    channels = image.shape[1]
    interleaved = channels > 1 and image.is_contiguous(memory_format=torch.channels_last)
    lines = image.permute(0, 2, 3, 1) if interleaved else image.transpose(1, 2)  # (B, H, W, C) or (B, H, C, W)
    half = _rows_blended(lines.flatten(2), rows).unflatten(2, lines.shape[2:])
    pixels = half if interleaved else half.transpose(2, 3)
    return tuple(_columns_blended(pixels[..., c], columns) for c in range(channels))


def _rows_blended(lines: Num[Tensor, "b h n"], taps: list[Tap]) -> Float[Tensor, "b oh n"]:
    number = torch.arange(len(lines), device=lines.device)[:, None]
    pixels = [row[..., 0].to(torch.int64) for row, _ in taps]
    weights = [weight for _, weight in taps]  # (B, oh, 1)
    dtype = compute_dtype(lines.dtype)
    if torch.compiler.is_compiling() and len(taps) > _WRITTEN_OUT:
        several = lines[number[..., None], torch.stack(pixels, dim=-1)].to(dtype)  # (B, oh, taps, n)
        return (several * torch.stack(weights, dim=2)).sum(2)
    return sum(lines[number, p].to(dtype) * w for p, w in zip(pixels, weights, strict=True))


def _columns_blended(plane: Float[Tensor, "b oh w"], taps: list[Tap]) -> Float[Tensor, "b oh ow"]:
    height = plane.shape[1]
    pixels = [column.to(torch.int64).expand(-1, height, -1) for column, _ in taps]
    weights = [weight for _, weight in taps]  # (B, 1, ow)
    if torch.compiler.is_compiling() and len(taps) > _WRITTEN_OUT:
        several = plane.gather(2, torch.stack(pixels, dim=-1).flatten(2)).unflatten(2, (-1, len(taps)))
        return (several * torch.stack(weights, dim=-1)).sum(-1)
    return sum(plane.gather(2, p) * w for p, w in zip(pixels, weights, strict=True))
