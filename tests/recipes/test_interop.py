"""Conversion from Kornia and torchvision gives the layer that a user would write, and the same images."""

import inspect
import re
from collections.abc import Callable
from pathlib import Path

import kornia
import kornia.augmentation as K
import pytest
import torch
from torch import nn

import augment as A
from tests.conformance.catalogue import as_batch, draw

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
v2 = pytest.importorskip("torchvision.transforms.v2")
DOCUMENT = Path(__file__).parents[2] / "docs" / "interop.md"

KORNIA = {
    "CenterCrop": {"size": (9, 10)},
    "ColorJiggle": {"brightness": 0.2, "contrast": (0.5, 1.2), "saturation": 1.5, "hue": 0.1, "order": (2, 0)},
    "ColorJitter": {"brightness": 0.2, "contrast": (0.5, 1.2), "saturation": 1.5, "hue": (-0.1, 0.2)},
    "Denormalize": {"mean": (0.1, 0.2, 0.3), "std": (0.5, 0.6, 0.7)},
    "LongestMaxSize": {"max_size": 20},
    "Normalize": {"mean": (0.1, 0.2, 0.3), "std": 0.5},
    "PadTo": {"size": (40, 41), "pad_value": 0.5},
    "RandomAffine": {"degrees": 20.0, "translate": (0.1, 0.2), "scale": (0.8, 1.2, 0.9, 1.1), "shear": (-5.0, 9.0)},
    "RandomAutoContrast": {"clip_output": False},
    "RandomBoxBlur": {"kernel_size": (3, 5), "border_type": "circular"},
    "RandomBrightness": {"brightness": (0.7, 1.1), "clip_output": False},
    "RandomChannelDropout": {"num_drop_channels": 2, "fill_value": 0.5},
    "RandomChannelShuffle": {},
    "RandomClahe": {"clip_limit": (2.0, 8.0), "grid_size": (4, 3)},
    "RandomContrast": {"contrast": (0.7, 1.1), "clip_output": False},
    "RandomCrop": {"size": (9, 10), "padding": (1, 2, 3, 4), "fill": 0.5, "pad_if_needed": True},
    "RandomElasticTransform": {
        "kernel_size": (9, 7),
        "sigma": (3.0, 2.0),
        "alpha": (0.4, 0.6),
        "padding_mode": "border",
    },
    "RandomEqualize": {},
    "RandomErasing": {"scale": (0.1, 0.2), "ratio": (0.5, 2.5), "value": 0.4},
    "RandomFisheye": {"center_x": (-0.3, 0.3), "center_y": (-0.2, 0.1), "gamma": (0.9, 1.5)},
    "RandomGamma": {"gamma": (0.5, 2.0), "gain": (0.8, 1.2)},
    "RandomGaussianBlur": {"kernel_size": (3, 5), "sigma": (0.2, 1.5), "border_type": "replicate"},
    "RandomGaussianIllumination": {"gain": (0.1, 0.2), "center": (0.2, 0.6), "sigma": (0.3, 0.9), "sign": (-1.0, 0.5)},
    "RandomGaussianNoise": {"mean": 0.1, "std": 0.2},
    "RandomGrayscale": {"rgb_weights": (0.2, 0.3, 0.5)},
    "RandomHorizontalFlip": {},
    "RandomHue": {"hue": (-0.2, 0.3)},
    "RandomInvert": {"max_val": 0.9},
    "RandomJPEG": {"jpeg_quality": 30.0},
    "RandomJigsaw": {"grid": (2, 3), "ensure_perm": False},
    "RandomLinearCornerIllumination": {"gain": (0.1, 0.2), "sign": (-0.5, 1.0)},
    "RandomLinearIllumination": {"gain": (0.1, 0.2), "sign": (-0.5, 1.0)},
    "RandomMedianBlur": {"kernel_size": (3, 5)},
    "RandomMotionBlur": {"kernel_size": (3, 9), "angle": 40.0, "direction": (-0.5, 0.7), "border_type": "reflect"},
    "RandomPerspective": {"distortion_scale": 0.3, "sampling_method": "area_preserving"},
    "RandomPlanckianJitter": {"mode": "CIED", "select_from": [3, 7, 9]},
    "RandomPlasmaBrightness": {"roughness": (0.2, 0.6), "intensity": (0.1, 0.8)},
    "RandomPlasmaContrast": {"roughness": (0.2, 0.6)},
    "RandomPlasmaShadow": {"roughness": (0.2, 0.6), "shade_intensity": (-0.8, -0.1), "shade_quantity": (0.2, 0.9)},
    "RandomPosterize": {"bits": 4.0},
    "RandomRGBShift": {"r_shift_limit": 0.1, "g_shift_limit": (-0.1, 0.3), "b_shift_limit": 0.3},
    "RandomRain": {"number_of_drops": (20, 40), "drop_height": (3, 9), "drop_width": (-4, 4)},
    "RandomResizedCrop": {"size": (9, 10), "scale": (0.3, 0.9), "ratio": (0.5, 1.5), "resample": "nearest"},
    "RandomRotation": {"degrees": 25.0, "resample": "nearest"},
    "RandomRotation90": {"times": (1, 3)},
    "RandomSaltAndPepperNoise": {"amount": (0.05, 0.1), "salt_vs_pepper": (0.2, 0.4)},
    "RandomSaturation": {"saturation": (0.3, 1.4)},
    "RandomSharpness": {"sharpness": 0.8},
    "RandomShear": {"shear": (-9.0, 5.0, -3.0, 4.0), "padding_mode": "border"},
    "RandomSnow": {"snow_coefficient": (0.3, 0.6), "brightness": (1.2, 2.0)},
    "RandomSolarize": {"thresholds": 0.2, "additions": (-0.1, 0.3)},
    "RandomThinPlateSpline": {"scale": 0.1, "padding_mode": "reflection"},
    "RandomTranslate": {"translate_x": (-0.1, 0.3), "translate_y": (-0.2, 0.2)},
    "RandomVerticalFlip": {},
    "Resize": {"size": 20, "side": "long", "antialias": True, "resample": "bicubic"},
    "SmallestMaxSize": {"max_size": 20},
}
"""Arguments that our layer and Kornia's share, all different from their defaults."""
TENSORS = {"RandomFisheye": ("center_x", "center_y", "gamma"), "RandomGrayscale": ("rgb_weights",)}
"""Arguments that Kornia expects as tensors."""
MIXING = {
    "RandomMosaic": {"mosaic_grid": (2, 3), "start_ratio_range": (0.2, 0.5), "min_bbox_size": 2.0},
    "RandomMixUpV2": {"lambda_val": (0.2, 0.6)},
    "RandomCutMixV2": {"beta": 0.5},
    "RandomTransplantation": {"excluded_labels": [0, 2]},
}


