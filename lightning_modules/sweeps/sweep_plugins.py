"""Makes the launcher and the sweeper of this trainer known to Hydra."""

from __future__ import annotations

import sys
from types import ModuleType

from hydra.core.plugins import Plugins

from lightning_modules.sweeps.fresh_process import FreshProcess
from lightning_modules.sweeps.optuna_sweeper import OptunaSweeper

_PACKAGE = "hydra_plugins"
_NAME = f"{_PACKAGE}.augment_inside"
"""The module that conf/hydra names."""


def register() -> None:
    """Register the plugins; Hydra 1.3 loads only plugins whose module lies in a package `hydra_plugins`.

    This module takes that name, because a real package would be another folder beside `lightning_modules`.
    """
    plugins = Plugins.instance()  # finds the installed ones first
    sys.modules.setdefault(_PACKAGE, ModuleType(_PACKAGE))
    sys.modules[_NAME] = sys.modules[__name__]
    for plugin in (FreshProcess, OptunaSweeper):
        plugin.__module__ = _NAME
        plugins.register(plugin)
