"""Checks whether a loader delivers batches in the form that is fastest for the pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from augment.data.batch import Batch
from augment.data.known import dense
from augment.data.packed import PackedImages
from augment.tools.doctor.findings import NOTE, SLOW, Report
from augment.tools.errors import ToolError


@dataclass(frozen=True)
class Form:
    """Form of the images of a batch: dtype, size (None if packed), whether channels_last, pinned, and the device."""

    dtype: torch.dtype
    size: tuple[int, int] | None
    channels_last: bool
    pinned: bool
    device: str


def as_batch(delivered: Any) -> Batch:
    """Convert the usual outputs of loaders, images with or without labels, to a Batch."""
    if isinstance(delivered, Batch):
        return delivered
    if isinstance(delivered, (Tensor, PackedImages)):
        return Batch(delivered)
    if isinstance(delivered, Mapping):
        image = next((delivered[k] for k in ("image", "images", "pixel_values", "x") if k in delivered), None)
        label = next((delivered[k] for k in ("label", "labels", "target", "y") if k in delivered), None)
    elif isinstance(delivered, (tuple, list)) and delivered:
        image, label = delivered[0], delivered[1] if len(delivered) > 1 else None
    else:
        image = label = None
    if not isinstance(image, (Tensor, PackedImages)):
        raise ToolError(
            f"the loader delivers {type(delivered).__name__}; the doctor understands images, (images, labels), "
            '{"image": ..., "label": ...}, PackedImages and Batch.'
        )
    return Batch(image, label=label if isinstance(label, Tensor) else None)


def form_of(batch: Batch) -> Form:
    if isinstance(batch.image, PackedImages):
        return Form(torch.uint8, None, True, batch.image.data.is_pinned(), batch.device.type)
    image = dense(batch.image)
    ordered = image.ndim < 4 or image.shape[-3] == 1 or image.flatten(0, -4).stride(1) == 1
    return Form(image.dtype, (image.shape[-2], image.shape[-1]), ordered, image.is_pinned(), image.device.type)


def check_batches(report: Report, forms: list[Form], target: torch.device) -> None:
    """Check the form of the batches that a pipeline on `target` receives."""
    first = forms[0]
    if first.dtype != torch.uint8:
        times = torch.empty(0, dtype=first.dtype).element_size()
        report.add(
            "batch",
            SLOW,
            f"the loader delivers {first.dtype}: {times} times the bytes of uint8 to collate, copy and read",
            "deliver uint8 (remove ToTensor, ToDtype and Normalize from the loader); the pipeline converts in its own "
            "pass, and Normalize belongs there",
        )
    if not first.channels_last:
        report.add(
            "batch",
            SLOW,
            "the images are in planar order (C, H, W), which costs a copy or three separate reads per pixel",
            "keep the order that decoders deliver: torch.from_numpy(array).permute(2, 0, 1) without contiguous(), or "
            "images.contiguous(memory_format=torch.channels_last) in the collate function",
        )
    if target.type == "cuda" and first.device == "cpu" and not first.pinned:
        report.add(
            "batch",
            SLOW,
            "the batches are not pinned, so the host waits for their copy to the GPU",
            "DataLoader(..., pin_memory=True), and batch.to(device, non_blocking=True)",
        )
    sizes = {form.size for form in forms}
    if len(sizes) > 1:
        report.add(
            "batch",
            NOTE,
            f"the batches have {len(sizes)} different image sizes, e.g. {sorted(map(str, sizes))[:3]}",
            "each size is compiled separately; PackedImages are compiled once for many sizes",
        )
