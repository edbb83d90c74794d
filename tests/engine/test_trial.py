"""A custom layer whose parameters broadcast along a wrong axis is refused, whatever the sides of its images."""

import pytest
import torch

import augment as A


class Added(A.PixelOp):
    """Adds an amount, shaped by `index`."""

    def __init__(self, index):
        super().__init__()
        self.amount = self.quantity("amount", (0.0, 1.0))  # what `quantity` returns may be kept
        self.index = index

    def pixel(self, planes, params):
        return tuple(plane + params["amount"][self.index] for plane in planes)


class Multiplied(A.ImageOp):
    """Multiplies by an amount, shaped by `index`."""

    def __init__(self, index):
        super().__init__()
        self.quantity("amount", (0.0, 1.0))
        self.index = index

    def image(self, image, params):
        assert image.shape[3] > 3, "too small"
        return image * params["amount"][self.index]


FULL = slice(None)
NONE = None


@pytest.mark.parametrize("index", [FULL, (FULL, NONE)], ids=["columns", "rows"])
@pytest.mark.parametrize("side", [4, 5])
@pytest.mark.parametrize("kind", [Added, Multiplied])
def test_wrong_axes_are_refused(kind, side, index):
    images = torch.rand(4, 3, side, side)
    with pytest.raises(
        ValueError, match=rf"{kind.__name__}: a parameter \(B,\) meets .* write params\[name\]\[:, None"
    ):
        A.Pipeline(kind(index))(images)


def test_channels_are_a_wrong_axis_too():
    with pytest.raises(ValueError, match="without their dimensions"):
        A.Pipeline(Multiplied((FULL, NONE, NONE)))(torch.rand(3, 3, 8, 8))


@pytest.mark.parametrize("layer", [Added((FULL, NONE, NONE)), Multiplied((FULL, NONE, NONE, NONE))])
def test_right_axes_change_samples(layer):
    images = torch.full((8, 3, 8, 8), 0.5)
    before = torch.get_rng_state()
    changed = A.Pipeline(layer)(images, index=torch.arange(8)) - images
    assert torch.equal(torch.get_rng_state(), before)
    assert changed.flatten(1).std(1).max() < 1e-6
    assert changed[:, 0, 0, 0].unique().numel() == 8


def test_layers_may_refuse_the_images_of_the_trial():
    class Picky(A.ImageOp):
        def image(self, image, params):
            if image.shape[2] != 8:
                raise RuntimeError("only images of 8 rows")
            return image

    assert A.Pipeline(Picky())(torch.rand(2, 3, 8, 8)).shape == (2, 3, 8, 8)
