"""Preprocessing for evaluation, run before the backbone in validation, testing, prediction and exported models."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from augment.core import checks
from augment.core.layer import Layer
from augment.core.pipeline import Pipeline
from augment.draws.arguments import shown
from augment.layers.geometric.crop import CenterCrop
from augment.layers.geometric.resize import Resize
from augment.layers.photometric.normalize import Normalize, Statistic, statistics


class Preprocess(Pipeline):
    """Resizes, center-crops and normalises images in one antialiased pass, alike in training and evaluation mode.

    Accepts uint8 images of any size, including packed ones, and can be exported with the model (`torch.export`).

    Args:
        size: (height, width) of the output or one number for both, in pixels.
        mean, std: arguments of Normalize, one number or one per channel; None for both does not normalise.
        crop: fraction of the resized image's shorter side that the crop keeps, in (0, 1]; None resizes the whole image
            to `size` regardless of its aspect ratio.
        resample: "nearest", "nearest-exact", "bilinear", "bicubic" or "area", see `Resize`.
        dtype, compile: see Pipeline.
        antialias: see `Resize`.
        resize: instead of `crop`, the shorter side of the resized image in pixels, or its (height, width).

    Example:
        >>> photo = torch.randint(0, 256, (1, 3, 300, 400), dtype=torch.uint8)
        >>> A.Preprocess(224, A.IMAGENET_MEAN, A.IMAGENET_STD)(photo).shape
        torch.Size([1, 3, 224, 224])
    """

    def __init__(
        self,
        size: int | Sequence[int],
        mean: Statistic | None = None,
        std: Statistic | None = None,
        crop: float | None = 0.875,
        resample: str = "bilinear",
        dtype: torch.dtype | str | None = None,
        compile: bool | str = "auto",
        antialias: bool = True,
        resize: int | Sequence[int] | None = None,
    ) -> None:
        (height, width), resample = checks.image_size(self, size), checks.resize_mode(self, resample)
        if (mean is None) != (std is None):
            raise ValueError(f"Preprocess: mean={mean} and std={std} go together.")
        if mean is not None and std is not None:
            mean, std = statistics(self, mean, std)
        if crop is not None and not 0 < crop <= 1:
            raise ValueError(f"Preprocess: crop={crop} must lie within (0, 1] or be None.")
        layers: list[Layer]
        if resize is not None:
            sides = checks.image_size(self, resize, "resize")
            if sides[0] < height or sides[1] < width:
                raise ValueError(f"Preprocess: resize={resize} must be at least size={size}.")
            layers = [Resize(resize, resample=resample, antialias=antialias), CenterCrop(size)]
        elif crop is None:
            layers = [Resize((height, width), resample=resample, antialias=antialias)]
        elif height == width:
            side = checks.image_size(self, round(height / crop), "size / crop")[0]
            layers = [Resize(side, resample=resample, antialias=antialias), CenterCrop(size)]
        else:
            raise ValueError(f"Preprocess: size={size} is not square; give crop=None.")
        if mean is not None and std is not None:
            layers.append(Normalize(mean, std))
        super().__init__(*layers, dtype=dtype, compile=compile)
        self.eval()

    @classmethod
    def from_timm(cls, model: nn.Module | Mapping[str, Any]) -> Preprocess:
        """Returns the evaluation transform of a timm model, or of its `pretrained_cfg` as a dict.

        Raises:
            ValueError: its crop mode or interpolation is not supported.
        """
        from timm.data import resolve_data_config

        given = {"pretrained_cfg": dict(model)} if isinstance(model, Mapping) else {"model": model}
        found = resolve_data_config({}, **given)
        size, mode = tuple(found["input_size"][1:]), found["crop_mode"]
        resize = tuple(math.floor(side / found["crop_pct"]) for side in size)  # as timm rounds
        if mode not in ("center", "squash") or (mode == "center" and size[0] != size[1]):
            raise ValueError(
                f"Preprocess.from_timm: crop_mode={mode!r} with input_size={size} is not supported; it must be "
                "'center' with a square size, or 'squash'."
            )
        return cls(
            size,
            found["mean"],
            found["std"],
            resample=found["interpolation"],
            resize=resize[0] if mode == "center" else resize,
        )

    @classmethod
    def from_torchvision(cls, weights: Any) -> Preprocess:
        """Returns the transform of torchvision's classification weights, such as `ResNet50_Weights.DEFAULT`.

        Args:
            weights: the weights, or their `transforms()`.

        Raises:
            TypeError: these are no weights of a classifier.
        """
        preset = weights.transforms() if hasattr(weights, "transforms") else weights
        names = ("crop_size", "resize_size", "mean", "std", "interpolation")
        if not all(hasattr(preset, name) for name in names):
            raise TypeError(
                f"Preprocess.from_torchvision: weights={shown(weights)} must be weights of a classifier, such as "
                "torchvision.models.ResNet50_Weights.DEFAULT, or their transforms()."
            )
        resize = tuple(preset.resize_size)
        return cls(
            preset.crop_size[0],
            preset.mean,
            preset.std,
            resample=preset.interpolation.value,
            antialias=bool(preset.antialias),
            resize=resize[0] if len(resize) == 1 else resize,
        )

    def train(self, mode: bool = True) -> Preprocess:
        """Stays in evaluation mode, because preprocessing has nothing to train."""
        return super().train(False)
