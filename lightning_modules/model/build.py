"""Builds objects from a checkpoint's description, which may come from a stranger, without Hydra."""

from __future__ import annotations

import pkgutil
from typing import Any

from augment.tools.recipe_file import foreign
from lightning_modules.errors import UserError
from lightning_modules.model import backbones

_NETWORKS = {f"{backbones.__name__}.{name}" for name in ("timm_backbone", "small_cnn", "resnet9")}
"""Functions that may build the network of a checkpoint that is not trusted."""


def built(config: Any, trust: bool = False) -> Any:
    """Build an object from {"_target_": name, "_args_": [...], argument: value, ...}, and the objects inside it.

    Args:
        config: plain data.
        trust: build any class or function. Otherwise layers, distributions and presets of augment, and networks of
            `lightning_modules.model.backbones` with plain arguments only.

    Raises:
        UserError: `config` names something else, or its arguments do not fit.

    Example:
        >>> built({"_target_": "augment.Preprocess", "size": 32})
    """
    if not trust:
        _refuse_foreign(config)
    return _build(config)


def _refuse_foreign(config: Any) -> None:
    is_network = isinstance(config, dict) and config.get("_target_") in _NETWORKS
    arguments = {name: value for name, value in config.items() if name != "_target_"} if is_network else config
    found = "arguments without names" if is_network and "_args_" in arguments else foreign(arguments)
    name = str(arguments.get("name")) if is_network else ""
    if found is None and name.startswith(backbones.ELSEWHERE):
        found = f"name={name!r} is read from another place"
    if found is not None:
        raise UserError(
            f"the checkpoint asks for more than a network of timm and layers of augment: {found}; if you trust its "
            "author to run any code, load it with trust=True, or train.py with trust_checkpoint=true."
        )


def _build(config: Any) -> Any:
    if isinstance(config, list):
        return [_build(item) for item in config]
    if not isinstance(config, dict):
        return config
    items = {key: _build(value) for key, value in config.items() if key not in ("_target_", "_args_", "_convert_")}
    if "_target_" not in config:
        return items
    target = config["_target_"]
    try:
        return pkgutil.resolve_name(target)(*_build(config.get("_args_", [])), **items)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise UserError(f"{target} of the checkpoint cannot be built: {error}") from error
