"""What `python -m augment bench --end-to-end` compares: this library and its peers, from a file to a network's input.

All do the same work on one core: RandomResizedCrop, mirror, ColorJitter for four of five images, normalization.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from augment.core.pipeline import Pipeline
from augment.layers.geometric.crop import RandomResizedCrop
from augment.layers.geometric.flip import RandomHorizontalFlip
from augment.layers.photometric.jitter import ColorJitter
from augment.layers.photometric.normalize import Normalize
from augment.tools.bench.work import MEAN, STD, installed
from augment.tools.decoding import ImageFile
from augment.tools.reading import images_of, looked_at

JITTER, SHARE = (0.4, 0.4, 0.4, 0.1), 0.8

Step = Callable[[Any], Any]
"""A part of the work on a batch: takes what the part before it returns; the first takes the paths."""


@dataclass(frozen=True)
class Reader:
    """One way from files to the input of a network.

    Attributes:
        name: of the library and of its decoder.
        package: distribution that it needs; None for this library.
        make: builds, for the side of the output in pixels, what decodes a batch and what augments it.
        in_model: whether the augmentation runs with the model, on its device, so that workers only decode.
    """

    name: str
    package: str | None
    make: Callable[[int], tuple[Step, Step]]
    in_model: bool = False

    def missing(self) -> str | None:
        """Return why it cannot run, or None."""
        return None if self.package is None or installed(self.package) else f"{self.package} is not installed"


def _pipeline(out: int) -> Pipeline:
    jitter = ColorJitter(*JITTER, p=SHARE)
    return Pipeline(RandomResizedCrop(out), RandomHorizontalFlip(), jitter, Normalize(MEAN, STD), compile=False)


def _ours(reduced: bool) -> Callable[[int], tuple[Step, Step]]:
    def make(out: int) -> tuple[Step, Step]:
        pipeline = _pipeline(out)

        def decode(paths: Sequence[Path]) -> Any:
            files = [ImageFile(path) for path in paths]
            noise = pipeline.noise(batch_size=len(files))
            return (looked_at(files, pipeline, noise) if reduced else images_of(files)), noise

        return decode, lambda given: pipeline(*given)

    return make


def _pillow(paths: Sequence[Path]) -> list[Any]:
    from PIL import Image

    return [Image.open(path).convert("RGB") for path in paths]


def _torchvision_transform(out: int, first: Sequence[Any]) -> Step:
    import torchvision.transforms.v2 as v2

    transform = v2.Compose(
        [
            *first,
            v2.RandomResizedCrop(out, antialias=True),
            v2.RandomHorizontalFlip(),
            v2.RandomApply([v2.ColorJitter(*JITTER)], SHARE),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(MEAN, STD),
        ]
    )
    return lambda images: torch.stack([transform(image) for image in images])


def _torchvision_on_pillow(out: int) -> tuple[Step, Step]:
    import torchvision.transforms.v2 as v2

    return _pillow, _torchvision_transform(out, [v2.ToImage()])


def _torchvision_on_its_decoder(out: int) -> tuple[Step, Step]:
    from torchvision.io import ImageReadMode, decode_image

    def decode(paths: Sequence[Path]) -> list[Tensor]:
        return [decode_image(str(path), ImageReadMode.RGB) for path in paths]

    return decode, _torchvision_transform(out, [])


def _timm(out: int) -> tuple[Step, Step]:
    from timm.data import create_transform

    transform = create_transform(
        out, is_training=True, auto_augment=None, color_jitter=JITTER, color_jitter_prob=SHARE, interpolation="bilinear"
    )
    return _pillow, lambda images: torch.stack([transform(image) for image in images])


def _albumentations(out: int) -> tuple[Step, Step]:
    import albumentations
    import cv2

    cv2.setNumThreads(1)
    transform = albumentations.Compose(
        [
            albumentations.RandomResizedCrop((out, out)),
            albumentations.HorizontalFlip(),
            albumentations.ColorJitter((0.6, 1.4), (0.6, 1.4), (0.6, 1.4), (-0.1, 0.1), p=SHARE),
            albumentations.Normalize(MEAN, STD),
        ]
    )

    def decode(paths: Sequence[Path]) -> list[Any]:
        images: list[Any] = [cv2.imread(str(path)) for path in paths]
        return [cv2.cvtColor(image, cv2.COLOR_BGR2RGB) for image in images]

    def augment(images: list[Any]) -> Tensor:
        return torch.stack([torch.from_numpy(transform(image=image)["image"]).permute(2, 0, 1) for image in images])

    return decode, augment


def _dali(out: int) -> tuple[Step, Step]:
    """Decoding is fused with the crop, so all work counts as decoding; one thread, on the CPU."""
    from nvidia.dali import fn, pipeline_def, types

    batches: list[Sequence[Path]] = []

    def source() -> Iterator[list[Any]]:
        import numpy as np

        while True:
            yield [np.frombuffer(path.read_bytes(), np.uint8) for path in batches.pop()]

    @pipeline_def
    def build() -> Any:
        images = fn.decoders.image_random_crop(fn.external_source(source=source()), device="cpu")
        images = fn.resize(images, size=(out, out), antialias=True)
        low, high = 1 - JITTER[0], 1 + JITTER[0]
        drawn = {name: fn.random.uniform(range=(low, high)) for name in ("brightness", "contrast", "saturation")} | {
            "hue": fn.random.uniform(range=(-360 * JITTER[3], 360 * JITTER[3]))
        }
        chosen = fn.random.coin_flip(probability=SHARE)
        still = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0, "hue": 0.0}
        drawn = {name: value * chosen + still[name] * (1 - chosen) for name, value in drawn.items()}
        images = fn.color_twist(images, **drawn)
        mean, std = ([255 * value for value in values] for values in (MEAN, STD))
        mirror = fn.random.coin_flip()
        return fn.crop_mirror_normalize(
            images, mean=mean, std=std, mirror=mirror, output_layout="CHW", dtype=types.FLOAT
        )

    made: dict[int, Any] = {}

    def run(paths: Sequence[Path]) -> Any:
        if len(paths) not in made:
            made[len(paths)] = build(batch_size=len(paths), num_threads=1, device_id=None, prefetch_queue_depth=1)
        batches.append(paths)
        (images,) = made[len(paths)].run()
        return images

    return run, lambda images: torch.stack([torch.from_dlpack(images.at(i)) for i in range(len(images))])


READERS = (
    Reader("augment, reduced", None, _ours(reduced=True), in_model=True),
    Reader("augment, whole", None, _ours(reduced=False), in_model=True),
    Reader("torchvision v2 on Pillow", "torchvision", _torchvision_on_pillow),
    Reader("torchvision v2 on its decoder", "torchvision", _torchvision_on_its_decoder),
    Reader("timm on Pillow", "timm", _timm),
    Reader("albumentations on OpenCV", "albumentations", _albumentations),
    Reader("DALI on the CPU", "nvidia-dali-cuda130", _dali),
)
