"""ShardSampler: which process sees which sample."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lightning_modules.sampler import ShardSampler

SIZES, WORLDS = st.integers(1, 200), st.integers(1, 9)


def shards(size: int, world: int, train: bool, seed: int = 0, epoch: int = 0) -> list[list[int]]:
    samplers = [ShardSampler(size, train, seed, world, rank) for rank in range(world)]
    for sampler in samplers:
        sampler.set_epoch(epoch)
    taken = [list(sampler) for sampler in samplers]
    assert [len(sampler) for sampler in samplers] == [len(shard) for shard in taken]
    return taken


@given(SIZES, WORLDS)
def test_evaluation_sees_every_sample_exactly_once(size: int, world: int) -> None:
    taken = shards(size, world, train=False)
    assert sorted(n for shard in taken for n in shard if n >= 0) == list(range(size))


@given(SIZES, WORLDS)
def test_evaluation_pads_to_equal_lengths_and_marks_it(size: int, world: int) -> None:
    taken = shards(size, world, train=False)
    assert len({len(shard) for shard in taken}) == 1
    padding = [n for shard in taken for n in shard if n < 0]
    assert len(padding) == -size % world
    assert all(0 <= ~n < size for n in padding)


@given(SIZES, WORLDS, st.integers(0, 5))
def test_training_order_is_the_same_on_any_number_of_ranks(size: int, world: int, epoch: int) -> None:
    (alone,) = shards(size, 1, train=True, epoch=epoch)
    taken = shards(size, world, train=True, epoch=epoch)
    assert sorted(alone) == list(range(size))
    assert {len(shard) for shard in taken} == {size // world}
    for rank, shard in enumerate(taken):
        assert shard == alone[rank::world][: size // world]


def test_training_drops_different_samples_every_epoch() -> None:
    seen = Counter(n for epoch in range(20) for shard in shards(10, 4, train=True, epoch=epoch) for n in shard)
    assert set(seen) == set(range(10))


def test_order_depends_on_seed_and_epoch() -> None:
    orders = {tuple(shards(50, 1, True, seed, epoch)[0]) for seed in range(4) for epoch in range(4)}
    assert len(orders) == 16


def test_skip_leaves_out_what_was_done() -> None:
    whole = list(ShardSampler(20, True, 3))
    assert list(ShardSampler(20, True, 3, skip=lambda: 8)) == whole[8:]


def test_every_order_is_equally_likely() -> None:
    """Test the position of sample 0 of 5 over 2,000 epochs: chi-squared, 4 degrees of freedom, 99.9 % is 18.5."""
    sampler = ShardSampler(5, True)
    counts = np.zeros(5)
    for epoch in range(2000):
        sampler.set_epoch(epoch)
        counts[list(sampler).index(0)] += 1
    assert ((counts - 400) ** 2 / 400).sum() < 18.5
