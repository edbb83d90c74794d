"""Writes files that are complete at every moment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


@contextmanager
def whole_file(path: str | Path) -> Iterator[IO[bytes]]:
    """Open a file that takes the place of `path` once it is complete and on the disk.

    Until then it is called `path`.part, and an older file at `path` stays as it is. It lies in the same folder, because
    a rename is atomic only within a file system.
    """
    folder = os.path.dirname(path) or "."
    os.makedirs(folder, exist_ok=True)
    part = f"{path}.part"
    try:
        with open(part, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # otherwise a power failure could leave the new name with old content
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(part)  # it would fill a full disk
        raise
    if hasattr(os, "O_DIRECTORY"):  # Windows cannot open folders
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)  # puts the new name on the disk
        finally:
            os.close(descriptor)
