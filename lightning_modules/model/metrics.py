"""What validation and test report."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics import MeanMetric, Metric, MetricCollection
from torchmetrics.classification import (
    MulticlassAccuracy,
    MultilabelAccuracy,
    MultilabelAveragePrecision,
    MultilabelF1Score,
)

from lightning_modules.data.image_sets import IGNORED

TOP5_FROM = 20
"""Smallest number of classes for which top-5 accuracy is reported; with fewer classes it says little."""


class MeanLoss(MeanMetric):
    """Mean loss over all samples; NaN if any loss is NaN.

    MeanMetric leaves out NaN values and waits for the device in every step to find them; with nan_strategy="disable"
    it ignores the weights.
    """

    def update(self, value: float | Tensor, weight: float | Tensor | None = None) -> None:
        """Add losses (B,) with weights (B,), by default 1; the weight is 0 for rows that only pad a batch."""
        losses = torch.as_tensor(value)
        weights = torch.ones_like(losses) if weight is None else torch.as_tensor(weight).expand_as(losses)
        self.mean_value += (losses * weights).sum()
        self.weight += weights.sum()


def class_metrics(split: str, num_classes: int) -> MetricCollection:
    """Return top-1 accuracy, and top-5 if there are enough classes; rows labelled IGNORED do not count."""
    tops = {f"{split}/acc": 1} | ({f"{split}/acc_top5": 5} if num_classes >= TOP5_FROM else {})
    # the data module checks the labels once; a check here would wait for the device in every step
    made: dict[str, Metric | MetricCollection] = {
        name: MulticlassAccuracy(num_classes, top_k=k, average="micro", ignore_index=IGNORED, validate_args=False)
        for name, k in tops.items()
    }
    return MetricCollection(made)


def label_metrics(split: str, num_classes: int) -> MetricCollection:
    """Return metrics of several labels per image, from probabilities; rows labelled IGNORED do not count.

    The accuracy is the share of right decisions, at a threshold of 0.5. F1 and average precision are means over
    classes.
    """
    options: dict[str, Any] = {"ignore_index": IGNORED, "validate_args": False}
    made: dict[str, Metric | MetricCollection] = {
        f"{split}/acc": MultilabelAccuracy(num_classes, average="micro", **options),
        f"{split}/f1": MultilabelF1Score(num_classes, average="macro", **options),
        f"{split}/map": MultilabelAveragePrecision(num_classes, average="macro", **options),
    }
    return MetricCollection(made)
