"""The colour outside an image: one per channel is three images of one, and "mean" is the mean of the normalisation."""

import pytest
import torch

import augment as A
from augment.kernels.cpu import library

COLOUR = (0.9, 0.1, 0.4)
SHOWING = {
    "RandomAffine": lambda fill: A.RandomAffine(40.0, (0.3, 0.3), fill_value=fill, p=0.7),
    "RandomAffine, nearest": lambda fill: A.RandomAffine(40.0, resample="nearest", fill_value=fill, p=0.7),
    "RandomAffine, bicubic": lambda fill: A.RandomAffine(40.0, resample="bicubic", fill_value=fill, p=1.0),
    "RandomRotation": lambda fill: A.RandomRotation(40.0, fill_value=fill, p=1.0),
    "RandomTranslate": lambda fill: A.RandomTranslate(0.5, 0.5, fill_value=fill, p=1.0),
    "RandomShear": lambda fill: A.RandomShear(30.0, fill_value=fill, p=1.0),
    "RandomRotation90": lambda fill: A.RandomRotation90(p=1.0, fill_value=fill),
    "RandomPerspective": lambda fill: A.RandomPerspective(0.5, "area_preserving", fill_value=fill, p=1.0),
    "RandomElasticTransform": lambda fill: A.RandomElasticTransform(
        (9, 9), (2.0, 2.0), (3.0, 3.0), fill_value=fill, p=1.0
    ),
    "RandomThinPlateSpline": lambda fill: A.RandomThinPlateSpline(0.5, fill_value=fill, p=1.0),
    "RandomFisheye": lambda fill: A.RandomFisheye((-0.3, 0.3), (-0.3, 0.3), (0.5, 1.0), fill_value=fill, p=1.0),
    "Pad": lambda fill: A.Pad((3, 1, 4, 2), fill=fill),
    "PadTo": lambda fill: A.PadTo((40, 41), pad_value=fill),
    "RandomCrop": lambda fill: A.RandomCrop(40, padding=12, fill=fill),
    "RandAugment": lambda fill: A.RandAugment(2, 30, operators=["Rotate", "ShearX"], fill=fill),
    "RandAugment, random": lambda fill: A.RandAugment(1, 30, operators=["Rotate"], resample="random", fill=fill),
    "TrivialAugmentWide": lambda fill: A.TrivialAugmentWide(operators=["Rotate", "TranslateX"], fill=fill),
    "AutoAugment": lambda fill: A.AutoAugment([[("Rotate", 1.0, 9)]], fill=fill),
}


def images() -> torch.Tensor:
    return torch.randint(0, 256, (5, 3, 29, 37), generator=torch.Generator().manual_seed(0)).to(torch.uint8)


@pytest.mark.parametrize("kernels", [True, False])
@pytest.mark.parametrize("floats", [False, True])
@pytest.mark.parametrize("name", SHOWING)
def test_a_channel_is_filled_as_if_its_number_were_that_of_all(name, floats, kernels, monkeypatch):
    monkeypatch.setattr(library, "AVAILABLE", library.AVAILABLE and kernels)
    given = images() / 255 if floats else images()
    layer = SHOWING[name](COLOUR)
    noise = layer.noise(torch.arange(5))
    out = layer(given, noise)
    for c in range(3):
        torch.testing.assert_close(out[:, c], SHOWING[name](COLOUR[c])(given, noise)[:, c], rtol=0, atol=1e-6)
    assert not torch.equal(out, SHOWING[name](0.0)(given, noise))  # the colour was seen


def test_two_colours_in_one_run_of_warps():
    """The kernel and the definition agree where a later fill covers an earlier one."""
    first, second = (
        A.RandomRotation(40.0, fill_value=COLOUR, p=1.0),
        A.RandomShear(30.0, fill_value=COLOUR[::-1], p=1.0),
    )
    run = A.Pipeline(first, second)
    noise = run.noise(torch.arange(5))
    out = run(images(), noise)
    for c in range(3):
        plain = A.Pipeline(
            A.RandomRotation(40.0, fill_value=COLOUR[c], p=1.0), A.RandomShear(30.0, fill_value=COLOUR[::-1][c], p=1.0)
        )
        torch.testing.assert_close(out[:, c], plain(images(), noise)[:, c], rtol=0, atol=1e-6)


def test_packed_images_of_many_sizes():
    packed = A.PackedImages.from_images([torch.zeros(3, n, n + 2, dtype=torch.uint8) for n in (9, 20, 33)])
    out = A.Pipeline(A.RandomCrop(60, padding=30, fill=COLOUR))(packed)
    torch.testing.assert_close(out[:, :, 0, 0].amax(0), torch.tensor(COLOUR), rtol=0, atol=1 / 255)


@pytest.mark.parametrize(
    "layers",
    [
        lambda: [A.Pad(4, fill="mean")],
        lambda: [A.RandomApply([A.RandomCrop(45, padding=12, fill="mean")], p=1.0)],
        lambda: [A.Pipeline(A.PadTo(60, pad_value="mean")), A.RandomHorizontalFlip()],
        lambda: [A.RandAugment(1, 30, operators=["TranslateX"], fill="mean")],
    ],
)
def test_mean_is_what_the_normalisation_maps_to_zero(layers):
    """Within the rounding of a mean to bytes."""
    black = torch.zeros(4, 3, 45, 45, dtype=torch.uint8)
    out = A.Pipeline(*layers(), A.Normalize(A.IMAGENET_MEAN, A.IMAGENET_STD))(black)
    shown = out[(out.abs() <= 0.5 / 255 / 0.224).all(1, keepdim=True).expand_as(out)]
    assert shown.numel() > 0.02 * out.numel()


def test_mean_is_written_as_mean():
    pipeline = A.Pipeline(A.Pad(4, fill="mean"), A.Normalize(0.25, 1.0))
    assert pipeline.config()["_args_"][0]["fill"] == "mean"
    assert A.Pipeline(A.Pad(1, fill="mean"), A.Normalize(0.25, 1.0))(torch.ones(1, 1, 2, 2))[0, 0, 0, 0] == 0


def test_inside_of_augmix():
    layer = A.AugMix(fill="mean")
    A.Pipeline(layer, A.Normalize(A.IMAGENET_MEAN, A.IMAGENET_STD))
    assert layer.halves[0].fill == A.IMAGENET_MEAN


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: A.Pad(2, fill="mean")(images()), "Pad: fill='mean' is the mean of the Normalize that comes later"),
        (
            lambda: A.Pad(2, fill="median"),
            r"Pad: fill='median' must be a number in \[0, 1\], one number per channel or",
        ),
        (lambda: A.Pad(2, fill=(0.1, 2.0)), r"Pad: fill=2.0 must lie within \[0, 1\]"),
        (lambda: A.Pad(2, fill=COLOUR)(images()[:, :1]), r"Pad: fill=\(0.9, 0.1, 0.4\) has 3 numbers for images of 1"),
        (lambda: A.RandomRotation(9.0, fill_value="white"), "RandomRotation: fill_value='white' must be"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
