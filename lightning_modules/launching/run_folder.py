"""A separate folder for every run, even if runs start in the same second."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, flag_override
from pytorch_lightning.utilities import rank_zero_only
from torch.distributed import TCPStore


class OwnRunFolder(Callback):
    """A Hydra callback that gives every run, or multirun, a folder of its own.

    If a folder with the same time exists, the name gets a number: 2026-01-31_12-00-00, 2026-01-31_12-00-00_2, ... A
    folder without a time in its name, such as hydra.run.dir=PATH, is used unchanged. All processes of a distributed
    run use the folder of the first process.
    """

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        self._claim(config, "run")

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        folder = self._claim(config, "sweep")
        if folder is not None:  # every job composes its configuration from these overrides
            quoted = folder.replace("\\", "\\\\").replace("'", "\\'")
            with flag_override(config, ["struct", "readonly"], False):
                config.hydra.overrides.hydra.append(f"hydra.sweep.dir='{quoted}'")

    def _claim(self, config: DictConfig, kind: str) -> str | None:
        """Replace hydra.run.dir or hydra.sweep.dir by a new folder; return None if its name has no time in it."""
        written: Any = OmegaConf.to_container(config.hydra[kind], resolve=False)
        if "${now:" not in str(written["dir"]):
            return None
        folder = _of_all_processes(Path(config.hydra[kind].dir))
        with flag_override(config, ["struct", "readonly"], False):
            config.hydra[kind].dir = folder
        return folder


def new_folder(folder: Path) -> Path:
    """Create a folder, with a number after its name if it exists; safe if other processes do the same."""
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
    """Create a new folder on the first process and share it with the others if torchrun has started them.

    Lightning itself passes the folder on to the processes that it starts.
    """
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return str(new_folder(folder) if getattr(rank_zero_only, "rank", 0) == 0 else folder)
    store = TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False)
    key = f"run_folder/{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}"
    if os.environ["RANK"] == "0":
        store.set(key, str(new_folder(folder)))
    return store.get(key).decode()
