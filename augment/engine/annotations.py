"""Moves masks, maps, boxes and keypoints through a run of warps."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from augment.data.batch import Batch
from augment.data.constants import constant
from augment.data.known import known
from augment.data.pixels import compute_dtype, size_of, stacked
from augment.data.subset import where
from augment.data.types import Bool, Float, Size
from augment.geometry.boxes import Boxes, Shares, are_rotated, frame_of, overlap
from augment.geometry.interpolation import Grid, Window
from augment.geometry.matrix import Points, mirrors
from augment.geometry.motion import Motion, find, look
from augment.kernels.reference.sampling import sample
from augment.kernels.reference.warping import resample

_EDGE_POINTS = 9
"""Number of points per side of a box that a displacement may bend; for a straight side the two ends suffice."""


def warp_mask(mask: Tensor, x: Grid, y: Grid, inside: Sequence[Bool[Tensor, "b #oh #ow"]], fill: float = 0) -> Tensor:
    """Samples a mask (B, H, W) or (B, M, H, W) at source positions, by the nearest pixel; `fill` outside of a frame."""
    layered = mask if mask.ndim == 4 else mask[:, None]
    layered = layered.to(torch.uint8) if mask.dtype == torch.bool else layered
    out = stacked(sample(layered, x, y, Window.whole(size_of(layered)), "nearest"))
    for shown in inside:
        out = torch.where(shown[:, None], out, fill)
    out = out.to(mask.dtype)
    return out if mask.ndim == 4 else out[:, 0]


def warp_keypoints(motions: Sequence[Motion], batch: Batch) -> dict[str, Tensor]:
    """Returns the moved positions, and which of them the output still shows."""
    given, shown = known(batch.keypoints), known(batch.keypoints_visible)
    points, reached = _forward(motions, given[..., :2].to(motions[0].matrix.dtype))
    visible = reached & in_frame(points, motions[-1].out_size) & shown
    moved = moved_to(points.to(given.dtype), given)
    if batch.flip_indices is not None:
        moved, visible = _exchanged(motions, batch.flip_indices, moved, visible)
    return {"keypoints": moved, "keypoints_visible": visible}


def _exchanged(
    motions: Sequence[Motion], indices: Sequence[int], points: Float[Tensor, "b n k"], visible: Bool[Tensor, "b n"]
) -> tuple[Float[Tensor, "b n k"], Bool[Tensor, "b n"]]:
    """Exchanges the keypoints of each object where the motions together show a mirror image."""
    mirrored = mirrors(motions[0].matrix)
    for motion in motions[1:]:
        mirrored = mirrored ^ mirrors(motion.matrix)
    rows = range(0, points.shape[1], len(indices))
    like = torch.empty(0, dtype=torch.int64, device=points.device)
    order = constant([first + k for first in rows for k in indices], like)
    return where(mirrored, points[:, order], points), where(mirrored, visible[:, order], visible)


def warp_maps(motions: Sequence[Motion], maps: Float[Tensor, "b k h w"]) -> Float[Tensor, "b k h2 w2"]:
    """Samples maps where the motions look; 0 outside."""
    run = [replace(motion, fill=0.0) for motion in motions]
    interpolation = "nearest" if all(motion.lattice for motion in run) else "bilinear"
    given = maps.to(compute_dtype(maps.dtype))
    return stacked(resample(given, run, interpolation, torch.float32)).to(maps.dtype)


def moved_to(points: Points, given: Float[Tensor, "b n k"]) -> Float[Tensor, "b n k"]:
    """Returns keypoints at other positions; their third column, the visibility, stays if there is one."""
    return torch.cat([points, given[..., 2:]], -1) if given.shape[2] > 2 else points


def in_frame(points: Points, size: Size) -> Bool[Tensor, "b n"]:
    """Returns which points lie in a frame of a size; NaN does not."""
    height, width = (extent[:, None] if isinstance(extent, Tensor) else extent for extent in size)
    x, y = points.unbind(-1)
    return (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)


def warp_boxes(motions: Sequence[Motion], batch: Batch) -> dict[str, Tensor]:
    """Returns the warped boxes and the share left of each.

    Upright boxes are those around the warped boxes, clipped to the frame. Rotated boxes are not clipped.
    """
    given = known(batch.boxes)
    boxes = given.to(motions[0].matrix.dtype)
    share = known(batch.boxes_visible).to(boxes.dtype)
    run: list[Motion] = []
    for motion in motions:
        run.append(motion)
        if motion.window is not None or motion is motions[-1]:  # a later layer cannot restore what a crop cuts off
            boxes, share = _moved_rotated(run, boxes, share) if are_rotated(boxes) else _moved(run, boxes, share)
            run = []
    return {"boxes": boxes.to(given.dtype), "boxes_visible": share.to(torch.float32)}


def _moved(motions: Sequence[Motion], boxes: Boxes, share: Shares) -> tuple[Boxes, Shares]:
    boxes, kept = _clipped(_hull(motions, boxes), motions[-1].out_size)
    return boxes, share * kept


def _moved_rotated(motions: Sequence[Motion], boxes: Boxes, share: Shares) -> tuple[Boxes, Shares]:
    """Moves corners. A whole box can show again what a crop cut off, so the smallest share so far is what is left."""
    corners = boxes.unflatten(2, (4, 2)).flatten(1, 2)
    moved, _ = _forward(motions, corners - 0.5)
    boxes = (moved + 0.5).unflatten(1, (-1, 4)).flatten(2)
    kept = overlap(boxes, frame_of(motions[-1].out_size, boxes))
    return boxes, share.minimum(kept.to(share.dtype))


def _hull(motions: Sequence[Motion], boxes: Float[Tensor, "b n 4"]) -> Float[Tensor, "b n 4"]:
    """Returns the smallest upright box around each warped box."""
    count = 2 if all(motion.displace is None for motion in motions) else _EDGE_POINTS
    along = torch.linspace(0, 1, count, dtype=boxes.dtype, device=boxes.device)
    x1, y1, x2, y2 = (edge[..., None] for edge in boxes.unbind(-1))
    x, y = x1 + (x2 - x1) * along, y1 + (y2 - y1) * along
    sides = [(x, y1.expand_as(x)), (x, y2.expand_as(x)), (x1.expand_as(y), y), (x2.expand_as(y), y)]
    outline = torch.stack([torch.cat(part, dim=-1) for part in zip(*sides, strict=True)], dim=-1) - 0.5
    moved, _ = _forward(motions, outline.flatten(1, 2))
    moved = moved.unflatten(1, outline.shape[1:3]) + 0.5
    return torch.cat([moved.amin(2), moved.amax(2)], dim=-1)


def _clipped(boxes: Float[Tensor, "b n 4"], size: Size) -> tuple[Float[Tensor, "b n 4"], Float[Tensor, "b n"]]:
    """Clips boxes to the frame; returns them and the share of each area that is left (0 without area or for NaN)."""
    height, width = (extent[:, None] if isinstance(extent, Tensor) else extent for extent in size)
    x1, y1, x2, y2 = boxes.unbind(-1)
    inside = [_within(edge, limit) for edge, limit in ((x1, width), (y1, height), (x2, width), (y2, height))]
    area = (x2 - x1) * (y2 - y1)
    left = (inside[2] - inside[0]) * (inside[3] - inside[1])
    return torch.stack(inside, dim=-1), torch.where(area > 0, left / torch.where(area > 0, area, 1.0), 0.0)


def _within(edge: Tensor, limit: int | Tensor) -> Tensor:
    edge = edge.clamp(min=0)
    return edge.minimum(limit.to(edge.dtype)) if isinstance(limit, Tensor) else edge.clamp(max=limit)


def _forward(motions: Sequence[Motion], points: Points) -> tuple[Points, Bool[Tensor, "b n"]]:
    """Returns where points of the source end up in the output, and whether the output can show them."""
    x, y = points[:, None, :, 0], points[:, None, :, 1]
    reached = torch.ones_like(points[..., 0], dtype=torch.bool)
    for motion in motions:
        u, v = find(motion, x, y)
        if motion.displace is not None:  # found by iteration
            back = look(motion, u, v)
            reached = reached & (torch.hypot(back[0] - x, back[1] - y)[:, 0] < 0.25)
        if motion.projective:  # behind the camera
            m = motion.matrix
            reached = reached & (m[:, 2, 0, None] * u[:, 0] + m[:, 2, 1, None] * v[:, 0] + m[:, 2, 2, None] > 0)
        x, y = u, v
    return torch.stack([x[:, 0], y[:, 0]], dim=-1), reached
