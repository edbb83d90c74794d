"""Labelled images, fetched one batch at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from augment import Batch, PackedImages
from lightning_modules.errors import UserError

IGNORED = -100
"""Label of a padding row; losses and metrics receive it as `ignore_index`."""


def counted(label: Tensor) -> Tensor:
    """Return which rows (B,) are samples, from labels (B,) or (B, classes); the others only pad a batch."""
    return label.reshape(len(label), -1)[:, 0] != IGNORED


class Looked(list[int]):
    """The numbers of a batch's samples, and the epoch in which a pipeline will look at them; None in evaluation."""

    def __init__(self, numbers: Iterable[int], epoch: int | None) -> None:
        super().__init__(numbers)
        self.epoch = epoch


class ImageSet(Dataset[Batch], ABC):
    """A data set of labelled images.

    Attributes:
        labels: class numbers (N,) int64; or, for several labels per image, targets (N, classes) float32 of 0 and 1.
        classes: names of the classes.
        channels: number of channels of every image.
    """

    def __init__(self, labels: Tensor, classes: Sequence[str], channels: int) -> None:
        self.labels = labels.to(torch.int64 if labels.ndim == 1 else torch.float32)
        self.classes, self.channels = list(classes), channels

    @abstractmethod
    def images(self, numbers: Sequence[int]) -> Tensor | PackedImages:
        """Return the images with these numbers, (B, C, H, W) uint8 channels_last, or packed if their sizes differ."""

    def __len__(self) -> int:
        return len(self.labels)

    def __getitems__(self, numbers: Sequence[int]) -> Batch:
        """Return one batch for a data loader.

        A negative number ~n means sample n as padding, labelled IGNORED; n + k * N means its k-th repetition, which is
        the same image with draws of its own.
        """
        given = torch.as_tensor(numbers)
        index = torch.where(given < 0, ~given, given)
        number = index % len(self)
        padding = (given < 0).view(-1, *[1] * (self.labels.ndim - 1))
        label = self.labels[number].masked_fill(padding, IGNORED)
        return Batch(image=self._image(index, numbers), label=label, index=index)

    def _image(self, index: Tensor, numbers: Sequence[int]) -> Tensor | PackedImages:
        return self.images((index % len(self)).tolist())


class TensorImages(ImageSet):
    """Images in memory.

    Args:
        pixels: (N, H, W, C) uint8.
        labels: (N,) integers, or (N, classes) targets of 0 and 1.
        classes: names of the classes.
    """

    def __init__(self, pixels: Tensor, labels: Tensor, classes: Sequence[str]) -> None:
        super().__init__(labels, classes, pixels.shape[-1])
        self.pixels = pixels

    def images(self, numbers: Sequence[int]) -> Tensor:
        return self.pixels[list(numbers)].permute(0, 3, 1, 2)

    def part(self, numbers: Tensor) -> TensorImages:
        """Return the samples with these numbers, renumbered from 0."""
        return TensorImages(self.pixels[numbers], self.labels[numbers], self.classes)


class Splits(NamedTuple):
    """The three parts of a data set."""

    train: ImageSet
    val: ImageSet
    test: ImageSet


def split(labels: Tensor, shares: Sequence[float], seed: int) -> list[Tensor]:
    """Split a data set into random parts that hold the same share of every class.

    Args:
        labels: (N,) integers; with (N, classes) targets, parts need not hold the same share of every class.
        shares: share of each part except the last, which gets the rest; each in [0, 1), their sum below 1.
        seed: seed of the assignment.

    Returns:
        The sample numbers of each part, sorted int64.
    """
    if min(shares) < 0 or sum(shares) >= 1:
        raise UserError(f"the shares {list(shares)} of the split must be at least 0 and sum to less than 1.")
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    groups = labels if labels.ndim == 1 else torch.zeros(len(labels))
    order, rest, parts = order[groups[order].argsort(stable=True)], 1.0, []  # grouped by class, in random order
    for share in shares:
        mark = torch.arange(len(order) + 1, dtype=torch.float64).mul(share / rest).floor()
        taken = mark[1:] > mark[:-1]  # every tenth for a share of 0.1: exact to one sample per class
        parts.append(order[taken])
        order, rest = order[~taken], rest - share
    return [part.sort().values for part in (*parts, order)]
