"""What conformance cannot know of the pixel operators: ranges, shares, what is left alone, and where we differ."""

import cv2
import kornia.augmentation as K
import numpy as np
import pytest
import torch

import augment as A
from augment.draws.noise import uniform
from augment.layers.photometric.plasma import plasma
from tests.conformance.catalogue import LAYERS, draw, make

FAMILY = [name for name, cls in LAYERS.items() if cls.__module__.startswith("augment.layers.photometric")]


def keys(count: int) -> torch.Tensor:
    return uniform(0, 0, torch.arange(count), 2)


def grays(count: int, side: int = 8, channels: int = 3) -> torch.Tensor:
    return torch.full((count, channels, side, side), 0.5)


def resolved(layer: A.Layer, count: int, size: tuple[int, int] = (64, 64)) -> dict[str, torch.Tensor]:
    return layer.resolve(layer.params(layer.noise(torch.arange(count))), size)


@pytest.mark.parametrize("name", FAMILY)
@pytest.mark.parametrize("dtypes", [(torch.float32, torch.float64), (torch.float64, torch.float32)], ids=str)
def test_the_image_keeps_its_dtype_whatever_the_parameters_have(name, dtypes):
    layer = make(name)
    planes = grays(4).to(dtypes[0]).unbind(1)
    params = layer.params(draw(layer, 4, dtype=dtypes[1]))
    out = layer.transform(A.Batch(planes), [params], [layer], torch.float32).image
    assert {plane.dtype for plane in out} == {dtypes[0]}


@pytest.mark.parametrize("name", ["RandomRGBShift", "RandomPlanckianJitter"])
def test_colour_operators_leave_other_channels_alone(name, photos):
    layer, images = make(name), photos[:, [0, 1, 2, 0]] / 255
    noise = draw(layer)
    out = layer(images, noise)
    assert torch.equal(out[:, 3], images[:, 3])
    assert torch.equal(out[:, :3], layer(images[:, :3], noise))
    assert torch.equal(layer(images[:, :2], noise), images[:, :2])


def test_kornias_shorthands():
    assert A.RandomSolarize(0.2, 0.1).thresholds.support() == (0.3, 0.7)
    assert A.RandomSolarize(0.2, 0.1).additions.support() == (-0.1, 0.1)
    assert A.RandomPosterize(3).bits.support() == (3, 8)
    assert A.RandomRGBShift(0.2, (0.1, 0.3), 0).r_shift_limit.support() == (-0.2, 0.2)
    assert A.RandomRGBShift(0.2, (0.1, 0.3), 0).g_shift_limit.support() == (0.1, 0.3)
    assert A.RandomRGBShift(0.2, (0.1, 0.3), 0).b_shift_limit.support() == (0, 0)


@pytest.mark.parametrize("bits", range(9))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_posterize_of_bytes_is_exact(bits, dtype):
    """Kornia truncates the float: in float64 a byte k that came as k * (1 / 255) may lose a level."""
    byte = torch.arange(256)
    expected = byte >> (8 - bits) << (8 - bits)
    for images in (byte.to(dtype) / 255, byte.to(dtype) * torch.tensor(1 / 255, dtype=dtype), byte.to(torch.uint8)):
        out = A.RandomPosterize((bits, bits), p=1.0)(images.view(1, 1, 16, 16))
        torch.testing.assert_close(out.view(-1).double() * 255, expected.double(), rtol=0, atol=1e-4)


def test_posterize_takes_a_float_for_the_nearest_byte():
    images = torch.tensor([127.4, 127.6]).view(1, 1, 1, 2) / 255  # Kornia: both are 127
    out = A.RandomPosterize((1, 1), p=1.0)(images)
    torch.testing.assert_close(out.view(-1) * 255, torch.tensor([0.0, 128.0]))
    assert torch.equal(A.RandomPosterize((8, 8), p=1.0)(images), images)


def test_invert_does_not_clamp():
    out = A.RandomInvert(p=1.0)(torch.tensor([-1.0, 0.25, 2.0]).view(1, 1, 1, 3))
    assert out.view(-1).tolist() == [2.0, 0.75, -1.0]


def test_tone_curves_are_monotone_and_keep_black_and_white():
    layer = A.RandomToneCurve(scale=(0.0, 10.0), p=1.0)
    ramp = torch.linspace(0, 1, 257).expand(500, 1, 1, 257)
    out = layer(ramp, layer.noise(torch.arange(500)))[:, 0, 0]
    assert (out.diff(dim=1) > -1e-6).all()
    assert (out[:, 0] == 0).all()
    torch.testing.assert_close(out[:, -1], torch.ones(500))


