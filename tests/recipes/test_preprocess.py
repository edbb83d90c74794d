"""Preprocessing equals that of timm and torchvision within one level of 255, on photographs."""

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from timm.data import create_transform, resolve_data_config
from torchvision.models import EfficientNet_B1_Weights, ResNet50_Weights, Swin_V2_T_Weights

import augment as A

PHOTOS = [image[:, 40:] for image in load_sample_images().images]
"""Two photographs (427, 600, 3)."""


def levels_apart(preprocess: A.Preprocess, transform, photo: np.ndarray) -> float:
    """Returns the largest difference, in whole levels of 255, between our image and that of another library."""
    image = torch.tensor(photo).permute(2, 0, 1)[None]
    theirs = transform(Image.fromarray(photo))[None]
    std = torch.tensor(preprocess.layers[-1].std)[:, None, None]  # theirs are whole levels before they are normalised
    return ((preprocess(image) - theirs) * std * 255).round().abs().max().item()


@pytest.mark.parametrize("photo", PHOTOS, ids=["china", "flower"])
@pytest.mark.parametrize(
    "weights", [ResNet50_Weights.IMAGENET1K_V2, EfficientNet_B1_Weights.DEFAULT, Swin_V2_T_Weights.DEFAULT]
)
def test_torchvision(weights, photo):
    assert levels_apart(A.Preprocess.from_torchvision(weights), weights.transforms(), photo) <= 1


@pytest.mark.parametrize("photo", PHOTOS, ids=["china", "flower"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"crop_pct": 0.95, "interpolation": "bicubic"},
        {"crop_mode": "squash", "crop_pct": 0.9},
        {"input_size": (3, 96, 80), "crop_mode": "squash", "crop_pct": 1.0},
    ],
    ids=["bilinear", "bicubic", "squash", "not square"],
)
def test_timm(changes, photo):
    model = timm.create_model("test_vit.r160_in1k", pretrained_cfg_overlay=changes)
    transform = create_transform(**resolve_data_config({}, model=model))
    for source in (model, model.pretrained_cfg):
        assert levels_apart(A.Preprocess.from_timm(source), transform, photo) <= 1


def test_what_has_no_equal_is_refused():
    with pytest.raises(ValueError, match="crop_mode='border' with input_size="):
        A.Preprocess.from_timm({"input_size": (3, 64, 64), "crop_mode": "border"})
    with pytest.raises(ValueError, match="resample='lanczos' must be one of nearest"):
        A.Preprocess.from_timm({"input_size": (3, 64, 64), "interpolation": "lanczos"})
    with pytest.raises(TypeError, match="weights='DEFAULT' must be weights of a classifier"):
        A.Preprocess.from_torchvision("DEFAULT")
    with pytest.raises(ValueError, match="resize=31 must be at least size=32"):
        A.Preprocess(32, resize=31)
