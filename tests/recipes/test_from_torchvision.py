"""Conversion from torchvision gives the layer that a user would write, and the same images."""

import inspect
import re
from pathlib import Path

import pytest
import torch

import augment as A
from tests.recipes.interop import assert_same_layer

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
v2 = pytest.importorskip("torchvision.transforms.v2")


BETA = (A.Beta(0.4, 0.4),)
TORCHVISION = [
    (
        lambda: v2.RandomResizedCrop((9, 10), (0.3, 0.9), (0.5, 1.5)),
        lambda: A.RandomResizedCrop((9, 10), (0.3, 0.9), (0.5, 1.5)),
    ),
    (lambda: v2.RandomCrop(9, [1, 2], True, 128), lambda: A.RandomCrop(9, (1, 2), True, 128 / 255)),
    (lambda: v2.RandomHorizontalFlip(0.3), lambda: A.RandomHorizontalFlip(0.3)),
    (lambda: v2.RandomVerticalFlip(0.3), lambda: A.RandomVerticalFlip(0.3)),
    (lambda: v2.RandomRotation(20, v2.InterpolationMode.BILINEAR), lambda: A.RandomRotation(20, p=1.0)),
    (
        lambda: v2.RandomRotation((5, 9), fill=255),
        lambda: A.RandomRotation((5, 9), resample="nearest", fill_value=1.0, p=1.0),
    ),
    (
        lambda: v2.RandomAffine(9, (0.1, 0.2), (0.8, 1.2), 5, "bilinear", 0.5),
        lambda: A.RandomAffine(9, (0.1, 0.2), (0.8, 1.2), 5, fill_value=0.5, p=1.0),
    ),
    (lambda: v2.RandomPerspective(0.3, 0.6), lambda: A.RandomPerspective(0.3, p=0.6)),
    (lambda: v2.ColorJitter(0.4, (0.5, 1.1), None, 0.1), lambda: A.ColorJitter(0.4, (0.5, 1.1), 0.0, 0.1)),
    (lambda: v2.RandomGrayscale(0.3), lambda: A.RandomGrayscale(p=0.3)),
    (
        lambda: v2.RandomErasing(0.3, (0.1, 0.2), (0.5, 2), "random"),
        lambda: A.RandomErasing((0.1, 0.2), (0.5, 2.0), "random", p=0.3),
    ),
    (lambda: v2.RandomPosterize(3, 0.6), lambda: A.RandomPosterize((3, 3), p=0.6)),
    (lambda: v2.RandomSolarize(128, 0.6), lambda: A.RandomSolarize((128 / 255,) * 2, (0.0, 0.0), p=0.6)),
    (lambda: v2.RandomInvert(0.6), lambda: A.RandomInvert(p=0.6)),
    (lambda: v2.RandomEqualize(0.6), lambda: A.RandomEqualize(p=0.6)),
    (lambda: v2.RandomAutocontrast(0.6), lambda: A.RandomAutoContrast(p=0.6)),
    (lambda: v2.RandomAdjustSharpness(2.0, 0.6), lambda: A.RandomSharpness((2.0, 2.0), p=0.6)),
    (lambda: v2.GaussianBlur((5, 3), (0.2, 1.5)), lambda: A.RandomGaussianBlur((3, 5), (0.2, 1.5), p=1.0)),
    (lambda: v2.GaussianNoise(0.1, 0.2, clip=False), lambda: A.RandomGaussianNoise(0.1, 0.2, p=1.0)),
    (lambda: v2.JPEG((20, 60)), lambda: A.RandomJPEG(A.Choice(range(20, 61)))),
    (lambda: v2.RandomChannelPermutation(), lambda: A.RandomChannelShuffle(p=1.0)),
    (lambda: v2.RandAugment(3, 7, 21, fill=255), lambda: A.RandAugment(3, 7, num_magnitude_bins=21, fill=1.0)),
    (lambda: v2.TrivialAugmentWide(21), lambda: A.TrivialAugmentWide(21)),
    (lambda: v2.AutoAugment(v2.AutoAugmentPolicy.SVHN), lambda: A.AutoAugment("svhn")),
    (lambda: v2.AugMix(2, 2, 1, 0.5, False), lambda: A.AugMix(2, 2, 1, 0.5, False)),
    (lambda: v2.MixUp(alpha=0.4, num_classes=8), lambda: A.RandomMixUp(*BETA, num_classes=8)),
    (lambda: v2.CutMix(alpha=0.4, num_classes=8), lambda: A.RandomCutMix(*BETA, num_classes=8)),
    (
        lambda: v2.RandomChoice([v2.MixUp(alpha=0.4), v2.CutMix(alpha=0.4)], [0.3, 0.7]),
        lambda: A.RandomMix([A.RandomMixUp(*BETA), A.RandomCutMix(*BETA)], [0.3, 0.7]),
    ),
    (
        lambda: v2.RandomChoice([v2.RandomInvert(1.0), v2.RandomHorizontalFlip(1.0)], [0.3, 0.7]),
        lambda: A.OneOf([A.RandomInvert(p=1.0), A.RandomHorizontalFlip(1.0)], [0.3, 0.7]),
    ),
    (
        lambda: v2.RandomApply([v2.RandomInvert(1.0), v2.GaussianBlur(3)], 0.3),
        lambda: A.RandomApply([A.RandomInvert(p=1.0), A.RandomGaussianBlur(3, p=1.0)], 0.3),
    ),
    (
        lambda: v2.RandomOrder([v2.RandomInvert(0.5), v2.RandomSolarize(0.3)]),
        lambda: A.RandomOrder([A.RandomInvert(p=0.5), A.RandomSolarize((0.3, 0.3), (0.0, 0.0), p=0.5)]),
    ),
]


