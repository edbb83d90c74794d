"""Gradients with respect to the image, to every magnitude that a layer declares, and to learnable bounds."""

import pytest
import torch
from torch.autograd import gradcheck

import augment as A
from tests.conformance.catalogue import LAYERS, as_batch, draw, make, run

MAGNITUDES = [(name, quantity) for name, cls in LAYERS.items() for quantity in sorted(cls.differentiable)]
pytestmark = pytest.mark.filterwarnings("error")


def small_images(batch: int = 3) -> torch.Tensor:
    """Return images with distinct values, away from the kinks at 0, 1 and equal channels."""
    generator = torch.Generator().manual_seed(3)
    return torch.rand(batch, 3, 6, 7, generator=generator, dtype=torch.float64) * 0.6 + 0.2


@pytest.mark.parametrize("name", LAYERS)
def test_gradient_to_the_image(name):
    layer = make(name)
    if name in ("CenterCrop", "RandomCrop"):
        layer = LAYERS[name]((4, 5))
    noise = draw(layer, 3, dtype=torch.float64)
    images = small_images().requires_grad_()
    if layer.image_gradient != "exact":
        out = run(layer, images, noise)
        if layer.image_gradient == "none" and not out.requires_grad:
            return
        (gradient,) = torch.autograd.grad(out.sum(), images)
        assert torch.isfinite(gradient).all()
        if layer.image_gradient == "straight-through":  # a brighter input gives a brighter output
            torch.testing.assert_close(gradient.sum((1, 2, 3)), torch.full((3,), 126.0).double())
        return
    assert gradcheck(lambda x: run(layer, x, noise), (images,), eps=1e-6, atol=1e-4, fast_mode=True)


@pytest.mark.parametrize(("name", "quantity"), MAGNITUDES)
def test_gradient_to_a_magnitude(name, quantity):
    layer = make(name)
    if quantity not in layer._quantities:
        pytest.skip("an option of the constructor that the example does not use")
    images = small_images()
    params = layer.params(draw(layer, 3, dtype=torch.float64))
    value = params[quantity].detach().requires_grad_()

    def outcome(changed: torch.Tensor) -> torch.Tensor:
        batch = as_batch(images) if isinstance(layer, A.Mix) else A.Batch(images)
        image = layer.transform(batch, [params | {quantity: changed}], [layer], torch.float32).image
        return torch.stack(image, 1) if isinstance(image, tuple) else image

    assert gradcheck(outcome, (value,), eps=1e-6, atol=1e-4)
    (gradient,) = torch.autograd.grad(outcome(value).square().sum(), value)
    assert (gradient != 0).any(), "the image does not depend on it"


@pytest.mark.parametrize(("name", "quantity"), MAGNITUDES)
def test_bounds_can_be_learned(name, quantity):
    layer = make(name)
    if quantity not in layer._quantities:
        pytest.skip("an option of the constructor that the example does not use")
    distribution = getattr(layer, quantity)
    low, high = distribution.support()
    learnable = A.Constant(low, learnable=True) if low == high else A.Uniform(low, high, learnable=True)
    learnable.within(distribution.bounds.legal)
    setattr(layer, quantity, learnable)
    images = small_images()
    run(layer, images, draw(layer, 3)).square().sum().backward()
    gradients = [parameter.grad for parameter in layer.parameters()]
    assert gradients
    assert all(torch.isfinite(g).all() and (g != 0).any() for g in gradients)


@pytest.mark.parametrize("name", LAYERS)
def test_no_graph_is_recorded_in_plain_training(name, photos):
    layer = make(name).requires_grad_(False)  # like a learned policy between its steps
    assert not run(layer, photos, draw(layer)).requires_grad
