"""Image operators: what conformance cannot know of them."""

import io
import itertools

import cv2
import kornia.filters
import numpy as np
import pytest
import scipy
import torch
import torchvision.transforms.v2.functional as tv
from PIL import Image, ImageEnhance, ImageOps

import augment as A
from augment.kernels.reference.filtering import BORDERS, pad, window_sum
from augment.layers.filtering.jpeg import quantization
from augment.layers.filtering.median import median_network, sorting_network
from augment.layers.filtering.motion import line_kernel

LEVEL = 1 / 255


def noisy(*shape: int, seed: int = 0) -> torch.Tensor:
    """Bytes without structure, not every level among them, brighter to the right."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(shape, generator=generator) * 0.5 + torch.linspace(0.1, 0.4, shape[-1])
    return (noise * 255).round().to(torch.uint8)


def bytes_of(image: torch.Tensor) -> torch.Tensor:
    """Floats as torchvision makes bytes of them after an operator: cut off, after undoing the rounding of a float."""
    return (image * 255 + 1e-3).clamp(0, 255).floor().to(torch.int16)


def gradcheck_of(layer: A.Layer, size: tuple[int, int]) -> bool:
    """The image's gradient, on values that keep away from whole levels and are not equal."""
    generator = torch.Generator().manual_seed(1)
    levels = torch.rand(1, 1, *size, generator=generator, dtype=torch.float64) * 60 + 90
    image = ((levels.floor() + 0.3 + 0.4 * (levels - levels.floor())) / 255).requires_grad_()
    noise = layer.noise(torch.arange(1)).double()
    return torch.autograd.gradcheck(lambda x: layer(x, noise), (image,), eps=1e-6, atol=1e-4, fast_mode=True)


# histograms


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


# sharpness


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


# JPEG


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


# weather


def test_rain_draws_whole_numbers_alike_ends_included():
    layer = A.RandomRain((10, 14), (2, 4), (-2, 2), p=1.0)
    drawn = layer.resolve(layer.params(layer.noise(torch.arange(6000))), (50, 50))
    for name, low, high in (("number_of_drops", 10, 14), ("drop_height", 2, 4), ("drop_width", -2, 2)):
        values, counts = drawn[name].unique(return_counts=True)
        assert values.tolist() == list(range(low, high + 1))
        assert counts.max() < 1.2 * counts.min()


def test_rain_streaks_are_whole_and_as_many_as_drawn():
    image = torch.zeros(64, 3, 200, 200)
    wet = A.RandomRain(3, 7, -4, p=1.0)(image) > 0
    pixels = wet[:, 0].sum((1, 2))
    assert (pixels <= 21).all()
    assert pixels.float().mean() > 20  # hardly any lie upon each other
    assert torch.equal(wet[:, 0], wet[:, 2])
    single = A.RandomRain(1, 7, -4, p=1.0)(image) > 0
    assert torch.equal(single[:, 0].sum((1, 2)), torch.full((64,), 7))
    assert torch.equal(single[:, 0].any(2).sum(1), torch.full((64,), 7))
    assert torch.equal(single[:, 0].any(1).sum(1), torch.full((64,), 4))
    row, column = single[0, 0].nonzero().unbind(1)
    assert (column.diff() <= 0).all()  # the foot is on the left
    assert row.diff().eq(1).all()


def test_rain_falls_everywhere():
    wet = A.RandomRain(100, 1, 0, p=1.0)(torch.zeros(400, 1, 5, 7)).sum((0, 1)) > 0
    assert wet.all()


def test_rain_fits_small_images():
    out = A.RandomRain(1, 20, 9, p=1.0)(torch.zeros(4, 3, 6, 5))
    assert torch.equal((out[:, 0] > 0).any(2).sum(1), torch.full((4,), 6))
    assert torch.equal((out[:, 0] > 0).any(1).sum(1), torch.full((4,), 5))


def test_rain_leaves_alpha_alone():
    out = A.RandomRain(50, 3, 0, p=1.0)(torch.zeros(1, 4, 8, 8))
    assert (out[:, :3] > 0).any()
    assert not out[:, 3].any()


def test_snow_covers_what_is_dark_and_keeps_the_rest():
    image = noisy(4, 3, 20, 20) / 255
    light = (image.amax(1) + image.amin(1)) / 2
    out = A.RandomSnow((0.4, 0.4), (3.0, 3.0))(image)
    kept = (light >= 0.4)[:, None].expand_as(image)
    torch.testing.assert_close(out[kept], image[kept])
    lifted = (out.amax(1) + out.amin(1)) / 2
    expected = torch.where(light < 0.4, (3 * light).clamp(max=1), light)
    torch.testing.assert_close(lifted, expected)


def test_snow_on_black_white_and_gray():
    image = torch.tensor([0.0, 0.2, 0.45, 1.0]).view(1, 1, 1, 4)
    out = A.RandomSnow((0.5, 0.5), (4.0, 4.0))(image)
    torch.testing.assert_close(out, torch.tensor([0.0, 0.8, 1.0, 1.0]).view(1, 1, 1, 4))
    torch.testing.assert_close(
        A.RandomSnow((0.5, 0.5), (4.0, 4.0))(image.expand(-1, 3, -1, -1)), out.expand(-1, 3, -1, -1)
    )
