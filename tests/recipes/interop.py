"""Arguments of Kornia's modules, and how the tests compare a converted layer with a written one."""

import kornia.augmentation as K
import torch
from torch import nn

import augment as A
from tests.conformance.catalogue import as_batch, draw

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
