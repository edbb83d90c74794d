"""Rain and snow: what is drawn, where it falls, and what it leaves alone."""

import torch

import augment as A
from tests.layers.images import noisy


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
