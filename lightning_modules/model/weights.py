"""Whether the weights of a checkpoint fit a model."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from lightning_modules.errors import UserError


def refuse_other_weights(saved: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> None:
    """Raise UserError if weights of a checkpoint and of a model differ in names or shapes."""
    shapes = [{name: tuple(value.shape) for name, value in weights.items()} for weights in (saved, own)]
    there, here = shapes
    differing = sorted(name for name in there.keys() | here.keys() if there.get(name) != here.get(name))
    if differing:
        name = differing[0]
        raise UserError(
            f"the checkpoint belongs to another model: {len(differing)} weights differ, such as {name} "
            f"({there.get(name)} there, {here.get(name)} here); use the settings it was trained with."
        )
