"""The way into a layer and out again: whatever comes in becomes one batch, and what goes out has its form."""

from collections.abc import Callable

import torch
from torch import Tensor

from augment.data.batch import Batch
from augment.data.packed import PackedImages
from augment.data.pixels import compute_dtype
from augment.engine.annotations import in_frame
from augment.engine.inputs import check_annotations, check_finite, check_images, check_layout, check_range


def opened(
    images: Tensor | PackedImages | Batch, maps: bool = False
) -> tuple[Batch, int, Callable[[Batch], Tensor | Batch]]:
    """Brings any accepted input into the shape of a batch of (B, C, H, W), checked.

    Boxes are xyxy and, like keypoints, at least float32; with them come `boxes_visible` and `keypoints_visible`.

    Args:
        images: what a layer was called with.
        maps: they may be any maps (B, K, H, W) of values, not only images.

    Returns:
        The batch, how many consecutive images of it are frames of one clip, and the way back to what came in.
    """
    batch = images if isinstance(images, Batch) else Batch(images)
    check_images(batch.image)
    if not maps:
        check_layout(batch.image)
        check_range(batch.image)
    image, frames = _flattened(batch.image)
    if not isinstance(images, Batch):
        return Batch(image), frames or 1, lambda out: _unflattened(out.image, images, frames)
    _check_alone(batch, frames)
    check_annotations(batch)

    def close(out: Batch) -> Batch:
        image = _unflattened(out.image, batch.image, frames)
        return _as_given(out.with_box_format(batch.box_format), batch).replace(image=image)

    return _with_visible(batch).replace(image=image), frames or 1, close


def _check_alone(batch: Batch, frames: int) -> None:
    """Refuses annotations of what is no plain batch of images."""
    others = batch.parts().keys() - {"image"}
    if isinstance(batch.image, Tensor) and batch.image.ndim == 3 and others:
        raise ValueError(
            f"images must be (B, C, H, W) where {', '.join(sorted(others))} belong to them, got "
            f"{tuple(batch.image.shape)}."
        )
    if frames and others - {"index"}:
        raise ValueError("a Batch of clips carries no annotations: give image=(B, T, C, H, W) and index only.")


def _flattened(image: Tensor | PackedImages) -> tuple[Tensor | PackedImages, int]:
    """(B, C, H, W), and the number of frames if they were clips."""
    if isinstance(image, PackedImages) or image.ndim == 4:
        return image, 0
    return (image[None], 0) if image.ndim == 3 else (image.flatten(0, 1), image.shape[1])


def _unflattened(image: Tensor, source: Tensor | PackedImages, frames: int) -> Tensor:
    if frames:
        return image.unflatten(0, (-1, frames))
    return image[0] if isinstance(source, Tensor) and source.ndim == 3 else image


def _with_visible(batch: Batch) -> Batch:
    """Boxes and keypoints in the type that they are computed in, with what is visible of them."""
    changes = {}
    if batch.boxes is not None:
        check_finite("boxes", batch.boxes, batch.boxes_visible)
        boxes = batch.boxes.to(compute_dtype(batch.boxes.dtype))
        batch = batch.replace(boxes=boxes).with_box_format("xyxy")
        changes["boxes_visible"] = _visible_boxes(batch)
    if batch.keypoints is not None:
        seen = _labelled(batch)
        check_finite("keypoints", batch.keypoints, seen)
        points = batch.keypoints.to(compute_dtype(batch.keypoints.dtype))
        inside = in_frame(points[..., :2], batch.size)
        changes |= {"keypoints": points, "keypoints_visible": inside if seen is None else inside & seen}
    return batch.replace(**changes) if changes else batch


def _visible_boxes(batch: Batch) -> Tensor:
    """(B, N) float32: the share given, or 1; 0 for boxes that have no area or are not finite."""
    boxes, share = batch.boxes, batch.boxes_visible
    extent = boxes[..., 2:] - boxes[..., :2]
    there = ((extent > 0) & (extent < torch.inf)).all(-1)
    return there.to(torch.float32) if share is None else torch.where(there, share.to(torch.float32), 0.0)


def _labelled(batch: Batch) -> Tensor | None:
    """(B, N) bool: which keypoints are marked as there; None if nothing is told about them."""
    seen = batch.keypoints_visible
    if batch.keypoints.shape[2] == 2:
        return seen
    labelled = batch.keypoints[..., 2] > 0
    return labelled if seen is None else seen & labelled


def _as_given(out: Batch, given: Batch) -> Batch:
    """Boxes and keypoints in the types that came in, integers as float32; COCO's visibility 0 for what is not seen."""
    changes = {}
    if out.boxes is not None:
        changes["boxes"] = _in_type_of(given.boxes, out.boxes)
    if out.keypoints is not None:
        points = out.keypoints
        if points.shape[2] == 3:
            seen = torch.where(out.keypoints_visible, points[..., 2], 0.0)
            points = torch.cat([points[..., :2], seen[..., None]], -1)
        changes["keypoints"] = _in_type_of(given.keypoints, points)
    return out.replace(**changes) if changes else out


def _in_type_of(given: Tensor, rows: Tensor) -> Tensor:
    return rows.to(given.dtype) if given.is_floating_point() else rows
