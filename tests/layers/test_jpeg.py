"""JPEG artefacts: libjpeg's tables, Pillow's pixels, and gradients."""

import io

import pytest
import torch
import torchvision.transforms.v2.functional as tv
from PIL import Image

import augment as A
from augment.layers.filtering.jpeg import quantization
from tests.layers.images import noisy


def jpeg_of(image: torch.Tensor, quality: int) -> Image.Image:
    file = io.BytesIO()
    tv.to_pil_image(image).save(file, "JPEG", quality=quality, subsampling=2)
    return Image.open(io.BytesIO(file.getvalue()))


@pytest.mark.parametrize("quality", range(1, 101))
def test_quantization_tables_are_libjpegs(quality):
    luma, chroma = quantization(torch.tensor([float(quality)]))[0].flatten(1).int().tolist()
    theirs = jpeg_of(torch.zeros(3, 8, 8, dtype=torch.uint8), quality).quantization
    assert [luma, chroma] == [theirs[0], theirs[1]]


@pytest.mark.parametrize("quality", [5, 30, 75, 95])
@pytest.mark.parametrize("size", [(48, 64), (37, 29)], ids=str)
def test_jpeg_is_pillows_up_to_rounding(quality, size):
    """Pillow rounds every step to bytes, after which a coefficient here and there falls on the other side of a tie."""
    y, x = torch.meshgrid(torch.arange(size[0]) / 8, torch.arange(size[1]) / 9, indexing="ij")
    smooth = torch.stack([torch.sin(x + y), torch.cos(2 * x - y), torch.sin(x - 2 * y)]) * 90 + 128
    image = (smooth + noisy(3, *size) / 8 - 16).round().clamp(0, 255).to(torch.uint8)
    theirs = tv.pil_to_tensor(jpeg_of(image, quality)).float()
    ours = A.RandomJPEG((float(quality), float(quality)))(image) * 255
    assert (ours - theirs).abs().mean() < 1.3
    assert (ours - theirs).mean().abs() < 0.2


def test_jpeg_of_a_gray_image_is_pillows():
    image = noisy(1, 1, 48, 40)
    for quality in (10, 50, 90):
        theirs = tv.pil_to_tensor(jpeg_of(image[0], quality)).float()
        ours = A.RandomJPEG((float(quality), float(quality)))(image)[0] * 255
        assert (ours - theirs).abs().mean() < 0.6
        assert (ours - theirs).abs().median() < 0.5


def test_jpeg_of_two_channels_is_that_of_the_gray_one():
    """The other one is alpha."""
    image = noisy(1, 2, 24, 24)
    layer = A.RandomJPEG((20.0, 20.0))
    out = layer(image)
    torch.testing.assert_close(out[:, :1], layer(image[:, :1]))
    assert torch.equal(out[:, 1:], image[:, 1:] * torch.tensor(1 / 255))


def test_jpeg_leaves_alpha_alone():
    image = noisy(2, 4, 24, 24) / 255
    out = A.RandomJPEG((5.0, 5.0))(image)
    assert torch.equal(out[:, 3], image[:, 3])
    torch.testing.assert_close(out[:, :3], A.RandomJPEG((5.0, 5.0))(image[:, :3]))


def test_jpeg_quality_is_the_samples_own():
    image = noisy(1, 3, 64, 64).expand(4, -1, -1, -1)
    layer = A.RandomJPEG((1.0, 100.0))
    error = (layer(image, torch.tensor([[0.0], [0.2], [0.6], [0.99]])) - image / 255).abs().mean((1, 2, 3))
    assert (error.diff() < 0).all()


def test_jpeg_gradient_to_the_image_is_straight_through():
    """Without chroma to thin out, the codec without rounding is the identity."""
    image = (noisy(1, 1, 16, 24) / 255 * 0.4 + 0.3).double().requires_grad_()
    weight = torch.randn(1, 1, 16, 24, dtype=torch.float64)
    (A.RandomJPEG((80.0, 80.0))(image) * weight).sum().backward()
    torch.testing.assert_close(image.grad, weight)


def test_jpeg_gradient_to_the_quality_points_to_better_images():
    image = noisy(4, 3, 64, 64) / 255
    layer = A.RandomJPEG(A.Uniform(20.0, 60.0, learnable=True))
    (layer(image) - image).square().mean().backward()
    (bounds,) = layer.parameters()
    assert (bounds.grad < 0).all()
