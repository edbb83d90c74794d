"""What all presets have in common: ImageNet's statistics and the arguments that they pass to `Pipeline`."""

from __future__ import annotations

from typing import TypedDict

import torch

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Channel statistics of ImageNet in [0, 1]; published weights expect these values."""


class Options(TypedDict, total=False):
    """Further arguments of every preset, passed to `Pipeline`."""

    seed: int
    dtype: torch.dtype | str | None
    compile: bool | str
