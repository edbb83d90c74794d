"""Gradients at the ends of what float32 holds: black, white, equal channels, next to 0, and beyond the range."""

import pytest
import torch

import augment as A
from tests.conformance.catalogue import LAYERS, make, run

SHAPE = (2, 3, 5, 6)


def random(generator: int = 0) -> torch.Tensor:
    return torch.rand(SHAPE, generator=torch.Generator().manual_seed(generator), dtype=torch.float64)


IMAGES = {
    "black": torch.zeros(SHAPE),
    "white": torch.ones(SHAPE),
    "grey": torch.full(SHAPE, 0.5),
    "two levels": random().round(),
    "around 1e-40": random() * 1e-40,
    "1e-40 from grey": 0.5 + random() * 1e-40,
    "one channel of 1e-40": torch.cat([random()[:, :1] * 1e-40, torch.zeros(2, 2, 5, 6)], 1),
    "the smallest": random().round() * 2.0**-149,
    "around 1e-20": random() * 1e-20,
    "3": torch.full(SHAPE, 3.0),
    "normalized": random() * 5 - 2,
}
SAME = ("CenterCrop", "RandomCrop")


def gradients_of(layer: A.Layer, image: torch.Tensor) -> None:
    image = image.requires_grad_()
    out = run(layer, image, layer.noise(torch.arange(len(image))))
    assert out.isfinite().all()
    wanted = [image, *layer.parameters()]
    if out.requires_grad:
        for gradient in torch.autograd.grad(out.sum(), wanted, allow_unused=True):
            assert gradient is None or gradient.isfinite().all()


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_are_finite(name):
    layer = LAYERS[name]((4, 5)) if name in SAME else make(name)
    for content, image in IMAGES.items():
        for dtype in (torch.float32, torch.float64):
            try:
                gradients_of(layer, image.to(dtype))
            except AssertionError as error:
                raise AssertionError(f"{content}, {dtype}") from error


LEARNED = {
    "saturation": lambda: A.RandomSaturation(A.Uniform(0.0, 100.0, learnable=True)),
    "hue": lambda: A.RandomHue(A.Uniform(-0.5, 0.5, learnable=True)),
    "jiggle": lambda: A.ColorJiggle(*(A.Uniform(0.3, 3.0, learnable=True) for _ in range(3))),
    "jitter": lambda: A.ColorJitter(*(A.Uniform(0.3, 3.0, learnable=True) for _ in range(3))),
    "gamma 90": lambda: A.RandomGamma(A.Uniform(80.0, 100.0, learnable=True), A.Uniform(0.0, 100.0, learnable=True)),
    "gamma 0.001": lambda: A.RandomGamma(A.Uniform(0.001, 0.01, learnable=True)),
    "snow": lambda: A.RandomSnow((0.9, 1.0), A.Uniform(1.0, 100.0, learnable=True)),
}


@pytest.mark.parametrize("content", IMAGES)
@pytest.mark.parametrize("name", LEARNED)
def test_gradients_of_magnitudes_are_finite(name, content):
    for dtype in (torch.float32, torch.float64):
        gradients_of(LEARNED[name](), IMAGES[content].to(dtype))


def test_gamma_keeps_what_lies_between_nothing_and_white():
    """0.5 and 1.1 of gamma 90, and 1e-40 of gamma 0.001, are far from where anything is cut."""
    values = torch.tensor([[[[0.5, 0.99, 1.1]]]], dtype=torch.float64)
    expected = (1e-3 * values**90).clamp(0, 1)
    torch.testing.assert_close(A.RandomGamma((90.0, 90.0), (1e-3, 1e-3))(values), expected)
    value = torch.tensor([[[[1e-37]]]])
    torch.testing.assert_close(A.RandomGamma((1e-3, 1e-3))(value), value**1e-3)


@pytest.mark.parametrize("factor", [0.0, 0.4, 1.0, 3.0, 100.0])
def test_saturation_is_that_of_hsv(factor):
    """Also where a colour cannot become more saturated, next to black, and without colour."""
    image = torch.cat([random(1), random(2) * 1e-6, random(3)[:, :1].expand(-1, 3, -1, -1), torch.zeros(SHAPE)], 3)
    out = A.RandomSaturation((factor, factor))(image)
    value, least = image.amax(1, keepdim=True), image.amin(1, keepdim=True)
    saturation = torch.where(value > 0, (value - least) / value, 0.0)
    changed = (saturation * factor).clamp(max=1) / torch.where(saturation > 0, saturation, 1.0)
    torch.testing.assert_close(out, value - (value - image) * changed)
