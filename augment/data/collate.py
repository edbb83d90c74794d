"""Single samples to a batch, for data sets of the caller's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from augment.data.batch import Batch
from augment.data.known import known
from augment.data.packed import PackedImages


def collate(samples: Sequence[Batch]) -> Batch:
    """Joins single samples to a batch: `DataLoader(dataset, batch_size=64, collate_fn=A.collate)`.

    torch's `default_collate` has no place for classes of other libraries, so a loader is given this function.

    Args:
        samples: at least one Batch with the parts of one sample, all with the same parts: `image` (C, H, W), `label`
            () or (classes,), `mask` (H, W) or (M, H, W), `maps` (K, H, W), `boxes` (N, 4), `keypoints` (N, 2) or
            (N, 3), `index` (), `extra` one value by name.

    Returns:
        Images of one size as (B, C, H, W), others as PackedImages. Samples with fewer boxes or keypoints are filled up
        with rows of zeros, whose `boxes_visible` or `keypoints_visible` is 0.

    Raises:
        TypeError, ValueError: the samples do not fit each other.

    Example:
        >>> samples = [A.Batch(torch.rand(3, 8, 8), label=torch.tensor(i), index=torch.tensor(i)) for i in range(4)]
        >>> A.collate(samples).label
        tensor([0, 1, 2, 3])
    """
    if not isinstance(samples, (list, tuple)) or not samples or not all(isinstance(s, Batch) for s in samples):
        raise TypeError("collate: samples must be a list of at least one Batch, each with the parts of one sample.")
    first = samples[0]
    for sample in samples:
        if _options(sample) != _options(first):
            raise ValueError(
                "collate: samples must have the same parts and the same "
                f"{', '.join(first.descriptions())}, got "
                f"{_told(first)} and {_told(sample)}."
            )
    ragged = {"boxes": "boxes_visible", "keypoints": "keypoints_visible"}
    parts: dict[str, Any] = {}
    for name in first.parts():
        values = [getattr(sample, name) for sample in samples]
        if name == "image":
            parts[name] = _images(values)
        elif name in ragged:
            parts[name] = torch.stack(_filled(values))
            seen = [getattr(sample, ragged[name]) for sample in samples]
            parts[ragged[name]] = torch.stack(_filled(seen if seen[0] is not None else _ones(values, name == "boxes")))
        elif name not in ragged.values():
            parts[name] = _stacked(name, values)
    if first.extra is not None:
        parts["extra"] = {name: _listed(name, [known(s.extra)[name] for s in samples]) for name in first.extra}
    return first.replace(**parts)


def _images(images: list[Any]) -> Tensor | PackedImages:
    for image in images:
        if not isinstance(image, Tensor) or image.ndim != 3:
            got = tuple(image.shape) if isinstance(image, Tensor) else type(image).__name__
            raise ValueError(f"collate: image must be (C, H, W) in each sample, got {got}.")
    return torch.stack(images) if len({image.shape for image in images}) == 1 else PackedImages.from_images(images)


def _stacked(name: str, values: list[Tensor]) -> Tensor:
    if len({value.shape for value in values}) != 1:
        shapes = sorted({tuple(value.shape) for value in values})[:3]
        raise ValueError(f"collate: {name} must have one shape in all samples, got {shapes}.")
    return torch.stack(values)


def _listed(name: str, values: list[Any]) -> Any:
    return _stacked(name, values) if all(isinstance(value, Tensor) for value in values) else values


def _filled(values: list[Tensor]) -> list[Tensor]:
    """Rows of zeros after those of each sample, up to the largest number."""
    most = max(value.shape[0] for value in values)
    return [torch.cat([value, value.new_zeros(most - value.shape[0], *value.shape[1:])]) for value in values]


def _ones(values: list[Tensor], shares: bool) -> list[Tensor]:
    dtype = torch.float32 if shares else torch.bool
    return [torch.ones(value.shape[0], dtype=dtype, device=value.device) for value in values]


def _options(sample: Batch) -> tuple[Any, ...]:
    """Returns what all samples of a batch must have in common."""
    return set(sample.parts()), set(sample.extra or ()), sample.descriptions()


def _told(sample: Batch) -> str:
    told = ", ".join(map(str, sample.descriptions().values()))
    return f"{', '.join([*sample.parts(), *(sample.extra or ())])} ({told})"
