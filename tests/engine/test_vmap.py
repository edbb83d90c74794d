"""torch.func on pipelines: vmap is refused in one sentence, and grad works."""

import pytest
import torch

import augment as A


@pytest.mark.parametrize(
    "layer",
    [A.Pipeline(A.RandomHorizontalFlip(), A.Normalize(0.5, 0.5)), A.RandAugment(), A.Views([A.RandomInvert()])],
    ids=lambda layer: type(layer).__name__,
)
@pytest.mark.parametrize(
    "images", [torch.rand(2, 3, 8, 8), torch.zeros(2, 4, 3, 8, 8, dtype=torch.uint8)], ids=["images", "clips"]
)
def test_vmap_is_refused(layer, images):
    with pytest.raises(ValueError, match=r"images must not come from torch.func.vmap: .* at once"):
        torch.func.vmap(layer)(images)


def test_grad_works():
    layer, noise = A.RandomGamma((0.5, 2.0)), torch.rand(2, 1)
    images = torch.rand(2, 3, 8, 8) * 0.5 + 0.25
    gradient = torch.func.grad(lambda x: layer(x, noise).sum())(images)
    asked = images.clone().requires_grad_()
    (expected,) = torch.autograd.grad(layer(asked, noise).sum(), asked)
    torch.testing.assert_close(gradient, expected)
