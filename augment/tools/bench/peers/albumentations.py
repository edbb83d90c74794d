"""Albumentations, image by image on the CPU (2.0.8 is the last version under the MIT licence)."""

import copy
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

from augment.tools.bench.work import MEAN, STD, Implementation, Run, Table, Task, translated


def _lib() -> Any:
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # otherwise it checks the network for new versions
    import albumentations

    return albumentations


def _one_of_three(task: Task) -> Any:
    lib = _lib()
    return lib.OneOf(
        [
            lib.ToGray(p=1.0),
            lib.Solarize((0.5, 0.5), p=1.0),
            lib.GaussianBlur(blur_limit=(13, 13), sigma_limit=(0.1, 2.0), p=1.0),
        ],
        p=1.0,
    )


def _jitter(strength: float, hue: float) -> Any:
    around = (1 - strength, 1 + strength)
    return _lib().ColorJitter(around, around, around, (-hue, hue), p=1.0)


TABLE: Table = {
    "resized_crop": lambda task: _lib().RandomResizedCrop((task.out, task.out)),
    "hflip": lambda task: _lib().HorizontalFlip(p=0.5),
    "vflip": lambda task: _lib().VerticalFlip(p=0.5),
    "rotation": lambda task: _lib().Affine(rotate=(-15, 15), p=1.0),
    "turn": lambda task: _lib().Affine(rotate=(-5, 5), p=1.0),
    "translate": lambda task: _lib().Affine(translate_percent=(-0.1, 0.1), p=1.0),
    "scaling": lambda task: _lib().Affine(scale=(0.9, 1.1), p=1.0),
    "shear": lambda task: _lib().Affine(shear=(-5, 5), p=1.0),
    "affine": lambda task: _lib().Affine(rotate=(-15, 15), translate_percent=(-0.1, 0.1), scale=(0.9, 1.1), p=1.0),
    "perspective": lambda task: _lib().Perspective((0.05, 0.1), p=1.0),
    "elastic": lambda task: _lib().ElasticTransform(alpha=50, sigma=5, p=1.0),
    "color_jitter": lambda task: _jitter(0.4, 0.1),
    "weak_jitter": lambda task: _jitter(0.3, 0.0),
    "brightness": lambda task: _lib().ColorJitter((0.6, 1.4), (1, 1), (1, 1), (0, 0), p=1.0),
    "grayscale": lambda task: _lib().ToGray(p=1.0),
    "posterize": lambda task: _lib().Posterize(4, p=1.0),
    "solarize": lambda task: _lib().Solarize((0.5, 0.5), p=1.0),
    "equalize": lambda task: _lib().Equalize(p=1.0),
    "autocontrast": lambda task: _lib().AutoContrast(method="pil", p=1.0),
    "normalize": lambda task: _lib().Normalize(MEAN, STD),
    "erasing": lambda task: _lib().Erasing(p=0.25),
    "gaussian_blur": lambda task: _lib().GaussianBlur(blur_limit=(13, 13), sigma_limit=(0.1, 2.0), p=1.0),
    "sharpness": lambda task: _lib().Sharpen(kernel_size=3, p=1.0),
    "jpeg": lambda task: _lib().ImageCompression(quality_range=(50, 100), p=1.0),
    "one_of_three": _one_of_three,
}


def _build(task: Task, operators: Sequence[str]) -> Run:
    """Use as many threads as the other implementations, each with its own copy; OpenCV releases the GIL."""
    lib = _lib()
    import cv2

    steps = translated(TABLE, operators, task)
    if "normalize" not in operators:
        steps.append(lib.ToFloat(max_value=255.0))
    composed = lib.Compose(steps)
    rows = task.images.permute(0, 2, 3, 1).cpu().contiguous().numpy()
    shares = [rows[i :: task.threads] for i in range(task.threads)]
    copies = [copy.deepcopy(composed) for _ in shares]
    pool = ThreadPoolExecutor(task.threads)
    cv2.setNumThreads(1 if task.threads > 1 else 0)

    def work(share: Any, own: Any) -> list[torch.Tensor]:
        return [torch.from_numpy(own(image=row)["image"]) for row in share]

    def run() -> torch.Tensor:
        images = torch.stack([image for part in pool.map(work, shares, copies) for image in part])
        return images.permute(0, 3, 1, 2).to(task.device, task.dtype)

    return run


IMPLEMENTATIONS = [Implementation("albumentations per image", "albumentations", "per sample", False, _build)]
