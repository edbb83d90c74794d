"""Areas of boxes and what a frame shows of them: upright boxes x1 y1 x2 y2, and four corners of rotated ones."""

from __future__ import annotations

import torch
from torch import Tensor

from augment.data.box_formats import twice_area
from augment.data.types import Float, Size
from augment.geometry import matrix as mat

Boxes = Float[Tensor, "b n k"]
"""x1 y1 x2 y2, or the corners x y x y x y x y, in pixels from the image's corner."""
Frame = Float[Tensor, "b 4"]
"""x1 y1 x2 y2 in pixels from the image's corner, one rectangle per sample."""
Shares = Float[Tensor, "b n"]


def are_rotated(boxes: Boxes) -> bool:
    return boxes.shape[2] == 8


def frame_of(size: Size, like: Float[Tensor, "b ..."]) -> Frame:
    """Returns the frame of images of a size."""
    return mat.side_by_side((0.0, 0.0, size[1], size[0]), like)


def around(boxes: Boxes) -> Float[Tensor, "b n 4"]:
    """Returns the upright boxes around boxes."""
    if not are_rotated(boxes):
        return boxes
    corners = boxes.unflatten(2, (4, 2))
    return torch.cat([corners.amin(2), corners.amax(2)], -1)


def area_of(boxes: Boxes) -> Shares:
    if are_rotated(boxes):
        return twice_area(boxes).abs() / 2
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def cut(boxes: Boxes, frame: Frame) -> Boxes:
    """Clips boxes to a frame; a box outside of it shrinks to its border. Rotated boxes stay whole."""
    if are_rotated(boxes):
        return boxes
    low, high = (corner.to(boxes.dtype).repeat(1, 2)[:, None] for corner in (frame[:, :2], frame[:, 2:]))
    return boxes.maximum(low).minimum(high)


def overlap(boxes: Boxes, frame: Frame) -> Shares:
    """Returns the share of each box that lies in a frame, float32; 0 for boxes without area or with NaN."""
    if are_rotated(boxes):
        area, left = _signed_areas(boxes, frame.to(boxes.dtype))
        area, left = area.abs(), torch.where(area < 0, -left, left)
    else:
        area, left = area_of(boxes), area_of(cut(boxes, frame))
    share = left / torch.where(area > 0, area, 1.0)
    return torch.where(area > 0, share, 0.0).to(torch.float32)


def _signed_areas(quads: Float[Tensor, "b n 8"], frame: Frame) -> tuple[Shares, Shares]:
    """Returns the area of each quadrilateral, and of its part in a frame; both are negative if it is mirrored.

    By Green's theorem an area is the integral of x dy along the outline. With x limited to the frame, and only where y
    lies in the frame, the same integral is the area of the part in the frame.
    """
    corners = quads.unflatten(2, (4, 2)) - frame[:, None, None, :2]
    width, height = (frame[:, 2:] - frame[:, :2])[:, None, None].unbind(-1)
    (x, y), (x2, y2) = corners.unbind(-1), corners.roll(-1, 2).unbind(-1)
    start, end = _limited(y, height), _limited(y2, height)
    rise = torch.where(y2 == y, 1.0, y2 - y)
    first, last = x + (x2 - x) * ((start - y) / rise), x + (x2 - x) * ((end - y) / rise)
    whole = ((x + x2) / 2 * (y2 - y)).sum(2)
    return whole, (_mean_limited(first, last, width) * (end - start)).sum(2)


def _mean_limited(first: Tensor, last: Tensor, most: Tensor) -> Tensor:
    """Returns the mean of a number that goes evenly from one value to another, each limited to [0, most]."""
    low, high = first.minimum(last), first.maximum(last)
    start, end = _limited(low, most), _limited(high, most)
    length = high - low
    total = (end - start) * (end + start) / 2 + most * (high - low.maximum(most)).clamp(min=0)
    return torch.where(length > 0, total / torch.where(length > 0, length, 1.0), start)


def _limited(value: Tensor, most: Tensor) -> Tensor:
    return value.clamp(min=0).minimum(most)
