"""Writes checkpoints whole, notices damaged ones, and says which checkpoint to use instead."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from lightning_modules.errors import UserError, cannot_write
from lightning_modules.saving.whole_file import whole_file

LAST = "last"
"""Value of ckpt_path that means the newest checkpoint of the run's own folder, if it has one."""

_ZIP = b"PK\x03\x04"
"""The first bytes of a file written by torch.save."""

_FOLDER = 0x10
"""The attribute of a zip record that marks it as a folder (MS-DOS attributes, APPNOTE.TXT 4.4.15)."""


class WholeCheckpoints(TorchCheckpointIO):
    """Save checkpoints so that a kill or a full disk leaves the previous one whole; check them when they are loaded.

    Paths with a protocol, such as s3://, are left to Lightning.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
        if "://" in str(path) or storage_options is not None:
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        with saying_what_is_kept(str(path), os.path.dirname(path)), whole_file(path) as file:
            torch.save(checkpoint, file)

    def load_checkpoint(self, path: str | Path, *arguments: Any, **options: Any) -> dict[str, Any]:
        if "://" not in str(path):
            refuse_damaged(path)
        return super().load_checkpoint(path, *arguments, **options)


def use_whole_checkpoints(trainer: pl.Trainer) -> None:
    """Let a trainer save with WholeCheckpoints, unless it has a CheckpointIO of its own."""
    if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
        trainer.strategy.checkpoint_io = WholeCheckpoints()


def checkpoint_keys(path: str | Path) -> set[str]:
    """Return the top-level keys of a file saved by torch; its tensors stay on disk."""
    content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    return set(content) if isinstance(content, dict) else set()


def step_of(path: str | Path) -> int | None:
    """Return the step at which a checkpoint was saved; None if the file is not a checkpoint."""
    try:
        return torch.load(path, weights_only=True, mmap=True, map_location="cpu")["global_step"]
    except Exception:  # torch raises many kinds of error for a file that is not a checkpoint
        return None


def copy_whole(source: str, target: str) -> None:
    """Copy a checkpoint; the target is complete at every moment."""
    if os.path.exists(target) and os.path.samefile(source, target):
        return
    with open(source, "rb") as old, whole_file(target) as new:
        shutil.copyfileobj(old, new)


def damage(path: str | Path) -> str | None:
    """Return what is wrong with a file that should be a checkpoint; None if it is complete and its checksums match.

    torch.save writes a zip archive with a checksum of each record; torch.load does not compare them.
    """
    with open(path, "rb") as file:
        start = file.read(len(_ZIP))
    if not start:
        return "is empty"
    if start != _ZIP:
        return "is not a checkpoint"
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                return "is damaged: a checksum differs"
            if any(record.external_attr & _FOLDER for record in archive.infolist()):
                return "is damaged"  # torch would return memory that nothing was read into
        checkpoint_keys(path)  # torch reads some fields of the archive that zipfile ignores
    except UnpicklingError:
        return None  # a whole file with other contents than a checkpoint
    except zipfile.BadZipFile:
        return "is truncated or damaged"
    except Exception:  # a damaged header may also name a password, another compression or an impossible place
        return "is damaged"
    return None


def refuse_damaged(path: str | Path, needs: str = "state_dict") -> None:
    """Raise UserError, with the newest whole checkpoint of the same folder, if a checkpoint is damaged.

    Args:
        path: path of the checkpoint.
        needs: key that the other checkpoint must contain.
    """
    wrong = damage(path)
    if wrong is not None:
        older = newest_whole(os.path.dirname(os.path.abspath(path)), needs, besides=path)
        remedy = "no other checkpoint in its folder is whole" if older is None else f"use ckpt_path={older}"
        raise UserError(f"ckpt_path={str(path)!r} {wrong}; {remedy}.")


def newest_whole(folder: str | Path, needs: str = "state_dict", besides: str | Path = "") -> Path | None:
    """Return the newest undamaged checkpoint below a folder; None if there is none."""
    return _newest(
        [path for path in Path(folder).rglob("*.ckpt") if path.is_file() and not _same(path, besides)], needs
    )


def saved_description(path: str | Path) -> dict[str, Any] | None:
    """Return the description of the model in a checkpoint; None if the file has none, or cannot be read."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception:  # torch raises many kinds of error for another file, which a later check reports
        return None
    found = content.get("description") if isinstance(content, dict) else None
    return found if isinstance(found, dict) else None


def last_of_run(folder: str | Path) -> str | None:
    """Return the newest whole checkpoint from which the run in a folder continues; None if it has none yet.

    It is last.ckpt, or a checkpoint that Lightning saved when SLURM sent its signal.

    Raises:
        UserError: if there are such checkpoints but all are damaged.
    """
    paths = [Path(folder, "checkpoints", "last.ckpt"), *Path(folder).glob("hpc_ckpt_*.ckpt")]
    found = [path for path in paths if path.is_file()]
    newest = _newest(found, "optimizer_states")
    if found and newest is None:
        refuse_damaged(found[0], needs="optimizer_states")
    return None if newest is None else str(newest)


def _newest(paths: list[Path], needs: str) -> Path | None:
    """Return the newest undamaged checkpoint that contains a key."""
    for path in sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True):
        try:
            if damage(path) is None and needs in checkpoint_keys(path):
                return path
        except Exception:  # torch raises many kinds of error for another file
            continue
    return None


def _same(path: Path, other: str | Path) -> bool:
    return os.path.abspath(path) == os.path.abspath(other)


@contextmanager
def saying_what_is_kept(target: str, folder: str) -> Iterator[None]:
    """Turn a full disk into a one-sentence error that names the checkpoint to continue from.

    Args:
        target: what is written, in case that the error does not name it.
        folder: folder of the checkpoints of the run.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        cause = error.__context__ if isinstance(error.__context__, OSError) else error  # torch hides it in its own
        if not cannot_write(cause):
            raise
        latest = newest_whole(folder)
        remedy = "no checkpoint was kept" if latest is None else f"continue with ckpt_path={latest}"
        where = getattr(cause, "filename2", None) or getattr(cause, "filename", None) or target
        reason = getattr(cause, "strerror", None) or cause
        raise UserError(f"cannot write to {where} ({reason}): free some disk space; {remedy}.") from error
