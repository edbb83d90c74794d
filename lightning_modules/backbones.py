"""Networks by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import timm
from torch import nn

from lightning_modules.errors import UserError


def timm_backbone(
    name: str,
    num_classes: int,
    channels: int = 3,
    size: int | Sequence[int] | None = None,
    pretrained: bool = False,
    **options: Any,
) -> nn.Module:
    """Build a timm network, (B, channels, size, size) -> (B, num_classes) logits.

    Args:
        name: any name from timm.list_models(), such as "resnet18" or "vit_tiny_patch16_224".
        num_classes: number of logits.
        channels: number of image channels.
        size: (height, width) of the images in pixels, or one number for both; passed on to networks that are built for
            a fixed size, such as vision transformers.
        pretrained: start from published weights, which timm downloads on first use.
        options: further arguments of timm.create_model, such as drop_rate.

    Raises:
        UserError: if timm has no such network, or its weights cannot be loaded.
    """
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=5) or timm.list_models("resnet*")[:5]
        raise UserError(f"name={name!r} is not a timm model; similar names are {', '.join(near)}.")
    config = timm.get_pretrained_cfg(name, allow_unregistered=True)
    if size is not None and config is not None and config.fixed_input_size:
        options["img_size"] = size
    try:
        return timm.create_model(name, pretrained=pretrained, num_classes=num_classes, in_chans=channels, **options)
    except Exception as error:  # torch raises many kinds of error for a file that is not a checkpoint
        if options.get("checkpoint_path"):
            raise UserError(
                f"checkpoint_path={options['checkpoint_path']!r} is not a file with the weights of {name} for "
                f"{num_classes} classes."
            ) from error
        if not pretrained or not isinstance(error, (OSError, RuntimeError)):
            raise
        reason = str(error).strip().partition("\n")[0]
        raise UserError(
            f"the weights of {name} cannot be loaded ({reason}); connect to the network or set pretrained=false."
        ) from error


def small_cnn(num_classes: int, channels: int = 3, width: int = 32) -> nn.Module:
    """Five 3x3 convolutions with group norm, (B, channels, H, W) -> (B, num_classes) logits, for small images.

    The network computes no batch statistics, so comparisons of augmentations are not affected by the batch.

    Args:
        num_classes: number of logits.
        channels: number of image channels.
        width: channels of the first convolution, a multiple of 8; the number doubles each time the image is halved.
    """
    if width < 8 or width % 8:
        raise UserError(f"small_cnn: width={width} must be a positive multiple of 8.")
    layers: list[nn.Module] = []
    for before, after, stride in (
        (channels, width, 1),
        (width, width, 1),
        (width, 2 * width, 2),
        (2 * width, 2 * width, 1),
        (2 * width, 4 * width, 2),
    ):
        layers += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.GroupNorm(8, after), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * width, num_classes))


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Temporarily use evaluation mode: no dropout, and batch norm neither uses nor updates the batch's statistics."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
