"""`augment=PATH.yaml`: an augmentation from a file outside conf/, such as an exported learned policy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from lightning_modules.errors import UserError

KEY = "augment="
_ITEM = re.compile(r"'[^']*'|[^,]+")


def with_augment_files(overrides: Sequence[str]) -> list[str]:
    """Register every file given by `augment=` with Hydra, and return overrides that refer to the registered choices.

    A choice that ends with .yaml is a path. A sweep may mix paths and names, as in `augment=light,mine.yaml`. The
    function is idempotent, because the other processes of a distributed run start with the overrides of the first.

    Raises:
        UserError: if the file does not exist, or does not define one object with a `_target_`.
    """
    return [
        KEY + ",".join(map(_choice, _ITEM.findall(given.removeprefix(KEY)))) if given.startswith(KEY) else given
        for given in overrides
    ]


def _choice(value: str) -> str:
    value = value.strip("'")
    if not value.endswith(".yaml"):
        if "/" in value:
            raise UserError(f"augment={value} must be the name of a choice, or a file whose name ends with .yaml.")
        return value
    # Hydra searches conf/ first; an absolute path cannot match a file there by accident
    path = Path(value).expanduser().resolve()
    ConfigStore.instance().store(path.name, _read(path), group=f"augment{path.parent.as_posix()}")
    return f"'{path.as_posix()}'"  # quoted, because folder names may contain spaces and brackets


def _read(path: Path) -> DictConfig:
    try:
        config = OmegaConf.load(path)
    except (OSError, UnicodeDecodeError, YAMLError, OmegaConfBaseException) as error:
        raise UserError(f"augment={path} cannot be read: {error}") from error
    if not isinstance(config, DictConfig) or "_target_" not in config:
        raise UserError(f"augment={path} must hold one object with a _target_, such as augment.Pipeline.")
    return config