@pytest.mark.parametrize(
    ("theirs", "ours"), TORCHVISION, ids=lambda f: re.search(r"\w2?\.(\w+)", inspect.getsource(f))[1]
)
def test_torchvision_transform_becomes_its_layer(theirs, ours, photos):
    assert_same_layer(A.from_torchvision(theirs(), strict=True), ours(), photos / 255)


SAME_PICTURE = [
    v2.RandomRotation((20, 20), "bilinear"),
    v2.RandomAffine((20, 20), scale=(1.2, 1.2), shear=(9, 9, 5, 5), interpolation="bilinear"),
    v2.ColorJitter(brightness=(1.3, 1.3)),
    v2.ColorJitter(contrast=(0.6, 0.6)),
    v2.ColorJitter(saturation=(0.6, 0.6)),
    v2.ColorJitter(hue=(0.2, 0.2)),
    v2.RandomAdjustSharpness(0.4, p=1.0),
    v2.GaussianBlur((5, 3), (0.9, 0.9)),
    v2.RandomSolarize(0.5, p=1.0),
    v2.RandomInvert(p=1.0),
    v2.RandomAutocontrast(p=1.0),
    v2.Grayscale(3),
    v2.RandomHorizontalFlip(p=1.0),
    v2.Resize((20, 30)),
    v2.Resize(20, interpolation=v2.InterpolationMode.BICUBIC),
    v2.Resize(None, max_size=20),
    v2.Resize(None, max_size=20, antialias=False),
    v2.Resize((20, 30), interpolation=v2.InterpolationMode.BICUBIC, antialias=False),
    v2.Resize((20, 30), interpolation=v2.InterpolationMode.NEAREST),
    v2.Resize(20, interpolation=v2.InterpolationMode.NEAREST_EXACT),
    v2.CenterCrop((9, 10)),
    v2.Pad((1, 2, 3, 4), fill=0.5),
    v2.Pad(3, padding_mode="reflect"),
    v2.RandomCrop((33, 39), [1, 2], fill=0.5),
    v2.RandomCrop((35, 41), [1, 2, 3, 4]),
    v2.RandomChoice([v2.Identity(), v2.Compose([v2.ToImage()])]),
    v2.RandomApply([v2.ToPureTensor()]),
    v2.Normalize((0.1, 0.2, 0.3), (0.4, 0.5, 0.6)),
    v2.Compose([v2.Resize(24), v2.CenterCrop(20), v2.Normalize([0.5], [0.5])]),
]


@pytest.mark.parametrize("transform", SAME_PICTURE, ids=repr)
def test_same_picture_as_torchvision(transform, photos):
    images = photos / 255
    converted = A.from_torchvision(transform, strict=True)
    expected, got = transform(images), converted(images)
    if isinstance(transform, (v2.RandomRotation, v2.RandomAffine)):  # torchvision blends its border twice
        inside = converted(torch.ones_like(images)) == 1
        assert inside.double().mean() > 0.6
        expected, got = expected[inside], got[inside]
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("transform", [v2.RandomPosterize(3, p=1.0), v2.RandomEqualize(p=1.0)], ids=repr)
def test_same_bytes_as_torchvision(transform, photos):
    converted = A.Pipeline(A.from_torchvision(transform, strict=True), dtype=torch.uint8)
    torch.testing.assert_close(converted(photos), transform(photos), rtol=0, atol=0)


