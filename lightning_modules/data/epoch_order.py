"""The order of an epoch: shuffled, balanced between classes, or with repeated samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from lightning_modules.errors import UserError


def class_weights(labels: Tensor, balance: float) -> np.ndarray | None:
    """Return a weight (N,) for each sample, the number of images of its class to the power of -balance.

    Args:
        labels: class numbers (N,).
        balance: 0 draws classes as often as they have images, and gives None; 1 draws all classes equally often.
    """
    if balance == 0:
        return None
    if labels.ndim != 1:
        raise UserError(f"data.balance={balance} needs one label per image; these have several.")
    counts = np.bincount(labels.numpy())
    return (counts[labels.numpy()] / counts.sum()) ** -balance


def epoch_order(
    key: tuple[int, int],
    size: int,
    length: int,
    excluded: Sequence[int] = (),
    weights: np.ndarray | None = None,
    repeats: int = 1,
) -> np.ndarray:
    """Return the samples (length,) of an epoch, a function of the key (seed, epoch).

    Every sample is drawn once if there are no weights. With weights it is drawn as often as they say on average, with
    replacement. A sample that comes more than once has another number each time, n, n + size, n + 2 size, ..., so that
    its augmentation differs.

    Args:
        key: seed and epoch.
        size: number of samples in the data set.
        length: number of samples in the epoch, at most `size`.
        excluded: samples that are not drawn.
        weights: (size,) how often each sample is drawn, relative to the others.
        repeats: how often each drawn sample comes in succession, as in Hoffer et al. 2020, "Augment your batch". The
            length stays, so an epoch has as many fewer different samples.
    """
    rng = np.random.default_rng(key)
    if weights is None:
        order = rng.permutation(size)
        if len(excluded):
            order = order[~np.isin(order, excluded)]
        order = np.repeat(order[: -(-length // repeats)], repeats)[:length]
    else:
        share = weights.copy()
        share[list(excluded)] = 0
        order = np.repeat(rng.choice(size, -(-length // repeats), p=share / share.sum()), repeats)[:length]
    return order if weights is None and repeats == 1 else order + size * _occurrence(order)


def _occurrence(order: np.ndarray) -> np.ndarray:
    """Return how often each entry has come before."""
    by_sample = np.argsort(order, kind="stable")
    ordered = order[by_sample]
    first = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    place = np.arange(len(order))
    since = place - np.maximum.accumulate(np.where(first, place, 0))
    times = np.empty_like(order)
    times[by_sample] = since
    return times
