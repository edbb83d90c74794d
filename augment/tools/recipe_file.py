"""Reads a pipeline from a YAML file, which may come from a stranger and may therefore build only layers of augment."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import augment as A
from augment.core.layer import Layer
from augment.draws.distributions.base import Distribution
from augment.recipes import presets
from augment.tools.errors import ToolError, required

if TYPE_CHECKING:
    from omegaconf import DictConfig

PRESETS = {
    name: function
    for name, function in vars(presets).items()
    if inspect.isfunction(function)
    and function.__module__ == presets.__name__
    and "size" in inspect.signature(function).parameters
    and name != "framed"
}

_BUILT = {f"augment.presets.{name}" for name in PRESETS} | {
    f"augment.{name}"
    for name in A.__all__
    if inspect.isclass(getattr(A, name)) and issubclass(getattr(A, name), (Layer, Distribution))
}
"""What a file may build. A set of whole names, because augment.os.system also starts with augment."""

_KEYS = ("_target_", "_args_", "_convert_")
"""Keys with a meaning for Hydra that a file may use."""

_REFERENCE = re.compile(r"\$\{(seed|data\.\w+)\}")
"""References that a file may make. Resolvers are excluded: some read the environment or turn text into objects."""


def read_recipe(path: Path, trust: bool, flag: str) -> DictConfig:
    """Return the content of a file, an object with a `_target_`.

    Args:
        path: the YAML file.
        trust: allow every class and function, and all of Hydra's syntax.
        flag: what a user gives on the command line to trust a file, for the message.

    Raises:
        ToolError: the file cannot be read, or it does not define one object, or it is not trusted and names something
            other than a layer, distribution or preset of augment.
    """
    required("hydra", "hydra-core", "a YAML file")
    from omegaconf import DictConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        config = OmegaConf.load(path)
    except (OSError, UnicodeDecodeError, YAMLError, OmegaConfBaseException) as error:
        raise ToolError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise ToolError(f"{path} cannot be read: it is nested too deeply, or contains itself.") from error
    if not isinstance(config, DictConfig) or "_target_" not in config:
        raise ToolError(f"{path} must hold one object with a _target_, such as augment.Pipeline.")
    found = None if trust else foreign(OmegaConf.to_container(config, resolve=False))
    if found:
        raise ToolError(f"{path}: {found}; if you trust the author of the file to run any code, add {flag}.")
    return config


def foreign(config: Any) -> str | None:
    """Return what in a plain configuration may do more than build layers, distributions and presets; None if nothing.

    Args:
        config: nested dictionaries, lists and values, with references not yet resolved.
    """
    if isinstance(config, dict):
        return next(filter(None, (_foreign_entry(*entry) or foreign(entry[1]) for entry in config.items())), None)
    if isinstance(config, list):
        return next(filter(None, map(foreign, config)), None)
    if isinstance(config, str) and "${" in _REFERENCE.sub("", config):
        return f"{config!r} must be a value, or a reference to ${{seed}} or ${{data.NAME}}"
    return None


def _foreign_entry(key: Any, value: Any) -> str | None:
    if key == "_target_":
        known = isinstance(value, str) and value in _BUILT
        return None if known else f"_target_={value!r} is not a layer, distribution or preset of augment"
    special = isinstance(key, str) and len(key) > 2 and key.startswith("_") and key.endswith("_")
    if (special and key not in _KEYS) or key == "defaults":
        return f"{key}={value!r} is an instruction to Hydra, and only {', '.join(_KEYS)} are allowed"
    return None
