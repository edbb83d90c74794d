"""Kornia, in eager mode and compiled (with its graph breaks)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from augment.tools.bench.work import MEAN, STD, Implementation, NotOfferedError, Run, Table, Task, translated


def _kornia() -> Any:
    import kornia.augmentation

    return kornia.augmentation


def _randaugment(task: Task) -> nn.Module:
    from kornia.augmentation.auto import RandAugment

    return RandAugment(n=2, m=9)


def _one_of_three(task: Task) -> nn.Module:
    lib = _kornia()
    return lib.AugmentationSequential(
        lib.RandomGrayscale(p=1.0),
        lib.RandomSolarize((0.5, 0.5), (0.0, 0.0), p=1.0),
        lib.RandomGaussianBlur((13, 13), (0.1, 2.0), p=1.0),
        random_apply=1,
        data_keys=["input"],
    )


TABLE: Table = {
    "resized_crop": lambda task: _kornia().RandomResizedCrop((task.out, task.out)),
    "hflip": lambda task: _kornia().RandomHorizontalFlip(p=0.5),
    "vflip": lambda task: _kornia().RandomVerticalFlip(p=0.5),
    "rotation": lambda task: _kornia().RandomRotation(15.0, p=1.0),
    "turn": lambda task: _kornia().RandomRotation(5.0, p=1.0),
    "translate": lambda task: _kornia().RandomTranslate((-0.1, 0.1), (-0.1, 0.1), p=1.0),
    "scaling": lambda task: _kornia().RandomAffine(0.0, scale=(0.9, 1.1), p=1.0),
    "shear": lambda task: _kornia().RandomShear(5.0, p=1.0),
    "affine": lambda task: _kornia().RandomAffine(15.0, (0.1, 0.1), (0.9, 1.1), p=1.0),
    "perspective": lambda task: _kornia().RandomPerspective(0.2, p=1.0),
    "elastic": lambda task: _kornia().RandomElasticTransform((63, 63), (32.0, 32.0), (1.0, 1.0), p=1.0),
    "color_jitter": lambda task: _kornia().ColorJitter(0.4, 0.4, 0.4, 0.1, p=1.0),
    "weak_jitter": lambda task: _kornia().ColorJitter(0.3, 0.3, 0.3, 0.0, p=1.0),
    "brightness": lambda task: _kornia().RandomBrightness((0.6, 1.4), p=1.0),
    "grayscale": lambda task: _kornia().RandomGrayscale(p=1.0),
    "posterize": lambda task: _kornia().RandomPosterize((4.0, 4.0), p=1.0),
    "solarize": lambda task: _kornia().RandomSolarize((0.5, 0.5), (0.0, 0.0), p=1.0),
    "equalize": lambda task: _kornia().RandomEqualize(p=1.0),
    "autocontrast": lambda task: _kornia().RandomAutoContrast(p=1.0),
    "normalize": lambda task: _kornia().Normalize(torch.tensor(MEAN), torch.tensor(STD)),
    "erasing": lambda task: _kornia().RandomErasing(p=0.25),
    "gaussian_blur": lambda task: _kornia().RandomGaussianBlur((13, 13), (0.1, 2.0), p=1.0),
    "sharpness": lambda task: _kornia().RandomSharpness(0.5, p=1.0),
    "jpeg": lambda task: _kornia().RandomJPEG((50.0, 100.0), p=1.0),
    "randaugment": _randaugment,
    "one_of_three": _one_of_three,
    "mixup": lambda task: _kornia().RandomMixUpV2(lambda_val=(0.0, 1.0), data_keys=["input", "class"], p=0.5),
    "cutmix": lambda task: _kornia().RandomCutMixV2(beta=1.0, data_keys=["input", "class"], p=0.5),
}


def _eager(task: Task, operators: Sequence[str]) -> Run:
    steps = nn.Sequential(*translated(TABLE, operators, task)).to(task.device)
    mixing = [name for name in operators if name in ("mixup", "cutmix")]
    if mixing:
        return _mixing(task, steps, len(mixing))
    return lambda: steps(task.images.float() / 255).to(task.dtype)


def _mixing(task: Task, steps: nn.Sequential, count: int) -> Run:
    """Combine the labels of a mix, for which Kornia returns (label, partner's label, share)."""

    def run() -> object:
        images, labels = steps[:-count](task.images.float() / 255), []
        for step in steps[-count:]:
            images, told = step(images, task.labels)
            labels.append(told)
        return images.to(task.dtype), labels

    return run


def _compiled(task: Task, operators: Sequence[str]) -> Run:
    if set(operators) & {"mixup", "cutmix"}:
        raise NotOfferedError("reads labels on the host")
    steps = nn.Sequential(*translated(TABLE, operators, task)).to(task.device)
    compiled = torch.compile(lambda images: steps(images.float() / 255).to(task.dtype))
    return lambda: compiled(task.images)


IMPLEMENTATIONS = [
    Implementation("kornia eager", "kornia", "per sample", True, _eager),
    Implementation("kornia compiled", "kornia", "per sample", True, _compiled),
]