def test_tone_curves_bend_by_their_scale():
    params = resolved(A.RandomToneCurve(scale=0.05), 20_000)
    for name, center in (("shadows", 1 / 3), ("highlights", 2 / 3)):
        assert params[name].mean() == pytest.approx(center, abs=5 * 0.05 / 20_000**0.5)
        assert params[name].std() == pytest.approx(0.05, rel=0.03)


def test_channel_shuffle_draws_every_order_equally_often():
    layer, count = A.RandomChannelShuffle(p=1.0), 6000
    images = torch.tensor([0.0, 1.0, 2.0]).view(1, 3, 1, 1).expand(count, 3, 2, 2)
    out = layer(images, layer.noise(torch.arange(count)))
    assert (out == out[..., :1, :1]).all()
    orders, frequency = out[:, :, 0, 0].unique(dim=0, return_counts=True)
    assert len(orders) == 6
    assert ((frequency - 1000) ** 2 / 1000).sum() < 5 + 5 * 10**0.5  # chi-square with 5 degrees of freedom


@pytest.mark.parametrize("number", [1, 2, 3])
def test_channel_dropout_fills_that_many_channels(number):
    layer, count = A.RandomChannelDropout(number, fill_value=0.25, p=1.0), 3000
    out = layer(grays(count, 2), layer.noise(torch.arange(count)))
    dropped = (out == 0.25).all(-1).all(-1)
    assert (dropped.sum(1) == number).all()
    assert ((out == 0.5).all(-1).all(-1) == ~dropped).all()
    expected = count * number / 3
    assert (dropped.sum(0) - expected).abs().max() <= 5 * (expected * (1 - number / 3)) ** 0.5


def test_channel_dropout_of_a_random_number():
    layer = A.RandomChannelDropout(A.Choice([0, 2]), p=1.0)
    out = layer(grays(100, 2), layer.noise(torch.arange(100)))
    assert set((out == 0).all(-1).all(-1).sum(1).tolist()) == {0, 2}


def test_planckian_jitter_draws_every_temperature_and_only_those_selected():
    table = K.RandomPlanckianJitter("CIED").pl
    params = resolved(A.RandomPlanckianJitter("CIED"), 2000)
    assert sorted(params["red"].unique().tolist()) == pytest.approx(sorted(table[:, 0].tolist()))
    chosen = resolved(A.RandomPlanckianJitter("CIED", select_from=[3, -1]), 200)
    pairs = torch.stack([chosen["red"], chosen["blue"]], 1).unique(dim=0)
    torch.testing.assert_close(pairs, table[[-1, 3]])
    assert len(resolved(A.RandomPlanckianJitter(select_from=5), 50)["red"].unique()) == 1


def test_planckian_table_survives_half_precision():
    layer = A.RandomPlanckianJitter(p=1.0)
    noise = layer.noise(torch.arange(8))
    expected = layer(grays(8), noise)
    assert torch.equal(layer.bfloat16()(grays(8), noise), expected)


def test_salt_and_pepper_turns_its_share_of_pixels_in_all_colours():
    layer, side = A.RandomSaltAndPepperNoise(0.3, 0.2, p=1.0), 200
    out = layer(grays(4, side, 5), layer.noise(torch.arange(4)))
    assert (out == out[:, :1]).all()
    assert set(out.unique().tolist()) == {0.0, 0.5, 1.0}
    count = 4 * side**2
    for value, share in ((1.0, 0.06), (0.0, 0.24)):
        assert abs((out[:, 0] == value).sum() - count * share) < 5 * (count * share * (1 - share)) ** 0.5
    turned = (out[:, 0] != 0.5).float() - 0.3
    assert (turned[..., 1:] * turned[..., :-1]).mean().abs() < 5 * 0.21 / count**0.5, "neighbours are independent"


def test_salt_or_pepper_alone():
    for share, value in ((1.0, 1.0), (0.0, 0.0)):
        layer = A.RandomSaltAndPepperNoise(0.5, share, p=1.0)
        assert set(layer(grays(1), layer.noise(torch.arange(1))).unique().tolist()) == {0.5, value}


@pytest.mark.parametrize("name", ["RandomLinearIllumination", "RandomLinearCornerIllumination"])
def test_a_ramp_is_strongest_on_one_side(name):
    layer = make(name, gain=0.25, sign=1.0)
    out = layer(grays(100, 9), layer.noise(torch.arange(100)))[:, 0] - 0.5
    torch.testing.assert_close(out.amax((1, 2)), torch.full((100,), 0.25))
    torch.testing.assert_close(out.amin((1, 2)), torch.zeros(100))
    strongest = (out > 0.25 - 1e-6).flatten(1).unique(dim=0)
    assert len(strongest) == 4
    assert set(strongest.sum(1).tolist()) == ({9} if name == "RandomLinearIllumination" else {1})


