"""Brings the images of a preview into one batch, with their annotations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

import augment as A
from augment.data.known import dense
from augment.tools.preview.samples import Sample


def batch_of(samples: list[Sample], labels: list[str]) -> A.Batch:
    """Collate samples; with fewer boxes or keypoints than others, a sample gets rows of zeros."""
    alike = len({sample.image.shape for sample in samples}) == 1
    images = [sample.image for sample in samples]
    numbers = torch.tensor([labels.index(sample.label) for sample in samples])
    return A.Batch(
        torch.stack(images) if alike else A.PackedImages.from_images(images),
        label=torch.eye(len(labels))[numbers],
        boxes=_filled([sample.boxes for sample in samples], 4),
        keypoints=_filled([sample.keypoints for sample in samples], 3),
        mask=_masks(samples),
    )


def _filled(rows: Sequence[Tensor | None], columns: int) -> Tensor | None:
    if all(row is None for row in rows):
        return None
    there = [torch.zeros(0, columns) if row is None else row for row in rows]
    return torch.nn.utils.rnn.pad_sequence(there, batch_first=True)


def _masks(samples: list[Sample]) -> Tensor | None:
    if all(sample.mask is None for sample in samples):
        return None
    empty = (torch.zeros(sample.image.shape[1:], dtype=torch.int32) for sample in samples)
    return torch.stack([nothing if s.mask is None else s.mask for s, nothing in zip(samples, empty, strict=True)])


def squares(samples: Sequence[Sample], size: int) -> list[Sample]:
    """Resize samples with their annotations to squares of `size` pixels."""
    resize = A.Pipeline(A.Resize((size, size)), dtype=torch.uint8, compile=False).eval()
    made = []
    for sample in samples:
        out = resize(batch_of([sample], [sample.label]))
        parts: dict[str, Any] = {
            name: part[0] for name in ("boxes", "keypoints", "mask") if (part := getattr(out, name)) is not None
        }
        made.append(Sample(dense(out.image)[0], sample.name, sample.label, box_names=sample.box_names, **parts))
    return made
