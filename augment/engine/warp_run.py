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
from augment.engine.annotations import warp_boxes, warp_keypoints, warp_maps, warp_mask
from augment.engine.plan import Leaf
from augment.geometry.motion import Motion
from augment.geometry.stored import as_stored
from augment.kernels.reference.warping import is_inside, resample, trace, warp
from augment.kernels.source import LARGEST_SIDE, Source, channels_of


def warped(batch: Batch, params: list[Params], run: Sequence[Leaf], kept: torch.dtype) -> Batch:
    """A batch after a run of warps. What bicubic makes of bytes, or for layers that act on bytes, is cut to [0, 1]."""
    interpolation = interpolation_of(run)
    check_run(batch, run)
    alone = only_images(batch)
    chosen = _moved_alone(batch, params, run) if alone else None
    plain = len(run) == 1 and run[0].padding == "zeros" and not getattr(run[0], "projective", True)

    motions = [] if alone else motions_of(run, params, batch.image)

    def geometry(drawn: list[Params], image: Source) -> list[Motion]:
        return motions or motions_of(run, drawn, image)

    image = warp(batch.image, chosen, params, geometry, interpolation, plain, kept)
    bytes_came = isinstance(batch.image, PackedImages) or dtype_of(batch.image) == torch.uint8
    if interpolation == "bicubic" and (bytes_came or any(layer.on_bytes for layer in run)):
        image = image.clamp(0, 1) if isinstance(image, Tensor) else each(image, lambda plane: plane.clamp(0, 1))
    return (batch if alone else annotated(batch, motions)).replace(image=image)


def apply_motions(batch: Batch, motions: Sequence[Motion], interpolation: str = "bilinear") -> Batch:
    """Applies a run of motions, the last of which fixes the size, to the image and to every annotation of a batch."""
    if all(motion.lattice for motion in motions):
        interpolation = "nearest"  # and exact
    return annotated(batch, motions).replace(image=resample(batch.image, list(motions), interpolation, torch.float32))


def annotated(batch: Batch, motions: Sequence[Motion]) -> Batch:
    """Mask, maps, boxes and keypoints of a batch through a run of motions; the image stays."""
    motions, changes = [motion for motion in motions if not motion.stored], {}
    if batch.mask is not None:
        x, y, outside = trace(motions, whole_size(motions[-1].out_size))
        inside = [is_inside(u, motion.in_size[1]) & is_inside(v, motion.in_size[0]) for u, v, motion in outside]
        changes["mask"] = warp_mask(batch.mask, x, y, inside, batch.mask_fill)
    if batch.maps is not None:
        changes["maps"] = warp_maps(motions, batch.maps)
    if batch.keypoints is not None:
        changes |= warp_keypoints(motions, batch)
    if batch.boxes is not None:
        changes |= warp_boxes(motions, batch)
    return batch.replace(**changes)


def motions_of(leaves: Sequence[Leaf], params: list[Params], image: Source, size: Size | None = None) -> list[Motion]:
    """The geometry of leaves one after another, for images of a size; layers that move nothing have none.

    Images that a decoder reduced begin with the motion from the original to what is stored, unless a size is given.
    """
    if isinstance(image, PackedImages):
        like = torch.empty(image.sizes.shape[0], 0, device=image.device)
        motions = geometry_of(leaves, params, like, size or image.sides, image.max_sides)
        whole = image.origin is None or size is not None or not motions
        return motions if whole else [as_stored(image, like), *motions]
    size, first = size or size_of(image), image[0] if isinstance(image, tuple) else image
    like = torch.empty(first.shape[0], 0, dtype=compute_dtype(dtype_of(image)), device=first.device)
    if any_size(first):
        return _geometry_of_any_size(leaves, params, like, size)
    return geometry_of(leaves, params, like, size, whole_size(size))


def _geometry_of_any_size(leaves: Sequence[Leaf], params: list[Params], like: Tensor, size: Size) -> list[Motion]:
    """The motions in an exported program, whose sizes are symbols: comparing symbols would fix their order."""
    sides = whole_size(size)
    height, width = (torch.full((like.shape[0],), side, device=like.device) for side in sides)  # as of packed images
    size = height, width
    motions = geometry_of(leaves, params, like, size, (LARGEST_SIDE, LARGEST_SIDE))
    for leaf in leaves:
        size = leaf.out_size(size)
    if any(isinstance(extent, Tensor) for extent in size):
        raise ValueError(
            f"{type(leaves[-1]).__name__}: the size of its output follows from the size of the images: give "
            "export_program a size=(height, width)."
        )
    return motions


def geometry_of(
    leaves: Sequence[Leaf], params: list[Params], like: Tensor, size: Size, largest: tuple[int, int]
) -> list[Motion]:
    """The motions of leaves for images of a size, of which `largest` is the largest; `like` has B and the dtype."""
    motions = []
    for leaf, drawn in zip(leaves, params, strict=True):
        motion = leaf.motion(size, largest, drawn, like)
        if motion is not None:
            motions.append(motion)
        size, largest = leaf.out_size(size), leaf.out_size(largest)
    return motions


def check_run(batch: Batch, run: Sequence[Leaf]) -> None:
    """Refuses images that a run of warps cannot take."""
    _check_fixes_size(batch, run)
    _check_fills(run, channels_of(batch.image))


def _check_fixes_size(batch: Batch, run: Sequence[Leaf]) -> None:
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


def _check_fills(run: Sequence[Leaf], channels: int) -> None:
    """Refuses colours that have another number of channels than the images."""
    for layer in run:
        if isinstance(layer.fill, tuple) and layer.padding == "zeros" and len(layer.fill) != channels:
            raise ValueError(
                f"{type(layer).__name__}: fill={layer.fill} has {len(layer.fill)} numbers for images of {channels} "
                "channels; give one number, or one per channel."
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
