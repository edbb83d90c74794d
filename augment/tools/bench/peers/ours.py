"""This library."""

from collections.abc import Callable, Sequence

import augment as A
from augment.tools.bench.work import CLASSES, MEAN, STD, Implementation, Run, Table, Task, translated

TABLE: Table = {
    "resized_crop": lambda task: A.RandomResizedCrop(task.out),
    "hflip": lambda task: A.RandomHorizontalFlip(),
    "vflip": lambda task: A.RandomVerticalFlip(),
    "rotation": lambda task: A.RandomRotation(15.0, p=1.0),
    "turn": lambda task: A.RandomRotation(5.0, p=1.0),
    "translate": lambda task: A.RandomTranslate(0.1, 0.1, p=1.0),
    "scaling": lambda task: A.RandomAffine(0.0, scale=(0.9, 1.1), p=1.0),
    "shear": lambda task: A.RandomShear(5.0, p=1.0),
    "affine": lambda task: A.RandomAffine(15.0, (0.1, 0.1), (0.9, 1.1), p=1.0),
    "perspective": lambda task: A.RandomPerspective(0.2, p=1.0),
    "elastic": lambda task: A.RandomElasticTransform((63, 63), (32.0, 32.0), (1.0, 1.0), p=1.0),
    "color_jitter": lambda task: A.ColorJitter(0.4, 0.4, 0.4, 0.1),
    "weak_jitter": lambda task: A.ColorJitter(0.3, 0.3, 0.3),
    "brightness": lambda task: A.RandomBrightness((0.6, 1.4), p=1.0),
    "grayscale": lambda task: A.RandomGrayscale(p=1.0),
    "posterize": lambda task: A.RandomPosterize(4, p=1.0),
    "solarize": lambda task: A.RandomSolarize((0.5, 0.5), (0.0, 0.0), p=1.0),
    "equalize": lambda task: A.RandomEqualize(p=1.0),
    "autocontrast": lambda task: A.RandomAutoContrast(p=1.0),
    "normalize": lambda task: A.Normalize(MEAN, STD),
    "erasing": lambda task: A.RandomErasing(p=0.25),
    "gaussian_blur": lambda task: A.RandomGaussianBlur(13, (0.1, 2.0), p=1.0),
    "sharpness": lambda task: A.RandomSharpness(0.5, p=1.0),
    "jpeg": lambda task: A.RandomJPEG((50.0, 100.0), p=1.0),
    "randaugment": lambda task: A.RandAugment(2, 9),
    "randaugment4": lambda task: A.RandAugment(2, 9, operators=("Rotate", "TranslateX", "Brightness", "Posterize")),
    "one_of_three": lambda task: A.OneOf(
        [
            A.RandomGrayscale(p=1.0),
            A.RandomSolarize((0.5, 0.5), (0.0, 0.0), p=1.0),
            A.RandomGaussianBlur(13, (0.1, 2.0), p=1.0),
        ]
    ),
    "mixup": lambda task: A.RandomMixUp(A.Beta(0.2, 0.2), num_classes=CLASSES, p=0.5),
    "cutmix": lambda task: A.RandomCutMix(beta=1.0, num_classes=CLASSES, p=0.5),
}


def pipeline(task: Task, operators: Sequence[str], compile: bool | str) -> A.Pipeline:
    return A.Pipeline(*translated(TABLE, operators, task), dtype=task.dtype, compile=compile).to(task.device)


def _built(compile: bool | str) -> Callable[[Task, Sequence[str]], Run]:
    def build(task: Task, operators: Sequence[str]) -> Run:
        augment = pipeline(task, operators, compile)
        mixes = any(isinstance(leaf, A.Mix) for leaf in augment.leaves())
        batch = A.Batch(task.images, label=task.labels) if mixes else task.images
        return lambda: augment(batch)

    return build


IMPLEMENTATIONS = [
    Implementation("augment eager", "torch", "per sample", True, _built(False)),
    Implementation("augment compiled", "torch", "per sample", True, _built(True)),
    Implementation("augment CUDA graphs", "torch", "per sample", True, _built("reduce-overhead"), ("cuda",)),
]
