"""Conversion from Kornia gives the layer that a user would write, and the same images."""

import inspect

import kornia
import kornia.augmentation as K
import pytest
import torch
from torch import nn

import augment as A
from tests.recipes.interop import KORNIA, MIXING, assert_same_layer, kornia_module

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


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
