"""Makes the launcher and the sweeper of this trainer known to Hydra."""

from __future__ import annotations

from hydra.core.plugins import Plugins

from lightning_modules.fresh_process import FreshProcess
from lightning_modules.optuna_sweeper import OptunaSweeper


def register() -> None:
    """Register the plugins under the names that conf/hydra gives them.

    Hydra 1.3 accepts only names in a package `hydra_plugins`, which would be another folder beside this one.
    """
    for plugin in (FreshProcess, OptunaSweeper):
        plugin.__module__ = "hydra_plugins.augment_inside"
        Plugins.instance().register(plugin)
