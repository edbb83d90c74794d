"""OneOf, SomeOf, RandomApply, RandomOrder: how often, in which order, nested, and off in evaluation."""

import itertools
from collections import Counter

import pytest
import torch

import augment as A


def marks(count: int) -> list[A.Layer]:
    """Layers whose traces add up: the i-th adds 2**i / 256 to a black image."""
    return [A.RandomRGBShift(*[(2**i / 256,) * 2] * 3, p=1.0) for i in range(count)]


def traces(layer: A.Layer, samples: int = 2000) -> list[int]:
    out = layer(torch.zeros(samples, 3, 1, 1), layer.noise(torch.arange(samples)))
    return (out[:, 0, 0, 0] * 256).round().int().tolist()


def test_one_of():
    counts = Counter(traces(A.OneOf(marks(3), weights=[1, 2, 1])))
    assert set(counts) == {1, 2, 4}
    assert counts[2] / 2000 == pytest.approx(0.5, abs=0.04)
    assert Counter(traces(A.OneOf(marks(3), p=0.4)))[0] / 2000 == pytest.approx(0.6, abs=0.04)


def test_some_of():
    counts = Counter(traces(A.SomeOf(marks(4), n=2)))
    assert set(counts) == {3, 5, 6, 9, 10, 12}
    assert max(counts.values()) / min(counts.values()) < 1.5
    counts = Counter(bin(trace).count("1") for trace in traces(A.SomeOf(marks(4), n=(0, 2))))
    assert set(counts) == {0, 1, 2}
    heavy = Counter(traces(A.SomeOf(marks(3), n=1, weights=[8, 1, 1])))
    assert heavy[1] / 2000 == pytest.approx(0.8, abs=0.04)


def test_random_apply():
    assert set(traces(A.RandomApply(marks(3), p=0.5))) == {0, 7}


def test_random_order():
    """Doubling and adding do not commute: every order leaves a trace of its own."""
    double, add = A.RandomContrast((2.0, 2.0)), A.RandomBrightness((1.25, 1.25))
    layer = A.RandomOrder([double, add, A.RandomContrast((0.5, 0.5))])
    out = layer(torch.full((3000, 1, 1, 1), 0.25), layer.noise(torch.arange(3000))).flatten()
    expected = Counter()
    for order in itertools.permutations(range(3)):
        value = 0.25
        for i in order:
            value = (min(value * 2, 1), min(value + 0.25, 1), value * 0.5)[i]
        expected[round(value, 4)] += 500
    counts = Counter(round(v, 4) for v in out.tolist())
    assert set(counts) == set(expected)
    assert all(counts[v] == pytest.approx(expected[v], rel=0.2) for v in expected)


def test_containers_nest():
    layer = A.OneOf([A.SomeOf(marks(2), n=1), A.RandomApply(marks(4)[2:], p=1.0), A.RandomOrder(marks(6)[4:])])
    assert set(traces(layer)) == {1, 2, 12, 48}


def test_choice_weights_can_be_learned():
    layer = A.OneOf(marks(2), weights=[1, 3], learnable=True)
    (logits,) = layer.parameters()
    assert Counter(traces(layer))[2] / 2000 == pytest.approx(0.75, abs=0.04)
    with torch.no_grad():
        logits.copy_(torch.tensor([4.0, 0.0]))
    assert Counter(traces(layer))[1] / 2000 > 0.95


def test_mixing_or_not_as_timm_does():
    layer = A.RandomMix([A.RandomMixUp(A.Beta(0.8, 0.8)), A.RandomCutMix(beta=1.0)], p=0.8)
    batch = A.Batch(torch.rand(200, 3, 8, 8), label=torch.eye(200))
    out = layer(batch, layer.noise(torch.arange(200)))
    assert (out.label.max(1).values == 1).float().mean() == pytest.approx(0.2, abs=0.1)


def test_containers_do_not_run_in_evaluation():
    layer = A.RandomApply([A.Normalize(0.5, 0.5), A.RandomInvert(p=1.0)], p=1.0).eval()
    images = torch.rand(2, 3, 4, 4)
    assert torch.equal(layer(images), images)
