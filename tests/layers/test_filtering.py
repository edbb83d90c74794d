"""Sharpness and blurs: exact values against torchvision, Kornia, SciPy; lengths and borders."""

import itertools

import kornia.filters
import numpy as np
import pytest
import scipy
import torch
import torchvision.transforms.v2.functional as tv
from PIL import ImageEnhance

import augment as A
from augment.kernels.reference.filtering import BORDERS, pad, window_sum
from augment.layers.filtering.median import median_network, sorting_network
from augment.layers.filtering.motion import line_kernel
from tests.layers.images import bytes_of, noisy


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0, 1.9, 3.0])
def test_sharpness_of_bytes_agrees_with_torchvision_and_pillow(factor):
    images = noisy(2, 3, 20, 30) // 2 + 60  # the smoothed copy's rounding is multiplied by 1 - factor
    ours = bytes_of(A.RandomSharpness((factor, factor), p=1.0)(images))
    theirs = tv.adjust_sharpness(images, factor)
    pillow = torch.stack([tv.pil_to_tensor(ImageEnhance.Sharpness(tv.to_pil_image(i)).enhance(factor)) for i in images])
    rounding = 1 if abs(1 - factor) < 1 else 1 + round(abs(1 - factor) / 2)
    assert (ours - theirs).abs().max() <= rounding
    assert (ours - pillow).abs().max() <= rounding


@pytest.mark.parametrize("size", [(2, 9), (9, 2), (1, 1)], ids=str)
def test_sharpness_has_nothing_to_do_without_an_inside(size):
    image = noisy(1, 3, *size) / 255
    assert torch.equal(A.RandomSharpness((3.0, 3.0), p=1.0)(image), image)


def test_sharpness_shorthand():
    assert A.RandomSharpness(0.5).sharpness.support() == (0.0, 0.5)


# blurs


@pytest.mark.parametrize("kernel", [(3, 3), (5, 3), (4, 4), (2, 5), (1, 6), (13, 11)], ids=str)
@pytest.mark.parametrize("border", BORDERS)
def test_box_blur_is_kornias(kernel, border):
    images = torch.rand(2, 3, 14, 15, dtype=torch.float64)
    ours = A.RandomBoxBlur(kernel, border, p=1.0)(images)
    torch.testing.assert_close(ours, kornia.filters.box_blur(images, kernel, border))


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("margin", [0, 1, 4, 9])
def test_borders_are_those_of_numpy(border, margin):
    """Also where the margin is larger than the image, which torch refuses."""
    mode = {"replicate": "edge", "circular": "wrap"}.get(border, border)
    image = torch.rand(1, 2, 3, 4)
    theirs = np.pad(image.numpy(), ((0, 0), (0, 0), (margin, margin), (margin, margin)), mode=mode)
    np.testing.assert_array_equal(pad(image, margin, margin, border), theirs)


@pytest.mark.parametrize("width", range(1, 18))
def test_window_sums(width):
    image = torch.rand(1, 1, 20, 3, dtype=torch.float64)
    torch.testing.assert_close(window_sum(image, 2, width), image.unfold(2, width, 1).sum(-1))


@pytest.mark.parametrize("count", range(1, 12))
def test_sorting_network_sorts(count):
    """By the 0-1 principle (Knuth, TAOCP 3, theorem 5.3.4Z) zeros and ones are enough."""
    for values in map(list, itertools.product((0, 1), repeat=count)):
        ordered = sorted(values)
        for a, b in sorting_network(range(count)):
            values[a], values[b] = min(values[a], values[b]), max(values[a], values[b])
        assert values == ordered


