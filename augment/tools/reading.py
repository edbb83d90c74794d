"""Reads image files no finer and no further than a pipeline will look at them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from augment.core.pipeline import Pipeline
from augment.data.packed import Origin, PackedImages
from augment.data.types import Noise
from augment.tools.decoding import ImageFile

MARGIN = 1.5
"""How much finer an image is decoded than the result, at least.

Against full decoding, photographs of 500 x 375 pixels then differ by 0.5 of 255 levels on average at an output of 64
pixels, and by 0.001 at 224; without a margin by 1.7 and 0.013 (docs/files.md).
"""


def images_of(files: Sequence[ImageFile]) -> Tensor | PackedImages:
    """Return whole images, (B, C, H, W) uint8 channels_last, or packed if their sizes differ."""
    return together([file.pixels() for file in files])


def looked_at(files: Sequence[ImageFile], pipeline: Pipeline, noise: Noise | None) -> Tensor | PackedImages:
    """Return what a pipeline reads of image files: each decoded smaller and cut as far as the draw allows.

    JPEG files are decoded at 1/2, 1/4 or 1/8 of their size, the smallest that is finer than the antialiased result by
    `MARGIN`. Of any format, only the pixels inside the pipeline's first crop are returned.

    Args:
        files: B files.
        pipeline: what the images will be given to.
        noise: (B, draws) that they will be augmented with, or None if the pipeline will be in `eval()`.

    Returns:
        Packed images with their origin, or whole images if the pipeline reads all of them at their full size.
    """
    sizes = torch.tensor([file.size for file in files])
    boxes, reductions = pipeline.looks_at(sizes, noise)
    parts, factors, corners = [], [], []
    for file, box, reduction in zip(files, boxes.tolist(), reductions.tolist(), strict=True):
        factor = next(factor for factor in file.factors if factor == 1 or factor * MARGIN <= reduction)
        (top, bottom), (left, right) = (_stored(box[axis], box[axis + 2], factor) for axis in (0, 1))
        parts.append(file.pixels(factor)[:, top:bottom, left:right])
        factors.append(factor)
        corners.append((top, left))
    if all(factor == 1 for factor in factors) and all(
        part.shape[1:] == file.size for part, file in zip(parts, files, strict=True)
    ):
        return together(parts)
    packed = PackedImages.from_images(parts)
    origin = Origin.of([file.size for file in files], [1 / factor for factor in factors], corners)
    return packed.unchecked(origin=origin)


def _stored(first: int, length: int, factor: int) -> tuple[int, int]:
    """Return the range of reduced pixels that cover `length` pixels from `first` on."""
    return first // factor, -(-(first + length) // factor)


def together(images: Sequence[Tensor]) -> Tensor | PackedImages:
    """Return images (C, H, W) as a channels_last batch, or packed if their sizes differ."""
    if len({image.shape for image in images}) > 1:
        return PackedImages.from_images(images)
    return torch.stack([image.permute(1, 2, 0) for image in images]).permute(0, 3, 1, 2)
