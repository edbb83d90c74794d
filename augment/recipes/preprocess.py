"""Preprocessing for evaluation, run before the backbone in validation, testing, prediction and exported models."""

from collections.abc import Sequence

import torch

from augment.core import checks
from augment.core.layer import Layer
from augment.core.pipeline import Pipeline
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
        resample: "nearest", "nearest-exact", "bilinear" or "bicubic", see `Resize`.
        dtype, compile: see Pipeline.
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
    ) -> None:
        (height, width), resample = checks.image_size(self, size), checks.resample_mode(self, resample)
        if (mean is None) != (std is None):
            raise ValueError(f"Preprocess: mean={mean} and std={std} go together.")
        if mean is not None and std is not None:
            mean, std = statistics(self, mean, std)
        if crop is not None and not 0 < crop <= 1:
            raise ValueError(f"Preprocess: crop={crop} must lie within (0, 1] or be None.")
        layers: list[Layer] = []
        if crop is None:
            layers.append(Resize((height, width), resample=resample))
        elif height == width:
            layers += [
                Resize(checks.image_size(self, round(height / crop), "size / crop")[0], resample=resample),
                CenterCrop(size),
            ]
        else:
            raise ValueError(f"Preprocess: size={size} is not square; give crop=None.")
        if mean is not None and std is not None:
            layers.append(Normalize(mean, std))
        super().__init__(*layers, dtype=dtype, compile=compile)
        self.eval()

    def train(self, mode: bool = True) -> "Preprocess":
        """Stays in evaluation mode, because preprocessing has nothing to train."""
        return super().train(False)
