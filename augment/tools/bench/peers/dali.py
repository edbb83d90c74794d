"""NVIDIA DALI: a pipeline that is fed with the batch and draws per sample; it also runs on the CPU."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

from augment.tools.bench.work import MEAN, STD, Implementation, Run, Table, Task, translated

Step = Callable[[Any], Any]
"""A node of DALI's graph with images (H, W, C) uint8 -> the next node."""


def _fn() -> Any:
    from nvidia.dali import fn

    return fn


def _between(low: float, high: float) -> Any:
    return _fn().random.uniform(range=(low, high))


def _extent(image: Any) -> Any:
    """Return width and height in pixels, the order of DALI's transforms."""
    size = image.shape()
    return _fn().stack(size[1], size[0])


def _centre(image: Any) -> Any:
    return _extent(image) / 2.0


def _warp(image: Any, matrix: Any) -> Any:
    return _fn().warp_affine(image, matrix, fill_value=0, inverse_map=False)


def _rotation(degrees: float) -> Step:
    return lambda image: _fn().rotate(image, angle=_between(-degrees, degrees), keep_size=True, fill_value=0)


def _shift(image: Any) -> Any:
    return _fn().transforms.translation(offset=_fn().random.uniform(range=(-0.1, 0.1), shape=2) * _extent(image))


def _scale(image: Any) -> Any:
    factor = _between(0.9, 1.1)
    return _fn().transforms.scale(scale=_fn().stack(factor, factor), center=_centre(image))


def _shear(image: Any) -> Any:
    angles = _fn().random.uniform(range=(-5.0, 5.0), shape=2)
    return _warp(image, _fn().transforms.shear(angles=angles, center=_centre(image)))


def _affine(image: Any) -> Any:
    turn = _fn().transforms.rotation(angle=_between(-15, 15), center=_centre(image))
    return _warp(image, _fn().transforms.combine(turn, _scale(image), _shift(image)))


def _jitter(strength: float, hue: float) -> Step:
    def step(image: Any) -> Any:
        drawn = {name: _between(1 - strength, 1 + strength) for name in ("brightness", "contrast", "saturation")}
        if hue:
            drawn["hue"] = _between(-360 * hue, 360 * hue)
        return _fn().color_twist(image, **drawn)

    return step


def _posterize(image: Any) -> Any:
    from nvidia.dali import types

    return image & types.Constant(0xF0, dtype=types.UINT8)


def _solarize(image: Any) -> Any:
    from nvidia.dali import types

    inverted = types.Constant(255, dtype=types.UINT8) - image
    bright = image >= 128
    return _fn().cast(image * (bright ^ True) + inverted * bright, dtype=types.UINT8)


def _autocontrast(image: Any) -> Any:
    from nvidia.dali.auto_aug import augmentations

    return augmentations.auto_contrast(image)


def _sharpness(image: Any) -> Any:
    from nvidia.dali.auto_aug import augmentations

    sharper = augmentations.sharpness.augmentation(mag_range=(0.5, 0.5), randomly_negate=False)
    return sharper(image, magnitude_bin=0, num_magnitude_bins=2)


def _blur(image: Any) -> Any:
    return _fn().gaussian_blur(image, sigma=_between(0.1, 2.0), window_size=13)


def _gray(image: Any) -> Any:
    return _fn().saturation(image, saturation=0.0)


def _jpeg(image: Any) -> Any:
    from nvidia.dali import types

    return _fn().jpeg_compression_distortion(image, quality=_fn().cast(_between(50, 101), dtype=types.INT32))


def _randaugment(image: Any) -> Any:
    from nvidia.dali.auto_aug import rand_augment

    return rand_augment.rand_augment(image, n=2, m=9, shape=image.shape(), max_translate_rel=150 / 331)


def _four_operators(image: Any) -> Any:
    from nvidia.dali.auto_aug import augmentations, rand_augment

    names = ("rotate", "translate_x_no_shape", "brightness", "posterize")
    return rand_augment.apply_rand_augment([getattr(augmentations, name) for name in names], image, n=2, m=9)


def _one_of_three(image: Any) -> Any:
    chosen = _fn().random.choice(3)
    if chosen == 0:  # a branch of DALI's graph, taken per sample
        result = _gray(image)
    elif chosen == 1:
        result = _solarize(image)
    else:
        result = _blur(image)
    return result


def _normalize(image: Any) -> Any:
    from nvidia.dali import types

    mean, std = [255 * m for m in MEAN], [255 * s for s in STD]
    return _fn().crop_mirror_normalize(image, dtype=types.FLOAT, output_layout="CHW", mean=mean, std=std)


