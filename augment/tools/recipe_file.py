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

_PLAIN_REFERENCE = re.compile(r"\$\{\w+(\.\w+)*\}")
"""References within one file, which copy a value."""

_DATA = ("size", "mean", "std", "num_classes", "framing")
"""Settings of `data` that files refer to."""


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
    from omegaconf import OmegaConf

    config = _loaded(path)
    if "_target_" not in config:
        raise ToolError(f"{path} must hold one object with a _target_, such as augment.Pipeline.")
    found = None if trust else foreign(OmegaConf.to_container(config, resolve=False))
    if found:
        raise _not_trusted(path, found, flag)
    return config


def read_whole(path: Path, trust: bool, flag: str) -> DictConfig:
    """Return a configuration with the pipeline of a file as its `augment`.

    Args:
        path: a YAML file that defines one object with a `_target_`; or one whose `augment` does, beside settings that
            it refers to, like the files of conf/augment and the .hydra/config.yaml of a run.
        trust, flag: see `read_recipe`.

    Raises:
        ToolError: see `read_recipe`.
    """
    from omegaconf import DictConfig, OmegaConf

    config = _loaded(path)
    if "_target_" in config or not isinstance(config.get("augment"), DictConfig):
        return OmegaConf.create({"augment": read_recipe(path, trust, flag)})
    found = None if trust else _foreign_augment(config)
    if found:
        raise _not_trusted(path, found, flag)
    return config


def _foreign_augment(config: DictConfig) -> str | None:
    """Return what is foreign in the `augment` of a configuration, after its references to other settings."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    plain: Any = OmegaConf.to_container(config, resolve=False)
    used = {"augment": plain["augment"]}
    while more := {name: plain[name] for name in map(str, _names(used)) if name in plain and name not in used}:
        used |= more  # also what these refer to, because a resolver may read the environment
    values = str(list(used.values()))
    if "${" in _PLAIN_REFERENCE.sub("", values):
        return "its augment refers to something other than ${NAME} or ${NAME.NAME}"
    settings = OmegaConf.create({"data": dict.fromkeys(_DATA), "seed": 0})
    try:
        whole: Any = OmegaConf.merge(settings, used)
        return foreign(OmegaConf.to_container(whole.augment, resolve=True))
    except OmegaConfBaseException as error:
        return " ".join(str(error).split())


def _names(config: Any) -> set[str]:
    """Return the first names of all references."""
    return set(re.findall(r"\$\{(\w+)", str(config)))


def _not_trusted(path: Path, found: str, flag: str) -> ToolError:
    return ToolError(f"{path}: {found}; if you trust the author of the file to run any code, add {flag}.")


def _loaded(path: Path) -> DictConfig:
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
    if not isinstance(config, DictConfig):
        raise ToolError(f"{path} must hold one object with a _target_, such as augment.Pipeline.")
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
