"""The choices of augment=... that the trainer's conf/augment offers, for the tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import augment as A
from augment.tools.errors import ToolError, required

if TYPE_CHECKING:
    from omegaconf import DictConfig


def choices() -> list[str]:
    """Return the names of the files in conf/augment beside the package; none if only the library is installed."""
    return sorted(file.stem for file in (_conf() / "augment").glob("*.yaml"))


def read_choice(name: str) -> DictConfig:
    """Return the configuration of a choice, with its pipeline as `augment`, as train.py composes it.

    Raises:
        ToolError: Hydra is not installed, or the file does not fit it.
    """
    required("hydra", "hydra-core", "a choice of conf/augment")
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException

    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(_conf()), version_base="1.3"):
            return compose(overrides=[f"+augment={name}"])
    except HydraException as error:
        raise ToolError(f"conf/augment/{name}.yaml: {' '.join(str(error).split())}") from error


def _conf() -> Path:
    return Path(A.__file__).resolve().parents[1] / "conf"
