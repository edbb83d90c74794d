"""A Hydra launcher for sweeps: every trial is a run of train.py in a process of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from lightning_modules.quoting import quoted
from lightning_modules.sweeps.sweep_table import print_table, write_table
from lightning_modules.sweeps.trials import Trial, run_trial


class FreshProcess(Launcher):
    """Run trials one after the other, each in a new process, which may start others for distributed training.

    A trial that fails does not end the sweep. SIGTERM and Ctrl-C end the trial that runs, which saves its state, and
    then the sweep. After each trial, the table of all trials is saved as sweep.csv in the folder of the sweep.
    """

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.loader: ConfigLoader = hydra_context.config_loader
        self.config = config
        self.planned: list[Sequence[str]] = []
        self.trials: list[Trial] = []

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run one trial for each list of overrides, and return their scores; None for a failed one."""
        self.planned += job_overrides
        returned = []
        for number, overrides in enumerate(job_overrides, start=initial_job_idx):
            folder = self._folder(number, overrides)
            print(f"trial {number}: {' '.join(overrides)}", flush=True)
            trial, stopped_by = run_trial(number, overrides, self._command(number, overrides, folder), folder)
            self.trials.append(trial)
            sweep = Path(self.config.hydra.sweep.dir)
            write_table(self.trials, self.planned, sweep)
            if stopped_by is not None:
                print_table(sweep)
                sys.exit(128 + stopped_by)
            returned.append(JobReturn(overrides=overrides, working_dir=str(folder), status=JobStatus.COMPLETED))
            returned[-1].return_value = trial.score
        return returned

    def _folder(self, number: int, overrides: Sequence[str]) -> Path:
        cfg = self.loader.load_sweep_config(self.config, list(overrides))
        with open_dict(cfg):
            cfg.hydra.job.id, cfg.hydra.job.num = number, number
        return Path(os.path.abspath(cfg.hydra.sweep.dir), str(cfg.hydra.sweep.subdir))

    def _command(self, number: int, overrides: Sequence[str], folder: Path) -> list[str]:
        """Return the command of a single run with these overrides in this folder."""
        hydra = self.config.hydra
        added = [f"--config-dir={s.path}" for s in hydra.runtime.config_sources if s.provider == "command-line"]
        ours = ["hydra.mode=RUN", f"hydra.job.num={number}", f"hydra.run.dir={quoted(str(folder))}"]
        given: Any = OmegaConf.to_container(hydra.overrides.hydra)
        theirs = [override for override in given if not override.startswith("hydra.mode=")]
        return [
            sys.executable,
            os.path.abspath(sys.argv[0]),
            f"--config-name={hydra.job.config_name}",
            *added,
            *overrides,
            *theirs,
            *ours,
        ]
