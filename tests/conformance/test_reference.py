"""Every layer agrees with an independent implementation at the same parameters, in float64."""

import pytest
import torch

from tests.conformance.catalogue import LAYERS, draw, make
from tests.conformance.references import EXAMPLES, NOT_COMPARED, REFERENCES, TOLERANCE


def test_every_layer_is_compared_or_says_why_not():
    assert set(REFERENCES) | set(NOT_COMPARED) == set(LAYERS)
    assert not set(REFERENCES) & set(NOT_COMPARED)


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("size", [(29, 37), (16, 24)], ids=str)
def test_agrees_with_the_reference(name, size, photos):
    layer = make(name, **EXAMPLES[name])
    images = photos[:, :, : size[0], : size[1]].double() / 255
    noise = draw(layer, dtype=torch.float64)
    params = layer.resolve(layer.params(noise), size)
    expected = REFERENCES[name](images, params)
    torch.testing.assert_close(layer(images, noise), expected, rtol=0, atol=TOLERANCE[name])
