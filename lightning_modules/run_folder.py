"""A folder of its own for every run, also for runs that start in the same second."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, flag_override
from pytorch_lightning.utilities import rank_zero_only
from torch.distributed import TCPStore


class OwnRunFolder(Callback):
    """Hydra's callback that gives a run, or a multirun, a folder which no other run has.

    Where the time in a folder's name is taken, the name gets a number: 2026-01-31_12-00-00, 2026-01-31_12-00-00_2, ...
    A folder that is given without the time, as hydra.run.dir=PATH, is used as it is. All processes of a distributed run
    use the folder of the first.
    """

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        self._claim(config, "run")

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        folder = self._claim(config, "sweep")
        if folder is not None:  # every job composes its configuration anew, from these overrides
            quoted = folder.replace("\\", "\\\\").replace("'", "\\'")
            with flag_override(config, ["struct", "readonly"], False):
                config.hydra.overrides.hydra.append(f"hydra.sweep.dir='{quoted}'")

    def _claim(self, config: DictConfig, kind: str) -> str | None:
        """Replaces hydra.run.dir or hydra.sweep.dir; None if it is not named after the time."""
        written: Any = OmegaConf.to_container(config.hydra[kind], resolve=False)
        if "${now:" not in str(written["dir"]):
            return None
        folder = _of_all_processes(Path(config.hydra[kind].dir))
        with flag_override(config, ["struct", "readonly"], False):
            config.hydra[kind].dir = folder
        return folder


def new_folder(folder: Path) -> Path:
    """Makes a folder, with a number behind its name if that is taken. Safe against others who do the same."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        numbered = folder if number == 1 else folder.with_name(f"{folder.name}_{number}")
        try:
            numbered.mkdir()
        except FileExistsError:
            number += 1
        else:
            return numbered


def _of_all_processes(folder: Path) -> str:
    """The first process makes a new folder; the others, where torchrun has started them, wait to hear of it.

    Lightning passes its folder on to the processes that it starts.
    """
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return str(new_folder(folder) if getattr(rank_zero_only, "rank", 0) == 0 else folder)
    store = TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False)
    key = f"run_folder/{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}"
    if os.environ["RANK"] == "0":
        store.set(key, str(new_folder(folder)))
    return store.get(key).decode()
