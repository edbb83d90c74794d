"""Conversion of all accepted inputs to a batch, and of the result to the form of the input."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from augment.data.batch import Batch
from augment.data.box_formats import computed_format, have_area
from augment.data.channels import Channels, checked_channels, fitting_channels
from augment.data.known import dense, known
from augment.data.packed import PackedImages
from augment.data.pixels import compute_dtype, opened_levels
from augment.engine.annotations import in_frame
from augment.engine.clips import clips_of, frames_of, of_clips
from augment.engine.inputs import check_annotations, check_finite, check_images, check_layout, check_range


def opened(
    images: Tensor | PackedImages | Batch, maps: bool = False, color_channels: Channels | None = None
) -> tuple[Batch, int, Callable[[Batch], Any]]:
    """Checks an input and converts it to a batch of (B, C, H, W).

    In the batch, boxes are xyxy, and rotated ones four corners. Boxes and keypoints are at least float32 and have
    `boxes_visible` and `keypoints_visible`. The batch has no `extra`, and that of clips only what belongs to frames.

    Args:
        images: the input of a layer.
        maps: whether the input may hold any maps (B, K, H, W) of values instead of images.
        color_channels: the channels that a pipeline says are colours.

    Returns:
        The batch, the number of consecutive frames per clip (1 for images), and a function that converts a result to
        the form of the input.
    """
    given = check_images(images.image if isinstance(images, Batch) else images)
    batch = images if isinstance(images, Batch) else Batch(given)
    if not maps:
        check_layout(given)
        check_range(given)
    image, frames = _flattened(given)
    named = None if maps else _named(batch, color_channels)
    if not isinstance(images, Batch):
        opened = Batch(image, color_channels=named)
        return opened, frames or 1, lambda out: _unflattened(dense(out.image), given, frames)
    _check_alone(batch)
    if frames:
        check_annotations(of_clips(batch))
    flat = frames_of(batch) if frames else batch
    check_annotations(flat)

    def close(out: Batch) -> Batch:
        out = _as_given(out.with_box_format(batch.box_format), batch).replace(color_channels=batch.color_channels)
        if frames:
            return clips_of(out, batch)
        return out.replace(image=_unflattened(dense(out.image), given, frames), extra=batch.extra)

    return _with_visible(flat).replace(image=image, extra=None, color_channels=named), frames or 1, close


def _named(batch: Batch, of_pipeline: Channels | None) -> Channels | None:
    """Returns the channels that are colours; None for the usual order."""
    own = checked_channels("Batch", batch.color_channels)
    if None not in (own, of_pipeline) and own != of_pipeline:
        raise ValueError(f"Batch: color_channels={own} must be those of the pipeline, {of_pipeline}.")
    image = batch.image
    count = image.channels if isinstance(image, PackedImages) else dense(image).shape[-3]
    return fitting_channels("Pipeline" if own is None else "Batch", of_pipeline if own is None else own, count)


def _check_alone(batch: Batch) -> None:
    """Refuses annotations of single images."""
    others = [*(batch.parts().keys() - {"image"}), *(batch.extra or {})]
    if isinstance(batch.image, Tensor) and batch.image.ndim == 3 and others:
        raise ValueError(
            f"images must be (B, C, H, W) if they come with {', '.join(sorted(others))}, got "
            f"{tuple(batch.image.shape)}."
        )


def _flattened(image: Tensor | PackedImages) -> tuple[Tensor | PackedImages, int]:
    """Converts images to (B, C, H, W) and returns the number of frames per clip, 0 without clips."""
    if isinstance(image, PackedImages):
        return image, 0
    image = opened_levels(image)
    if image.ndim == 4:
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
        given = batch.replace(boxes=batch.boxes.to(compute_dtype(batch.boxes.dtype)))
        batch = given.with_box_format(computed_format(batch.box_format))
        measured = given if given.box_format == "cxcywhr" else batch  # whose sides may be negative
        there, share = have_area(known(measured.boxes), measured.box_format), batch.boxes_visible
        shown = there.to(torch.float32) if share is None else torch.where(there, share.to(torch.float32), 0.0)
        changes["boxes_visible"] = shown
    if batch.keypoints is not None:
        seen = _labelled(batch)
        check_finite("keypoints", batch.keypoints, seen)
        points = batch.keypoints.to(compute_dtype(batch.keypoints.dtype))
        inside = in_frame(points[..., :2], batch.size)
        changes |= {"keypoints": points, "keypoints_visible": inside if seen is None else inside & seen}
    return batch.replace(**changes) if changes else batch


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


def index_of(images: Tensor | PackedImages | Batch, index: Tensor | None) -> Tensor | None:
    """Returns the numbers of samples that a call was given, or that a Batch brings."""
    return images.index if isinstance(images, Batch) and index is None else index
