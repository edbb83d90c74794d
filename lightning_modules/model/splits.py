"""Several views of each training sample, for losses that compare them."""

from __future__ import annotations

from collections.abc import Sequence

import torch

import augment as A
from lightning_modules.model.losses import Loss


def seen_in_training(augment: A.Pipeline, loss: Loss) -> A.Pipeline | A.Views:
    """Return what makes the training images: the pipeline, or views of each sample if the loss compares them."""
    return augment if loss.num_splits == 1 else A.presets.aug_splits(augment, loss.num_splits)


def joined(views: Sequence[A.Batch]) -> A.Batch:
    """Return one batch of the samples of the first view, then those of the second, and so on."""
    parts = [view.parts() for view in views]
    return views[0].replace(**{name: torch.cat([part[name] for part in parts]) for name in parts[0]})