def test_a_training_recipe_of_torchvision(photos):
    transform = v2.Compose(
        [
            v2.ToImage(),
            v2.ToDtype(torch.uint8, scale=True),
            v2.RandomResizedCrop(20, antialias=True),
            v2.RandomHorizontalFlip(),
            v2.RandAugment(),
            v2.ToDtype(torch.bfloat16, scale=True),
            v2.Normalize(A.IMAGENET_MEAN, A.IMAGENET_STD),
            v2.RandomErasing(0.25),
        ]
    )
    converted = A.from_torchvision(transform, strict=True)
    names = [type(layer).__name__ for layer in converted.layers]
    assert names == ["RandomResizedCrop", "RandomHorizontalFlip", "RandAugment", "Normalize", "RandomErasing"]
    assert converted(photos).dtype == torch.bfloat16
    assert converted(photos).shape == (8, 3, 20, 20)


def test_photometric_distort_draws_as_torchvision():
    """Compare each of the four operators and the permutation separately, with contrast first or last."""
    pipeline = A.from_torchvision(v2.RandomPhotometricDistort(contrast=(0.6, 0.7), p=0.4), strict=True)
    noise = pipeline.noise(torch.arange(4000))
    gates = [params["gate"].double().mean() for params in pipeline.leaf_params(noise)]
    # brightness; contrast, saturation, hue in either order; permutation
    expected = torch.tensor([0.4, *[0.2] * 6, 0.4]).double()
    torch.testing.assert_close(torch.stack(gates), expected, rtol=0, atol=0.03)


def test_evaluation_keeps_what_is_not_random(photos):
    converted = A.from_torchvision(
        v2.Compose([v2.RandomInvert(1.0), v2.Grayscale(3), v2.LinearTransformation(*whitening())])
    )
    expected = v2.LinearTransformation(*whitening())(v2.Grayscale(3)(photos / 255))
    torch.testing.assert_close(converted.eval()(photos), expected, rtol=0, atol=1e-3)  # a sum of 3219 products


def whitening() -> tuple[torch.Tensor, torch.Tensor]:
    n = 3 * 29 * 37
    return torch.eye(n) * 0.5, torch.full((n,), 0.1)


def test_what_of_torchvision_cannot_convert_is_listed_at_once(photos):
    transform = v2.Compose([v2.FiveCrop(4), v2.RandomApply([v2.ElasticTransform()]), v2.ToDtype(torch.float32)])
    listed = r"from_torchvision: cannot convert FiveCrop .*; ElasticTransform .*; ToDtype .scale=False"
    with pytest.raises(ValueError, match=listed):
        A.from_torchvision(transform, strict=True)
    with pytest.raises(ValueError, match=r"FiveCrop [^;]*; ToDtype [^;]*$"):
        A.from_torchvision(transform)
    with pytest.raises(ValueError, match="a choice between mixing and something else"):
        A.from_torchvision(v2.RandomChoice([v2.MixUp(num_classes=3), v2.RandomInvert()]))
    for refused in (v2.Grayscale(), v2.RGB(), v2.RandomRotation(10, expand=True), v2.Resize(8, max_size=9)):
        with pytest.raises(ValueError, match=type(refused).__name__):
            A.from_torchvision(refused)
    for opaque in (v2.ElasticTransform(), v2.Lambda(torch.flip, torch.Tensor)):
        assert type(A.from_torchvision(opaque)) is A.Opaque
        with pytest.raises(ValueError, match=type(opaque).__name__):
            A.from_torchvision(opaque, strict=True)
    assert A.from_torchvision(v2.ElasticTransform())(photos).shape == photos.shape


def test_functions_in_a_compose_run_opaque(photos):
    def darker(images: torch.Tensor) -> torch.Tensor:
        return images / 2

    converted = A.from_torchvision(v2.Compose([darker, v2.RandomHorizontalFlip(1.0)]))
    torch.testing.assert_close(converted(photos), (photos / 255 / 2).flip(-1))
    with pytest.raises(ValueError, match="darker"):
        A.from_torchvision(v2.Compose([darker]), strict=True)


def test_torchvision_is_not_imported():
    for path in Path(A.__file__).parent.rglob("*.py"):
        imported = re.findall(r"^\s*(?:from|import) (torchvision)", path.read_text(), re.MULTILINE)
        assert not imported or "tools" in path.parts, path
