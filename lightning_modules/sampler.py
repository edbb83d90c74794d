"""Which samples a process sees, in which order."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from torch.utils.data import DistributedSampler, Sampler


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
        skip: asked at the beginning of each pass how many samples of it to leave out, of all processes together,
            because they were used before the run was interrupted. What remains is shared out like a whole pass.
        held_out: numbers of samples that training does without at first. A pass is as long as there are others,
            before and after, so that a schedule of steps holds.
        until: asked at the beginning of each pass from which epoch on they are used like all.
        current: asked at the beginning of each pass for its epoch; None for that of `set_epoch`, which Lightning calls
            with one too many after a resumption by trainer.max_steps.
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
    ) -> None:
        # Being a DistributedSampler, it is left in place by Lightning.
        self.length = size - len(held_out)
        samples: Any = range(self.length)  # of which a DistributedSampler asks no more than how many there are
        super().__init__(samples, world, rank, shuffle=train, seed=seed, drop_last=train)
        self.size, self.skip, self.held_out, self.until, self.current = size, skip, held_out, until, current

    def __iter__(self) -> Iterator[int]:
        size = self.length
        if self.current is not None:
            self.set_epoch(self.current())
        if self.shuffle:
            order = np.random.default_rng([self.seed, self.epoch]).permutation(self.size)
            order = order[~np.isin(order, self.held_out)] if self.epoch < self.until() else order[:size]
            mine = order[self.skip() :][self.rank :: self.num_replicas][: self.left()].tolist()
        else:
            mine = list(range(self.rank, size, self.num_replicas))
            mine += [~(mine[-1] if mine else 0)] * (self.num_samples - len(mine))
        return iter(mine)

    def left(self) -> int:
        """How many samples of the pass that begins this process has."""
        return (self.length - self.skip()) // self.num_replicas if self.shuffle else self.num_samples


class EndlessBatches(Sampler[list[int]]):
    """One process's part of batches of some samples, in a new order after each pass, without end.

    The sample at place t of the whole sequence is a function of (seed, t) alone.

    Args:
        numbers: of the samples.
        batch_size: samples per batch on all processes together, divisible by `world`.
        seed: keys the orders.
        world, rank: how many processes there are, and which one this is.
        done: samples of the sequence that were used before, by batches of any size.
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
