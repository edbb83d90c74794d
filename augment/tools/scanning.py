"""Finds the image files below a folder."""

from __future__ import annotations

import os
from collections import Counter
from functools import cache
from pathlib import Path

from augment.tools.decoding import shown
from augment.tools.errors import ToolError, required

_JUNK = {"__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found"}
_JUNK |= {"thumbs.db", "ehthumbs.db", "desktop.ini"}
_NO_RASTER = {"BUFR", "GRIB", "HDF5", "MPEG", "EPS", "WMF"}
"""Formats that Pillow only recognises, or that another program must render."""

READ_ALREADY = "links to files already read"
"""Label of links that lead back to a parent folder, or to a file already in the list."""


@cache
def suffixes() -> frozenset[str]:
    """Return the lower-case suffixes of raster images that the installed Pillow reads: .jpg, .png, ..."""
    required("PIL", "pillow", "reading images")
    from PIL import Image

    formats = Image.registered_extensions()  # also loads the readers
    readable = {*Image.OPEN, "MPO"} - _NO_RASTER  # MPO is read as the JPEG at its start
    return frozenset(suffix for suffix, name in formats.items() if name in readable)


def is_image(name: str) -> bool:
    """Return whether a file has one of these suffixes."""
    return _suffix(name) in suffixes()


def _suffix(name: str) -> str:
    dot = name.rfind(".")  # os.path.splitext takes a second for a million names
    return name[dot:].lower() if dot > 0 else ""


def visible(folder: str | Path) -> list[os.DirEntry]:
    """List a folder without hidden and system files, sorted by name, with links last."""
    try:
        with os.scandir(folder) as found:
            kept = [e for e in found if not e.name.startswith(".") and e.name.lower() not in _JUNK]
    except OSError as error:
        raise ToolError(f"cannot read the folder {shown(folder)} ({error.strerror}): make it readable.") from error
    return sorted(kept, key=lambda entry: (entry.is_symlink(), entry.name))


def subfolders(folder: Path) -> list[Path]:
    """Return the visible folders in a folder, including links to folders."""
    return [folder / entry.name for entry in visible(folder) if is_folder(entry)]


def images_below(folder: Path, left_out: Counter[str], folders: set[str] | None = None) -> dict[str, str]:
    """Return all image files below a folder, in an order that depends only on their names.

    Links are followed, but every file and folder is visited once, and folders that contain `folder` are skipped.

    Args:
        left_out: receives the number of skipped files by suffix, and of skipped links.
        folders: receives the folders that were listed, and those of the files that links lead to.

    Returns:
        The real path of every file -> the path where it was found.
    """
    found: dict[str, str] = {}  # text, because a million Path objects take seconds to build, and a gigabyte
    done = {os.path.realpath(place) for place in Path(os.path.abspath(folder)).parents}
    _walk(str(folder), os.path.realpath(folder), done, found, left_out, set() if folders is None else folders)
    return found


def _walk(
    folder: str, real: str, done: set[str], found: dict[str, str], left_out: Counter[str], folders: set[str]
) -> None:
    """Collect the files below a folder; `real` is its real path."""
    done.add(real)
    folders.add(real)
    inside = os.path.join(real, "")
    for entry in visible(folder):
        target = inside + entry.name
        if entry.is_symlink():
            target = os.path.realpath(entry.path)
            folders.add(os.path.dirname(target))
        if is_folder(entry):
            if target in done or holds(target, real):
                left_out[READ_ALREADY] += 1
            else:
                _walk(entry.path, target, done, found, left_out, folders)
        elif not _is_file(entry):
            left_out["broken links" if entry.is_symlink() else "files of a special kind"] += 1
        elif not is_image(entry.name):
            left_out[_suffix(entry.name) or "files without an ending"] += 1
        elif target in found:
            left_out[READ_ALREADY] += 1
        else:
            found[target] = target if entry.path == target else entry.path  # one string for both


def is_folder(entry: os.DirEntry) -> bool:
    """Return whether an entry is a folder or links to one; false for circular links, where `entry.is_dir` raises."""
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()


def _is_file(entry: os.DirEntry) -> bool:
    return os.path.isfile(entry.path) if entry.is_symlink() else entry.is_file()


def holds(outer: str, inner: str) -> bool:
    """Return whether the real path `outer` equals `inner` or is a folder above it."""
    return Path(inner).is_relative_to(outer)


def listed(left_out: Counter[str]) -> str:
    """Format what was left out, the most frequent first: .heic (30), .txt (2)."""
    return ", ".join(f"{kind} ({count})" for kind, count in left_out.most_common())
