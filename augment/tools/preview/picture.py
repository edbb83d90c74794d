"""Images of a pipeline as pictures: visible, of the size of a tile, and with boxes, keypoints and masks on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

import augment as A
from augment.data.known import dense

if TYPE_CHECKING:
    from PIL.Image import Image

_COLOURS = ((230, 60, 60), (40, 120, 230), (40, 170, 80), (240, 160, 20), (150, 70, 200), (0, 170, 180))
_SHADE = 0.45
"""Opacity of masks."""


def visible(pipeline: A.Layer, images: Tensor) -> Tensor:
    """Undo Normalize and return bytes (B, 3, H, W)."""
    images = images.float() / (255 if images.dtype == torch.uint8 else 1)
    for leaf in pipeline.leaves():
        if isinstance(leaf, A.Normalize):
            images = A.Denormalize(leaf.mean, leaf.std)(images)
    images = images[:, :3] if images.shape[1] >= 3 else images[:, :1].expand(-1, 3, -1, -1)
    return (images * 255).round().clamp(0, 255).to(torch.uint8)


def tile_of(image: Tensor, side: int) -> Image:
    """Return a picture (3, H, W) uint8 that fills a square of `side` pixels on its longer side.

    Small images are enlarged by a whole number without smoothing, so that their pixels can be seen.
    """
    from PIL import Image

    picture = Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())
    longer = max(picture.size)
    if longer > side:
        wanted = tuple(max(1, round(length * side / longer)) for length in picture.size)
        return picture.resize((wanted[0], wanted[1]), Image.Resampling.LANCZOS)
    times = side // longer
    return picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)


def marked(picture: Image, batch: A.Batch, row: int, names: Sequence[str] = ()) -> Image:
    """Draw the annotations of a sample on its picture, which may be of another size than its image.

    Args:
        picture: the sample's tile.
        batch: the samples, with xyxy boxes.
        row: number of the sample.
        names: of its boxes.
    """
    from PIL import Image, ImageDraw

    height, width = dense(batch.image).shape[-2:]
    across, down = picture.width / width, picture.height / height
    if batch.mask is not None:
        mask = Image.fromarray(batch.mask[row].reshape(-1, height, width).amax(0).to(torch.uint8).numpy())
        mask = mask.resize(picture.size, Image.Resampling.NEAREST)
        for number, colour in enumerate(_COLOURS):
            share = mask.point([0] + [int(255 * _SHADE) * (n % len(_COLOURS) == number) for n in range(255)])
            picture = Image.composite(Image.new("RGB", picture.size, colour), picture, share)
    pen = ImageDraw.Draw(picture)
    if batch.boxes is not None:
        seen = torch.ones(len(batch.boxes[row])) if batch.boxes_visible is None else batch.boxes_visible[row]
        for number, (x1, y1, x2, y2) in enumerate(batch.boxes[row].tolist()):
            if seen[number] > 0 and x2 > x1 and y2 > y1:
                colour = _COLOURS[number % len(_COLOURS)]
                pen.rectangle((x1 * across, y1 * down, x2 * across - 1, y2 * down - 1), outline=colour, width=2)
                if number < len(names) and names[number].isascii():
                    pen.text((x1 * across + 4, y1 * down + 2), names[number], fill=colour)
    if batch.keypoints is not None:
        points = batch.keypoints[row]
        shown = points[:, 2] > 0 if points.shape[-1] == 3 else torch.ones(len(points), dtype=torch.bool)
        shown = shown if batch.keypoints_visible is None else batch.keypoints_visible[row]
        for x, y in points[shown, :2].tolist():
            middle = ((x + 0.5) * across, (y + 0.5) * down)  # 0 is the centre of the first pixel
            pen.circle(middle, 3, fill=(255, 255, 0), outline=(0, 0, 0))
    return picture
