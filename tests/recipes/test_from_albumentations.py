"""Conversion from albumentations gives the layer that a user would write, and the same images."""

import os

import numpy as np
import pytest
import torch

import augment as A
from tests.recipes.interop import assert_same_layer

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # otherwise it asks the network for new versions
pytestmark = pytest.mark.filterwarnings("ignore:ShiftScaleRotate is a special case:UserWarning")
L = pytest.importorskip("albumentations")
ALWAYS = {"p": 1.0}

SAME_LAYER = [
    (L.HorizontalFlip(p=0.3), A.RandomHorizontalFlip(0.3)),
    (L.VerticalFlip(p=0.3), A.RandomVerticalFlip(0.3)),
    (L.RandomRotate90(p=0.3), A.RandomRotation90((0, 3), p=0.3)),
    (L.Transpose(p=0.3), A.Transpose(0.3)),
    (L.SquareSymmetry(p=0.3), A.D4(0.3)),
    (
        L.OpticalDistortion(0.3, mode="fisheye", border_mode=1, p=0.3),
        A.OpticalDistortion(0.3, "fisheye", padding_mode="border", p=0.3),
    ),
    (L.Rotate((-9, 20), fill=51, p=0.3), A.RandomRotation((-9, 20), p=0.3, fill_value=0.2)),
    (L.Rotate(20, border_mode=4, p=0.3), A.RandomRotation(20, padding_mode="reflect", p=0.3)),
    (
        L.Affine((0.8, 1.1), {"x": (-0.1, 0.2), "y": (0.0, 0.1)}, rotate=(-9, 20), keep_ratio=True, p=0.3),
        A.RandomAffine((-20, 9), (A.Uniform(-0.1, 0.2), A.Uniform(0.0, 0.1)), (0.8, 1.1), p=0.3),
    ),
    (
        L.Affine({"x": (0.8, 1.1), "y": (0.9, 1.2)}, shear={"x": (-5, 9), "y": (1, 2)}, interpolation=2, p=0.3),
        A.RandomAffine(0.0, None, (0.8, 1.1, 0.9, 1.2), (-5, 9, 1, 2), "bicubic", p=0.3),
    ),
    (
        L.ShiftScaleRotate(0.1, 0.2, 30, p=0.3),
        A.RandomAffine(30, (0.1, 0.1), (0.8, 1.2, 0.8, 1.2), p=0.3),
    ),
    (L.GridDistortion(4, 0.2, p=0.3), A.RandomGridDistortion(4, 0.2, p=0.3)),
    (L.RandomGridShuffle((2, 3), p=0.3), A.RandomJigsaw((2, 3), ensure_perm=False, p=0.3)),
    (L.RandomResizedCrop((9, 10), (0.3, 0.9), (0.5, 1.5)), A.RandomResizedCrop((9, 10), (0.3, 0.9), (0.5, 1.5))),
    (L.RandomCrop(9, 10), A.RandomCrop((9, 10))),
    (L.RandomSizedBBoxSafeCrop(9, 10, interpolation=2), A.RandomSizedBBoxSafeCrop((9, 10), resample="bicubic")),
    (L.ColorJitter(0.2, (0.5, 1.1), 0.1, 0.2, p=0.3), A.ColorJitter(0.2, (0.5, 1.1), 0.1, 0.2, p=0.3)),
    (
        L.RandomBrightnessContrast(0.2, (-0.1, 0.3), p=0.3),
        A.RandomApply([A.RandomContrast((0.9, 1.3), clip_output=False), A.RandomBrightness((0.8, 1.2))], p=0.3),
    ),
    (
        L.HueSaturationValue(18, (-51, 0), 51, p=0.3),
        A.RandomApply([A.RandomHue((-0.1, 0.1)), A.RandomHSV(1.0, (-0.2, 0.0), (-0.2, 0.2))], p=0.3),
    ),
    (L.RGBShift(51, (-0.1, 0.3), (0, 51), p=0.3), A.RandomRGBShift(0.2, (-0.1, 0.3), (0.0, 0.2), p=0.3)),
    (L.RandomGamma((80, 120), p=0.3), A.RandomGamma((0.8, 1.2), p=0.3)),
    (L.ToGray(p=0.3), A.RandomGrayscale(p=0.3)),
    (L.Posterize((3, 5), p=0.3), A.RandomPosterize(A.Choice([3, 4, 5]), p=0.3)),
    (L.Solarize((0.3, 0.6), p=0.3), A.RandomSolarize((0.3, 0.6), (0.0, 0.0), p=0.3)),
    (L.Equalize(p=0.3), A.RandomEqualize(p=0.3)),
    (L.AutoContrast(p=0.3), A.RandomEqualize(p=0.3)),
    (L.AutoContrast(method="pil", p=0.3), A.RandomAutoContrast(p=0.3)),
    (L.InvertImg(p=0.3), A.RandomInvert(p=0.3)),
    (L.ChannelShuffle(p=0.3), A.RandomChannelShuffle(0.3)),
    (L.ChannelDropout((1, 2), 51, p=0.3), A.RandomChannelDropout(A.Choice([1, 2]), 0.2, p=0.3)),
    (L.Blur((3, 6), p=0.3), A.OneOf([A.RandomBoxBlur(size, p=1.0) for size in (3, 5, 7)], p=0.3)),
    (L.MedianBlur((5, 5), p=1), A.RandomMedianBlur(5, p=1.0)),
    (L.GaussianBlur(0, (0.5, 2.0), p=1), A.RandomGaussianBlur(15, (0.5, 2.0), p=1.0)),
    (
        L.GaussianBlur((3, 5), (0.5, 2.0), p=0.3),
        A.OneOf([A.RandomGaussianBlur(n, (0.5, 2.0), p=1.0) for n in (3, 5)], weights=[1, 2], p=0.3),
    ),
    (L.Defocus((3, 5), (0.1, 0.5), p=0.3), A.RandomDefocus(A.Choice([3, 4, 5]), (0.1, 0.5), p=0.3)),
    (
        L.ChromaticAberration(0.1, (-0.2, 0.3), "random", 2, p=0.3),
        A.ChromaticAberration(0.1, (-0.2, 0.3), "random", "bicubic", p=0.3),
    ),
    (
        L.Downscale((0.3, 0.7), {"downscale": 3, "upscale": 1}, p=0.3),
        A.Downscale((0.3, 0.7), "area", "bilinear", p=0.3),
    ),
    (
        L.UnsharpMask((3, 5), 2.0, (0.1, 0.3), 51, p=0.3),
        A.OneOf([A.UnsharpMask(n, (1e-3, 2.0), (0.1, 0.3), 0.2, p=1.0) for n in (3, 5)], p=0.3),
    ),
    (L.GlassBlur(0.6, 2, 1, p=0.3), A.RandomGlassBlur(0.6, 2, 1, p=0.3)),
    (
        L.GaussNoise((0.1, 0.2), (-0.1, 0.1), p=1),
        A.Pipeline(A.RandomGaussianNoise((-0.1, 0.1), (0.1, 0.2), p=1.0), A.RandomBrightness((1.0, 1.0))),
    ),
    (
        L.MultiplicativeNoise((0.8, 1.1), per_channel=True, elementwise=True, p=0.3),
        A.MultiplicativeNoise((0.8, 1.1), per_channel=True, elementwise=True, p=0.3),
    ),
    (
        L.RandomShadow((0.1, 0.2, 0.9, 1), (1, 3), 4, (0.2, 0.6), p=0.3),
        A.RandomShadow((0.1, 0.2, 0.9, 1.0), (1, 3), 4, (0.2, 0.6), p=0.3),
    ),
    (
        L.RandomSunFlare((0, 0.1, 0.5, 1), 30, (255, 204, 51), (0.1, 0.4), (2, 3), p=0.3),
        A.RandomSunFlare((0.0, 0.1, 0.5, 1.0), 30, (1.0, 0.8, 0.2), (0.1, 0.4), (2, 3), p=0.3),
    ),
    (L.PixelDropout(0.2, True, (255, 51, 0), p=0.3), A.PixelDropout(0.2, True, (1.0, 0.2, 0.0), p=0.3)),
    (
        L.XYMasking((1, 2), (0, 3), (2, 5), (1, 4), 51, p=0.3),
        A.XYMasking((1, 2), (0, 3), (2, 5), (1, 4), 0.2, p=0.3),
    ),
    (L.XYMasking((2, 2), 0, (2, 5), 0, p=0.3), A.XYMasking((2, 2), 0, (2, 5), 1, p=0.3)),
    (L.SaltAndPepper((0.1, 0.2), (0.3, 0.7), p=0.3), A.RandomSaltAndPepperNoise((0.1, 0.2), (0.3, 0.7), p=0.3)),
    (L.ImageCompression(quality_range=(40, 42), p=0.3), A.RandomJPEG(A.Choice([40, 41, 42]), p=0.3)),
    (L.RandomSnow(2.0, (0.1, 0.3), p=0.3), A.RandomSnow((0.05 + 1 / 3, 0.15 + 1 / 3), (2.0, 2.0), p=0.3)),
    (L.CoarseDropout((1, 3), (2, 5), (3, 4), p=0.3), A.CoarseDropout((1, 3), (2, 5), (3, 4), p=0.3)),
    (
        L.CoarseDropout((2, 2), fill=(51, 0, 255), p=0.3),
        A.CoarseDropout((2, 2), (0.1, 0.2), (0.1, 0.2), fill=(0.2, 0.0, 1.0), p=0.3),
    ),
    (L.Erasing((0.1, 0.2), (0.5, 4), 51, p=0.3), A.RandomErasing((0.1, 0.2), (0.25, 2.0), 0.2, p=0.3)),
    (L.Normalize(p=0.3), A.RandomApply([A.Normalize(A.IMAGENET_MEAN, A.IMAGENET_STD)], p=0.3)),
    (
        L.Compose([L.Sequential([L.InvertImg(p=1), L.HorizontalFlip(p=0.2)], p=0.3), L.NoOp(p=1)]),
        A.Pipeline(A.RandomApply([A.RandomInvert(p=1.0), A.RandomHorizontalFlip(0.2)], p=0.3)),
    ),
    (
        L.ReplayCompose([L.OneOf([L.InvertImg(p=0.2), L.SomeOf([L.VerticalFlip(p=0.4)], 1, p=0.8)], p=0.3)]),
        A.Pipeline(
            A.OneOf([A.RandomInvert(p=1.0), A.SomeOf([A.RandomVerticalFlip(0.4)], 1, p=0.8)], weights=[1, 4], p=0.3)
        ),
    ),
    (
        L.RandomOrder([L.InvertImg(p=0.2), L.VerticalFlip(p=0.4)], n=2, p=0.3),
        A.Pipeline(A.RandomOrder([A.RandomInvert(p=0.2), A.RandomVerticalFlip(0.4)], p=0.3)),
    ),
    (
        L.OneOrOther(L.InvertImg(p=0.2), L.VerticalFlip(p=0.4), p=0.3),
        A.Pipeline(A.OneOf([A.RandomInvert(p=1.0), A.RandomVerticalFlip(1.0)], weights=[0.3, 0.7])),
    ),
]


