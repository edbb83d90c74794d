"""Laying images over others by the kernel gives what torch's own operators give, and steps aside for gradients."""

import pytest
import torch

import augment as A
from augment.kernels.cpu import library
from augment.kernels.reference.overlay import Overlay, lay_over

pytestmark = pytest.mark.skipif(not library.AVAILABLE, reason="nothing compiled the kernels when this was installed")

MIXES = {
    "mixup": lambda p: A.RandomMixUp(p=p),
    "cutmix": lambda p: A.RandomCutMix(p=p),
    "choice": lambda p: A.RandomMix([A.RandomMixUp(p=0.7), A.RandomCutMix(p=0.7)], p=p),
}
VIEWS = {
    "planes": lambda: torch.rand(12, 3, 23, 31),
    "interleaved": lambda: torch.rand(12, 3, 23, 31).contiguous(memory_format=torch.channels_last),
    "one channel": lambda: torch.rand(12, 1, 9, 5),
    "five channels": lambda: torch.rand(12, 5, 9, 5).contiguous(memory_format=torch.channels_last),
    "cut out": lambda: torch.rand(12, 4, 30, 40)[:, 1:, 3:20, 2:35],
    "transposed": lambda: torch.rand(12, 3, 23, 31).mT,
    "one pixel": lambda: torch.rand(12, 3, 1, 1),
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("p", [1.0, 0.6])
@pytest.mark.parametrize("name", MIXES)
def test_the_results_are_those_of_torch(name, p, view, in_torch):
    layer, image = MIXES[name](p), VIEWS[view]()
    batch = A.Batch(image, label=torch.eye(12))
    noise = layer.noise(torch.arange(12))
    before = image.clone()
    out, expected = layer(batch, noise), in_torch(layer, batch, noise)
    torch.testing.assert_close(out.image, expected.image, rtol=0, atol=1e-6, check_stride=False)
    assert torch.equal(out.label, expected.label)
    alone = (out.label.amax(1) == 1) & (out.label.argmax(1) == torch.arange(12))
    assert torch.equal(out.image[alone], image[alone])
    assert torch.equal(image, before)


def test_what_an_overlay_means():
    """A quarter of the second image in a corner of the first; all of the first over the second, past its border."""
    images = torch.stack([torch.zeros(1, 4, 4), torch.ones(1, 4, 4)])
    numbers = [[0.25, 1.0], [0.0, -1.0], [2.0, 1.0], [2.0, 9.0], [2.0, 9.0]]
    out = lay_over(images, images, Overlay(torch.tensor([1, 0]), *map(torch.tensor, numbers)))
    first, second = torch.zeros(4, 4), torch.zeros(4, 4)
    first[:2, 2:] = 0.25
    second[:, 0] = 1
    assert torch.equal(out[:, 0], torch.stack([first, second]))


def test_what_is_not_laid_over_stays_whatever_the_other_holds():
    images = torch.tensor([0.5, torch.nan])[:, None, None, None].expand(2, 3, 2, 2)
    zero = torch.zeros(2)
    over = Overlay(torch.tensor([1, 0]), zero, zero, zero, zero + 2, zero + 2)
    for given in (images, images.double()):
        assert torch.equal(lay_over(given, given, over)[0], given[0])


def test_gradients_and_other_types_are_torchs():
    image = torch.rand(2, 3, 4, 4)
    zero = torch.zeros(2)
    over = Overlay(torch.tensor([1, 0]), zero + 0.5, zero, zero, zero + 4, zero + 4)
    assert lay_over.kernel_for(image, image, over)
    assert not lay_over.kernel_for(image.double(), image.double(), over)
    assert not lay_over.kernel_for(image.clone().requires_grad_(), image, over)
    share = (zero + 0.5).requires_grad_()
    assert not lay_over.kernel_for(image, image, over._replace(share=share))
    lay_over(image, image, over._replace(share=share))[0].sum().backward()
    torch.testing.assert_close(share.grad, torch.stack([(image[1] - image[0]).sum(), zero[0]]))
