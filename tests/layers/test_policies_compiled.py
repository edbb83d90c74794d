"""Policies with every option, and the recipes made of them: one graph, no host reads. Defaults: tests/conformance."""

import inspect

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from tests.unchecked import import_unchecked

A = import_unchecked("augment")  # the compiler cannot look through run-time type checks

VARIANTS = {
    "timm": lambda: A.RandAugment.from_timm("rand-m9-n2-mstd0.5-inc1"),
    "uniform magnitudes": lambda: A.RandAugment(n=3, m=9, mstd=float("inf")),
    "one policy for a batch": lambda: A.RandAugment(same_on_batch=True),
    "some operators": lambda: A.TrivialAugmentWide(operators=["Rotate", "Posterize"], resample="bicubic"),
    "cifar10": lambda: A.AutoAugment("cifar10", resample="bilinear"),
    "svhn": lambda: A.AutoAugment("svhn"),
    "fixed depth": lambda: A.AugMix(severity=10, mixture_width=2, chain_depth=2, all_ops=False),
    "nested": lambda: A.OneOf([A.SomeOf([A.ThreeAugment(), A.RandAugment()], n=1), A.TrivialAugmentWide()], [3, 1]),
}
RECIPES = {
    f"presets.{name}": function
    for name, function in vars(A.presets).items()
    if inspect.isfunction(function) and "mean" in inspect.signature(function).parameters
}
VIEWS = {f"presets.{name}": RECIPES.pop(f"presets.{name}") for name in ("simclr", "byol", "dino", "fixmatch")}


def pictures(count: int) -> torch.Tensor:
    """(count, 3, 26, 30) uint8: smooth, so that interpolation does not hang on the last bit of a position."""
    y, x = torch.meshgrid(torch.linspace(0, 1, 26), torch.linspace(0, 1, 30), indexing="ij")
    phase = torch.arange(float(count))[:, None, None, None]
    waves = torch.stack([torch.sin(5 * x + 3 * y), torch.cos(4 * x * y + 1), torch.sin(9 * y - 2 * x)])
    return ((0.5 + 0.45 * torch.sin(2 * waves + phase)) * 255).to(torch.uint8)


@pytest.mark.parametrize("name", [*VARIANTS, *RECIPES])
def test_no_value_is_read_by_the_host(name):
    layer = VARIANTS[name]() if name in VARIANTS else RECIPES[name]((26, 30))
    with FakeTensorMode(allow_non_fake_inputs=True):
        images = torch.empty(4, 3, 26, 30, dtype=torch.uint8)
        assert layer(images, layer.noise(torch.arange(4))).shape == (4, 3, 26, 30)


@pytest.mark.parametrize("name", VIEWS)
def test_no_value_of_views_is_read_by_the_host(name):
    layer = VIEWS[name](32)
    with FakeTensorMode(allow_non_fake_inputs=True):
        images = torch.empty(4, 3, 26, 30, dtype=torch.uint8)
        views = layer(images, layer.noise(torch.arange(4)))
    assert [view.shape[:2] for view in views] == [(4, 3)] * len(layer.views)


def test_compiled_equals_eager():
    """Within one level, for operators that the default policies of tests/conformance do not have."""
    layer = VARIANTS["timm"]()
    torch._dynamo.reset()
    images, noise = pictures(32), layer.noise(torch.arange(32))
    compiled = torch.compile(layer, fullgraph=True, dynamic=False)(images, noise)
    torch.testing.assert_close(compiled, layer(images, noise), rtol=0, atol=1 / 255 + 1e-6)