def _erasing(image: Any) -> Any:
    """Erase 2 to 33 % of the area, ratio 0.3 to 3.3, in a quarter of the (C, H, W) images."""
    fn = _fn()
    area, ratio = _between(0.02, 0.33), _between(math.log(0.3), math.log(3.3))
    from nvidia.dali import math as nodes

    tall = nodes.exp(ratio / 2)
    side = nodes.sqrt(area)
    shape = nodes.min(fn.stack(side * tall, side / tall), 1.0)
    anchor = fn.random.uniform(range=(0.0, 1.0), shape=2) * (1.0 - shape)
    drawn = fn.random.coin_flip(probability=0.25)
    return fn.erase(
        image, anchor=anchor, shape=shape * drawn, axis_names="HW", normalized_anchor=True, normalized_shape=True
    )


TABLE: Table = {
    "resized_crop": lambda task: lambda image: _fn().random_resized_crop(image, size=(task.out, task.out)),
    "hflip": lambda task: lambda image: _fn().flip(image, horizontal=_fn().random.coin_flip()),
    "vflip": lambda task: lambda image: _fn().flip(image, horizontal=0, vertical=_fn().random.coin_flip()),
    "rotation": lambda task: _rotation(15),
    "turn": lambda task: _rotation(5),
    "translate": lambda task: lambda image: _warp(image, _shift(image)),
    "scaling": lambda task: lambda image: _warp(image, _scale(image)),
    "shear": lambda task: _shear,
    "affine": lambda task: _affine,
    "color_jitter": lambda task: _jitter(0.4, 0.1),
    "weak_jitter": lambda task: _jitter(0.3, 0.0),
    "brightness": lambda task: lambda image: _fn().brightness(image, brightness=_between(0.6, 1.4)),
    "grayscale": lambda task: _gray,
    "posterize": lambda task: _posterize,
    "solarize": lambda task: _solarize,
    "equalize": lambda task: lambda image: _fn().equalize(image),
    "autocontrast": lambda task: _autocontrast,
    "normalize": lambda task: _normalize,
    "erasing": lambda task: _erasing,
    "gaussian_blur": lambda task: _blur,
    "sharpness": lambda task: _sharpness,
    "jpeg": lambda task: _jpeg,
    "randaugment": lambda task: _randaugment,
    "randaugment4": lambda task: _four_operators,
    "one_of_three": lambda task: _one_of_three,
}
_ON_FLOATS = ("normalize", "erasing")


def _to_float(image: Any) -> Any:
    """Convert (H, W, C) bytes to (C, H, W) floats in [0, 1]."""
    from nvidia.dali import types

    return _fn().crop_mirror_normalize(image, dtype=types.FLOAT, output_layout="CHW", mean=[0.0], std=[255.0])


def _steps(task: Task, operators: Sequence[str]) -> list[Step]:
    """Return the operators, with a conversion before the first one that needs floats; normalize converts itself."""
    steps = translated(TABLE, operators, task)
    first = next((i for i, name in enumerate(operators) if name in _ON_FLOATS), len(steps))
    if "normalize" not in operators[first : first + 1]:
        steps.insert(first, _to_float)
    return steps


def _build(task: Task, operators: Sequence[str]) -> Run:
    """Process one batch per call without prefetching, so that DALI does not work while others are measured."""
    from nvidia.dali import pipeline_def

    steps = _steps(task, operators)
    cuda = task.device.type == "cuda"
    stream = torch.cuda.current_stream(task.device) if cuda else None

    @pipeline_def(enable_conditionals=True, prefetch_queue_depth=1)
    def graph() -> Any:
        image = _fn().external_source(name="images", device="gpu" if cuda else "cpu", layout="HWC", no_copy=True)
        for step in steps:
            image = step(image)
        return image

    pipeline = graph(
        batch_size=len(task.images), num_threads=task.threads, device_id=task.device.index or 0 if cuda else None
    )
    rows = task.images.permute(0, 2, 3, 1).contiguous()
    given = rows if cuda else rows.numpy()

    def run() -> torch.Tensor:
        (images,) = pipeline.run(stream, images=given)
        # DALI writes the next batch to the same memory
        return torch.from_dlpack(images.as_tensor()).to(task.dtype, copy=True)

    return run


IMPLEMENTATIONS = [Implementation("DALI", ("nvidia-dali-cuda130", "nvidia-dali-cuda120"), "per sample", False, _build)]
