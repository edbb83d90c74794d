"""Equalizing, stretching and CLAHE: exact values, the slope of the curve, OpenCV's tables."""

import cv2
import numpy as np
import pytest
import torch
import torchvision.transforms.v2.functional as tv
from PIL import ImageOps

import augment as A
from tests.layers.images import bytes_of, noisy

LEVEL = 1 / 255


def gradcheck_of(layer: A.Layer, size: tuple[int, int]) -> bool:
    """The image's gradient, on values that keep away from whole levels and are not equal."""
    generator = torch.Generator().manual_seed(1)
    levels = torch.rand(1, 1, *size, generator=generator, dtype=torch.float64) * 60 + 90
    image = ((levels.floor() + 0.3 + 0.4 * (levels - levels.floor())) / 255).requires_grad_()
    noise = layer.noise(torch.arange(1)).double()
    return torch.autograd.gradcheck(lambda x: layer(x, noise), (image,), eps=1e-6, atol=1e-4, fast_mode=True)


@pytest.mark.parametrize("size", [(3, 5), (16, 16), (40, 30), (97, 64)], ids=str)
@pytest.mark.parametrize("operator", ["equalize", "autocontrast"])
def test_bytes_agree_with_torchvision_and_pillow(operator, size):
    images = noisy(4, 3, *size)
    images[1] = 77  # flat
    images[2, :, 1:] = 200  # two levels or few
    images[3, :, :2] = 255
    layer = {"equalize": A.RandomEqualize, "autocontrast": A.RandomAutoContrast}[operator](p=1.0)
    ours = bytes_of(layer(images))
    theirs = getattr(tv, operator)(images)
    pillow = torch.stack([tv.pil_to_tensor(getattr(ImageOps, operator)(tv.to_pil_image(image))) for image in images])
    tolerance = {"equalize": 0, "autocontrast": 1}[operator]
    assert (ours - theirs).abs().max() <= tolerance
    assert (ours - pillow).abs().max() <= tolerance


def test_every_level_survives_its_way_through_a_float():
    """A byte that becomes k * (1 / 255) in float32 or float64 is counted at level k, not at k - 1."""
    ramp = torch.arange(256, dtype=torch.uint8).repeat_interleave(16).view(1, 1, 64, 64)
    layer = A.RandomEqualize(p=1.0)
    expected = tv.equalize(ramp)
    for image in (ramp, ramp / 255, ramp.double() / 255, ramp.double() * LEVEL):
        assert torch.equal(bytes_of(layer(image)), expected)


def test_equalize_keeps_gradations_between_levels():
    """Where a table of 256 entries would make steps, the curve is continuous, rising and flattens the histogram."""
    image = (torch.linspace(0, 1, 10000, dtype=torch.float64) ** 2).view(1, 1, 100, 100) * 0.5 + 0.2
    out = A.RandomEqualize(p=1.0)(image).flatten()
    assert len(out.unique()) > 5000
    assert (out.diff() >= 0).all()
    counts = torch.histc(out, bins=10, min=0, max=1)
    assert counts.min() > 900
    assert counts.max() < 1100


@pytest.mark.parametrize("layer", [A.RandomEqualize(p=1.0), A.RandomClahe(4.0, (2, 2), p=1.0)], ids=["he", "clahe"])
def test_the_gradient_is_the_slope_of_the_curve(layer):
    assert gradcheck_of(layer, (40, 32))


def test_equalize_has_a_gradient_that_matters():
    image = (noisy(1, 1, 40, 40) / 255).requires_grad_()
    A.RandomEqualize(p=1.0)(image).sum().backward()
    assert 0.5 < image.grad.mean() < 4  # values cover half of [0, 1], so that the curve rises by 2 on average


def test_autocontrast_leaves_a_flat_channel_alone():
    """Kornia makes it black."""
    image = torch.full((1, 3, 4, 5), 0.3)
    image[:, 1] = 7.0
    assert torch.equal(A.RandomAutoContrast(clip_output=False)(image), image)
    assert torch.equal(A.RandomAutoContrast()(image), image.clamp(0, 1))


def test_autocontrast_stretches_whatever_range():
    out = A.RandomAutoContrast()(torch.randn(4, 3, 9, 9) * 5)
    assert torch.equal(out.amin((2, 3)), torch.zeros(4, 3))
    assert torch.equal(out.amax((2, 3)), torch.ones(4, 3))


@pytest.mark.parametrize("limit", [0.0, 1.0, 2.0, 3.7, 40.0])
@pytest.mark.parametrize("size", [(32, 40), (37, 29), (64, 64)], ids=str)
def test_clahe_tables_are_those_of_opencv(limit, size):
    """With one tile nothing is blended, so that only the tables count."""
    image = noisy(1, 1, *size)
    ours = A.RandomClahe(limit, (1, 1), p=1.0)(image)[0, 0] * 255
    theirs = cv2.createCLAHE(limit, (1, 1)).apply(image[0, 0].numpy())
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_clahe_is_opencvs_up_to_where_tiles_are_blended():
    image = noisy(1, 1, 64, 80)
    ours = A.RandomClahe(3.0, (4, 4), p=1.0)(image)[0, 0] * 255
    theirs = cv2.createCLAHE(3.0, (4, 4)).apply(image[0, 0].numpy())
    difference = np.abs(ours.numpy() - theirs)
    assert difference.mean() < 1.5
    assert difference.max() < 10  # half a pixel of 16 in the blend of two curves


def test_clahe_has_no_handedness():
    """OpenCV's blending is half a pixel off, which a flip would show."""
    image = noisy(2, 3, 32, 40) / 255
    layer = A.RandomClahe(0.0, (4, 4), p=1.0)
    torch.testing.assert_close(layer(image.flip(-1)), layer(image).flip(-1))
    torch.testing.assert_close(layer(image.flip(-2)), layer(image).flip(-2))


def test_clahe_limits_contrast_per_sample():
    image = (noisy(1, 1, 64, 64) // 8 + 100).expand(3, -1, -1, -1)
    layer = A.RandomClahe((1.0, 8.0), (2, 2), p=1.0)
    noise = torch.tensor([[0.0], [0.3], [0.99]])
    spread = layer(image, noise).std((1, 2, 3))
    assert spread[0] < spread[1] < spread[2]