@pytest.mark.parametrize(
    "name", ["RandomLinearIllumination", "RandomLinearCornerIllumination", "RandomGaussianIllumination"]
)
def test_only_the_sign_of_sign_counts(name):
    up, down = (make(name, sign=sign, gain=0.2) for sign in ((0.0, 0.1), (-1.0, -0.9)))
    noise = up.noise(torch.arange(50))
    torch.testing.assert_close(up(grays(50), noise) - 0.5, 0.5 - down(grays(50), noise))
    both = resolved(make(name, gain=0.2), 1000)["gain"]
    assert both.unique().tolist() == pytest.approx([-0.2, 0.2])
    assert abs((both > 0).sum() - 500) < 5 * 250**0.5


@pytest.mark.parametrize("side", [7, 64, 600])
def test_a_spot_reaches_its_gain(side):
    """Kornia's falls short of it, 0.06 for 0.15 at 600 pixels and sigma 1: its divisor has a constant in it."""
    layer = A.RandomGaussianIllumination(gain=0.15, sign=1.0, p=1.0)
    out = layer(torch.zeros(6, 1, side, side), layer.noise(torch.arange(6)))
    torch.testing.assert_close(out.amax((1, 2, 3)), torch.full((6,), 0.15))
    torch.testing.assert_close(out.amin((1, 2, 3)), torch.zeros(6))


def test_a_spot_stands_at_its_center_and_is_as_wide_as_its_sigma():
    layer = A.RandomGaussianIllumination(gain=0.5, center=0.5, sigma=0.1, sign=1.0, p=1.0)
    out = layer(torch.zeros(1, 1, 101, 201))[0, 0]
    assert divmod(int(out.argmax()), 201) == (50, 100)
    assert out[50, 100 + 20] == pytest.approx(0.5 * np.exp(-0.5), abs=1e-2)  # a standard deviation of 20.1 pixels
    assert out[50 + 10, 100] == pytest.approx(0.5 * np.exp(-0.5), abs=1e-2)
    point = A.RandomGaussianIllumination(gain=0.5, center=0.5, sigma=0.0, sign=1.0, p=1.0)(torch.zeros(1, 1, 11, 11))
    assert point.sum() == 0.5


def test_plasma_is_flat_on_average_and_within_the_unit_range():
    clouds = plasma(keys(3000), torch.linspace(0, 1, 3000), (1, 17, 22))
    assert clouds.min() >= 0
    assert clouds.max() <= 1
    # a pixel's standard deviation is that of a uniform at most
    assert (clouds.mean((0, 1)) - 0.5).abs().max() < 5 * (1 / 12) ** 0.5 / 3000**0.5
    assert (clouds.std(0) > 0.1).all()


def test_rougher_plasma_has_more_detail():
    clouds = [plasma(keys(50), torch.full((50,), r), (1, 65, 65)) for r in (0.0, 0.3, 0.6, 0.9)]
    detail = [float(c.diff(dim=-1).abs().mean()) for c in clouds]
    assert detail == sorted(detail)
    assert detail[0] < 0.01
    assert detail[-1] > 0.15


def test_plasma_differs_between_samples_and_channels():
    a, b = plasma(keys(2), torch.full((2,), 0.5), (2, 40, 30)).flatten(2).unbind(0)
    for first, second in ((a[0], a[1]), (a[0], b[0])):
        assert (first - second).abs().mean() > 0.1


@pytest.mark.parametrize("size", [(9, 17), (17, 9), (33, 33), (10, 15), (15, 10), (2, 5)], ids=str)
def test_plasma_of_a_transposed_image_has_the_same_statistics(size):
    """The same grid is laid over tall and wide images."""
    shape, count = torch.Size(size), 4000
    straight = plasma(keys(count), torch.full((count,), 0.5), (1, *shape)).var(0)[0]
    turned = plasma(keys(count), torch.full((count,), 0.5), (1, shape[1], shape[0])).var(0)[0].T
    assert (straight / turned - 1).abs().max() < 5 * (2 / count * 2) ** 0.5


def test_shadow_falls_below_the_threshold():
    for quantity, expected in ((0.0, {0.5}), (1.0, {0.25}), (0.5, {0.25, 0.5})):
        layer = A.RandomPlasmaShadow(shade_intensity=-0.25, shade_quantity=quantity, p=1.0)
        out = layer(grays(4, 32), layer.noise(torch.arange(4)))
        assert set(out.unique().tolist()) == expected
        assert (out == out[:, :1]).all()


