"""Keeps what was found in many files or folders in the user's cache, until they change."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from hashlib import blake2b
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from platformdirs import user_cache_path
from pytorch_lightning.utilities import rank_zero_warn

from lightning_modules.data.paths import Paths

Index = dict[str, np.ndarray]

_WORTH = 2**22
"""Bytes of an index of folders, about 70,000 files; a smaller one saves less than a second."""

_SETTLED = 60 * 10**9
"""Nanoseconds between the last change of folders and their listing: file systems round times, and the clock of a
network drive may be slow, so a change during the listing could go unnoticed."""


def kept(what: str, files: Iterable[Path], build: Callable[[], Index]) -> Index:
    """Return the index of files: from the cache if it is that of these files, or built, and then kept.

    The index belongs to the paths of the files, their sizes and the times of their last change. It lies in the folder
    `augment` of the user's cache, which XDG_CACHE_HOME moves on Linux. If it cannot be written, a warning says so.

    Args:
        what: name of the kind of index, and everything besides the files that it depends on.
        files: files or folders.
        build: builds the index.

    Example:
        >>> index = kept("sizes", [path], lambda: {"size": np.array([path.stat().st_size])})
    """
    stamp = blake2b(what.encode(), digest_size=16)
    for file in files:
        found = os.stat(file)
        stamp.update(os.fsencode(os.path.abspath(file)) + f"\0{found.st_size} {found.st_mtime_ns}\0".encode())
    place = _place(stamp.hexdigest())
    index = _read(place)
    if index is None:
        index = build()
        _write(place, index)
    return index


def kept_listing(what: str, build: Callable[[set[str]], Index]) -> Index:
    """Return what was found by listing many folders: from the cache if none of them changed, or built, and then kept.

    A folder has changed if its inode or one of its times is another: a file was added, removed or renamed in it. An
    index is not kept if it is small, or if a folder changed within the last minute.

    Args:
        what: everything that the index depends on besides the folders.
        build: builds the index, and adds all folders that it listed to a set.

    Example:
        >>> index = kept_listing("number of files", lambda folders: {"count": np.array([count_below(".", folders)])})
    """
    place = _place(blake2b(what.encode(errors="surrogateescape"), digest_size=16).hexdigest())
    index = _read(place)
    if index is not None and np.array_equal(index["folders.state"], _state(Paths.of(index, "folders").names())):
        return index
    began, folders = time.time_ns(), set[str]()
    index = build(folders)
    listed = sorted(map(os.fsencode, folders))
    state = _state(listed)
    if sum(array.nbytes for array in index.values()) >= _WORTH and state[:, 1:].max() < began - _SETTLED:
        _write(place, index | Paths(listed).arrays("folders") | {"folders.state": state})
    return index


def _state(folders: Iterable[bytes]) -> np.ndarray:
    """Return the inode and two times (N, 3) of each folder; zeros for one that is gone."""
    return np.array([_state_of(folder) for folder in folders], np.int64)


def _state_of(folder: bytes) -> tuple[int, int, int]:
    try:
        found = os.stat(folder)
    except OSError:
        return 0, 0, 0
    return found.st_ino & 2**63 - 1, found.st_mtime_ns, found.st_ctime_ns


def _place(name: str) -> Path:
    return user_cache_path("augment") / f"{name}.npz"


def _read(place: Path) -> Index | None:
    try:
        with np.load(place) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, KeyError, BadZipFile):  # not there, or damaged
        return None


def _write(place: Path, index: Index) -> None:
    """Write beside the file, then rename: another process may do the same. Warn if it cannot be written."""
    part = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(part, "wb") as file:
                np.savez(file, allow_pickle=False, **index)
            os.replace(part, place)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        rank_zero_warn(f"{place} cannot be written ({error.strerror}), so the next run reads the files again.")
