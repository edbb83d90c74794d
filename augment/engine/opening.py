"""Conversion of all accepted inputs to a batch, and of the result to the form of the input."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from augment.data.batch import Batch
from augment.data.known import dense, known
from augment.data.packed import PackedImages
from augment.data.pixels import compute_dtype
from augment.engine.annotations import in_frame
from augment.engine.inputs import check_annotations, check_finite, check_images, check_layout, check_range


def opened(images: Tensor | PackedImages | Batch, maps: bool = False) -> tuple[Batch, int, Callable[[Batch], Any]]:
    """Checks an input and converts it to a batch of (B, C, H, W).

    In the batch, boxes are xyxy. Boxes and keypoints are at least float32 and have `boxes_visible` and
    `keypoints_visible`.

    Args:
        images: the input of a layer.
        maps: whether the input may hold any maps (B, K, H, W) of values instead of images.

    Returns:
        The batch, the number of consecutive frames per clip (1 for images), and a function that converts a result to
        the form of the input.
    """
    batch = images if isinstance(images, Batch) else Batch(images)
    given = check_images(batch.image)
    if not maps:
        check_layout(given)
        check_range(given)
    image, frames = _flattened(given)
    if not isinstance(images, Batch):
        return Batch(image), frames or 1, lambda out: _unflattened(dense(out.image), given, frames)
    _check_alone(batch, frames)
    check_annotations(batch)

    def close(out: Batch) -> Batch:
        image = _unflattened(dense(out.image), given, frames)
        return _as_given(out.with_box_format(batch.box_format), batch).replace(image=image)

    return _with_visible(batch).replace(image=image), frames or 1, close


def _check_alone(batch: Batch, frames: int) -> None:
    """Refuses annotations of single images and of clips."""
    others = batch.parts().keys() - {"image"}
    if isinstance(batch.image, Tensor) and batch.image.ndim == 3 and others:
        raise ValueError(
            f"images must be (B, C, H, W) if they come with {', '.join(sorted(others))}, got "
            f"{tuple(batch.image.shape)}."
        )
    if frames and others - {"index"}:
        raise ValueError("a Batch of clips carries no annotations: give image=(B, T, C, H, W) and index only.")


def _flattened(image: Tensor | PackedImages) -> tuple[Tensor | PackedImages, int]:
    """Converts images to (B, C, H, W) and returns the number of frames per clip, 0 without clips."""
    if isinstance(image, PackedImages) or image.ndim == 4:
        return image, 0
    return (image[None], 0) if image.ndim == 3 else (image.flatten(0, 1), image.shape[1])


def _unflattened(image: Tensor, source: Tensor | PackedImages, frames: int) -> Tensor:
    if frames:
        return image.unflatten(0, (-1, frames))
    return image[0] if isinstance(source, Tensor) and source.ndim == 3 else image


def _with_visible(batch: Batch) -> Batch:
    """Converts boxes and keypoints to their computation type and adds their visibility."""
    changes: dict[str, Tensor] = {}
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
    """Returns (B, N) float32: the given fraction or 1, and 0 for boxes without area or with infinite or NaN sides."""
    boxes, share = known(batch.boxes), batch.boxes_visible
    extent = boxes[..., 2:] - boxes[..., :2]
    there = ((extent > 0) & (extent < torch.inf)).all(-1)
    return there.to(torch.float32) if share is None else torch.where(there, share.to(torch.float32), 0.0)


def _labelled(batch: Batch) -> Tensor | None:
    """Returns (B, N) bool, the keypoints marked as visible, or None if there are no marks."""
    seen, points = batch.keypoints_visible, known(batch.keypoints)
    if points.shape[2] == 2:
        return seen
    labelled = points[..., 2] > 0
    return labelled if seen is None else seen & labelled


def _as_given(out: Batch, given: Batch) -> Batch:
    """Converts boxes and keypoints to their input types, integers to float32.

    Invisible keypoints get COCO's visibility 0.
    """
    changes: dict[str, Tensor] = {}
    if out.boxes is not None:
        changes["boxes"] = _in_type_of(known(given.boxes), out.boxes)
    if out.keypoints is not None:
        points = out.keypoints
        if points.shape[2] == 3:
            seen = torch.where(known(out.keypoints_visible), points[..., 2], 0.0)
            points = torch.cat([points[..., :2], seen[..., None]], -1)
        changes["keypoints"] = _in_type_of(known(given.keypoints), points)
    return out.replace(**changes) if changes else out


def _in_type_of(given: Tensor, rows: Tensor) -> Tensor:
    return rows.to(given.dtype) if given.is_floating_point() else rows