def test_jiggle_applies_the_steps_of_its_order(photos):
    images = photos / 255
    ranges = {"brightness": (0.6, 0.6), "contrast": (1.5, 1.5), "saturation": (0.5, 0.5), "hue": (0.2, 0.2)}
    single = {
        0: A.RandomBrightness((0.6, 0.6)),
        1: A.RandomContrast((1.5, 1.5)),
        2: A.RandomSaturation((0.5, 0.5)),
        3: A.RandomHue((0.2, 0.2)),
    }
    for order in ((0, 1, 2, 3), (3, 1, 0), (2,)):
        expected = images
        for step in order:
            expected = single[step](expected)
        torch.testing.assert_close(A.ColorJiggle(**ranges, order=order)(images), expected)


@pytest.mark.parametrize("low_high", [(0, 3), (2, 2), (1, 8)])
def test_coarse_dropout_digs_each_number_of_holes_equally_often(low_high):
    low, high = low_high
    layer, count = A.CoarseDropout(low_high), 4000
    holes = (resolved(layer, count)["height"] > 0).sum(1)
    assert layer.most == high
    expected = count / (high - low + 1)
    frequency = torch.bincount(holes, minlength=high + 1)
    assert frequency[:low].sum() == 0
    assert (frequency[low:] - expected).abs().max() <= 5 * expected**0.5


@pytest.mark.parametrize(
    ("given", "allowed"),
    [((0.1, 0.3), range(10, 31)), ((3, 5), range(3, 6)), ((1, 1), [1]), (4, [4]), (0.5, [50]), (1.0, [100])],
    ids=str,
)
def test_coarse_dropout_takes_fractions_or_pixels(given, allowed):
    params = resolved(A.CoarseDropout((2, 2), hole_height_range=given, hole_width_range=given), 3000, (100, 100))
    for start, length in (("top", "height"), ("left", "width")):
        sizes, frequency = params[length].unique(return_counts=True)
        assert sizes.tolist() == list(allowed)
        if isinstance(given, tuple) and isinstance(given[0], int):
            expected = 6000 / len(sizes)
            assert (frequency - expected).abs().max() <= 5 * expected**0.5
        assert params[start].min() == 0
        assert (params[start] + params[length]).max() == 100


def test_coarse_dropout_fills_with_a_value():
    layer = A.CoarseDropout((1, 1), (4, 4), (2, 2), fill=1.0, p=1.0)
    out = layer(grays(20, 16), layer.noise(torch.arange(20)))
    assert ((out == 1).sum((2, 3)) == 8).all()
    assert ((out == 0.5).sum((2, 3)) == 16 * 16 - 8).all()


def drawn_grid(side: int, row: dict[str, float]) -> np.ndarray:
    """1 in the bands and 0 in the squares of a grid that is turned by OpenCV."""
    unit, band = int(row["unit"]), int(row["band"])
    cell = np.pad(np.zeros((unit - band, unit - band)), ((band, 0), (band, 0)), constant_values=1)
    large = np.tile(cell, (8 * side // unit, 8 * side // unit)).astype(np.float32)
    start = (large.shape[0] // 2) // unit * unit
    turn = cv2.getRotationMatrix2D((0.0, 0.0), -row["rotation"], 1.0)
    center = (side - 1) / 2
    turn[:, 2] = turn[:, :2] @ [-center, -center] + start + np.array([row["left"], row["top"]])
    turn[:, 2] -= 0.5  # OpenCV rounds to the nearest
    return cv2.warpAffine(large, turn, (side, side), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)


def test_grid_mask_is_a_turned_grid():
    layer = A.GridMask(ratio=(0.3, 0.7), unit_range=(12, 30), p=1.0)
    noise = layer.noise(torch.arange(10))
    rows = layer.resolve(layer.params(noise), (60, 60))
    out = layer(torch.ones(10, 1, 60, 60), noise)
    for i in range(10):
        expected = drawn_grid(60, {name: float(value[i]) for name, value in rows.items()})
        assert (out[i, 0].numpy() == expected).mean() > 0.97, "but for pixels on the edges"


def test_grid_mask_keeps_the_share_of_the_paper():
    """1 - (1 - ratio) ** 2 (Chen et al. 2020, equation 3), the grid having any offset and angle."""
    layer = A.GridMask(ratio=0.4, unit_range=(20, 40), p=1.0)
    out = layer(torch.ones(400, 1, 100, 100), layer.noise(torch.arange(400)))
    assert out.mean() == pytest.approx(1 - 0.6**2, abs=0.01)


def test_grid_mask_measures_its_units_by_the_shorter_side():
    units = resolved(A.GridMask(unit_range=(0.25, 0.5)), 500, (40, 90))["unit"]
    assert (units.min(), units.max()) == (10, 20)
    assert set(resolved(A.GridMask(unit_range=(5, 7)), 500)["unit"].tolist()) == {5, 6, 7}
