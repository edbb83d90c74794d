"""Mosaic: a window cut from a grid of several images."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from augment.core import checks
from augment.core.mix import Mix, following
from augment.data.batch import Batch
from augment.data.known import dense, known, whole_size
from augment.data.types import Float, Integer, Params, Size
from augment.draws.arguments import number
from augment.draws.distributions import Bernoulli
from augment.draws.shorthand import Quantity
from augment.engine.mixed_annotations import place_boxes, place_points, with_room
from augment.geometry.boxes import are_rotated, area_of


class RandomMosaic(Mix):
    """Cuts a window out of a grid of images, with the sample's own image at the top left.

    Images are not scaled. The other images follow the sample in a random order of the batch; Kornia draws them with
    repetition. Labels, if there are any, are weighted by the pixel share of each image. Masks and maps follow the
    pixels. Pixels beyond the grid are 0, in masks `mask_fill`. With n images in the grid, boxes are (B, n * N, 4) and
    keypoints (B, n * N, 2 or 3), the sample's own first. `boxes_visible` is the visible fraction of each box. Source:
    Bochkovskiy et al. 2020, section 3.3.

    Args:
        output_size: (height, width) of the window in pixels; the image size by default. Samples that are not mixed are
            cropped or padded with 0 to this size at the bottom and right.
        mosaic_grid: number of images along the width and along the height, in Kornia's order; at most 16 each.
        start_ratio_range: start of the window as a fraction, within [0, 1], of the image width and of the image height,
            drawn separately. It is rounded down to whole pixels, and moved back if the window would reach beyond a
            grid that is large enough to contain it.
        min_bbox_size: boxes with a smaller remaining area, in square pixels, are marked as not visible.
        num_classes: number of classes, needed if labels are class indices.
        p: probability of mixing a sample.
        same_on_batch: use one draw for all samples of a batch; partners still differ.

    Example:
        >>> batch = A.Batch(torch.rand(4, 3, 16, 16), label=torch.arange(4))
        >>> mixed = A.RandomMosaic((16, 16), num_classes=4)(batch)
        >>> mixed.image.shape, mixed.label.shape
        (torch.Size([4, 3, 16, 16]), torch.Size([4, 4]))
    """

    labels_optional = True  # detection data has no class labels per image
    identity = {"start_ratio_range": 0.0}

    def __init__(
        self,
        output_size: int | Sequence[int] | None = None,
        mosaic_grid: Sequence[int] = (2, 2),
        start_ratio_range: Quantity = (0.3, 0.7),
        min_bbox_size: float = 0.0,
        num_classes: int | None = None,
        p: float | Bernoulli = 0.7,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch, num_classes)
        self.output_size = None if output_size is None else checks.image_size(self, output_size, "output_size")
        self.mosaic_grid = checks.grid(self, "mosaic_grid", mosaic_grid, most=16)
        if min_bbox_size < 0:
            raise ValueError(f"RandomMosaic: min_bbox_size={min_bbox_size} must not be negative.")
        self.min_bbox_size = number(self, "min_bbox_size", min_bbox_size)
        self.quantity("start_ratio_range", start_ratio_range, legal=(0.0, 1.0), count=2)

    def out_size(self, size: Size) -> Size:
        return self.output_size or size

    def resolve(self, params: Params, size: Size) -> Params:
        """Computes `start`, the (x, y) of the window in whole pixels."""
        x, y = params["start_ratio_range"].unbind(1)
        (columns, rows), (height, width), (tall, wide) = self.mosaic_grid, size, self.out_size(size)
        left = torch.floor(x * width).clamp(max=max(0, columns * width - wide))
        top = torch.floor(y * height).clamp(max=max(0, rows * height - tall))
        start = torch.stack([left, top], 1)
        return {name: value for name, value in params.items() if name != "start_ratio_range"} | {"start": start}

    def partner(self, params: Params) -> Integer[Tensor, "b k"]:
        """Returns the other samples of the grid, column by column: the next ones in a random order."""
        columns, rows = self.mosaic_grid
        others = [following(params["pairing"], k) for k in range(1, columns * rows)]
        size = params["pairing"].shape[0], 0
        return torch.stack(others, 1) if others else params["pairing"].new_zeros(size, dtype=torch.int64)

    def prepared(self, batch: Batch) -> Batch:
        columns, rows = self.mosaic_grid
        return with_room(super().prepared(batch), columns * rows)

    def paired(self, params: Params) -> Params:
        """Adds the sources and replaces the gate: a sample that is not mixed shows only itself, in the output size."""
        start = params["start_ratio_range"]
        mixed = params.get("gate", torch.ones_like(start[:, 0], dtype=torch.bool))
        own = torch.arange(start.shape[0], device=start.device)[:, None]
        drawn = {name: value for name, value in params.items() if name != "gate"}
        sources = torch.cat([own, self.partner(params)], 1)
        return drawn | {"start_ratio_range": start * mixed[:, None], "mixed": mixed, "sources": sources}

    def mix(self, batch: Batch, others: Batch, params: Params) -> Batch:
        sources = params["sources"]
        size, label = whole_size(batch.size), known(others.label)
        tiles = self._tiles(size, params)
        area = (tiles[..., 2] - tiles[..., 0]) * (tiles[..., 3] - tiles[..., 1])
        share = (area / area.sum(1, keepdim=True)).to(label.dtype)
        label = (share[..., None] * label[sources]).sum(1)
        pixels = self._pixels(size, params, sources)
        mask, maps = others.mask, others.maps
        if mask is not None:
            fill = batch.mask_fill
            mask = pixels(mask, fill) if mask.ndim == 4 else pixels(mask[:, None], fill)[:, 0]
        maps = maps if maps is None else pixels(maps)
        moved = self._annotations(others, params, sources, tiles)
        return batch.replace(image=pixels(dense(others.image)), label=label, mask=mask, maps=maps, **moved)

    def _tiles(self, size: tuple[int, int], params: Params) -> Float[Tensor, "b n 4"]:
        """Returns the x1 y1 x2 y2 that each grid image covers of the window; only the first one if not mixed."""
        height, width = whole_size(self.out_size(size))
        x, y = _corners(self.mosaic_grid, size, params["start"])
        edges = [x.clamp(0, width), y.clamp(0, height), (x + size[1]).clamp(0, width), (y + size[0]).clamp(0, height)]
        tiles = torch.stack(edges, -1)
        others = torch.arange(tiles.shape[1], device=tiles.device) > 0
        return torch.where((others & ~params["mixed"][:, None])[..., None], 0, tiles)

    def _pixels(self, size: tuple[int, int], params: Params, sources: Integer[Tensor, "b n"]) -> Callable[..., Tensor]:
        """Returns a function that cuts the window out of images or masks (B, C, H, W)."""
        columns, rows = self.mosaic_grid
        (height, width), out = size, whole_size(self.out_size(size))
        start = params["start"].to(torch.int64)
        x = start[:, :1] + torch.arange(out[1], device=start.device)
        y = start[:, 1:] + torch.arange(out[0], device=start.device)
        column, row = x // width, y // height
        tile = column[:, None, :].clamp(max=columns - 1) * rows + row[:, :, None].clamp(max=rows - 1)
        source = sources.gather(1, tile.flatten(1)).unflatten(1, out)[:, None]
        there = ((column < columns)[:, None, :] & (row < rows)[:, :, None])[:, None]
        there = there & ((tile == 0)[:, None] | params["mixed"][:, None, None, None])
        at_y, at_x = (y % height)[:, None, :, None], (x % width)[:, None, None, :]

        def window(part: Tensor, fill: float = 0) -> Tensor:
            channel = torch.arange(part.shape[1], device=part.device)[None, :, None, None]
            return torch.where(there, part[source, channel, at_y, at_x], part.new_full((), fill))

        return window

    def _annotations(
        self, batch: Batch, params: Params, sources: Integer[Tensor, "b n"], tiles: Float[Tensor, "b n 4"]
    ) -> dict[str, Tensor]:
        """Returns the boxes and keypoints of all grid images, one image after another."""
        count = sources.shape[1]
        changes: dict[str, Tensor] = {}
        x, y = _corners(self.mosaic_grid, whole_size(batch.size), params["start"])
        shifts = torch.stack([x, y], -1)
        scale = torch.ones_like(shifts[:, 0])
        for name, place in (("boxes", place_boxes), ("keypoints", place_points)):
            rows, visible = getattr(batch, name), getattr(batch, f"{name}_visible")
            if rows is None:
                continue
            rows, visible = rows.chunk(count, 1)[0], visible.chunk(count, 1)[0]  # of the sample's own image
            placed = [
                place(rows[sources[:, k]], visible[sources[:, k]], tiles[:, k], scale, shifts[:, k])
                for k in range(count)
            ]
            changes[name], changes[f"{name}_visible"] = (torch.cat(part, 1) for part in zip(*placed, strict=True))
        if "boxes" in changes and self.min_bbox_size:
            boxes, share = changes["boxes"], changes["boxes_visible"]
            left = area_of(boxes) * share if are_rotated(boxes) else area_of(boxes)  # upright ones are clipped
            changes["boxes_visible"] = share * (left >= self.min_bbox_size)
        return changes


def _corners(
    grid: tuple[int, int], size: tuple[int, int], start: Float[Tensor, "b 2"]
) -> tuple[Float[Tensor, "b n"], Float[Tensor, "b n"]]:
    """Returns x and y of each grid image's top left corner in the window, column by column."""
    tile = torch.arange(grid[0] * grid[1], device=start.device)
    return tile // grid[1] * size[1] - start[:, :1], tile % grid[1] * size[0] - start[:, 1:]
