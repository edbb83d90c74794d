"""presets.from_timm: the arguments of timm's create_transform become the same layers in the same order."""

import random

import pytest
import torch

import augment as A

timm = pytest.importorskip("timm.data")

CASES = {
    "plain": {},
    "a sequence": {"input_size": (3, 32, 40), "scale": (0.5, 1.0), "vflip": 0.3, "interpolation": "bicubic"},
    "randaugment": {"auto_augment": "rand-m9-mstd0.5-inc1", "re_prob": 0.25, "re_mode": "pixel", "re_count": 3},
    "augmix": {"auto_augment": "augmix-m5-w4-d2", "interpolation": "random"},
    "three": {"auto_augment": "3a", "color_jitter": 0.3},
    "like SimCLR": {
        "color_jitter": (0.4, 0.4, 0.2, 0.1),
        "color_jitter_prob": 0.8,
        "grayscale_prob": 0.2,
        "gaussian_blur_prob": 0.5,
    },
    "forced": {"auto_augment": "original-mstd0.5", "force_color_jitter": True},
    "none": {"no_aug": True},
    "no jitter": {"color_jitter": None, "hflip": 0.0, "normalize": False, "re_prob": 0.5},
}
EQUIVALENTS = {
    "RandomResizedCropAndInterpolation": "RandomResizedCrop",
    "AutoAugment": ("AutoAugment", "OneOf"),
    "AugMixAugment": "AugMix",
    "RandomApply": ("ColorJitter", "RandomGaussianBlur"),
}


@pytest.mark.parametrize("name", CASES)
def test_layers_are_those_of_timm(name):
    arguments = {"input_size": 32} | CASES[name]
    forced = {key: arguments[key] for key in ("force_color_jitter",) if key in arguments}
    if forced:  # of transforms_imagenet_train only
        from timm.data.transforms_factory import transforms_imagenet_train

        rest = {key: value for key, value in arguments.items() if key != "input_size"}
        theirs = transforms_imagenet_train(32, **rest)
    else:
        theirs = timm.create_transform(**arguments, is_training=True)
    names = [type(t).__name__ for t in theirs.transforms]
    names = [n for n in names if n not in ("MaybeToTensor", "MaybePILToTensor")]
    found = [type(layer).__name__ for layer in A.presets.from_timm(**arguments).layers]
    assert len(found) == len(names), (found, names)
    for ours, other in zip(found, names, strict=True):
        allowed = EQUIVALENTS.get(other, other)
        assert ours in (allowed if isinstance(allowed, tuple) else (allowed,)), (found, names)


@pytest.mark.parametrize("name", CASES)
def test_it_augments_and_is_written_as_yaml(name):
    arguments = {"input_size": 32} | CASES[name]
    pipeline = A.presets.from_timm(**arguments, seed=3, compile=False)
    images = torch.randint(0, 256, (4, 3, 50, 60), dtype=torch.uint8)
    size = (32, 40) if name == "a sequence" else (32, 32)
    assert pipeline(images).shape == (4, 3, *size)
    pipeline.config()


def test_the_policy_fills_with_the_mean_in_bytes():
    """The corner of a black image that a shift uncovers, before the normalisation."""
    pipeline = A.presets.from_timm(input_size=32, auto_augment="rand-m10-n1-p1", hflip=0.0, normalize=False)
    policy = next(layer for layer in pipeline.layers if isinstance(layer, A.RandAugment))
    assert policy.slot.halves[0].fill == tuple(round(255 * mean) / 255 for mean in A.IMAGENET_MEAN)
    assert len(policy.slot.halves) == 2  # one interpolation, because `interpolation` names one
    assert len(A.presets.from_timm(auto_augment="rand", interpolation="random").layers[2].slot.halves) == 3


@pytest.mark.parametrize("mode", ["rkrc", "rkrr"])
@pytest.mark.parametrize("size", [(60, 90), (90, 41), (31, 33), (32, 32)])
def test_crops_that_keep_the_ratio_have_timms_sizes(mode, size):
    transforms = pytest.importorskip("timm.data.transforms")
    layer = A.presets.from_timm(input_size=32, train_crop_mode=mode, scale=(0.5, 1.5)).layers[0]
    box = layer.resolve(layer.params(layer.noise(torch.arange(4000))), size)
    random.seed(0)
    image = torch.zeros(3, *size)
    sizes, tops = [], []
    for _ in range(4000):
        found = transforms.ResizeKeepRatio.get_params(image, (32, 32), 0.0, 0.5, (0.5, 1.5), True, 0.5, (0.9, 1 / 0.9))
        sizes.append(found)
        tops.append(transforms.RandomCropOrPad.get_params(image[:, :1, :1].expand(3, *found), (32, 32))[0])
    theirs = torch.tensor(sizes).double()
    for side, column in (("height", 0), ("width", 1)):
        assert box[side].double().mean().item() == pytest.approx(theirs[:, column].mean().item(), rel=0.02)
        assert box[side].double().std().item() == pytest.approx(theirs[:, column].std().item(), rel=0.1)
    if mode == "rkrr":
        assert box["top"].double().mean().item() == pytest.approx(torch.tensor(tops).double().mean().item(), abs=0.7)
    assert layer(torch.rand(8, 3, *size)).shape == (8, 3, 32, 32)


def test_a_model_and_its_configuration():
    model = pytest.importorskip("timm").create_model("resnet18", pretrained=False)
    from_model = A.presets.from_timm(model, input_size=64, hflip=0.25)
    config = timm.resolve_data_config({}, model=model)
    assert from_model.config() == A.presets.from_timm(config, input_size=64, hflip=0.25).config()
    assert from_model.layers[0].resample == config["interpolation"]
    assert from_model.layers[-1].mean == config["mean"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"is_training": False}, "is_training=False must be True"),
        ({"train_crop_mode": "rkr"}, "train_crop_mode='rkr' must be one of rrc, rkrc, rkrr"),
        ({"interpolation": "lanczos"}, "interpolation='lanczos' must be one of nearest"),
        ({"naflex": True, "patch_size": 16}, "naflex, patch_size has no equivalent"),
        ({"color_jitter": (0.1, 0.2)}, r"color_jitter=\(0.1, 0.2\) must be one number, three or four"),
        ({"auto_augment": "augmax"}, "name='augmax' must look like"),
    ],
)
def test_what_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        A.presets.from_timm(**arguments)
