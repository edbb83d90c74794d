"""A run of neighbouring warps: its motions, its images in one pass, and the annotations that take the same way."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from augment.data.batch import Batch
from augment.data.known import whole_size
from augment.data.packed import PackedImages
from augment.data.pixels import any_size, compute_dtype, dtype_of, each, size_of
from augment.data.types import Bool, Params, Size
from augment.engine.annotations import warp_boxes, warp_keypoints, warp_mask
from augment.engine.plan import Leaf
from augment.geometry.motion import Motion
from augment.kernels.reference.warping import is_inside, resample, trace, warp
from augment.kernels.source import LARGEST_SIDE, Source


def warped(batch: Batch, params: list[Params], run: Sequence[Leaf], kept: torch.dtype) -> Batch:
    """A batch after a run of warps. What bicubic makes of bytes is cut to [0, 1]."""
    interpolation = interpolation_of(run)
    check_fixes_size(batch, run)
    alone = only_images(batch)
    chosen = _moved_alone(batch, params, run) if alone else None
    plain = len(run) == 1 and run[0].padding == "zeros" and not getattr(run[0], "projective", True)

    motions = [] if alone else motions_of(run, params, batch.image)

    def geometry(drawn: list[Params], image: Source) -> list[Motion]:
        return motions or motions_of(run, drawn, image)

    image = warp(batch.image, chosen, params, geometry, interpolation, plain, kept)
    bytes_came = isinstance(batch.image, PackedImages) or dtype_of(batch.image) == torch.uint8
    if bytes_came and interpolation == "bicubic":
        image = image.clamp(0, 1) if isinstance(image, Tensor) else each(image, lambda plane: plane.clamp(0, 1))
    return (batch if alone else annotated(batch, motions)).replace(image=image)


def apply_motions(batch: Batch, motions: Sequence[Motion], interpolation: str = "bilinear") -> Batch:
    """Applies a run of motions, the last of which fixes the size, to the image and to every annotation of a batch."""
    if all(motion.lattice for motion in motions):
        interpolation = "nearest"  # and exact
    return annotated(batch, motions).replace(image=resample(batch.image, list(motions), interpolation, torch.float32))


def annotated(batch: Batch, motions: Sequence[Motion]) -> Batch:
    """Mask, boxes and keypoints of a batch through a run of motions; the image stays."""
    changes = {}
    if batch.mask is not None:
        x, y, outside = trace(motions, whole_size(motions[-1].out_size))
        inside = [is_inside(u, motion.in_size[1]) & is_inside(v, motion.in_size[0]) for u, v, motion in outside]
        changes["mask"] = warp_mask(batch.mask, x, y, inside)
    if batch.keypoints is not None:
        changes |= warp_keypoints(motions, batch)
    if batch.boxes is not None:
        changes |= warp_boxes(motions, batch)
    return batch.replace(**changes)


def motions_of(leaves: Sequence[Leaf], params: list[Params], image: Source, size: Size | None = None) -> list[Motion]:
    """The geometry of leaves one after another, for images of a size; layers that move nothing have none."""
    if isinstance(image, PackedImages):
        dtype, size, largest = torch.float32, size or image.sides, image.max_size
    else:
        dtype, size = compute_dtype(dtype_of(image)), size or size_of(image)
        largest = whole_size(size)
    first = image[0] if isinstance(image, tuple) else image
    count = first.sizes.shape[0] if isinstance(first, PackedImages) else first.shape[0]
    if any_size(first):  # (B,) tensors, as of packed images: a comparison of symbols would fix their order
        height, width = (torch.full((count,), extent, device=first.device) for extent in whole_size(size))
        size, largest = (height, width), (LARGEST_SIDE, LARGEST_SIDE)
    like, motions = torch.empty(count, 0, dtype=dtype, device=first.device), []
    for leaf, drawn in zip(leaves, params, strict=True):
        motion = leaf.motion(size, largest, drawn, like)
        if motion is not None:
            motions.append(motion)
        size, largest = leaf.out_size(size), leaf.out_size(largest)
    if any_size(first) and any(isinstance(extent, Tensor) for extent in size):
        raise ValueError(
            f"{type(leaves[-1]).__name__}: the size of its output follows from the size of the images: give "
            "export_program a size=(height, width)."
        )
    return motions


def check_fixes_size(batch: Batch, run: Sequence[Leaf]) -> None:
    """Refuses packed images whose sizes differ after a run of warps, for what comes out is one tensor."""
    if not isinstance(batch.image, PackedImages):
        return
    size = batch.size
    for layer in run:
        size = layer.out_size(size)
    if not any(isinstance(extent, Tensor) for extent in size):
        return
    alike = "" if all(layer.lattice for layer in run) else f" and resample with {interpolation_of(run)!r} as they do"
    raise ValueError(
        f"{', '.join(type(layer).__name__ for layer in run)}: the images of this batch still differ in size after the "
        f"last warp of one interpolation. The layer that follows must fix the size{alike}: CenterCrop, "
        "RandomResizedCrop or Resize with (height, width)."
    )


def _moved_alone(batch: Batch, params: list[Params], run: Sequence[Leaf]) -> Bool[Tensor, " b"] | None:
    """Which samples of a batch of images alone a run moves, if it leaves the others as they are; None otherwise."""
    gates = [layer.acts_on(drawn) for layer, drawn in zip(run, params, strict=True)]
    if any(gate is None for gate in gates):
        return None
    if isinstance(batch.image, PackedImages) or any(layer.out_size(batch.size) != batch.size for layer in run):
        return None
    return torch.stack(gates).any(0)


def only_images(batch: Batch) -> bool:
    """Whether nothing in a batch moves with its images."""
    return batch.parts().keys() <= {"image", "label", "index"}


def interpolation_of(layers: Sequence[Leaf]) -> str:
    """What a run resamples with; layers that need no interpolation have no say."""
    return next((layer.resample for layer in layers if not layer.lattice), "nearest")