@pytest.mark.parametrize(("theirs", "ours"), SAME_LAYER, ids=lambda value: type(value).__name__)
def test_a_transform_becomes_its_layer(theirs, ours, photos):
    assert_same_layer(A.from_albumentations(theirs), ours, photos / 255)


def albumented(transform, images: torch.Tensor) -> torch.Tensor:
    """Return what albumentations makes of images of bytes or floats, as floats in [0, 1] or normalized."""
    arrays = images.permute(0, 2, 3, 1).contiguous().numpy()
    out = torch.from_numpy(np.stack([transform(image=array)["image"] for array in arrays])).permute(0, 3, 1, 2)
    return out if out.is_floating_point() else out.double() / torch.iinfo(out.dtype).max


BOTH = {"x": (10, 10), "y": (0, 0)}
SAME_PICTURE = [  # with the largest difference in levels; 1 where albumentations cuts what we round
    (L.Rotate((20, 20), **ALWAYS), 0.6),
    (L.Rotate((20, 20), border_mode=2, fill=9, **ALWAYS), 0.6),
    (L.Rotate((20, 20), fill=(255, 128, 0), interpolation=0, **ALWAYS), 0.6),
    (L.Affine({"x": (0.8, 0.8), "y": (1.2, 1.2)}, rotate=(15, 15), **ALWAYS), 0.6),
    (L.Affine(translate_percent={"x": (10 / 37, 10 / 37), "y": (-3 / 29, -3 / 29)}, **ALWAYS), 0.6),
    (L.Affine(shear=BOTH, scale=(0.9, 0.9), **ALWAYS), 0.6),
    (L.ShiftScaleRotate((0, 0), (0.1, 0.1), (10, 10), **ALWAYS), 0.6),
    (L.Resize(20, 30), 1.0),
    (L.Resize(50, 60, interpolation=2), 0.6),
    (L.Resize(20, 30, interpolation=3), 0.6),
    (L.Resize(20, 30, area_for_downscale="image"), 0.6),
    (L.Resize(20, 30, interpolation=6), 0.01),
    (L.LongestMaxSize(74), 1.0),
    (L.SmallestMaxSize(58), 1.0),
    (L.CenterCrop(9, 11), 0.01),
    (L.Compose([L.CenterCrop(28, 28), L.Transpose(**ALWAYS)]), 0.01),
    (L.Pad((1, 2, 3, 4), fill=(9, 8, 7)), 0.01),
    (L.Pad(5, border_mode=4), 0.01),
    (L.PadIfNeeded(40, 50, position="top_left", border_mode=1), 0.01),
    (L.RandomBrightnessContrast((0.1, 0.1), (-0.2, -0.2), **ALWAYS), 1.01),
    (L.RGBShift((20, 20), (-30, -30), (0.1, 0.1), **ALWAYS), 0.6),
    (L.RandomGamma((150, 150), **ALWAYS), 1.01),
    (L.ChromaticAberration((0.02, 0.02), (-0.05, -0.05), **ALWAYS), 4.0),  # the centre is half a pixel off
    (L.Downscale((0.5, 0.5), **ALWAYS), 0.01),
    (L.Compose([L.CenterCrop(28, 36), L.Downscale((0.25, 0.25), {"downscale": 3, "upscale": 1}, **ALWAYS)]), 1.25),
    (L.UnsharpMask((5, 5), (1.2, 1.2), (0.4, 0.4), 3, **ALWAYS), 1.01),
    (L.UnsharpMask((9, 9), 0, (0.4, 0.4), 3, **ALWAYS), 2.0),
    (L.MultiplicativeNoise((1.2, 1.2), per_channel=True, **ALWAYS), 1.01),
    (L.ToGray(**ALWAYS), 0.6),
    (L.ToGray(method="average", **ALWAYS), 0.7),
    (L.Posterize(3, **ALWAYS), 0.01),
    (L.Solarize((0.3, 0.3), **ALWAYS), 0.01),
    (L.AutoContrast(method="pil", **ALWAYS), 0.6),
    (L.ColorJitter((1.3, 1.3), (1, 1), (1, 1), (0, 0), **ALWAYS), 1.01),
    (L.ColorJitter((1, 1), (0.6, 0.6), (1, 1), (0, 0), **ALWAYS), 1.01),
    (L.ColorJitter((1, 1), (1, 1), (1.5, 1.5), (0, 0), **ALWAYS), 1.01),
    (L.ColorJitter((1, 1), (1, 1), (1, 1), (0.1, 0.1), **ALWAYS), 6.0),  # OpenCV's hue of bytes has 180 steps
    (L.HueSaturationValue((10, 10), (20, 20), (-15, -15), **ALWAYS), 20.0),
    (L.Blur((5, 5), **ALWAYS), 0.6),
    (L.GaussianBlur(0, (1.5, 1.5), **ALWAYS), 0.6),
    (L.Defocus((4, 4), (0.3, 0.3), **ALWAYS), 0.7),
    (L.Compose([L.Resize(20, 30), L.Normalize((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))]), 2.5),
    (L.Compose([L.ToFloat(), L.Normalize((0.1, 0.2, 0.3), (0.4, 0.5, 0.6), max_pixel_value=1.0)]), 0.01),
    (L.Normalize(normalization="min_max_per_channel"), 0.01),
    (L.Compose([L.ToFloat(), L.FromFloat("uint16")]), 0.01),
]


