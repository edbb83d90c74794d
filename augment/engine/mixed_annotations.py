"""Boxes and keypoints of an image that is composed of several images.

The shape of a batch does not depend on the draws: an image composed of n images has rows for the annotations of all n,
and `boxes_visible` and `keypoints_visible` tell which of them it shows.
"""

import torch
from torch import Tensor

from augment.data.batch import Batch
from augment.data.known import known
from augment.data.subset import where
from augment.data.types import Bool, Float
from augment.engine.annotations import moved_to
from augment.geometry.boxes import Boxes, Frame, Shares, cut, overlap

Points = Float[Tensor, "b n k"]
"""x and y in pixels, and COCO's visibility where there is one."""
Seen = Bool[Tensor, "b n"]
Pair = Float[Tensor, "b 2"]
"""x and y, one pair per sample."""


def with_room(batch: Batch, images: int) -> Batch:
    """Returns the batch with rows for the boxes and keypoints of `images` images; new rows are zero and not visible."""
    changes: dict[str, Tensor] = {}
    if batch.boxes is not None:
        share = _longer(known(batch.boxes_visible), images)
        changes |= {"boxes": _longer(batch.boxes, images), "boxes_visible": share}
    if batch.keypoints is not None:
        seen = _longer(known(batch.keypoints_visible), images)
        changes |= {"keypoints": _longer(batch.keypoints, images), "keypoints_visible": seen}
    return batch.replace(**changes)


def chosen(which: Bool[Tensor, " b"], new: Batch, old: Batch) -> Batch:
    """Selects samples from two batches, which may have different numbers of rows of boxes and keypoints."""
    changes = {}
    for name, part in new.parts().items():
        other = getattr(old, name)
        if name in ("boxes", "boxes_visible", "keypoints", "keypoints_visible"):
            rows = max(part.shape[1], other.shape[1])
            part, other = _filled(part, rows), _filled(other, rows)
        if part is not other:
            changes[name] = where(which, part, other)
    return old.replace(**changes)


def pasted(batch: Batch, others: Batch, partner: Tensor, frame: Frame, scale: Pair, shift: Pair) -> dict[str, Tensor]:
    """Returns the annotations of images that show their partner, scaled and shifted, inside a frame.

    Both batches have rows for two images: first the image's own, then the partner's.
    """
    changes: dict[str, Tensor] = {}
    if batch.boxes is not None:
        own, there = _rows_of_own(batch.boxes, known(batch.boxes_visible))
        rows, seen = _rows_of_own(known(others.boxes), known(others.boxes_visible))
        theirs, shown = place_boxes(rows[partner], seen[partner], frame, scale, shift)
        left = there * (1 - overlap(own, frame))
        changes |= {"boxes": torch.cat([own, theirs], 1), "boxes_visible": torch.cat([left, shown], 1)}
    if batch.keypoints is not None:
        own, there = _rows_of_own(batch.keypoints, known(batch.keypoints_visible))
        rows, seen = _rows_of_own(known(others.keypoints), known(others.keypoints_visible))
        theirs, shown = place_points(rows[partner], seen[partner], frame, scale, shift)
        left = there & ~_within(own, frame)
        changes |= {"keypoints": torch.cat([own, theirs], 1), "keypoints_visible": torch.cat([left, shown], 1)}
    return changes


def _rows_of_own(rows: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
    return rows.chunk(2, dim=1)[0], visible.chunk(2, dim=1)[0]


def place_boxes(boxes: Boxes, visible: Shares, frame: Frame, scale: Pair, shift: Pair) -> tuple[Boxes, Shares]:
    """Scales, shifts and clips boxes to a frame; returns them and the visible share of each.

    Rotated boxes are not clipped.
    """
    corners = boxes.shape[2] // 2
    scale, shift = (pair.to(boxes.dtype).repeat(1, corners)[:, None] for pair in (scale, shift))
    moved = boxes * scale + shift
    return cut(moved, frame), visible * overlap(moved, frame)


def place_points(points: Points, visible: Seen, frame: Frame, scale: Pair, shift: Pair) -> tuple[Points, Seen]:
    """Scales and shifts points; returns them and which of them lie in a frame."""
    scale, shift = (pair.to(points.dtype)[:, None] for pair in (scale, shift))
    moved = (points[..., :2] + 0.5) * scale + shift - 0.5  # pixel centres to positions from the corner, and back
    return moved_to(moved, points), visible & _within(moved, frame)


def _longer(part: Tensor, images: int) -> Tensor:
    return _filled(part, part.shape[1] * images)


def _filled(part: Tensor, rows: int) -> Tensor:
    """Appends rows of zeros up to a number of rows."""
    missing = part.new_zeros(part.shape[0], rows - part.shape[1], *part.shape[2:])
    return torch.cat([part, missing], dim=1) if missing.shape[1] else part


def _within(points: Points, frame: Frame) -> Seen:
    corner = points[..., :2] + 0.5
    return ((corner >= frame[:, None, :2]) & (corner < frame[:, None, 2:])).all(-1)
