"""Corrupted test images, and the count of what a network recognises of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torchmetrics import Metric

import augment as A
from augment.recipes.corruptions import SEVERITIES
from lightning_modules.data.image_sets import counted
from lightning_modules.errors import UserError

STRENGTHS = {
    "imagenet_c": (A.presets.imagenet_c, A.presets.IMAGENET_C),
    "cifar_c": (A.presets.cifar_c, A.presets.CIFAR_C),
}
"""Presets that build corruptions, with the names that count in their mean."""


def chosen(corruptions: str | Sequence[str], strength: str) -> list[str]:
    """Return the names of the chosen corruptions.

        chosen("all", "imagenet_c")

    Args:
        corruptions: names, or "all" for those that count in the mean of the published data.
        strength: a key of `STRENGTHS`.

    Raises:
        UserError: if a name or the strength is unknown, or a name comes twice.
    """
    if strength not in STRENGTHS:
        raise UserError(f"strength={strength!r} must be one of {', '.join(STRENGTHS)}.")
    counting = STRENGTHS[strength][1]
    if corruptions == "all":
        return list(counting)
    names = [corruptions] if isinstance(corruptions, str) else list(corruptions)
    allowed = (*counting, *A.presets.IMAGENET_C_EXTRA)
    for name in names:
        if name not in allowed:
            raise UserError(f"corruptions={name!r} must be all, or one of {', '.join(allowed)}.")
    if len(set(names)) < len(names):
        raise UserError(f"corruptions={names} holds a name twice.")
    return names


class CorruptedImages:
    """Bring images to the network's size, corrupt them as bytes, and normalise them.

        for (row, column), batch in CorruptedImages(preprocess, ["fog"], "imagenet_c", seed=0)(batch): ...

    Args:
        preprocess: what runs before the network in evaluation.
        names, strength: see `chosen`.
        seed: of the corruptions.
    """

    def __init__(self, preprocess: A.Pipeline, names: Sequence[str], strength: str, seed: int) -> None:
        last = [layer for layer in preprocess.layers if isinstance(layer, A.Normalize)]
        first = [layer for layer in preprocess.layers if not isinstance(layer, A.Normalize)]
        self.fit = A.Pipeline(*first, dtype="uint8").eval()
        self.normalize = A.Pipeline(*last, dtype=preprocess.dtype).eval()
        preset = STRENGTHS[strength][0]
        # eager, because a test would wait longer for so many compilations than it saves
        self.corruptions = [[preset(name, severity, seed, compile=False) for severity in SEVERITIES] for name in names]

    def __call__(self, batch: A.Batch) -> Iterator[tuple[tuple[int, int], A.Batch]]:
        """Yield the place (corruption, severity - 1) and the batch for the network, for each corruption."""
        fitted = self.fit(batch)
        for row, severities in enumerate(self.corruptions):
            for column, corruption in enumerate(severities):
                yield (row, column), self.normalize(corruption(fitted))


class CorrectCounts(Metric):
    """Count right answers for each corruption and severity; padding does not count.

        counts.update((0, 4), logits, label)  # the first corruption at severity 5

    Args:
        corruptions: number of corruptions.
    """

    correct: Tensor
    total: Tensor

    def __init__(self, corruptions: int) -> None:
        super().__init__()
        self.add_state("correct", torch.zeros(corruptions, len(SEVERITIES), dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("total", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, place: tuple[int, int], logits: Tensor, label: Tensor) -> None:
        """Add logits (B, classes) and labels (B,) at (corruption, severity - 1)."""
        self.correct[place] += (logits.argmax(1) == label).sum()
        if place == (0, 0):
            self.total += counted(label).sum()

    def compute(self) -> tuple[Tensor, Tensor]:
        """Return the right answers (corruptions, 5) and the number of images."""
        return self.correct, self.total