@pytest.mark.parametrize(("transform", "levels"), SAME_PICTURE, ids=lambda value: type(value).__name__)
def test_the_same_picture_as_albumentations(transform, levels, photos):
    ours, theirs = A.from_albumentations(transform)(photos), albumented(transform, photos)
    ours = ours if ours.is_floating_point() else ours.double() / torch.iinfo(ours.dtype).max
    apart = (ours - theirs).abs() * 255
    assert apart.max() <= levels
    assert apart.mean() <= min(levels, 1.0)


def test_the_median_is_the_same_inside(photos):
    transform = L.MedianBlur((5, 5), p=1.0)
    apart = (A.from_albumentations(transform)(photos) - albumented(transform, photos)).abs()
    assert apart[..., 2:-2, 2:-2].max() < 1e-6


@pytest.mark.parametrize("turn", [L.RandomRotate90(p=0.6), L.D4(p=0.6)], ids=lambda value: type(value).__name__)
def test_the_same_flips_and_crops_are_drawn(turn, photos):
    """Every picture that either draws is also drawn by the other, about as often."""
    transform = L.Compose([turn, L.RandomCrop(6, 6), L.HorizontalFlip(p=0.3)], seed=3)
    image, count = photos[:1, :, :7, :7], 1500
    ours = A.from_albumentations(transform)(image.expand(count, -1, -1, -1), index=torch.arange(count))
    array = image[0].permute(1, 2, 0).contiguous().numpy()
    theirs = np.stack([transform(image=array)["image"] for _ in range(count)]).transpose(0, 3, 1, 2)
    drawn = [counted(np.rint(ours.numpy() * 255).astype(np.uint8)), counted(theirs)]
    assert drawn[0].keys() == drawn[1].keys()
    for picture, times in drawn[0].items():
        assert abs(times - drawn[1][picture]) < 6 * (2 * times) ** 0.5 + 6


