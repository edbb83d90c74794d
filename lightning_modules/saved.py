"""Reads the contents of checkpoints, and reports the latest one when the disk is full."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from lightning_modules.errors import UserError, cannot_write


def checkpoint_keys(path: str | Path) -> set[str]:
    """Return the top-level keys of a file saved by torch; its tensors stay on disk."""
    content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    return set(content) if isinstance(content, dict) else set()


@contextmanager
def saying_what_is_kept(output_dir: str) -> Iterator[None]:
    """Turn a full disk into a one-sentence error that names the checkpoint to continue from."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if not cannot_write(error):
            raise
        kept = [path for path in Path(output_dir).glob("checkpoints/*.ckpt") if _is_whole(path)]
        latest = max(kept, key=lambda path: path.stat().st_mtime, default=None)
        remedy = "no checkpoint was kept" if latest is None else f"continue with ckpt_path={latest}"
        where = getattr(error, "filename2", None) or getattr(error, "filename", None) or output_dir
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot write to {where} ({reason}): free some disk space; {remedy}.") from error


def _is_whole(path: Path) -> bool:
    try:
        return "state_dict" in checkpoint_keys(path)
    except Exception:  # torch raises many kinds of error for a broken file
        return False
