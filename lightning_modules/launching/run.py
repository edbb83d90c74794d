"""The steps of train.py that take more than one line."""

from __future__ import annotations

import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytorch_lightning as pl
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from pytorch_lightning.callbacks import ModelCheckpoint
from rich.table import Table
from torch.multiprocessing import ProcessRaisedException

from lightning_modules.console import screen
from lightning_modules.errors import USER_ERROR_EXIT, UserError
from lightning_modules.model.finite_weights import NonFiniteError
from lightning_modules.saving.saved import checkpoint_keys, refuse_damaged
from lightning_modules.sweeps.trials import readable, write_results

_HARMLESS = (
    ".*does not have many workers.*",  # data in memory needs no workers
    ".*module.s. in eval mode at the start of training.*",  # preprocessing stays in eval mode
    ".*your dataloader is not resumable.*",  # it is resumable, see ImageDataModule
    ".*is smaller than the logging interval.*",  # steps are counted across epochs
    ".*treespec, LeafSpec.*",  # Lightning on a newer torch
    ".*Checkpoint directory .* exists and is not empty.*",  # the same run is resumed
)


def silence_harmless_warnings() -> None:
    """Hide Lightning's warnings that do not apply to this trainer."""
    for message in _HARMLESS:
        warnings.filterwarnings("ignore", message)
    # `check_trainer` says it before the run, where it matters
    warnings.filterwarnings("ignore", ".*CPU kernels were not compiled", RuntimeWarning)


def existing_checkpoint(path: str | None, to_continue: bool = False) -> str | None:
    """Check a checkpoint and return its absolute path; None stays None.

    Args:
        path: path of the checkpoint.
        to_continue: whether training continues from it, so that weights alone are not enough.

    Raises:
        UserError: if the file does not exist, is damaged, or is not a Lightning checkpoint.
    """
    if path is None:
        return None
    if not Path(path).is_file():
        raise UserError(f"ckpt_path={path!r} is not a file; give the path of a checkpoint such as .../last.ckpt.")
    try:
        found = checkpoint_keys(path)
    except Exception:  # torch raises KeyError, EOFError, RuntimeError and others
        found = set()
    if not {"state_dict", "pytorch-lightning_version"} <= found:
        refuse_damaged(path, needs="optimizer_states" if to_continue else "state_dict")
        raise UserError(
            f"ckpt_path={path!r} is not a checkpoint of a run but another file saved by torch; "
            "to load the weights of a timm network use model.checkpoint_path=..."
        )
    if to_continue and "optimizer_states" not in found:
        raise UserError(f"ckpt_path={path!r} holds only weights, so training cannot continue; set train=false.")
    return str(Path(path).resolve())


def refuse_distributed_multirun(trainer: pl.Trainer) -> None:
    """Raise UserError for a distributed run inside the process of a sweep; its processes would all run the sweep."""
    if trainer.world_size > 1 and HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN:
        raise UserError(
            f"this hydra/launcher runs trials on one device but trainer has {trainer.world_size}: pass "
            "hydra/launcher=fresh_process, or trainer.devices=1."
        )


@contextmanager
def ending_together(trainer: pl.Trainer) -> Iterator[None]:
    """End all processes of a distributed run when one fails, and let only that one report the error."""
    try:
        yield
    except ProcessRaisedException as error:  # ddp_notebook trains in child processes
        name, _, said = str(error).strip().splitlines()[-1].partition(": ")
        if name.startswith("lightning_modules."):
            raise UserError(said) from error
        raise
    except Exception as error:
        if isinstance(error, NonFiniteError) and not trainer.is_global_zero:
            sys.exit(USER_ERROR_EXIT)  # the first process raises the same error and reports it
        others = getattr(trainer.strategy.launcher, "procs", [])
        lost = not isinstance(error, UserError)  # perhaps a lost connection to a process that reported
        codes = [_exit_code(process) for process in others] if lost else []
        for process in others:
            process.kill()  # it would wait for this process forever
        if USER_ERROR_EXIT in codes:
            sys.exit(USER_ERROR_EXIT)
        for rank, code in enumerate(codes, start=1):
            if code is not None and code < 0 and -code != signal.SIGTERM:
                raise UserError(
                    f"process {rank} of the run was killed by {signal.Signals(-code).name}, usually because the memory "
                    "of the machine ran out: lower data.batch_size or data.num_workers."
                ) from error
        raise


def _exit_code(process: subprocess.Popen | BaseProcess) -> int | None:
    """Return a process's exit code, or None if it still runs; waits, since connections break just before the exit."""
    if isinstance(process, BaseProcess):
        process.join(timeout=3)
        return process.exitcode
    try:
        return process.wait(timeout=3)
    except subprocess.TimeoutExpired:
        return None


def best_of(trainer: pl.Trainer) -> tuple[str | None, float | None]:
    """Return path and score of the best checkpoint of this run; None if no checkpoint was kept."""
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, ModelCheckpoint) and callback.monitor is not None and callback.best_model_path:
            score = callback.best_model_score
            if score is None:  # ddp_notebook trains in child processes, and Lightning returns only the path
                saved = torch.load(callback.best_model_path, weights_only=True, mmap=True, map_location="cpu")
                score = saved.get("callbacks", {}).get(callback.state_key, {}).get("best_model_score")
            return callback.best_model_path, None if score is None else float(score)
    return None, None


def report(
    trainer: pl.Trainer, output_dir: str, tested: str | None, score: float | None, metrics: dict[str, float]
) -> None:
    """Print the output paths and the test results, and write the results to results.json."""
    if not trainer.is_global_zero:
        return
    monitored = [c.monitor for c in trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint) and c.monitor]
    test = {name: float(value) for name, value in metrics.items() if name.startswith("test/")}
    write_results(output_dir, {} if score is None else {monitored[0]: score}, test)
    table = Table(show_header=False, title="run")
    folder = Path(output_dir)
    table.add_row("outputs", str(folder))
    for logger in trainer.loggers:
        place = logger.log_dir or logger.save_dir or f"{type(logger).__name__}, run {logger.version}"  # not in a folder
        table.add_row("log", str(place))
    for name, path in (("configuration", folder / ".hydra"), ("last checkpoint", folder / "checkpoints" / "last.ckpt")):
        if path.exists():
            table.add_row(name, str(path))
    if test:
        table.add_row("tested checkpoint", tested or "none: the weights at the end of training")
    for name, value in test.items():
        table.add_row(name, readable(name, value))
    screen().print(table)
