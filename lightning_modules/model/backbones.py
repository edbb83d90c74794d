"""Networks by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import timm
from timm.models import load_checkpoint, resolve_model_input_args
from torch import Tensor, nn

from lightning_modules.errors import UserError

ELSEWHERE = ("hf-hub:", "local-dir:")
"""What the name of a network begins with that is not in timm's own list."""

_BUILT_BY = "built_by"
"""Attribute of a network for the function and the arguments that build it."""

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
"""Layers with statistics of the batch."""


def timm_backbone(
    name: str,
    num_classes: int,
    channels: int = 3,
    size: int | Sequence[int] | None = None,
    pretrained: bool = False,
    checkpoint_path: str | None = None,
    **options: Any,
) -> nn.Module:
    """Build a timm network, (B, channels, size, size) -> (B, num_classes) logits.

    Args:
        name: any name from timm.list_models(), such as "resnet18" or "vit_tiny_patch16_224"; "hf-hub:NAME" for a
            network on the Hugging Face Hub; "local-dir:PATH" for a folder that `timm.models.save_for_hf` has written.
        num_classes: number of logits.
        channels: number of image channels.
        size: (height, width) of the images in pixels, or one number for both; passed on to networks that are built for
            a fixed size, such as vision transformers.
        pretrained: start from published weights, which timm downloads on first use.
        checkpoint_path: file with weights of this network, last layer included: a checkpoint of this trainer, or any
            file that timm reads.
        options: further arguments of timm.create_model, such as drop_rate.

    Raises:
        UserError: if timm has no such network, or its weights cannot be loaded.
    """
    elsewhere = name.startswith(ELSEWHERE)
    if not elsewhere and not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=5) or timm.list_models("resnet*")[:5]
        raise UserError(f"name={name!r} is not a timm model; similar names are {', '.join(near)}.")
    try:
        if size is not None and _is_built_for_a_size(name):
            options["img_size"] = size
        network = timm.create_model(name, pretrained=pretrained, num_classes=num_classes, in_chans=channels, **options)
    except Exception as error:
        if not (pretrained or elsewhere) or not isinstance(error, (OSError, RuntimeError)):
            raise
        reason = str(error).strip().partition("\n")[0]
        remedy = "check its name" if elsewhere else "set pretrained=false"
        raise UserError(
            f"the weights of {name} cannot be loaded ({reason}); connect to the network or {remedy}."
        ) from error
    if checkpoint_path is not None:
        _load(network, name, num_classes, checkpoint_path)
    if elsewhere:  # a checkpoint names timm's own network, so that it can be loaded without the other place
        published: dict[str, Any] = getattr(network, "pretrained_cfg", {})
        name, options = published["architecture"], _options(network)
    return _remembering(network, timm_backbone, name=name, num_classes=num_classes, channels=channels, **options)


def _options(network: nn.Module) -> dict[str, Any]:
    """Return the options with which timm has built a network, including those that another place prescribed."""
    made: dict[str, Any] = getattr(network, "_model_args", {})
    return {name: value for name, value in made.items() if name not in ("num_classes", "in_chans")}


def _remembering(network: nn.Module, function: Callable[..., nn.Module], **arguments: Any) -> nn.Module:
    """Return the network; it remembers how to build it without weights."""
    vars(network)[_BUILT_BY] = {"_target_": f"{__name__}.{function.__name__}"} | arguments
    return network


def settings_of(network: nn.Module) -> dict[str, Any] | None:
    """Return {"_target_": function of this file, argument: value, ...} that builds a network without its weights.

    None if it was not built by a function of this file.

    Example:
        >>> settings_of(small_cnn(10))
        {'_target_': 'lightning_modules.model.backbones.small_cnn', 'num_classes': 10, 'channels': 3, 'width': 32}
    """
    return vars(network).get(_BUILT_BY)


def _is_built_for_a_size(name: str) -> bool:
    saved = resolve_model_input_args(name)
    return bool(saved["pretrained_cfg"].get("fixed_input_size")) or "img_size" in saved


def _load(network: nn.Module, name: str, num_classes: int, path: str) -> None:
    """Load the weights of a network from a file of timm, or from a checkpoint of this trainer."""

    def of_network(state: dict[str, Any], _: nn.Module) -> dict[str, Any]:
        prefix = "backbone."  # the name of the network in an ImageClassifier
        return {n.removeprefix(prefix): v for n, v in state.items() if n.startswith(prefix)} or state

    try:
        load_checkpoint(network, path, filter_fn=of_network)
    except Exception as error:  # torch raises many kinds of error for a file that is not a checkpoint
        raise UserError(
            f"checkpoint_path={path!r} is not a file with the weights of {name} for {num_classes} classes."
        ) from error


def why_random(given: Mapping[str, Any], network: nn.Module, num_classes: int) -> str | None:
    """Return why a network that was built from the given settings has random weights; None if it has trained ones."""
    if given.get("checkpoint_path"):
        return None
    if not given.get("pretrained"):
        return None if given.get("weights") else "it has no trained weights"
    published = getattr(network, "pretrained_cfg", {}).get("num_classes", num_classes)
    if published == num_classes:
        return None
    return (
        f"{given.get('name')} is published with {published} classes, and its last layer is new for the {num_classes} "
        "of the data"
    )


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
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * width, num_classes))
    return _remembering(network, small_cnn, num_classes=num_classes, channels=channels, width=width)


def resnet9(num_classes: int, channels: int = 3, width: int = 64) -> nn.Module:
    """Eight 3x3 convolutions with batch norm and two residual blocks, (B, channels, H, W) -> (B, num_classes) logits.

    Source: D. Page, "How to train your ResNet", 2018, which reports 94 % on CIFAR-10 in a minute or two on one GPU.

    Args:
        num_classes: number of logits.
        channels: number of image channels.
        width: channels of the first convolution; the number doubles each time the image is halved.

    Example:
        >>> import torch
        >>> resnet9(10, width=8)(torch.rand(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """
    if width < 1:
        raise UserError(f"resnet9: width={width} must be at least 1.")
    network = nn.Sequential(
        _convolution(channels, width),
        _convolution(width, 2 * width, halved=True),
        _Residual(2 * width),
        _convolution(2 * width, 4 * width, halved=True),
        _convolution(4 * width, 8 * width, halved=True),
        _Residual(8 * width),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(8 * width, num_classes, bias=False),
        _Scaled(LOGIT_SCALE),
    )
    return _remembering(network, resnet9, num_classes=num_classes, channels=channels, width=width)


LOGIT_SCALE = 0.125
"""Factor of the logits of resnet9 (Page 2018), which keeps them small at a high learning rate."""


def _convolution(before: int, after: int, halved: bool = False) -> nn.Sequential:
    pool = [nn.MaxPool2d(2)] if halved else []
    return nn.Sequential(nn.Conv2d(before, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(), *pool)


class _Residual(nn.Sequential):
    """Two convolutions, whose result is added to their input."""

    def __init__(self, width: int) -> None:
        super().__init__(_convolution(width, width), _convolution(width, width))

    def forward(self, features: Tensor) -> Tensor:
        return features + super().forward(features)


class _Scaled(nn.Module):
    """Multiplies by a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, logits: Tensor) -> Tensor:
        return logits * self.factor


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
