"""The description of a model in its checkpoint: plain data from which it can be built again."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata
from typing import TYPE_CHECKING, Any

import augment as A
from lightning_modules.model.backbones import settings_of

if TYPE_CHECKING:
    from lightning_modules.classifier import ImageClassifier

DESCRIPTION = "description"
"""Key of a checkpoint for the description of its model."""

_PACKAGES = ("augment-inside", "kornia", "pytorch-lightning", "timm", "torch")


def described(model: ImageClassifier) -> dict[str, Any]:
    """Return the description of a model, of numbers, texts, lists and dictionaries only.

    Its `backbone` and `preprocess` are {"_target_": name of a class or function, argument: value, ...}; `backbone` is
    None if it is not known how the network was built. `config` is the configuration of the run, for people to read.

    Example:
        >>> torch.load("best.ckpt", weights_only=True)["description"]["classes"]
        ['cat', 'dog']
    """
    normalize = next((layer.config() for layer in model.preprocess.layers if isinstance(layer, A.Normalize)), {})
    known = (settings_of(model.backbone), (model.config or {}).get("backbone"))
    return {
        "classes": list(model.class_names),
        "multi_label": model.loss.multi_label,
        "channels": model.channels,
        "background": model.background if isinstance(model.background, str) else list(model.background),
        "input_size": list(model.input_size),
        "mean": normalize.get("mean"),
        "std": normalize.get("std"),
        "preprocess": model.preprocess.config(),
        "backbone": next((settings for settings in known if settings and _is_plain(settings)), None),
        "config": model.config,
        "versions": {name: version for name in _PACKAGES if (version := _version(name)) is not None},
    }


def adopt(model: ImageClassifier, description: Mapping[str, Any]) -> None:
    """Give a model what a description says about the images and classes it was trained on."""
    model.class_names, model.channels = description["classes"], description["channels"]
    model.background = description["background"]


def targets(config: Any) -> Any:
    """Return the Lightning CLI's {class_path, init_args, dict_kwargs} as Hydra's {_target_, argument, ...}.

    Example:
        >>> targets({"class_path": "torch.nn.Linear", "init_args": {"in_features": 2}})
        {'_target_': 'torch.nn.Linear', 'in_features': 2}
    """
    if isinstance(config, list):
        return [targets(item) for item in config]
    if not isinstance(config, dict):
        return config
    if "class_path" not in config:
        return {key: targets(value) for key, value in config.items()}
    arguments = (config.get("init_args") or {}) | (config.get("dict_kwargs") or {})
    return {"_target_": config["class_path"]} | targets(arguments)


def _is_plain(value: Any) -> bool:
    """Return whether a checkpoint with this value can be loaded with weights_only=True."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return value is None or type(value) in (bool, int, float, str)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