def kornia_module(name: str, **changes: object) -> nn.Module:
    arguments = dict((KORNIA | MIXING)[name]) | changes
    for argument in TENSORS.get(name, ()):
        arguments[argument] = torch.tensor(arguments[argument])
    return getattr(K, name)(**arguments)


def outcome(layer: A.Layer, images: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    batch = as_batch(images).replace(mask=torch.arange(images[:, 0].numel()).view_as(images[:, 0]) // 97 % 5)
    out = layer(batch, noise)
    return torch.cat([out.image.flatten(1), out.label], 1)


def assert_same_layer(converted: A.Layer, written: A.Layer, images: torch.Tensor) -> None:
    """Check that two layers have the same class and draws, and give the same result for the same noise."""
    assert type(converted) is type(written)
    assert converted.draws == written.draws
    assert converted.deterministic == written.deterministic
    for seed in range(3):
        noise = draw(written, seed=seed)
        assert torch.equal(outcome(converted, images, noise), outcome(written, images, noise))


@pytest.mark.parametrize("name", KORNIA)
def test_kornia_module_becomes_the_layer_of_its_name(name, photos):
    cls, given = getattr(A, name), {"p": 0.6, "same_on_batch": True}
    for known in (inspect.signature(cls).parameters, inspect.signature(getattr(K, name)).parameters):
        given = {argument: value for argument, value in given.items() if argument in known}
    converted = A.from_kornia(kornia_module(name, **given), strict=True)
    assert_same_layer(converted, cls(**KORNIA[name], **given), photos / 255)


def test_kornia_mixing(photos):
    images, classes = photos / 255, 8
    pairs = [
        ("RandomMosaic", A.RandomMosaic(**MIXING["RandomMosaic"], num_classes=classes, p=0.6)),
        ("RandomMixUpV2", A.RandomMixUp(**MIXING["RandomMixUpV2"], num_classes=classes, p=0.6)),
        ("RandomCutMixV2", A.RandomCutMix(**MIXING["RandomCutMixV2"], num_classes=classes, p=0.6)),
        ("RandomTransplantation", A.RandomTransplantation([0, 2], num_classes=classes, p=0.6)),
    ]
    for name, written in pairs:
        converted = A.from_kornia(kornia_module(name, p=0.6), strict=True, num_classes=classes)
        assert_same_layer(converted, written, images)
        assert converted.num_classes == classes
    twice = A.from_kornia(K.RandomCutMixV2(num_mix=2))
    assert [type(layer) for layer in twice.layers] == [A.RandomCutMix] * 2


DRAWN = [
    (K.RandomRotation(30.0), "degrees", "degrees"),
    (K.RandomAffine(15.0, shear=8.0), "angle", "degrees"),
    (K.RandomAffine(15.0, shear=8.0), "shear_x", "shear_x"),
    (K.RandomAffine((5.0, 9.0), scale=(0.5, 0.8)), "angle", "degrees"),
    (K.RandomShear((-5.0, 20.0)), "shear_x", "shear_x"),
    (K.ColorJitter(0.3, 1.4, 0.2, 0.1), "brightness_factor", "brightness"),
    (K.ColorJitter(0.3, 1.4, 0.2, 0.1), "contrast_factor", "contrast"),
    (K.ColorJiggle(0.3, 1.4, 0.2, 0.1), "hue_factor", "hue"),
    (K.RandomSharpness(0.7), "sharpness", "sharpness"),
    (K.RandomSolarize(0.2, 0.3), "thresholds", "thresholds"),
    (K.RandomSolarize(0.2, 0.3), "additions", "additions"),
    (K.RandomRGBShift(0.3, 0.2, 0.1), "g_shift", "g_shift_limit"),
    (K.RandomJPEG(30.0), "jpeg_quality", "jpeg_quality"),
    (K.RandomPosterize(3.0), "bits_factor", "bits"),
    (K.RandomMotionBlur((3, 9), 40.0, 0.5), "angle_factor", "angle"),
    (K.RandomMotionBlur((3, 9), 40.0, 0.5), "direction_factor", "direction"),
    (K.RandomGamma((0.5, 2.0)), "gamma_factor", "gamma"),
    (K.RandomMixUpV2(), "mixup_lambdas", "lambda_val"),
]


@pytest.mark.parametrize(("module", "theirs", "ours"), DRAWN, ids=lambda v: v if isinstance(v, str) else "")
def test_distributions_are_kornias(module, theirs, ours):
    """Compare moments and extremes of the draws for shorthands whose meaning Kornia defines."""
    count = 4000
    torch.manual_seed(0)
    expected = module.forward_parameters(torch.Size((count, 3, 8, 8)))[theirs].double()
    layer = A.from_kornia(module, strict=True)
    noise = layer.noise(torch.arange(count))
    drawn = layer.resolve(layer.params(noise), (8, 8))[ours].double()
    spread = expected.std()
    assert abs(drawn.mean() - expected.mean()) < 0.08 * spread
    assert abs(drawn.std() / spread - 1) < 0.06
    torch.testing.assert_close(drawn.aminmax(), expected.aminmax(), rtol=0, atol=0.02 * float(spread))


FIXED = {
    "RandomAffine": {"degrees": (20.0, 20.0), "scale": (1.2, 1.2), "shear": (5.0, 5.0), "p": 1.0},
    "ColorJiggle": {"brightness": (1.1, 1.1), "contrast": (0.7, 0.7), "hue": (0.1, 0.1), "order": (3, 1, 0)},
    "ColorJitter": {"brightness": (1.1, 1.1), "saturation": (0.7, 0.7), "hue": (0.1, 0.1), "order": (3, 2, 0)},
    "RandomAutoContrast": {},
    "RandomBoxBlur": {"kernel_size": (3, 5), "border_type": "replicate", "p": 1.0},
    "RandomBrightness": {"brightness": (1.2, 1.2)},
    "RandomCrop": {"size": (35, 41), "padding": (1, 2, 3, 4), "fill": 0.5},
    "RandomMedianBlur": {"kernel_size": (3, 5), "p": 1.0},
    "RandomMotionBlur": {"kernel_size": 5, "angle": (30.0, 30.0), "direction": (0.5, 0.5), "p": 1.0},
    "RandomSnow": {"snow_coefficient": (0.4, 0.4), "brightness": (1.5, 1.5)},
    "RandomContrast": {"contrast": (1.3, 1.3)},
    "RandomEqualize": {"p": 1.0},
    "RandomGamma": {"gamma": (0.6, 0.6), "gain": (0.9, 0.9)},
    "RandomGaussianBlur": {"kernel_size": (5, 3), "sigma": (0.9, 0.9), "p": 1.0},
    "RandomGrayscale": {"p": 1.0},
    "RandomHorizontalFlip": {"p": 1.0},
    "RandomHue": {"hue": (0.2, 0.2)},
    "RandomInvert": {"p": 1.0},
    "RandomRGBShift": {
        "r_shift_limit": (0.1, 0.1),
        "g_shift_limit": (0.2, 0.2),
        "b_shift_limit": (-0.1, -0.1),
        "p": 1.0,
    },
    "RandomRotation": {"degrees": (20.0, 20.0), "p": 1.0},
    "RandomSaturation": {"saturation": (1.4, 1.4)},
    "RandomSharpness": {"sharpness": (0.3, 0.3), "p": 1.0},
    "RandomShear": {"shear": (9.0, 9.0, 5.0, 5.0), "p": 1.0},
    "RandomSolarize": {"thresholds": (0.4, 0.4), "additions": (0.1, 0.1), "p": 1.0},
    "RandomTranslate": {"translate_x": (0.1, 0.1), "translate_y": (-0.2, -0.2), "p": 1.0},
    "RandomVerticalFlip": {"p": 1.0},
    "CenterCrop": {"size": (9, 11)},
    "Normalize": {"mean": (0.1, 0.2, 0.3), "std": (0.5, 0.6, 0.7)},
    "PadTo": {"size": (40, 41)},
    "Resize": {"size": (40, 60), "align_corners": False},
}
"""Modules without randomness, for which the conversion must give the same image as Kornia."""


@pytest.mark.parametrize("name", FIXED)
def test_same_picture_as_kornia(name, photos):
    module, images = getattr(K, name)(**FIXED[name]), photos.double() / 255
    converted = A.from_kornia(module, strict=True)
    torch.testing.assert_close(converted(images), module(images), rtol=0, atol=2e-5)


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection", "fill"])
def test_same_surroundings_as_kornia(padding_mode, align_corners, photos):
    arguments = {"degrees": (20.0, 20.0), "scale": (0.6, 0.6), "fill_value": 0.4, "p": 1.0}
    module, images = K.RandomAffine(**arguments, padding_mode=padding_mode, align_corners=align_corners), photos / 255
    torch.testing.assert_close(A.from_kornia(module, strict=True)(images), module(images), rtol=0, atol=1e-4)


def flip_and_gamma() -> list[nn.Module]:
    return [K.RandomHorizontalFlip(p=0.5), K.RandomGamma((0.5, 2.0)), K.RandomInvert(p=0.3)]


@pytest.mark.parametrize("container", [nn.Sequential, K.ImageSequential, K.AugmentationSequential, K.VideoSequential])
def test_containers_become_pipelines(container, photos):
    converted = A.from_kornia(container(*flip_and_gamma(), nn.Sequential(K.Normalize(0.5, 0.5))), strict=True)
    written = A.Pipeline(
        A.RandomHorizontalFlip(p=0.5), A.RandomGamma((0.5, 2.0)), A.RandomInvert(p=0.3), A.Normalize(0.5, 0.5)
    )
    assert_same_layer(converted, written, photos / 255)


def test_same_on_batch_of_a_container(photos):
    converted = A.from_kornia(K.ImageSequential(*flip_and_gamma(), same_on_batch=True))
    assert all(layer.same_on_batch for layer in converted.layers)


def test_random_apply(photos):
    def layers() -> list[A.Layer]:
        return [A.RandomHorizontalFlip(p=0.5), A.RandomGamma((0.5, 2.0)), A.RandomInvert(p=0.3)]

    weights = [0.5, 1.5, 2.0]
    cases = [
        ({"random_apply": 1, "random_apply_weights": weights}, A.OneOf(layers(), weights)),
        ({"random_apply": (1, 2), "random_apply_weights": weights}, A.SomeOf(layers(), (1, 2), weights)),
        ({"random_apply": (2,)}, A.SomeOf(layers(), (2, 3))),
        ({"random_apply": True}, A.RandomOrder(layers())),
    ]
    for arguments, written in cases:
        converted = A.from_kornia(K.ImageSequential(*flip_and_gamma(), **arguments), strict=True)
        assert_same_layer(converted, A.Pipeline(written), photos / 255)
    # more draws than layers, because Kornia draws with replacement
    repeated = A.from_kornia(K.ImageSequential(*flip_and_gamma(), random_apply=5), strict=True)
    assert [type(layer) for layer in repeated.layers] == [A.OneOf] * 5


def test_learnable_ranges_stay_learnable(photos):
    range_ = nn.Parameter(torch.tensor([-10.0, 30.0]))
    layer = A.from_kornia(K.RandomRotation(range_, p=1.0), strict=True)
    torch.testing.assert_close(layer.degrees(torch.tensor([0.0, 1.0])), torch.tensor([-10.0, 30.0]), rtol=0, atol=1e-3)
    layer(photos).square().sum().backward()
    assert all(parameter.grad is not None for parameter in layer.parameters())
    assert len(list(layer.parameters())) > 0


def test_policies():
    assert type(A.from_kornia(K.auto.RandAugment(3, 7), strict=True)) is A.RandAugment
    assert A.from_kornia(K.auto.RandAugment(3, 7), strict=True).n == 3
    assert type(A.from_kornia(K.auto.TrivialAugment(), strict=True)) is A.TrivialAugmentWide
    svhn = A.from_kornia(K.auto.AutoAugment("svhn"), strict=True)
    assert torch.equal(svhn.table, A.AutoAugment("svhn").table)
    with pytest.raises(ValueError, match=r"RandAugment .with a policy of your own"):
        A.from_kornia(K.auto.RandAugment(1, 7, [[("rotate", -10.0, 10.0)]]), strict=True)


def test_layers_of_ours_are_kept():
    mine = A.RandomGamma((0.5, 2.0))
    assert A.from_kornia(nn.Sequential(mine, nn.Identity())).layers[0] is mine


def test_what_cannot_convert_is_listed_at_once():
    module = nn.Sequential(
        K.RandomHorizontalFlip(),
        kornia.filters.MedianBlur((3, 3)),
        K.ImageSequential(K.CenterCrop(8, p=0.5)),
        nn.Tanh(),
    )
    with pytest.raises(ValueError, match=r"from_kornia: cannot convert MedianBlur .*; CenterCrop .*p=0\.5.*; Tanh"):
        A.from_kornia(module, strict=True)
    with pytest.raises(
        ValueError, match=r"cannot convert CenterCrop .with p=0\.5 images would come out in two sizes.\.$"
    ):
        A.from_kornia(module)
    for refused in (K.PatchMix(), K.RandomRotation3D(10.0), K.RandomCutMixV2(cut_size=(0.1, 0.5))):
        with pytest.raises(ValueError, match=type(refused).__name__):
            A.from_kornia(refused)


def test_what_has_no_equivalent_runs_opaque(photos):
    converted = A.from_kornia(
        nn.Sequential(
            kornia.filters.MedianBlur((3, 3)), K.PatchSequential(*flip_and_gamma()[1:], patchwise_apply=False)
        )
    )
    assert all(type(layer) is A.Opaque for layer in converted.layers)
    assert [layer.deterministic for layer in converted.layers] == [True, False]
    assert converted(photos).shape == photos.shape
    expected = kornia.filters.MedianBlur((3, 3))(photos / 255)
    torch.testing.assert_close(converted.eval()(photos), expected)


# torchvision

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
        lambda: A.RandomAffine((-9, -5), resample="nearest", fill_value=1.0, p=1.0),
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
    for opaque in (v2.ElasticTransform(), v2.Lambda(torch.flip, torch.Tensor), v2.RandomPerspective(fill=1.0)):
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


# our layers in other containers


def same(images: torch.Tensor) -> torch.Tensor:
    return images


def flip(images: torch.Tensor) -> torch.Tensor:
    return images.flip(-1)


def in_other_containers(layer: nn.Module) -> list[tuple[nn.Module, Callable, Callable]]:
    """Return containers, and functions that they apply before and after the layer."""
    return [
        (nn.Sequential(layer), same, same),
        (K.ImageSequential(K.RandomHorizontalFlip(p=1.0), layer), flip, same),
        (K.ImageSequential(layer, random_apply=1), same, same),
        (K.AugmentationSequential(layer, K.RandomHorizontalFlip(p=1.0), data_keys=["input"]), same, flip),
        (K.AugmentationSequential(K.ImageSequential(layer), data_keys=["input"], random_apply=True), same, same),
        (v2.Compose([layer, v2.RandomHorizontalFlip(1.0)]), same, flip),
    ]


@pytest.mark.parametrize(
    "layer", [A.RandomRotation(20.0), A.RandomGamma((0.5, 2.0)), A.RandAugment(), A.Normalize(0.5, 0.5)]
)
def test_our_layers_stand_in_other_containers(layer, photos, monkeypatch):
    images = photos / 255
    # containers use the same generator
    monkeypatch.setattr("augment.core.layer.fresh_index", lambda count, device: torch.arange(count, device=device))
    for container, before, after in in_other_containers(layer):
        torch.testing.assert_close(container(images), after(layer(before(images))), rtol=0, atol=1e-6)


def test_a_photometric_layer_beside_annotations(photos):
    """Kornia does not apply unknown layers to masks, which is correct for photometric layers."""
    container = K.AugmentationSequential(
        A.RandomInvert(p=1.0), K.RandomHorizontalFlip(p=1.0), data_keys=["input", "mask", "bbox_xyxy"]
    )
    images, mask = photos / 255, (photos[:, :1] > 127).float()
    boxes = torch.tensor([2.0, 3.0, 9.0, 10.0]).expand(8, 1, 4)
    image, moved, _ = container(images, mask, boxes)
    torch.testing.assert_close(image, (1 - images).flip(-1))
    assert torch.equal(moved, mask.flip(-1))


# the documentation


def documented(heading: str) -> dict[str, list[str]]:
    """Return the names in a table of the documentation with their equivalents."""
    section = DOCUMENT.read_text().split(f"## {heading}")[1].split("\n## ")[0]
    rows = {}
    for line in section.splitlines():
        if line.startswith("| `"):
            names, ours, reason = (cell.strip() for cell in line.strip("|").split("|"))
            ours = re.findall(r"`(\w+)`", ours)
            assert ours or reason, f"{names} has neither an equivalent nor a reason"
            rows |= dict.fromkeys(re.findall(r"`(\w+)`", names), ours)
    return rows


def test_every_name_of_kornia_is_documented():
    rows = documented("Kornia's names")
    assert set(rows) == {name for name in K.__all__ if not name.endswith("3D")}
    assert {ours for names in rows.values() for ours in names} <= set(A.__all__)


def test_every_name_of_torchvision_is_documented():
    rows = documented("torchvision's names")
    assert set(rows) == {name for name in dir(v2) if not name.startswith("_")}
    assert {ours for names in rows.values() for ours in names} <= set(A.__all__)


def test_every_documented_equivalent_of_kornia_converts():
    tested = KORNIA.keys() | MIXING.keys()
    containers = {"AugmentationSequential", "ImageSequential", "VideoSequential", "auto"}
    rows = {name for name, ours in documented("Kornia's names").items() if ours}
    assert rows == tested | containers


# what the documentation says in figures

SPOT = (60.0, 50.0)


def spot() -> torch.Tensor:
    """Return an image with a bright spot, 128 by 128 pixels."""
    y, x = torch.meshgrid(torch.arange(128.0), torch.arange(128.0), indexing="ij")
    return torch.exp(-((x - SPOT[0]) ** 2 + (y - SPOT[1]) ** 2) / 32)[None, None]


def off_the_content(image: torch.Tensor, point: torch.Tensor) -> float:
    """Return the distance in pixels between a point and the centre of the bright spot."""
    y, x = torch.meshgrid(*(torch.arange(float(extent)) for extent in image.shape[-2:]), indexing="ij")
    weight = image[0, 0] / image.sum()
    return float(torch.hypot((x * weight).sum() - point[0], (y * weight).sum() - point[1]))


BILINEAR = {"interpolation": v2.InterpolationMode.BILINEAR}
KEYPOINTS = [
    (v2.RandomHorizontalFlip(1.0), 0.0, 0.0),
    (v2.Resize((64, 64)), 0.35, 0.0),
    (v2.Resize((32, 32)), 0.53, 0.0),
    (v2.Resize((256, 256)), 0.71, 0.0),
    (v2.Resize((64, 64), interpolation=v2.InterpolationMode.NEAREST), 0.0, 0.35),
    (v2.RandomRotation((30, 30), **BILINEAR), 0.37, 0.0),
    (v2.RandomRotation((90, 90), **BILINEAR), 1.0, 0.0),
    (v2.RandomAffine((0, 0), scale=(0.5, 0.5), **BILINEAR), 0.35, 0.0),
    (v2.RandomAffine((0, 0), scale=(1.5, 1.5), **BILINEAR), 0.35, 0.0),
    (v2.RandomAffine((0, 0), shear=(20, 20), **BILINEAR), 0.18, 0.0),
]


@pytest.mark.parametrize(("transform", "theirs", "ours"), KEYPOINTS, ids=lambda value: str(value)[:60])
def test_how_far_keypoints_are_from_their_content(transform, theirs, ours):
    from torchvision import tv_tensors

    points = tv_tensors.KeyPoints(torch.tensor([SPOT]), canvas_size=(128, 128))
    image, moved = transform(tv_tensors.Image(spot()), points)
    assert off_the_content(torch.as_tensor(image), torch.as_tensor(moved)[0]) == pytest.approx(theirs, abs=0.01)
    out = A.from_torchvision(transform, strict=True)(A.Batch(spot(), keypoints=torch.tensor([[SPOT]])))
    assert off_the_content(out.image, out.keypoints[0, 0]) == pytest.approx(ours, abs=0.01)


def test_a_perspective_from_the_same_corners_is_kornias_and_apart_from_torchvisions():
    """Use ramps to find where pixel x samples: at P(x) here and in Kornia, at P(x + 1/2) - 1/2 in torchvision."""
    side, count, means, most = 224, 40, [], []
    y, x = torch.meshgrid(torch.arange(float(side)), torch.arange(float(side)), indexing="ij")
    ramps = torch.stack([x, y, torch.ones_like(x)]).double().expand(count, -1, -1, -1)  # the ones mark the inside
    layer = A.RandomPerspective(0.5, p=1.0)
    noise = layer.noise(torch.arange(count)).double()
    corners = layer.resolve(layer.params(noise), (side, side))["corners"]
    start = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]).double().expand(count, 4, 2) * (side - 1)
    matrix = kornia.geometry.transform.get_perspective_transform(start, corners)
    kornias = kornia.geometry.transform.warp_perspective(ramps, matrix, (side, side), align_corners=True)
    ours = layer(ramps, noise)
    for i in range(count):
        points = start[i].tolist(), corners[i].tolist()
        theirs = v2.functional.perspective(ramps[i], *points, interpolation=v2.InterpolationMode.BILINEAR)
        inside = torch.stack([out[2] > 1 - 1e-6 for out in (ours[i], kornias[i], theirs)]).all(0)
        torch.testing.assert_close(ours[i][:, inside], kornias[i][:, inside], rtol=0, atol=1e-3)
        apart = torch.hypot(*(ours[i] - theirs)[:2, inside])
        means.append(apart.mean())
        most.append(apart.max())
    assert torch.stack(means).mean() == pytest.approx(0.27, abs=0.03)
    assert torch.stack(most).max() == pytest.approx(1.0, abs=0.3)
