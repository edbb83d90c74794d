"""Evaluation-time preprocessing: what validation, test, predict and an exported model run before the backbone."""

from collections.abc import Sequence

import torch

from augment.core import checks
from augment.core.layer import Layer
from augment.core.pipeline import Pipeline
from augment.layers.geometric.crop import CenterCrop
from augment.layers.geometric.resize import Resize
from augment.layers.photometric.normalize import Normalize, Statistic, statistics


class Preprocess(Pipeline):
    """Resizes, crops at the centre and normalises, antialiased and in one pass, the same in training and evaluation.

    It accepts uint8 images of any size, also packed ones, and can be exported with the model (`torch.export`).

    Args:
        size: (height, width) or one number for both, in pixels, of what comes out.
        mean, std: for Normalize, one number or one a channel; None for neither.
        crop: share of the resized image that the crop keeps along the shorter side, in (0, 1]; None squeezes the whole
            image into `size` whatever its aspect.
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
        """Preprocessing has nothing to train: it stays in evaluation mode."""
        return super().train(False)
