"""ShardSampler: which process sees which sample."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lightning_modules.data.sampler import ShardSampler, grouped, share, sizes_of_rest

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


def rest_in_batches(size: int, consumed: int, batch: int, world: int, drop: bool) -> list[list[list[int]]]:
    """Return the batches of every process in the rest of a pass over the numbers up to `size`."""
    mine = [share(np.arange(size), consumed, rank, world) for rank in range(world)]
    sizes = sizes_of_rest(len(mine[0]), batch, drop)
    return [list(grouped(samples.tolist(), sizes)) for samples in mine]


@given(st.integers(1, 200), st.integers(0, 199), st.integers(1, 40), WORLDS)
def test_the_rest_of_a_pass_is_seen_exactly_once(size: int, consumed: int, batch: int, world: int) -> None:
    left = max(size - consumed, 0)
    if left < world:
        return
    taken = rest_in_batches(size, consumed, batch, world, drop=False)
    seen = sorted(n for rank in taken for part in rank for n in part)
    assert seen == list(range(consumed, size - left % world))  # fewer than `world` samples cannot be shared out
    sizes = [[len(part) for part in rank] for rank in taken]
    assert all(of_rank == sizes[0] for of_rank in sizes)  # otherwise a process would wait for ever
    assert max(sizes[0]) <= min(batch, min(sizes[0]) + 1)
    steps = [sorted(n for rank in taken for n in rank[step]) for step in range(len(sizes[0]))]
    assert [n for step in steps for n in step] == seen  # the order of the pass, step by step


@given(st.integers(1, 200), st.integers(1, 40), WORLDS, st.data())
def test_the_rest_in_batches_of_the_same_size_is_what_the_whole_pass_would_have_seen(
    size: int, batch: int, world: int, data: st.DataObject
) -> None:
    steps = size // world // batch
    if steps == 0:
        return
    done = data.draw(st.integers(0, steps - 1))
    taken = rest_in_batches(size, done * batch * world, batch, world, drop=True)
    for rank, batches in enumerate(taken):
        whole = list(range(size))[rank::world][: steps * batch]
        assert batches == [whole[k * batch : (k + 1) * batch] for k in range(done, steps)]
