"""Clips (B, T, ...) as the images of all their frames, and back."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from augment.data.batch import Batch
from augment.data.known import dense
from augment.data.types import Float, Noise

OF_FRAMES = ("mask", "maps", "boxes", "boxes_visible", "keypoints", "keypoints_visible")
"""Annotations that each frame has; labels, numbers and extra fields belong to the clip."""


def frames_of(clips: Batch) -> Batch:
    """Returns all frames, one after another, with their annotations.

    Raises:
        ValueError: an annotation is not (B, T, ...).
    """
    image = dense(clips.image)
    changes: dict[str, Any] = {"image": image.flatten(0, 1), "label": None, "index": None, "extra": None}
    for name in OF_FRAMES:
        part = getattr(clips, name)
        if part is None:
            continue
        if part.shape[:2] != image.shape[:2]:
            raise ValueError(
                f"Batch: {name} of clips must begin with (B, T) = {tuple(image.shape[:2])}, one for each frame, got "
                f"{tuple(part.shape)}."
            )
        changes[name] = part.flatten(0, 1)
    return clips.replace(**changes)


def of_clips(clips: Batch) -> Batch:
    """Returns the batch without the annotations of frames."""
    return clips.replace(**dict.fromkeys(OF_FRAMES))


def clips_of(frames: Batch, given: Batch) -> Batch:
    """Returns clips like those given: the opposite of `frames_of`."""
    length = dense(given.image).shape[1]

    def joined(part: Tensor) -> Tensor:
        return part.unflatten(0, (-1, length))

    return frames.map(joined).replace(label=given.label, index=given.index, extra=given.extra)


def noise_of_frames(layer: Any, noise: Noise, frames: int) -> Float[Tensor, "frames n"]:
    """Gives each of the consecutive frames of a clip the noise of the clip.

    Raises:
        ValueError: a layer looks at the whole batch, such as a mix: it would mix the frames of a clip with each other.
    """
    if frames == 1:
        return noise
    for leaf in layer.leaves():
        if not leaf.by_sample and not getattr(leaf, "frames_are_images", False):
            raise ValueError(
                f"{type(leaf).__name__} cannot take clips, whose frames would be mixed with each other: give it images "
                "(B, C, H, W)."
            )
    return noise.repeat_interleave(frames, dim=0)
