"""The statistics that augmentation relies on, at 1e5 samples, and the keys."""

import math

import pytest
import torch

import augment as A
from augment.draws.noise import mix32, normal_field, uniform, uniform_field

N = 100_000
LIMIT = 5 / math.sqrt(N)
"""Five standard errors of a correlation between independent columns."""


def correlation(a: torch.Tensor, b: torch.Tensor) -> float:
    a, b = a.double() - a.double().mean(), b.double() - b.double().mean()
    return float((a * b).mean() / (a.square().mean() * b.square().mean()).sqrt())


@pytest.fixture(scope="module")
def draws() -> torch.Tensor:
    return uniform(seed=7, epoch=3, index=torch.arange(N), columns=12)


def test_range_and_dtype(draws):
    assert draws.dtype == torch.float32
    assert draws.shape == (N, 12)
    assert draws.min() >= 0
    assert draws.max() < 1


def test_each_column_is_uniform(draws):
    """Chi-square over 100 bins: mean 99, standard deviation 14; 5 of them is 170."""
    for column in draws.unbind(1):
        counts = torch.histc(column, 100, 0, 1)
        assert ((counts - N / 100) ** 2 / (N / 100)).sum() < 170


def test_pairs_of_columns_fill_the_square(draws):
    """Chi-square over 16 x 16 cells: mean 255, standard deviation 23."""
    for i in range(11):
        cells = (draws[:, i] * 16).long() * 16 + (draws[:, i + 1] * 16).long()
        counts = torch.bincount(cells, minlength=256)
        assert ((counts - N / 256) ** 2 / (N / 256)).sum() < 255 + 5 * 23


def test_columns_are_uncorrelated(draws):
    table = torch.corrcoef(draws.double().T) - torch.eye(12)
    assert table.abs().max() < LIMIT


@pytest.mark.parametrize("lag", [1, 2, 64, 1024])
def test_neighbouring_samples_are_uncorrelated(draws, lag):
    for column in draws.unbind(1):
        assert abs(correlation(column[lag:], column[:-lag])) < LIMIT


@pytest.mark.parametrize(("seed", "epoch"), [(7, 4), (7, 2), (8, 3), (6, 3), (7 + 2**32, 3)])
def test_neighbouring_epochs_and_seeds_are_uncorrelated(draws, seed, epoch):
    other = uniform(seed, epoch, torch.arange(N), 12)
    for a, b in zip(draws.unbind(1), other.unbind(1), strict=True):
        assert abs(correlation(a, b)) < LIMIT


def test_bits_are_balanced_and_avalanche():
    words = torch.arange(20_000)
    mixed = mix32(words)
    assert mixed.min() >= 0
    assert mixed.max() < 2**32
    assert len(mixed.unique()) == len(words)
    for bit in range(32):
        flipped = mix32(words ^ (1 << bit)) ^ mixed
        changed = torch.stack([(flipped >> k) & 1 for k in range(32)]).double().mean(1)
        assert (changed - 0.5).abs().max() < 0.1


def test_a_draw_depends_on_nothing_but_its_key():
    index = torch.tensor([12, 5, 9_000_000_000, 0])
    rows = uniform(1, 2, index, 6)
    assert torch.equal(rows[1], uniform(1, 2, torch.tensor([5]), 6)[0])
    assert torch.equal(rows[:, :3], uniform(1, 2, index, 3)), "further columns change nothing"
    assert torch.equal(rows, uniform(1, torch.tensor(2), index, 6)), "the epoch may be a tensor"
    assert torch.equal(rows, uniform(1, 2, index.to(torch.int64), 6))


@pytest.mark.parametrize(
    "other", [(2, 2, 12), (1, 3, 12), (1, 2, 13), (1 + 2**32, 2, 12), (1, 2, 12 + 2**32), (-1, 2, 12)]
)
def test_every_part_of_the_key_counts(other):
    seed, epoch, index = other
    assert not torch.equal(uniform(1, 2, torch.tensor([12]), 4), uniform(seed, epoch, torch.tensor([index]), 4))


def test_known_values():
    """The bits are part of the contract: a seed must mean the same tomorrow and on every machine."""
    rows = uniform(seed=0, epoch=0, index=torch.tensor([0, 1]), columns=2)
    assert (rows * 2**24).long().tolist() == KNOWN


KNOWN = [[12820594, 772141], [16540423, 12094449]]


def test_uniform_field_is_uniform():
    field = uniform_field(uniform(0, 0, torch.arange(4), 2), (100, 250))
    assert field.shape == (4, 100, 250)
    counts = torch.histc(field, 100, 0, 1)
    assert ((counts - 1000) ** 2 / 1000).sum() < 170
    assert abs(correlation(field[:, 1:].reshape(-1), field[:, :-1].reshape(-1))) < 5 / math.sqrt(field.numel())


def test_normal_field_is_standard_normal():
    field = normal_field(uniform(0, 0, torch.arange(4), 2), (3, 128, 128)).double()
    count = field.numel()
    assert field.shape == (4, 3, 128, 128)
    assert abs(field.mean()) < 5 / math.sqrt(count)
    assert abs(field.var() - 1) < 5 * math.sqrt(2 / count)
    assert abs((field**3).mean()) < 5 * math.sqrt(15 / count)
    assert abs((field**4).mean() - 3) < 5 * math.sqrt(96 / count)
    assert abs(correlation(field[..., 1:].reshape(-1), field[..., :-1].reshape(-1))) < 5 / math.sqrt(count)
    assert abs(correlation(field[0].reshape(-1), field[1].reshape(-1))) < 5 / math.sqrt(count / 4)


def test_without_index_or_batch_size_there_is_a_clear_error():
    with pytest.raises(ValueError, match=r"give index=.* or batch_size"):
        A.RandomRotation(10).noise()
    with pytest.raises(ValueError, match=r"index must be \(B,\) integers"):
        A.RandomRotation(10).noise(torch.rand(3))
