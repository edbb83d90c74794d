"""Draws of every exported layer when it is called alone and without an index."""

import itertools

import pytest
import torch

from tests.conformance.catalogue import LAYERS, RANDOM, as_batch, make

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize("name", RANDOM)
def test_draws_without_an_index_are_independent_and_manual_seed_repeats_them(name):
    layer, twin, count = make(name, p=0.5), make(name, p=0.5), 2000
    torch.manual_seed(0)
    calls = [layer.noise(batch_size=count), twin.noise(batch_size=count), layer.noise(batch_size=count)]
    for first, second in itertools.combinations(calls, 2):
        for a, b in zip(first.double().T, second.double().T, strict=True):
            assert abs(torch.corrcoef(torch.stack([a, b]))[0, 1]) < 5 / count**0.5
    torch.manual_seed(0)
    assert torch.equal(twin.noise(batch_size=count), calls[0])


@pytest.mark.parametrize("name", LAYERS)
def test_only_a_random_layer_takes_a_key_from_the_generator(name, photos):
    layer, state = make(name), torch.get_rng_state()
    first = layer(as_batch(photos)).image
    assert torch.equal(torch.get_rng_state(), state) == (layer.draws == 0)
    torch.set_rng_state(state)
    assert torch.equal(layer(as_batch(photos)).image, first)
    state = torch.get_rng_state()
    layer.eval()(as_batch(photos))
    assert torch.equal(torch.get_rng_state(), state)
