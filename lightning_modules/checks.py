"""Do data, augmentation and network fit together? Said in one sentence before training begins."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from augment import Batch
from lightning_modules.backbones import frozen
from lightning_modules.errors import UserError


def check_classes(of_model: int, of_data: int) -> None:
    """Raises UserError if the numbers of classes differ."""
    if of_data != of_model:
        raise UserError(f"num_classes={of_model} of the model does not match the data, which has {of_data}.")


def check_images(name: str, apply: Callable[[Batch], Batch], batch: Batch, input_size: tuple[int, int]) -> Tensor:
    """The images that a part of the model makes of some of the data.

    Raises:
        UserError: it refuses them, or does not deliver the model's input size.
    """
    try:
        images = apply(batch).image
    except (ValueError, TypeError) as error:
        raise UserError(f"{name} cannot process the images of this data: {error}") from error
    if tuple(images.shape[-2:]) != input_size:
        raise UserError(
            f"{name} delivers images of {_size(images.shape[-2:])} pixels but the model's input_size is "
            f"{_size(input_size)}; make them equal."
        )
    return images


def check_backbone(backbone: nn.Module, images: Tensor, num_classes: int) -> None:
    """Raises UserError if the network does not take such images, or does not give a logit for each class."""
    name = type(backbone).__name__
    try:
        with frozen(backbone):  # nothing of the network changes
            shape = tuple(backbone(images).shape)
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        raise UserError(f"{name} does not take images of shape {tuple(images.shape)}: {error}") from error
    if shape != (len(images), num_classes):
        raise UserError(
            f"{name} gives {shape} for {len(images)} images; it must give one logit for each of the "
            f"{num_classes} classes."
        )


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
