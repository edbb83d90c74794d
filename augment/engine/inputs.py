"""Checks of the inputs of a call, for all kinds of layer.

Types and shapes are always checked. Values are checked only if they are in this process's memory, and only a few of
them.
"""

import math
import warnings
from collections.abc import Sequence

import torch
from torch import Tensor

from augment.data.batch import SHAPES, Batch
from augment.data.box_formats import COLUMNS
from augment.data.context import compiling
from augment.data.known import dense
from augment.data.memory import has_memory
from augment.data.packed import HOW_TO_PACK, PackedImages
from augment.data.pixels import LEVELS

_TO_CHANNELS_FIRST = {3: "permute(2, 0, 1)", 4: "permute(0, 3, 1, 2)", 5: "permute(0, 1, 4, 2, 3)"}

_BRIGHTEST = 32
"""Larger floats are neither in [0, 1] nor normalized, which gives up to 20 with a standard deviation of 0.05."""


def check_images(images: object) -> Tensor | PackedImages:
    """Refuses images of a wrong type or with a wrong number of dimensions."""
    if isinstance(images, PackedImages):
        return images
    if not isinstance(images, Tensor):
        hint = HOW_TO_PACK if isinstance(images, (list, tuple)) else ""
        raise TypeError(f"images must be a tensor, PackedImages or a Batch, got {type(images).__name__}{hint}.")
    _refuse_vmap(images)
    if images.ndim not in (3, 4, 5):
        raise ValueError(f"images must be (B, C, H, W), (C, H, W) or (B, T, C, H, W), got {tuple(images.shape)}.")
    if images.dtype not in LEVELS and not images.is_floating_point():
        raise TypeError(f"images must be uint8, uint16, int16 or float in [0, 1], got {images.dtype}.")
    if 0 in images.shape[-3:]:  # an empty batch is allowed
        raise ValueError(f"images must have at least one channel and one pixel, got {tuple(images.shape)}.")
    return images


def _refuse_vmap(images: Tensor) -> None:
    """Refuses images inside of torch.func.vmap: layers choose kernels and memory by what such tensors hide."""
    if type(images) is not Tensor or compiling():
        return
    try:
        images.untyped_storage()
    except (RuntimeError, NotImplementedError) as error:
        if "Batched" in str(error):  # tensors inside of torch.func.grad have no storage to look at either
            raise ValueError(
                "images must not come from torch.func.vmap: layers are batched already and draw for each sample by "
                "itself, so call them with all images (B, C, H, W) at once."
            ) from None


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
    """Warns if a few sampled floats lie in the range of 8-bit values instead of [0, 1], and refuses negative int16."""
    if isinstance(images, PackedImages) or not (has_memory(images) and images.numel()):
        return
    if images.dtype == torch.int16:
        _check_not_negative(images)
    if not images.is_floating_point():
        return
    if _some_of(images).amax().item() > _BRIGHTEST:
        warnings.warn(
            "images: floats must lie in [0, 1], and these seem to lie in [0, 255]; many layers clip them to white. "
            "Give uint8, or divide by 255.",
            stacklevel=6,  # skips `opened`, `forward` and two calls of nn.Module
        )


def _check_not_negative(images: Tensor) -> None:
    """Refuses negative int16: nothing says which of them is black."""
    least = int(images.min())
    if least < 0:
        raise ValueError(
            f"images: int16 must lie in [0, 32767], which become 0 to 1, got {least}; give floats in [0, 1] from a "
            "range of your own, such as (images - low) / (high - low)."
        )


def _some_of(images: Tensor) -> Tensor:
    """Takes 4 to 7 values along each dimension, so that the check takes microseconds for any size."""
    steps = [max(1, n // 4) for n in images.shape]
    counts = [-(-n // step) for n, step in zip(images.shape, steps, strict=True)]
    strides = [stride * step for stride, step in zip(images.stride(), steps, strict=True)]
    return images.detach().as_strided(counts, strides)


def check_annotations(batch: Batch) -> None:
    """Refuses annotations that do not match the images in number, size or type."""
    if batch.box_format not in COLUMNS:
        raise ValueError(f"Batch: box_format={batch.box_format!r} must be one of {', '.join(COLUMNS)}.")
    batch.check_annotation_types()
    for name, part in batch.parts().items():
        if name == "image":
            continue
        if name in ("mask", "maps") and isinstance(batch.image, PackedImages):
            raise ValueError(f"Batch: {name.rstrip('s')}s need images of one size: packed images carry none.")
        if not _fits(batch, name, part):
            shape = f"(B, N, {COLUMNS[batch.box_format]})" if name == "boxes" else SHAPES[name]
            raise ValueError(f"Batch: {name} must be {shape} for {_of(batch)}, got {tuple(part.shape)}.")
        _check_type(name, part)
    if batch.mask_fill and batch.mask is not None:
        check_mask_value("Batch: mask_fill", batch.mask_fill, batch.mask.dtype)
    if batch.flip_indices is not None and batch.keypoints is not None:
        _check_flip_indices(batch.flip_indices, batch.keypoints.shape[1])
    for name, values in (batch.extra or {}).items():
        if not hasattr(values, "__len__") or len(values) != batch.count:
            raise ValueError(f"Batch: extra[{name!r}] must have one value for each of {batch.count} samples.")


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
        return part.ndim == 3 and part.shape[2] == COLUMNS[batch.box_format]
    if name == "maps":
        return part.ndim == 4 and part.shape[-2:] == dense(images).shape[-2:]
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
    if name == "maps" and not part.is_floating_point():
        raise TypeError(
            f"Batch: maps must be floats, because they are interpolated, got {part.dtype}; labels are masks."
        )
    if name == "index" and (part.dtype == torch.bool or part.is_floating_point() or part.is_complex()):
        raise TypeError(f"Batch: index must be (B,) integers, got {part.dtype}.")


def check_mask_value(label: str, fill: float, dtype: torch.dtype) -> None:
    """Refuses a value that masks of a type cannot hold."""
    if dtype == torch.bool:
        low, high = 0.0, 1.0
    else:
        limits = torch.finfo(dtype) if dtype.is_floating_point else torch.iinfo(dtype)
        low, high = limits.min, limits.max
    if not low <= fill <= high or (not dtype.is_floating_point and fill != int(fill)):
        raise ValueError(f"{label}={fill} must be a value that masks of {dtype} can hold.")


def _check_flip_indices(indices: Sequence[int], rows: int) -> None:
    """Refuses numbers that do not exchange keypoints in pairs, or do not divide the rows into objects."""
    count = len(indices)
    if not count or sorted(indices) != list(range(count)) or any(indices[indices[k]] != k for k in range(count)):
        raise ValueError(
            f"Batch: flip_indices={tuple(indices)} must exchange keypoints in pairs: (0, 2, 1) exchanges 1 and 2."
        )
    if rows % count:
        raise ValueError(f"Batch: flip_indices has {count} numbers, which do not divide {rows} keypoints into objects.")


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
