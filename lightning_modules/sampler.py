"""Which samples a process sees, in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from torch.utils.data import DistributedSampler


class ShardSampler(DistributedSampler[int]):
    """One process's share of a data set; the same rules for training and evaluation, for one process and for many.

    The order depends on (seed, epoch) alone, and rank r takes its positions r, r + world, r + 2 world, ... All ranks
    get equally many samples, because collectives inside of the model hang where one runs out. In training what is
    left over is dropped (a different part every epoch). In evaluation every sample appears exactly once and, where a
    rank runs out, a sample is repeated, marked as padding: number n is yielded as ~n, which is negative.

    Args:
        size: number of samples in the data set.
        train: shuffle, and drop what does not divide evenly.
        seed: keys the order together with the epoch.
        world, rank: how many processes there are, and which one this is.
        skip: asked at the beginning of each pass how many samples of it to leave out, because they were used before
            the run was interrupted.
    """

    def __init__(
        self,
        size: int,
        train: bool,
        seed: int = 0,
        world: int = 1,
        rank: int = 0,
        skip: Callable[[], int] = lambda: 0,
    ) -> None:
        # Being a DistributedSampler, it is left in place by Lightning, which also calls its `set_epoch`.
        super().__init__(range(size), world, rank, shuffle=train, seed=seed, drop_last=train)
        self.skip = skip

    def __iter__(self) -> Iterator[int]:
        size = len(self.dataset)
        if self.shuffle:
            order = np.random.default_rng([self.seed, self.epoch]).permutation(size)
            mine = order[self.rank :: self.num_replicas][: self.num_samples].tolist()
        else:
            mine = list(range(self.rank, size, self.num_replicas))
            mine += [~(mine[-1] if mine else 0)] * (self.num_samples - len(mine))
        return iter(mine[self.skip() :])
