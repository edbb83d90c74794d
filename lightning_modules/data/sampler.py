"""Samplers: which samples a process sees, and in which order."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from torch.utils.data import BatchSampler, DistributedSampler, Sampler

from lightning_modules.data.epoch_order import epoch_order
from lightning_modules.data.image_sets import Looked


def share(order: np.ndarray, consumed: int, rank: int, world: int) -> np.ndarray:
    """Return one process's samples of the rest of a pass; fewer than `world` samples at its end go to no process.

    Args:
        order: the samples of the whole pass.
        consumed: number of samples at its start that all processes together have used already.
        rank, world: number of this process, and number of processes.
    """
    return order[consumed:][rank::world][: max(len(order) - consumed, 0) // world]


def sizes_of_rest(count: int, batch: int, drop: bool) -> list[int]:
    """Return the sizes of the batches in which one process sees the rest of an interrupted pass.

    Args:
        count: number of samples of the process, positive.
        batch: largest size of a batch.
        drop: leave out a smaller last batch, unless it is the only one, as in a whole pass. Otherwise no sample is left
            out, and the sizes differ by at most one, so that no image weighs much more than another.
    """
    if drop:
        return [min(count, batch)] * max(count // batch, 1)
    batches = -(-count // batch)
    return [(count + place) // batches for place in reversed(range(batches))]


def grouped(samples: Iterable[int], sizes: Iterable[int]) -> Iterator[list[int]]:
    """Yield lists of these sizes until the samples run out."""
    left = iter(samples)
    return itertools.takewhile(len, (list(itertools.islice(left, size)) for size in sizes))


class ShardSampler(DistributedSampler[int]):
    """One process's share of a data set, for training and evaluation, with one process or many.

    The order depends only on (seed, epoch), and rank r takes positions r, r + world, r + 2 world, ... All ranks get the
    same number of samples, because collectives in the model hang if one rank runs out. In training, the remainder is
    dropped (different samples every epoch). In evaluation, every sample appears exactly once; a rank that runs out
    repeats a sample marked as padding: it yields ~n, which is negative, instead of n.

    The data loader groups a training pass into batches and drops a smaller last one. An interrupted pass goes on after
    its `skip` samples. If the batch of all processes has the same size as before, the pass drops what it would have
    dropped without the interruption. Otherwise it drops fewer than `world` samples: see `sizes_of_rest`.

    Args:
        size: number of samples in the data set.
        train: shuffle, and drop the remainder.
        seed: determines the order, together with the epoch.
        world, rank: number of processes, and the number of this one.
        skip: called at the start of each pass; returns how many samples of the pass to skip, summed over all
            processes, because they were used before the run was interrupted. The rest is shared out like a full pass.
        held_out: numbers of the samples that training does not use at first. The length of a pass excludes them,
            before and after they are released, so that the number of steps stays constant.
        until: called at the start of each pass; returns the epoch from which on training uses held-out samples too.
        current: called at the start of each pass; returns its epoch. None uses the epoch given to `set_epoch`, which
            Lightning sets one too high after resuming a run that trainer.max_steps ended.
        weights, repeats: how often samples come in a training pass, see `epoch_order`.
    """

    def __init__(
        self,
        size: int,
        train: bool,
        seed: int = 0,
        world: int = 1,
        rank: int = 0,
        skip: Callable[[], int] = lambda: 0,
        held_out: Sequence[int] = (),
        until: Callable[[], int] = lambda: 0,
        current: Callable[[], int] | None = None,
        weights: np.ndarray | None = None,
        repeats: int = 1,
    ) -> None:
        # Lightning does not replace a DistributedSampler.
        self.length = size - len(held_out)
        samples: Any = range(self.length)  # a DistributedSampler only asks for their number
        super().__init__(samples, world, rank, shuffle=train, seed=seed, drop_last=train)
        self.size, self.skip, self.held_out, self.until, self.current = size, skip, held_out, until, current
        self.weights, self.repeats = weights, repeats

    def __iter__(self) -> Iterator[int]:
        size = self.length
        if self.current is not None:
            self.set_epoch(self.current())
        if self.shuffle:
            excluded = self.held_out if self.epoch < self.until() else ()
            order = epoch_order((self.seed, self.epoch), self.size, size, excluded, self.weights, self.repeats)
            return map(int, share(order, self.skip(), self.rank, self.num_replicas))  # no list of a million numbers
        mine = list(range(self.rank, size, self.num_replicas))
        mine += [~(mine[-1] if mine else 0)] * (self.num_samples - len(mine))
        return iter(mine)


class PassBatches(BatchSampler):
    """The batches of a pass, with the epoch whose draws decide what is decoded of each image.

    Args:
        sampler: the samples of a process.
        batch_size: samples in a batch.
        drop_last: leave out a smaller last batch.
        sizes: called at the start of each pass; returns the sizes of its batches if they differ from `batch_size`.
    """

    def __init__(
        self,
        sampler: ShardSampler,
        batch_size: int,
        drop_last: bool,
        sizes: Callable[[], list[int] | None] = lambda: None,
    ) -> None:
        super().__init__(sampler, batch_size, drop_last)
        self.shard, self.sizes = sampler, sizes

    def __iter__(self) -> Iterator[list[int]]:
        sizes = self.sizes()
        for numbers in super().__iter__() if sizes is None else grouped(self.shard, sizes):
            yield Looked(numbers, self.shard.epoch if self.shard.shuffle else None)


class EndlessBatches(Sampler[list[int]]):
    """One process's part of an endless sequence of batches, with a new order in every pass over the samples.

    The sample at position t of the sequence is a function of (seed, t) only.

    Args:
        numbers: numbers of the samples.
        batch_size: samples per batch summed over all processes, divisible by `world`.
        seed: determines the orders.
        world, rank: number of processes, and the number of this one.
        done: number of samples of the sequence already used, in batches of any size.
    """

    def __init__(
        self, numbers: Sequence[int], batch_size: int, seed: int = 0, world: int = 1, rank: int = 0, done: int = 0
    ) -> None:
        self.numbers, self.batch_size, self.seed = np.asarray(numbers), batch_size, seed
        self.world, self.rank, self.done = world, rank, done

    def __iter__(self) -> Iterator[list[int]]:
        for place in itertools.count(self.done, self.batch_size):
            mine = np.arange(place, place + self.batch_size)[self.rank :: self.world]
            turns, within = np.divmod(mine, len(self.numbers))
            orders = {turn: np.random.default_rng([self.seed, turn]).permutation(self.numbers) for turn in set(turns)}
            yield [int(orders[turn][i]) for turn, i in zip(turns, within, strict=True)]