def counted(pictures: np.ndarray) -> dict[bytes, int]:
    unique, times = np.unique(pictures.reshape(len(pictures), -1), axis=0, return_counts=True)
    return {row.tobytes(): int(n) for row, n in zip(unique, times, strict=True)}


@pytest.mark.parametrize(
    "transform",
    [
        L.GaussNoise((0.1, 0.1), (0.05, 0.05), p=1.0),
        L.SaltAndPepper((0.2, 0.2), (0.3, 0.3), p=1.0),
        L.CoarseDropout((1, 3), (0.1, 0.3), (0.2, 0.3), fill=200, p=1.0),
        L.Erasing((0.1, 0.3), fill=200, p=1.0),
        L.ChannelDropout((1, 2), fill=125, p=0.7),
        L.GridDistortion(p=1.0),
        L.PixelDropout(0.2, True, (250, 130, 0), p=1.0),
        L.XYMasking((1, 3), (0, 2), (3, 9), (2, 5), 200, p=1.0),
        L.RandomShadow((0.1, 0.3, 0.9, 1.0), (1, 3), 5, (0.4, 0.8), p=1.0),
        L.RandomSunFlare((0.2, 0.2, 0.5, 0.5), 30, (250, 200, 180), (0.1, 0.4), (2, 5), p=1.0),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_same_statistics_as_albumentations(transform, photos):
    """Compare the mean and the spread of each channel over many draws of one grey picture."""
    ramp = torch.linspace(60, 190, 40).expand(1, 3, 40, 40).to(torch.uint8)
    images, transform = ramp.expand(300, -1, -1, -1), L.Compose([transform], seed=3)
    ours = A.from_albumentations(transform)(images, index=torch.arange(300)).double()[..., :-1, :-1]
    theirs = albumented(transform, images).double()[..., :-1, :-1]  # GridDistortion leaves the last ones black
    assert (ours.mean((0, 2, 3)) - theirs.mean((0, 2, 3))).abs().max() < 0.02
    assert (ours.std(0).mean((1, 2)) - theirs.std(0).mean((1, 2))).abs().max() < 0.02


@pytest.mark.parametrize(("mode", "shift"), [("camera", 0.5), ("fisheye", 0.0)])
@pytest.mark.parametrize("k", [0.4, 0.0, -0.3])
def test_an_optical_distortion_moves_pixels_as_albumentations_does(mode, shift, k):
    """Read from ramps where a pixel comes from; in mode "camera", albumentations moves all by half a pixel."""
    y, x = torch.meshgrid(torch.arange(40.0), torch.arange(60.0), indexing="ij")
    ramps = torch.stack([x, y, torch.ones_like(x)])[None] / 60
    transform = L.OpticalDistortion((k, k), mode=mode, p=1.0)
    ours, theirs = A.from_albumentations(transform)(ramps), albumented(transform, ramps)
    inside = (ours[:, 2:] * 60 > 1 - 1e-4) & (theirs[:, 2:] * 60 > 1 - 1e-4)
    assert inside.double().mean() > 0.6
    apart = ((theirs - ours)[:, :2] * 60 - shift).abs() * inside
    assert apart.max() < 0.03 + 2 * abs(k) * (mode == "fisheye")  # whose centre is half a pixel off


@pytest.mark.parametrize("boxes", [[[10.0, 10, 30, 20]], [[10.0, 10, 30, 20], [50, 30, 60, 44]]], ids=len)
def test_a_crop_that_keeps_boxes_leaves_them_where_albumentations_does(boxes):
    crop, count = L.RandomSizedBBoxSafeCrop(32, 48), 400
    recipe = L.Compose([crop], bbox_params=L.BboxParams("pascal_voc", label_fields=[]), seed=3)
    image, given = np.zeros((50, 70, 3), np.uint8), np.array(boxes)
    theirs = torch.tensor(np.stack([recipe(image=image, bboxes=given)["bboxes"] for _ in range(count)]))
    batch = A.Batch(torch.zeros(count, 3, 50, 70), boxes=torch.tensor(boxes).expand(count, -1, -1))
    ours = A.from_albumentations(recipe)(batch, index=torch.arange(count)).boxes
    torch.testing.assert_close(ours.mean(0), theirs.float().mean(0), rtol=0, atol=2.0)
    torch.testing.assert_close(ours.std(0), theirs.float().std(0), rtol=0, atol=2.0)


@pytest.mark.parametrize("fill", [0, 7], ids=str)
def test_the_holes_of_a_mask_are_filled(fill, photos):
    for transform in (L.CoarseDropout(fill_mask=fill, **ALWAYS), L.Erasing((0.2, 0.3), fill_mask=fill, **ALWAYS)):
        batch = A.Batch(torch.ones(8, 3, 29, 37), mask=torch.full((8, 29, 37), 5))
        out = A.from_albumentations(transform)(batch, index=torch.arange(8))
        assert out.mask.equal(torch.where(out.image[:, 0] == 0, fill, 5))


def test_a_training_recipe(photos):
    recipe = L.Compose(
        [
            L.RandomResizedCrop((20, 20)),
            L.HorizontalFlip(),
            L.OneOf([L.Blur(p=0.1), L.GaussNoise(p=0.3)], p=0.4),
            L.RandomBrightnessContrast(p=0.5),
            L.CoarseDropout(fill=(1, 1, 1)),
            L.Normalize(),
            L.pytorch.ToTensorV2(),
        ],
        bbox_params=L.BboxParams("pascal_voc"),
        seed=7,
    )
    pipeline = A.from_albumentations(recipe)
    names = ["RandomResizedCrop", "RandomHorizontalFlip", "OneOf", "RandomApply", "CoarseDropout", "Normalize"]
    assert [type(layer).__name__ for layer in pipeline.layers] == names
    assert pipeline.seed == 7
    assert pipeline(photos, index=torch.arange(8)).shape == (8, 3, 20, 20)


class Mine(L.ImageOnlyTransform):
    def apply(self, img, **params):
        return img


def test_what_cannot_convert_is_listed_at_once_with_reasons():
    inner = L.OneOf([L.Emboss(), L.InvertImg()])
    recipe = L.Compose([L.CLAHE(), inner, L.Lambda(image=np.flip), Mine(), L.Rotate(border_mode=3)])
    listed = (
        r"^from_albumentations: cannot convert CLAHE \(it acts on the lightness of LAB.*; "
        r"Emboss \(there is no such layer\); Lambda \(.*use Opaque.*; Mine \(it takes a NumPy image; .*; "
        r"Rotate \(border_mode=3: there is no such mode\)\.$"
    )
    with pytest.raises(ValueError, match=listed):
        A.from_albumentations(recipe)


@pytest.mark.parametrize(
    ("transform", "reason"),
    [
        (L.Affine(translate_px=3), "translate_px: shifts are fractions"),
        (L.Affine(fit_output=True), "fit_output=True: images would come out in many sizes"),
        (L.Affine(balanced_scale=True), "balanced_scale=True: a scale is uniform"),
        (L.Rotate(fill_mask=3), "fill_mask=3.0: give it to the batch"),
        (L.Rotate(mask_interpolation=1), "mask_interpolation=1: masks are moved by their nearest pixel"),
        (L.Rotate(crop_border=True), "crop_border=True"),
        (L.Resize(8, 9, interpolation=4), "interpolation=4: there is no such mode"),
        (L.Resize(8, 9, p=0.5), "p=0.5: images would come out in two sizes"),
        (L.RandomCrop(8, 9, pad_if_needed=True), "pad_if_needed=True"),
        (L.PadIfNeeded(40, 40), "position='center'"),
        (L.SmallestMaxSize([8, 9]), "give one max_size"),
        (L.RandomBrightnessContrast(brightness_by_max=False), "brightness_by_max=False"),
        (L.ToGray(method="max"), "method='max'"),
        (L.ToGray(num_output_channels=1), "num_output_channels=1"),
        (L.Posterize([(1, 2), (1, 2), (3, 3)]), "all channels have the same bits"),
        (L.Normalize(normalization="image"), "normalization='image'"),
        (L.Normalize(max_pixel_value=1000), "max_pixel_value=1000"),
        (L.ToFloat(max_value=1000), "max_value=1000"),
        (L.GaussNoise(per_channel=False), "per_channel=False"),
        (L.ImageCompression("webp"), "compression_type='webp': lossy WebP predicts each block"),
        (L.ChromaticAberration(0.0), "has the sign of the primary"),
        (L.Downscale(interpolation_pair={"downscale": 3, "upscale": 3}), "interpolation_pair=.*there is no such mode"),
        (L.RandomSunFlare(method="physics_based"), "method='physics_based'"),
        (L.PixelDropout(drop_value=None), "drop_value=None"),
        (L.XYMasking(1, 0, (2, 5), 0, fill_mask=0), "fill_mask=0"),
        (L.XYMasking((1, 2), 0, (0, 5)), "mask_x_length=.*whole numbers of pixels from 1 on"),
        (L.PixelDropout(mask_drop_value=1), "mask_drop_value=1"),
        (L.RandomSizedBBoxSafeCrop(8, 9, erosion_rate=0.1), "erosion_rate=0.1"),
        (L.FancyPCA(), "multiplies the distances"),
        (L.CoarseDropout(fill="random"), "fill='random'"),
        (L.SomeOf([L.NoOp(), L.NoOp()], 2, replace=True), "replace=True"),
        (L.RandomOrder([L.NoOp()] * 3, 2), "n=2: RandomOrder applies all layers"),
        (L.Compose([], additional_targets={"other": "image"}), "additional_targets: a Batch has one image"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_arguments_without_an_equivalent_are_refused(transform, reason):
    with pytest.raises(ValueError, match=rf"from_albumentations: cannot convert {type(transform).__name__} .*{reason}"):
        A.from_albumentations(transform)


def test_evaluation_keeps_what_is_not_random(photos):
    pipeline = A.from_albumentations(L.Compose([L.InvertImg(p=1), L.Resize(20, 30), L.Normalize()])).eval()
    torch.testing.assert_close(
        pipeline(photos), A.from_albumentations(L.Compose([L.Resize(20, 30), L.Normalize()]))(photos)
    )