@pytest.mark.parametrize("window", [(1, 1), (1, 3), (3, 1), (3, 3), (3, 5), (5, 3)], ids=str)
def test_median_network_finds_the_median(window):
    """Columns are sorted, so that by the 0-1 principle the number of ones in each is enough."""
    tall, wide = window
    steps, middle = median_network(tall, wide)
    for ones in itertools.product(range(tall + 1), repeat=wide):
        values = [int(y >= tall - ones[x]) for y in range(tall) for x in range(wide)]
        for a, b, smaller, larger in steps:
            low, high = min(values[a], values[b]), max(values[a], values[b])
            values[a], values[b] = low if smaller else None, high if larger else None
        assert values[middle] == (sum(ones) > tall * wide // 2)


@pytest.mark.parametrize("window", [1, (3, 5), (5, 5), (7, 3), (9, 9)], ids=str)
def test_median_blur_is_scipys(window):
    images = noisy(2, 3, 17, 21)
    size = (window, window) if isinstance(window, int) else window
    theirs = scipy.ndimage.median_filter(images.numpy(), (1, 1, *size), mode="mirror")
    ours = A.RandomMedianBlur(window, p=1.0)(images)
    np.testing.assert_array_equal((ours * 255).round(), theirs)


def test_median_blur_removes_salt_and_pepper():
    image = torch.full((1, 3, 32, 32), 0.5)
    image[..., ::4, ::4] = 1.0
    image[..., 2::4, 2::4] = 0.0
    assert torch.equal(A.RandomMedianBlur(p=1.0)(image), torch.full_like(image, 0.5))


# motion


@pytest.mark.parametrize("bilinear", [False, True])
@pytest.mark.parametrize("size", [3, 5, 9, 15])
def test_motion_kernels_are_kornias(size, bilinear):
    """Also in a kernel with room for longer lines; exact ties of "nearest" (30 degrees) are tested below."""
    angle = torch.tensor([0, 90, 180, -90, 360, 10, 33, 45, 77, 100, -45, -133, 200, 301], dtype=torch.float64)
    direction = torch.linspace(-1, 1, len(angle), dtype=torch.float64)
    length = torch.full_like(angle, size)
    theirs = kornia.filters.get_motion_kernel2d(size, angle, direction, "bilinear" if bilinear else "nearest")
    torch.testing.assert_close(line_kernel(size, length, angle, direction, bilinear), theirs)
    roomy = line_kernel(size + 4, length, angle, direction, bilinear)
    torch.testing.assert_close(roomy[:, 2:-2, 2:-2], theirs)


def test_motion_ties_fall_alike_whatever_the_precision():
    angle = torch.tensor([30.0, 60.0, 120.0, 150.0, -30.0])
    even, length = torch.zeros(5), torch.full((5,), 9.0)
    single = line_kernel(9, length, angle, even, False)
    double = line_kernel(9, length.double(), angle.double(), even.double(), False)
    torch.testing.assert_close(single, double.float())


@pytest.mark.parametrize("border", BORDERS)
def test_motion_blur_is_kornias(border):
    images = torch.rand(3, 2, 14, 15, dtype=torch.float64)
    layer = A.RandomMotionBlur(7, 90.0, 1.0, border, "bilinear", p=1.0)
    noise = layer.noise(torch.arange(3)).double()
    params = layer.params(noise)
    theirs = kornia.filters.motion_blur(images, 7, params["angle"], params["direction"], border, "bilinear")
    torch.testing.assert_close(layer(images, noise), theirs)


def test_motion_blur_draws_every_odd_length_alike():
    layer = A.RandomMotionBlur((3, 8), 0.0, 0.0, p=1.0)
    lengths = layer.params(layer.noise(torch.arange(6000)))["kernel_size"]
    values, counts = lengths.unique(return_counts=True)
    assert values.tolist() == [3, 5, 7]
    assert (counts - 2000).abs().max() < 200
    assert layer.extent == 7


def test_motion_blur_gives_every_sample_its_length():
    point = torch.zeros(3, 1, 15, 15)
    point[..., 7, 7] = 1.0
    streaks = A.RandomMotionBlur((3, 7), 0.0, 0.0, p=1.0)(point, torch.tensor([[0.1], [0.5], [0.9]]))
    assert (streaks > 0).sum((1, 2, 3)).tolist() == [3, 5, 7]
    torch.testing.assert_close(streaks.sum((1, 2, 3)), torch.ones(3))


@pytest.mark.parametrize("bilinear", [False, True])
def test_motion_blur_lengths_between_are_continuous(bilinear):
    length = torch.linspace(1, 9, 801)
    angle, even = torch.full((801,), 25.0), torch.full((801,), 0.3)
    kernels = line_kernel(9, length, angle, even, bilinear)
    assert kernels.diff(dim=0).abs().max() < 0.02
    torch.testing.assert_close(kernels.sum((1, 2)), torch.ones(801))


def test_a_learned_length_stays_within_its_kernel():
    layer = A.RandomMotionBlur(A.Uniform(3.0, 6.5, learnable=True), 10.0, 0.0, p=1.0)
    assert layer.extent == 7
    optimizer = torch.optim.SGD(layer.parameters(), lr=1e6)
    image = torch.rand(2, 1, 16, 16)
    layer(image).square().mean().backward()
    optimizer.step()
    lengths = layer.params(layer.noise(torch.arange(50)))["kernel_size"]
    assert lengths.min() >= 1
    assert lengths.max() <= 7
