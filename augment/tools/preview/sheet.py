"""A contact sheet: each original image, followed by the pipeline's output for different draws."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

import augment as A
from augment.data.known import dense
from augment.tools.preview.captions import caption

LINE, MARGIN, FONT = 12, 6, 10
"""In pixels: the height of a text line, the space around tiles, the font size."""

Tile = tuple[Tensor, list[str]]
"""A picture (3, H, W) uint8 and the caption lines below it."""


def rows_of(pipeline: A.Pipeline, images: list[Tensor], draws: int, epoch: int, width: int) -> list[list[Tile]]:
    """Draw every image in consecutive epochs; its position in the list is its sample number."""
    if any(isinstance(leaf, A.Mix) for leaf in pipeline.leaves()):  # mixing requires images of one size
        square = A.Pipeline(A.Resize((width, width)), dtype=torch.uint8).eval()
        images = [square(image) for image in images]
        batches = [torch.stack(images)] if images else []
    else:
        batches = [image[None] for image in images]
    rows: list[list[Tile]] = []
    for batch in batches:
        index = torch.arange(len(rows), len(rows) + len(batch))
        columns = [_tiles(pipeline, batch, pipeline.noise(index, epoch + i), width) for i in range(draws)]
        rows += [list(row) for row in zip(*columns, strict=True)]
    return rows


def _tiles(pipeline: A.Pipeline, images: Tensor, noise: Tensor, width: int) -> list[Tile]:
    """Augment each image once and return the tiles."""
    labels = torch.eye(len(images))
    with torch.no_grad():
        out = dense(pipeline(A.Batch(images, label=labels), noise).image)
    size, characters = (images.shape[-2], images.shape[-1]), max(width // 6, 8)
    return [
        (picture, caption(pipeline.explain(row, size), characters))
        for picture, row in zip(within(visible(pipeline, out), width), noise, strict=True)
    ]


def within(images: Tensor, side: int) -> Tensor:
    """Shrink images that are larger than a square so that they fit into it."""
    if max(images.shape[-2:]) <= side:
        return images
    return A.Pipeline(A.LongestMaxSize(side), dtype=torch.uint8).eval()(images)


def visible(pipeline: A.Pipeline, images: Tensor) -> Tensor:
    """Undo Normalize and return bytes for display."""
    if images.dtype == torch.uint8:
        return images
    images = images.float()
    for leaf in pipeline.leaves():
        if isinstance(leaf, A.Normalize):
            images = A.Denormalize(leaf.mean, leaf.std)(images)
    images = images[:, :3] if images.shape[1] >= 3 else images[:, :1].expand(-1, 3, -1, -1)
    return (images * 255).round().clamp(0, 255).to(torch.uint8)


def drawn(rows: list[list[Tile]], path: Path) -> tuple[int, int]:
    """Write the sheet to a file and return its (width, height) in pixels."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(FONT)
    width = max(picture.shape[2] for row in rows for picture, _ in row) + MARGIN
    heights = [
        max(picture.shape[1] for picture, _ in row) + LINE * max(len(lines) for _, lines in row) + MARGIN
        for row in rows
    ]
    sheet = Image.new("RGB", (width * max(map(len, rows)) + MARGIN, sum(heights) + MARGIN), "white")
    pen, top = ImageDraw.Draw(sheet), MARGIN
    for row, height in zip(rows, heights, strict=True):
        tallest = max(picture.shape[1] for picture, _ in row)
        for column, (picture, lines) in enumerate(row):
            left = column * width + MARGIN
            sheet.paste(Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy()), (left, top))
            for i, line in enumerate(lines):
                pen.text((left, top + tallest + i * LINE), line, fill="black", font=font)
        top += height
    sheet.save(path)
    return sheet.size
