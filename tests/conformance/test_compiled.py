"""One graph without host reads, as CUDA graphs, export and asynchronous GPU work require; tested without a GPU."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from tests.unchecked import import_unchecked

catalogue = import_unchecked("tests.conformance.catalogue")
LAYERS, as_batch, draw, make, run = (getattr(catalogue, n) for n in ("LAYERS", "as_batch", "draw", "make", "run"))

COMPILABLE = [name for name, cls in LAYERS.items() if cls.compilable]

SMALLER = {"AugMix": {"mixture_width": 1}}
"""Arguments that shorten compilation; tests/layers/test_policies_compiled.py has AugMix with two chains."""


def compilable(name: str):
    """Return an instance that acts on about half of the samples if it is random."""
    return make(name, **({} if LAYERS[name].deterministic else {"p": 0.5}), **SMALLER.get(name, {}))


@pytest.mark.parametrize("name", COMPILABLE)
def test_no_value_is_read_by_the_host(name):
    """Tensors under FakeTensorMode have no values, so a read raises; the layer's own tables become fake too."""
    layer = compilable(name)
    with FakeTensorMode(allow_non_fake_inputs=True):
        images = torch.empty(4, 3, 29, 37, dtype=torch.uint8)
        out = layer(as_batch(images), torch.rand(4, layer.draws)).image
        assert out.shape == (4, 3, *layer.out_size((29, 37)))
        assert run(layer, images.float(), layer.noise(torch.arange(4))).dtype == torch.float32


def with_kernels(name: str) -> bool:
    """Return whether a layer runs CPU kernels instead of the code that other devices compile."""
    cls, a = LAYERS[name], catalogue.A
    return issubclass(cls, (a.Warp, a.DenseWarp, a.RandomGaussianBlur, a.RandomJPEG, a.RandAugment, a.AugMix))


@pytest.mark.parametrize("name", list(filter(with_kernels, COMPILABLE)))
def test_compiles_without_kernels(name, photos, monkeypatch):
    monkeypatch.setattr(catalogue.A.kernels.cpu.library, "AVAILABLE", False)
    test_compiles_in_one_graph_and_equals_eager(name, photos)


@pytest.mark.parametrize("name", COMPILABLE)
def test_compiles_in_one_graph_and_equals_eager(name, photos):
    layer = compilable(name)
    torch._dynamo.reset()
    compiled = torch.compile(layer, fullgraph=True, dynamic=False)
    batch, noise = as_batch(photos), draw(layer)
    # rounding to bytes may go the other way
    tolerance = 1 / 255 if layer.image_gradient == "none" else 2e-4
    torch.testing.assert_close(compiled(batch, noise).image, layer(batch, noise).image, rtol=0, atol=tolerance)
