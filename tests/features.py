"""What this library and its peers do, tried: python -m tests.features prints the table of the README.

Every row is a question that a few lines answer: a batch of equal images goes in, and the program compares what comes
out.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from importlib.metadata import version

import albumentations
import kornia.augmentation as K
import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import v2

import augment as A

Augment = Callable[[Tensor], Tensor]
"""Takes a batch (B, C, H, W) of floats in [0, 1], and returns the augmented batch."""
NAMES = {
    "this library": "augment-inside",
    "Kornia": "kornia",
    "torchvision v2": "torchvision",
    "albumentations": "albumentations",
}
IMAGE = torch.nn.functional.interpolate(
    torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)), 64, mode="bicubic"
).clamp(0, 1)
EQUAL = IMAGE.repeat(16, 1, 1, 1)


def one_by_one(transform: albumentations.BasicTransform | albumentations.Compose) -> Augment:
    """Call a transform of numpy images (H, W, C) for each image of a batch."""

    def call(images: Tensor) -> Tensor:
        arrays = images.permute(0, 2, 3, 1).numpy()
        return torch.stack([torch.from_numpy(transform(image=a)["image"].copy()).permute(2, 0, 1) for a in arrays])

    return call


ROTATION: dict[str, Callable[[], Augment]] = {
    "this library": lambda: A.Pipeline(A.RandomRotation(30.0)),
    "Kornia": lambda: K.AugmentationSequential(K.RandomRotation(30.0, p=1.0)),
    "torchvision v2": lambda: v2.Compose([v2.RandomRotation(30.0, interpolation=v2.InterpolationMode.BILINEAR)]),
    "albumentations": lambda: one_by_one(albumentations.Compose([albumentations.Rotate(30, p=1.0)])),
}
AND_BACK: dict[str, Callable[[], Augment]] = {
    "this library": lambda: A.Pipeline(A.RandomRotation((20, 20), p=1.0), A.RandomRotation((-20, -20), p=1.0)),
    "Kornia": lambda: K.AugmentationSequential(
        K.RandomRotation((20.0, 20.0), p=1.0), K.RandomRotation((-20.0, -20.0), p=1.0)
    ),
    "torchvision v2": lambda: v2.Compose(
        [v2.RandomRotation((a, a), interpolation=v2.InterpolationMode.BILINEAR) for a in (20, -20)]
    ),
    "albumentations": lambda: one_by_one(
        albumentations.Compose([albumentations.Rotate((a, a), p=1.0) for a in (20, -20)])
    ),
}
POLICY: dict[str, Callable[[], Augment]] = {
    "this library": lambda: A.RandAugment(n=1, m=20),
    "Kornia": lambda: K.auto.RandAugment(n=1, m=20),
    "torchvision v2": lambda: v2.RandAugment(num_ops=1, magnitude=20),
}


def seed(number: int) -> None:
    torch.manual_seed(number)
    np.random.seed(number)  # noqa: NPY002  # the state that libraries use
    random.seed(number)


def distinct(images: Tensor) -> int:
    return len({image.contiguous().numpy().tobytes() for image in images})


def own_angle(name: str) -> bool:
    """Does every image of a batch get its own angle?"""
    seed(0)
    return distinct(ROTATION[name]()(EQUAL)) > 8


def own_operator(name: str) -> bool | None:
    """Does every image of a batch get its own operator of RandAugment?"""
    if name not in POLICY:
        return None
    policy, moved = POLICY[name](), 0
    images = (EQUAL * 255).byte() if name != "Kornia" else EQUAL
    for number in range(10):
        seed(number)
        out = policy(images).float()
        sums = (out.sum((1, 2, 3)) - images.float().sum((1, 2, 3))).abs()  # flips of the sign keep the kind of change
        moved = max(moved, len({round(float(s) / 20) for s in sums}))
    return moved > 4


def without_batch(name: str) -> bool:
    """Does an image get the same augmentation alone as in a batch?"""
    number = torch.tensor([11])
    if name == "this library":
        pipeline = A.Pipeline(A.RandomRotation(30.0))
        return torch.equal(pipeline(EQUAL, index=torch.arange(16))[11:12], pipeline(EQUAL[11:12], index=number))
    whole = ROTATION[name]()
    seed(11)
    batch = whole(EQUAL)
    seed(11)
    return torch.equal(batch[11:12], whole(EQUAL[11:12]))


def one_resampling(name: str) -> bool:
    """Do a rotation and its opposite give the image back, because it is sampled only once?"""
    seed(0)
    inner = (..., slice(20, 44), slice(20, 44))
    return float((AND_BACK[name]()(IMAGE) - IMAGE)[inner].abs().max()) < 1e-3


def whole_graph(name: str) -> bool | None:
    """Does torch.compile(fullgraph=True) accept it?"""
    if name == "albumentations":
        return None
    torch._dynamo.reset()
    try:
        torch.compile(ROTATION[name](), fullgraph=True, backend="eager")(EQUAL)
    except Exception:  # each library breaks the graph in its own way
        return False
    return True


def learnable(name: str) -> bool | None:
    """Does the range of the angle get a gradient?"""
    if name == "this library":
        layer = A.RandomRotation(A.Uniform(-30, 30, learnable=True))
        bounds = list(layer.parameters())
    elif name == "Kornia":
        bounds = [torch.nn.Parameter(torch.tensor([-30.0, 30.0]))]
        layer = K.RandomRotation(bounds[0], p=1.0)
    else:
        return None
    try:
        layer(EQUAL).square().sum().backward()
    except RuntimeError:
        return False
    return all(bound.grad is not None and bool(bound.grad.abs().sum() > 0) for bound in bounds)


QUESTIONS: dict[str, Callable[[str], bool | None]] = {
    "every image of a batch gets its own angle": own_angle,
    "every image of a batch gets its own operator of a policy": own_operator,
    "an image gets the same augmentation in any batch": without_batch,
    "several rotations sample the image once": one_resampling,
    "`torch.compile(fullgraph=True)`": whole_graph,
    "ranges are learnable": learnable,
}


def table() -> list[str]:
    """Return the lines of the table in Markdown."""
    head = ["tried", *(f"{name} {version(package)}" for name, package in NAMES.items())]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    words = {True: "yes", False: "no", None: "has none"}
    for question, answer in QUESTIONS.items():
        lines.append("| " + " | ".join([question, *(words[answer(name)] for name in NAMES)]) + " |")
    return lines


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print("\n".join(table()))
