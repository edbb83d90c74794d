"""Plasma, shadow, holes and grids: their statistics, sizes and shares."""

import cv2
import numpy as np
import pytest
import torch

import augment as A
from augment.draws.noise import uniform
from augment.layers.photometric.plasma import plasma


def keys(count: int) -> torch.Tensor:
    return uniform(0, 0, torch.arange(count), 2)


def grays(count: int, side: int = 8, channels: int = 3) -> torch.Tensor:
    return torch.full((count, channels, side, side), 0.5)


def resolved(layer: A.Layer, count: int, size: tuple[int, int] = (64, 64)) -> dict[str, torch.Tensor]:
    return layer.resolve(layer.params(layer.noise(torch.arange(count))), size)


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
