"""Checks of the inputs of a call, for all kinds of layer.

Types and shapes are always checked. Values are checked only if they are in this process's memory, and only a few of
them.
"""

import math
import warnings

import torch
from torch import Tensor

from augment.data.batch import Batch
from augment.data.known import dense
from augment.data.memory import has_memory
from augment.data.packed import PackedImages

_SHAPES = {
    "label": "(B,) or (B, classes)",
    "mask": "(B, H, W) or (B, M, H, W)",
    "boxes": "(B, N, 4)",
    "boxes_visible": "(B, N)",
    "keypoints": "(B, N, 2), or (B, N, 3) with COCO's visibility",
    "keypoints_visible": "(B, N)",
    "index": "(B,)",
}

_TO_CHANNELS_FIRST = {3: "permute(2, 0, 1)", 4: "permute(0, 3, 1, 2)", 5: "permute(0, 1, 4, 2, 3)"}

_BRIGHTEST = 32
"""Larger floats are neither in [0, 1] nor normalized, which gives up to 20 with a standard deviation of 0.05."""


def check_images(images: object) -> Tensor | PackedImages:
    """Refuses images of a wrong type or with a wrong number of dimensions."""
    if isinstance(images, PackedImages):
        return images
    if not isinstance(images, Tensor):
        raise TypeError(f"images must be a tensor, PackedImages or a Batch, got {type(images).__name__}.")
    if images.ndim not in (3, 4, 5):
        raise ValueError(f"images must be (B, C, H, W), (C, H, W) or (B, T, C, H, W), got {tuple(images.shape)}.")
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise TypeError(f"images must be uint8 or float in [0, 1], got {images.dtype}.")
    if 0 in images.shape[-3:]:  # an empty batch is allowed
        raise ValueError(f"images must have at least one channel and one pixel, got {tuple(images.shape)}.")
    return images


def check_layout(images: Tensor | PackedImages) -> None:
    """Refuses channels-last images, recognised by more than 4 channels, a height above 4 and a width of 1, 3 or 4."""
    channels, height, width = (
        (images.channels, *images.max_size) if isinstance(images, PackedImages) else images.shape[-3:]
    )
    if channels > 4 and height > 4 and width in (1, 3, 4):
        if isinstance(images, PackedImages):
            raise ValueError(
                f"PackedImages: images must be (C, H, W), got ({channels}, {height}, {width}); the channels seem to "
                "come last: call permute(2, 0, 1) on each."
            )
        raise ValueError(
            f"images must be (B, C, H, W), got {tuple(images.shape)}; the channels seem to come last: call "
            f"images.{_TO_CHANNELS_FIRST[images.ndim]}."
        )


def check_range(images: Tensor | PackedImages) -> None:
    """Warns if a few sampled floats lie in the range of 8-bit values instead of [0, 1]."""
    if isinstance(images, PackedImages) or not (images.is_floating_point() and has_memory(images) and images.numel()):
        return
    if _some_of(images).amax().item() > _BRIGHTEST:
        warnings.warn(
            "images: floats must lie in [0, 1], and these seem to lie in [0, 255]; many layers clip them to white. "
            "Give uint8, or divide by 255.",
            stacklevel=6,  # skips `opened`, `forward` and two calls of nn.Module
        )


def _some_of(images: Tensor) -> Tensor:
    """Takes 4 to 7 values along each dimension, so that the check takes microseconds for any size."""
    steps = [max(1, n // 4) for n in images.shape]
    counts = [-(-n // step) for n, step in zip(images.shape, steps, strict=True)]
    strides = [stride * step for stride, step in zip(images.stride(), steps, strict=True)]
    return images.detach().as_strided(counts, strides)


def check_annotations(batch: Batch) -> None:
    """Refuses annotations that do not match the images in number, size or type."""
    if batch.box_format not in ("xyxy", "xywh"):
        raise ValueError(f"Batch: box_format={batch.box_format!r} must be 'xyxy' or 'xywh'.")
    for name, part in batch.parts().items():
        if name == "image":
            continue
        if not isinstance(part, Tensor):
            raise TypeError(f"Batch: {name} must be a tensor {_SHAPES[name]}, got {type(part).__name__}.")
        if name == "mask" and isinstance(batch.image, PackedImages):
            raise ValueError("Batch: masks need images of one size: packed images carry none.")
        if not _fits(batch, name, part):
            raise ValueError(f"Batch: {name} must be {_SHAPES[name]} for {_of(batch)}, got {tuple(part.shape)}.")
        _check_type(name, part)


def _fits(batch: Batch, name: str, part: Tensor) -> bool:
    """Whether the shape of an annotation matches the images, or the boxes or keypoints that it describes."""
    images = batch.image
    count = images.sizes.shape[0] if isinstance(images, PackedImages) else dense(images).shape[0]
    if part.ndim == 0 or part.shape[0] != count:
        return False
    if name == "label":
        return part.ndim <= 2
    if name == "mask":
        return part.ndim in (3, 4) and part.shape[-2:] == dense(images).shape[-2:]
    if name == "index":
        return part.ndim == 1
    if name == "boxes":
        return part.ndim == 3 and part.shape[2] == 4
    if name == "keypoints":
        return part.ndim == 3 and part.shape[2] in (2, 3)
    owner = getattr(batch, name.removesuffix("_visible"))
    return owner is not None and part.shape == owner.shape[:2]


def _of(batch: Batch) -> str:
    if isinstance(batch.image, PackedImages):
        return f"{len(batch)} packed images"
    shapes = {name: tuple(getattr(batch, name).shape) for name in ("boxes", "keypoints") if name in batch.parts()}
    with_rows = "".join(f", {name} {shape}" for name, shape in shapes.items())
    return f"images {tuple(dense(batch.image).shape)}{with_rows}"


def _check_type(name: str, part: Tensor) -> None:
    if name in ("boxes", "keypoints", "boxes_visible") and (part.dtype == torch.bool or part.is_complex()):
        raise TypeError(f"Batch: {name} must be floats or integers, got {part.dtype}.")
    if name == "keypoints_visible" and part.dtype != torch.bool:
        raise TypeError(
            f"Batch: keypoints_visible must be bool, got {part.dtype}; COCO's visibility is the third column "
            "of keypoints."
        )
    if name == "index" and (part.dtype == torch.bool or part.is_floating_point() or part.is_complex()):
        raise TypeError(f"Batch: index must be (B,) integers, got {part.dtype}.")


def check_finite(name: str, rows: Tensor, visible: Tensor | None) -> None:
    """Refuses visible boxes or keypoints (B, N, ...) that are not finite."""
    if not (rows.is_floating_point() and has_memory(rows)) or math.isfinite(rows.sum().item()):
        return
    bad = ~torch.isfinite(rows).all(-1)
    bad = bad if visible is None else bad & (visible > 0)
    if bad.any():
        image, row = bad.nonzero()[0].tolist()
        raise ValueError(
            f"Batch: {name}[{image}, {row}]={rows[image, row].tolist()} must be finite; fill missing rows with "
            f"zeros, or mark them with 0 in {name}_visible."
        )
