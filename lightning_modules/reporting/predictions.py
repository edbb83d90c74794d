"""What a model predicted in one pass over a split: its confusions, and its most wrong images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lightning_modules.data.image_sets import counted


@dataclass
class Predictions:
    """Collect predictions on their device, without waiting for it.

    Args:
        classes: number of classes.
        device: of the model.
        most: number of wrong images to keep.

    Attributes:
        confusion: (classes, classes) int64, how often each class (row) was taken for each class (column).
        losses, index, label, predicted: of the wrong images with the largest losses, (most,), the largest first; where
            there are fewer, the loss is -1.

    Example:
        >>> found = Predictions(2, torch.device("cpu"))
        >>> found.add(torch.tensor([[2.0, 0.0]]), torch.tensor([1]), torch.tensor([7]), torch.tensor([2.1]))
        >>> found.confusion.tolist(), found.index[0].item()
        ([[0, 0], [1, 0]], 7)
    """

    classes: int
    device: torch.device
    most: int = 16

    def __post_init__(self) -> None:
        self.confusion = torch.zeros(self.classes, self.classes, dtype=torch.int64, device=self.device)
        self.losses = torch.full((self.most,), -1.0, device=self.device)
        self.index, self.label, self.predicted = torch.zeros(3, self.most, dtype=torch.int64, device=self.device)

    def add(self, logits: Tensor, label: Tensor, index: Tensor, losses: Tensor) -> None:
        """Add a batch.

        Args:
            logits: (B, classes).
            label: (B,) class numbers; rows that only pad the batch do not count.
            index: (B,) sample numbers.
            losses: (B,).
        """
        predicted, there = logits.argmax(1), counted(label)
        place = torch.where(there, label * self.classes + predicted, 0)
        self.confusion.view(-1).scatter_add_(0, place, there.long())  # bincount would wait for a GPU
        wrong = torch.where(there & (predicted != label), losses.float(), -1.0)
        both = (
            torch.cat(pair)
            for pair in (
                (self.losses, wrong),
                (self.index, index),
                (self.label, label),
                (self.predicted, predicted),
            )
        )
        losses, index, label, predicted = both
        self.losses, order = losses.topk(self.most)
        self.index, self.label, self.predicted = index[order], label[order], predicted[order]

    def per_class(self) -> list[tuple[int, float]]:
        """Return the number of images and the share of right ones for each class; NaN without images."""
        totals, right = self.confusion.sum(1).tolist(), self.confusion.diagonal().tolist()
        return [(total, hit / total if total else float("nan")) for total, hit in zip(totals, right, strict=True)]
