"""torchvision v2: on the batch (one draw for all images) and image by image."""

from collections.abc import Sequence
from typing import Any

import torch

from augment.tools.bench.work import CLASSES, MEAN, STD, Implementation, NotOfferedError, Run, Table, Task, translated


def _v2() -> Any:
    import torchvision.transforms.v2

    return torchvision.transforms.v2


def _affine(**options: Any) -> Any:
    v2 = _v2()
    return v2.RandomAffine(**{"degrees": 0} | options, interpolation=v2.InterpolationMode.BILINEAR)


def _one_of_three(task: Task) -> Any:
    v2 = _v2()
    return v2.RandomChoice([v2.Grayscale(3), v2.RandomSolarize(128, p=1.0), v2.GaussianBlur(13, (0.1, 2.0))])


TABLE: Table = {
    "resized_crop": lambda task: _v2().RandomResizedCrop(task.out, antialias=True),
    "hflip": lambda task: _v2().RandomHorizontalFlip(),
    "vflip": lambda task: _v2().RandomVerticalFlip(),
    "rotation": lambda task: _affine(degrees=15),
    "turn": lambda task: _affine(degrees=5),
    "translate": lambda task: _affine(translate=(0.1, 0.1)),
    "scaling": lambda task: _affine(scale=(0.9, 1.1)),
    "shear": lambda task: _affine(shear=5),
    "affine": lambda task: _affine(degrees=15, translate=(0.1, 0.1), scale=(0.9, 1.1)),
    "perspective": lambda task: _v2().RandomPerspective(0.2, p=1.0),
    "elastic": lambda task: _v2().ElasticTransform(alpha=50.0, sigma=5.0),
    "color_jitter": lambda task: _v2().ColorJitter(0.4, 0.4, 0.4, 0.1),
    "weak_jitter": lambda task: _v2().ColorJitter(0.3, 0.3, 0.3),
    "brightness": lambda task: _v2().ColorJitter(brightness=0.4),
    "grayscale": lambda task: _v2().Grayscale(3),
    "posterize": lambda task: _v2().RandomPosterize(4, p=1.0),
    "solarize": lambda task: _v2().RandomSolarize(128, p=1.0),
    "equalize": lambda task: _v2().RandomEqualize(p=1.0),
    "autocontrast": lambda task: _v2().RandomAutocontrast(p=1.0),
    "normalize": lambda task: _v2().Normalize(MEAN, STD),
    "erasing": lambda task: _v2().RandomErasing(p=0.25),
    "gaussian_blur": lambda task: _v2().GaussianBlur(13, (0.1, 2.0)),
    "sharpness": lambda task: _v2().RandomAdjustSharpness(1.5, p=1.0),
    "jpeg": lambda task: _v2().JPEG((50, 100)),
    "randaugment": lambda task: _v2().RandAugment(2, 9),
    "one_of_three": _one_of_three,
    "mixup": lambda task: _v2().RandomApply([_v2().MixUp(alpha=0.2, num_classes=CLASSES)], p=0.5),
    "cutmix": lambda task: _v2().RandomApply([_v2().CutMix(alpha=1.0, num_classes=CLASSES)], p=0.5),
}
_ON_FLOATS = ("normalize", "erasing", "mixup", "cutmix")


def _steps(task: Task, operators: Sequence[str]) -> tuple[Any, list[Any]]:
    """Return the transforms of images, with a conversion where needed, and the transforms of a batch with labels."""
    v2 = _v2()
    steps = translated(TABLE, operators, task)
    first = next((i for i, name in enumerate(operators) if name in _ON_FLOATS), len(steps))
    last = next((i for i, name in enumerate(operators) if name in ("mixup", "cutmix")), len(steps))
    to_float = v2.ToDtype(torch.float32, scale=True)
    return v2.Compose([*steps[:first], to_float, *steps[first:last]]), steps[last:]


def _batched(task: Task, operators: Sequence[str]) -> Run:
    steps, mixes = _steps(task, operators)
    if "jpeg" in operators:
        raise NotOfferedError("jpeg works on single images")

    def run() -> Any:
        images, labels = steps(task.images), task.labels
        for mix in mixes:
            images, labels = mix(images, labels)
        return images.to(task.dtype), labels

    return run


def _per_image(task: Task, operators: Sequence[str]) -> Run:
    steps, mixes = _steps(task, operators)
    if "jpeg" in operators and task.device.type != "cpu":
        raise NotOfferedError("jpeg works on the CPU")

    def run() -> Any:
        images, labels = torch.stack([steps(image) for image in task.images]), task.labels
        for mix in mixes:
            images, labels = mix(images, labels)
        return images.to(task.dtype), labels

    return run


IMPLEMENTATIONS = [
    Implementation("torchvision batched", "torchvision", "one per batch", True, _batched),
    Implementation("torchvision per image", "torchvision", "per sample", True, _per_image),
]
