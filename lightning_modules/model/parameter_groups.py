"""Groups of parameters with their own weight decay and learning rate."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from timm.optim import param_groups_layer_decay, param_groups_weight_decay
from torch import nn
from torch.optim import Optimizer

from lightning_modules.errors import UserError

Groups = list[dict[str, Any]]


def parameter_groups(model: nn.Module, backbone: nn.Module, decay_all: bool, layer_decay: float | None) -> Groups:
    """Group the trainable parameters of a model for an optimizer.

    Args:
        model: the model.
        backbone: its network.
        decay_all: biases and norms get the optimizer's weight decay like all others; otherwise they get none.
        layer_decay: factor of the learning rate from each layer of the network to the one before it; None for no
            difference. The factor of a group is its "lr_scale", see `with_scaled_rates`.
    """
    if layer_decay is not None:
        return _by_layer(model, backbone, decay_all, layer_decay)
    if decay_all:
        return [{"params": [p for p in model.parameters() if p.requires_grad]}]
    exempt = {f"backbone.{name}" for name in _without_decay(backbone)}
    return [_plain(group) for group in param_groups_weight_decay(model, 1.0, no_weight_decay_list=exempt)]


def with_scaled_rates(optimizer: Optimizer) -> Optimizer:
    """Multiply the learning rate of every group by its "lr_scale", and remove the factor."""
    for group in optimizer.param_groups:
        group["lr"] = group["lr"] * group.pop("lr_scale", 1.0)  # timm's schedules would apply the factor again
    return optimizer


def _by_layer(model: nn.Module, backbone: nn.Module, decay_all: bool, layer_decay: float) -> Groups:
    if not hasattr(backbone, "group_matcher"):
        raise UserError(
            f"layer_decay={layer_decay} needs a network of timm, which knows its layers; a {type(backbone).__name__} "
            "does not: set classifier.layer_decay=null."
        )
    groups = param_groups_layer_decay(
        backbone,
        1.0,
        no_weight_decay_list=() if decay_all else _without_decay(backbone),
        weight_decay_exclude_1d=not decay_all,
        layer_decay=layer_decay,
    )
    inside = set(map(id, backbone.parameters()))
    others = [p for p in model.parameters() if p.requires_grad and id(p) not in inside]
    return [_plain(group) for group in groups] + ([{"params": others, "weight_decay": 0.0}] if others else [])


def _without_decay(backbone: nn.Module) -> Collection[str]:
    """Return the weights that timm's networks exempt from weight decay, for example embeddings."""
    return getattr(backbone, "no_weight_decay", set)()


def _plain(group: dict[str, Any]) -> dict[str, Any]:
    """Return a group of timm's with the optimizer's own weight decay, unless it has none."""
    return {name: value for name, value in group.items() if name != "weight_decay" or value == 0}
