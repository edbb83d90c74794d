"""The steps of train.py that need more than a line."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import instantiate, to_absolute_path
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.accelerators import CPUAccelerator
from pytorch_lightning.callbacks import Checkpoint, LearningRateMonitor, ModelCheckpoint
from pytorch_lightning.loggers import Logger
from rich.console import Console
from rich.table import Table

from lightning_modules.checks import check_callbacks
from lightning_modules.classifier import ImageClassifier
from lightning_modules.errors import USER_ERROR_EXIT, UserError, cannot_write

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


def resolve_paths(cfg: DictConfig) -> None:
    """Relative paths count from where the command was given, under hydra.job.chdir=true too; ~ is the home."""
    moved = HydraConfig.initialized() and HydraConfig.get().job.chdir
    for key in ("ckpt_path", "data.root", "output_dir"):
        path = OmegaConf.select(cfg, key)
        if path:
            path = os.path.expanduser(path)
            OmegaConf.update(cfg, key, to_absolute_path(path) if moved else path)


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
        found = _checkpoint_keys(path)
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


def _checkpoint_keys(path: str | Path) -> set[str]:
    """What is in a file that torch has saved; its tensors stay on the disk."""
    content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    return set(content) if isinstance(content, dict) else set()


@contextmanager
def saying_what_is_kept(output_dir: str) -> Iterator[None]:
    """A full disk ends in one sentence that names the checkpoint to continue from."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if not cannot_write(error):
            raise
        kept = [path for path in Path(output_dir).glob("checkpoints/*.ckpt") if _is_whole(path)]
        latest = max(kept, key=lambda path: path.stat().st_mtime, default=None)
        remedy = "no checkpoint was kept" if latest is None else f"continue with ckpt_path={latest}"
        where = getattr(error, "filename", None) or output_dir
        raise UserError(f"cannot write to {where} ({error}): make room on the disk; {remedy}.") from error


def _is_whole(path: Path) -> bool:
    try:
        return "state_dict" in _checkpoint_keys(path)
    except Exception:  # as above
        return False


def refuse_random_weights(cfg: DictConfig, ckpt_path: str | None, model: ImageClassifier) -> None:
    """The accuracy of a network that nothing has trained looks like a result.

    Raises:
        UserError: the run only tests, and neither a checkpoint nor `model` says where the weights come from.
    """
    if cfg.train or ckpt_path is not None:
        return
    if not any(cfg.model.get(name) for name in ("pretrained", "weights", "checkpoint_path")):
        raise UserError("train=false tests weights that exist: give ckpt_path=.../best.ckpt.")
    published = getattr(model.backbone, "pretrained_cfg", {}).get("num_classes", model.num_classes)
    if cfg.model.get("pretrained") and published != model.num_classes:
        raise UserError(
            f"train=false would test random weights: {cfg.model.name} is published with {published} classes, and its "
            f"last layer is new for the {model.num_classes} of the data; give ckpt_path=.../best.ckpt."
        )


def build_trainer(cfg: DictConfig, continuing: bool) -> pl.Trainer:
    """The trainer with what `callbacks` and `logger` say; `NAME: null` leaves one out, `=null` all.

    Args:
        cfg: of the run.
        continuing: training goes on from a checkpoint.
    """
    loggers = _objects(cfg, "logger", Logger)
    callbacks = _objects(cfg, "callbacks", pl.Callback)
    check_callbacks(callbacks, continuing)
    if not loggers:  # it writes to nothing else
        callbacks = [callback for callback in callbacks if not isinstance(callback, LearningRateMonitor)]
    options = {}
    if not any(isinstance(callback, Checkpoint) for callback in callbacks):
        options["enable_checkpointing"] = False  # Lightning would save to a place of its own
    trainer = instantiate(cfg.trainer, callbacks=callbacks, logger=loggers, **options)
    cores = os.cpu_count() or 1
    if isinstance(trainer.accelerator, CPUAccelerator) and trainer.num_devices > max(cores, 4):
        raise UserError(f"trainer.devices={trainer.num_devices} starts more processes than there are cores, {cores}.")
    return trainer


def _objects(cfg: DictConfig, group: str, kind: type) -> list[Any]:
    """What the members of a group make."""
    made = instantiate(cfg.get(group)) or {}
    for name, value in made.items():
        if value is not None and not isinstance(value, kind):
            raise UserError(f"{group}.{name} is no {kind.__name__} of Lightning: give {group}.{name}._target_=...")
    return [value for value in made.values() if value is not None]


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
    except Exception as error:
        others = getattr(trainer.strategy.launcher, "procs", [])
        lost = not isinstance(error, UserError)  # perhaps only the connection to another process, which has spoken
        explained = lost and any(_exit_code(process) == USER_ERROR_EXIT for process in others)
        for process in others:
            process.kill()  # it would wait for this one for ever
        if explained:
            sys.exit(USER_ERROR_EXIT)
        raise


def _exit_code(process: subprocess.Popen) -> int | None:
    """Of a process that is about to end, None if it is not: a lost connection shows a little before the end."""
    try:
        return process.wait(timeout=3)
    except subprocess.TimeoutExpired:
        return None


def best_of(trainer: pl.Trainer) -> tuple[str | None, float | None]:
    """Path and score of the best checkpoint of this run; None where none was kept."""
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, ModelCheckpoint) and callback.best_model_score is not None:
            return callback.best_model_path, float(callback.best_model_score)
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
    if tested:
        table.add_row("tested checkpoint", tested)
    for name, value in metrics.items():
        if name.startswith("test/"):
            table.add_row(name, f"{100 * value:.2f} %" if "acc" in name else f"{value:.4f}")
    Console(width=None if sys.stdout.isatty() else 200).print(table)
