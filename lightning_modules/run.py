"""The steps of train.py that need more than a line."""

from __future__ import annotations

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
from rich.console import Console
from rich.table import Table
from torch.multiprocessing import ProcessRaisedException

from lightning_modules.errors import USER_ERROR_EXIT, UserError
from lightning_modules.finite import NonFiniteError
from lightning_modules.saved import checkpoint_keys

_HARMLESS = (
    ".*does not have many workers.*",  # data in memory needs none
    ".*module.s. in eval mode at the start of training.*",  # preprocessing stays in eval mode
    ".*your dataloader is not resumable.*",  # it is: see ImageDataModule
    ".*is smaller than the logging interval.*",  # steps are counted across epochs
    ".*treespec, LeafSpec.*",  # Lightning on a newer torch
    ".*Checkpoint directory .* exists and is not empty.*",  # the same run is resumed
)


def silence_harmless_warnings() -> None:
    """Hides advice of Lightning that does not apply to this trainer."""
    for message in _HARMLESS:
        warnings.filterwarnings("ignore", message)


def existing_checkpoint(path: str | None, to_continue: bool = False) -> str | None:
    """The absolute path of a checkpoint to start from, after a look into it; None stays None.

    Args:
        path: of the file.
        to_continue: training goes on from it, so that weights alone are not enough.

    Raises:
        UserError: there is no such file, or it is no checkpoint of Lightning.
    """
    if path is None:
        return None
    if not Path(path).is_file():
        raise UserError(f"ckpt_path={path!r} is not a file; give the path of a checkpoint such as .../last.ckpt.")
    try:
        found = checkpoint_keys(path)
    except Exception as error:  # torch raises what its parser trips over: KeyError, EOFError, RuntimeError ...
        raise UserError(f"ckpt_path={path!r} is no checkpoint of a run, or is cut short; give another.") from error
    if not {"state_dict", "pytorch-lightning_version"} <= found:
        raise UserError(
            f"ckpt_path={path!r} is no checkpoint of a run but something else that torch has saved; "
            "weights of a network of timm are read by +model.checkpoint_path=..."
        )
    if to_continue and "optimizer_states" not in found:
        raise UserError(f"ckpt_path={path!r} holds weights alone, so training cannot continue; set train=false.")
    return str(Path(path).resolve())


def refuse_distributed_multirun(trainer: pl.Trainer) -> None:
    """The other processes would run the sweep once more, each on its own."""
    if trainer.world_size > 1 and HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN:
        raise UserError(
            f"--multirun works with one device but trainer has {trainer.world_size}; "
            "pass trainer.devices=1 or start each run by itself."
        )


@contextmanager
def ending_together(trainer: pl.Trainer) -> Iterator[None]:
    """No process of a distributed run outlives the others, and only the one in trouble speaks."""
    try:
        yield
    except ProcessRaisedException as error:  # of ddp_notebook, which runs nothing but the training elsewhere
        name, _, said = str(error).strip().splitlines()[-1].partition(": ")
        if name.startswith(f"{__package__}."):
            raise UserError(said) from error
        raise
    except Exception as error:
        if isinstance(error, NonFiniteError) and not trainer.is_global_zero:
            sys.exit(USER_ERROR_EXIT)  # the first process has met it as well, and speaks
        others = getattr(trainer.strategy.launcher, "procs", [])
        lost = not isinstance(error, UserError)  # perhaps only the connection to another process, which has spoken
        explained = lost and any(_exit_code(process) == USER_ERROR_EXIT for process in others)
        for process in others:
            process.kill()  # it would wait for this one for ever
        if explained:
            sys.exit(USER_ERROR_EXIT)
        raise


def _exit_code(process: subprocess.Popen | BaseProcess) -> int | None:
    """Of a process that is about to end, None if it is not: a lost connection shows a little before the end."""
    if isinstance(process, BaseProcess):
        process.join(timeout=3)
        return process.exitcode
    try:
        return process.wait(timeout=3)
    except subprocess.TimeoutExpired:
        return None


def best_of(trainer: pl.Trainer) -> tuple[str | None, float | None]:
    """Path and score of the best checkpoint of this run; None where none was kept."""
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, ModelCheckpoint) and callback.monitor is not None and callback.best_model_path:
            score = callback.best_model_score
            if score is None:  # ddp_notebook trains in other processes, and Lightning sends the path alone back
                saved = torch.load(callback.best_model_path, weights_only=True, mmap=True, map_location="cpu")
                score = saved.get("callbacks", {}).get(callback.state_key, {}).get("best_model_score")
            return callback.best_model_path, None if score is None else float(score)
    return None, None


def report(trainer: pl.Trainer, output_dir: str, tested: str | None, metrics: dict[str, float]) -> None:
    """Prints where everything went and what came out of the test."""
    if not trainer.is_global_zero:
        return
    table = Table(show_header=False, title="run")
    folder = Path(output_dir)
    table.add_row("outputs", str(folder))
    for logger in trainer.loggers:
        table.add_row("log", str(logger.log_dir))
    for name, path in (("configuration", folder / ".hydra"), ("last checkpoint", folder / "checkpoints" / "last.ckpt")):
        if path.exists():
            table.add_row(name, str(path))
    if any(name.startswith("test/") for name in metrics):
        table.add_row("tested checkpoint", tested or "none: the weights as they are at the end")
    for name, value in metrics.items():
        if name.startswith("test/"):
            table.add_row(name, f"{100 * value:.2f} %" if "acc" in name else f"{value:.4f}")
    Console(width=None if sys.stdout.isatty() else 200).print(table)
