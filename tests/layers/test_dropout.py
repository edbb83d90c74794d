"""Dropout of pixels and stripes: how much of an image they fill, and with what."""

import pytest
import torch

import augment as A

INDEX = torch.arange(40)


@pytest.mark.parametrize("per_channel", [False, True])
def test_pixels_are_dropped_as_often_as_told(per_channel):
    out = A.PixelDropout(0.2, per_channel, p=1.0)(torch.ones(40, 3, 32, 32), index=INDEX)
    dropped = out == 0
    assert dropped.float().mean() == pytest.approx(0.2, abs=5 * (0.16 / dropped[:, 0].numel()) ** 0.5)
    together = (dropped.all(1) | ~dropped.any(1)).float().mean()
    assert together == 1 if not per_channel else together == pytest.approx(0.2**3 + 0.8**3, abs=0.02)


@pytest.mark.parametrize(
    "layer",
    [
        lambda fill: A.PixelDropout(0.5, drop_value=fill, p=1.0),
        lambda fill: A.XYMasking(fill=fill, p=1.0),
        lambda fill: A.CoarseDropout((3, 5), fill=fill, p=1.0),
        lambda fill: A.GridMask(fill=fill, p=1.0),
    ],
)
def test_a_fill_is_a_colour_or_the_mean_of_the_normalisation(layer):
    colour = (0.9, 0.1, 0.4)
    images = torch.rand(40, 3, 32, 32) * 0.01
    out = layer(colour)(images, index=INDEX)
    filled = out[:, 0] > 0.5
    assert filled.any()
    for c in range(3):
        assert (out[:, c][filled] == torch.tensor(colour[c])).all()
        assert torch.equal(out[:, c][~filled], images[:, c][~filled])
    normalised = A.Pipeline(layer("mean"), A.Normalize(colour, 0.5))(images, index=INDEX)
    assert (normalised[filled[:, None].expand(-1, 3, -1, -1)].abs() < 1e-6).all()
    with pytest.raises(ValueError, match=r"fill=\(0.9, 0.1, 0.4\) has 3 numbers for images of 1 channels"):
        layer(colour)(images[:, :1])


def test_stripes_are_of_the_given_number_and_length():
    out = A.XYMasking((0, 2), 0, (3, 5), p=1.0)(torch.ones(400, 1, 20, 60), index=torch.arange(400))
    assert (out == out[:, :, :1]).all()  # columns are whole
    edges = torch.nn.functional.pad(out[:, 0, 0], (1, 1), value=1.0)
    begins = ((edges[:, 1:] == 0) & (edges[:, :-1] == 1)).sum(1)
    width = (out[:, 0, 0] == 0).sum(1)
    assert set(begins.tolist()) == {0, 1, 2}
    assert set(width[begins == 1].tolist()) >= {3, 4, 5}
    assert width[begins == 1].min() == 3
    assert width.max() <= 10
    assert abs((width == 0).float().mean() - 1 / 3) < 0.1
    rows = A.XYMasking(0, 1, mask_y_length=0.25, p=1.0)(torch.ones(4, 1, 20, 60), index=torch.arange(4))
    assert (rows == rows[..., :1]).all()
    assert ((rows[:, 0, :, 0] == 0).sum(1) == 5).all()
    assert not A.XYMasking(1, 0, 100, p=1.0)(torch.ones(4, 1, 20, 60)).any()  # no longer than the image
