"""Which files below a folder are images."""

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
"""Formats that Pillow only recognises, or that another program has to draw."""

READ_ALREADY = "links to what is read already"
"""What a link is counted as that leads back, or to a file that is in the list."""


@cache
def suffixes() -> frozenset[str]:
    """Endings of the raster images that the installed Pillow reads, in small letters: .jpg, .png, ..."""
    required("PIL", "pillow", "reading images")
    from PIL import Image

    formats = Image.registered_extensions()  # loads the readers, too
    readable = {*Image.OPEN, "MPO"} - _NO_RASTER  # MPO is read as the JPEG that it begins with
    return frozenset(suffix for suffix, name in formats.items() if name in readable)


def is_image(name: str) -> bool:
    """Whether a file's ending is one of them."""
    return _suffix(name) in suffixes()


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def visible(folder: Path) -> list[os.DirEntry]:
    """What a folder holds, links last, each in the order of names; without hidden files and a system's own."""
    try:
        with os.scandir(folder) as found:
            kept = [e for e in found if not e.name.startswith(".") and e.name.lower() not in _JUNK]
    except OSError as error:
        raise ToolError(f"cannot look into the folder {shown(folder)} ({error.strerror}): make it readable.") from error
    return sorted(kept, key=lambda entry: (entry.is_symlink(), entry.name))


def subfolders(folder: Path) -> list[Path]:
    """The visible folders and links to folders that a folder holds."""
    return [folder / entry.name for entry in visible(folder) if is_folder(entry)]


def images_below(folder: Path, left_out: Counter[str]) -> dict[str, Path]:
    """All image files below a folder, in an order that the names alone decide.

    Links are followed, but every file and folder is taken once, and none that holds `folder` itself.

    Args:
        left_out: gets what was not taken: how many files of each ending, and how many links.

    Returns:
        The real path of every file -> where it was found.
    """
    found: dict[str, Path] = {}
    done = {os.path.realpath(place) for place in Path(os.path.abspath(folder)).parents}
    _walk(folder, os.path.realpath(folder), done, found, left_out)
    return found


def _walk(folder: Path, real: str, done: set[str], found: dict[str, Path], left_out: Counter[str]) -> None:
    """Collects what is below a folder, whose real path is given."""
    done.add(real)
    for entry in visible(folder):
        target = os.path.realpath(entry.path) if entry.is_symlink() else os.path.join(real, entry.name)
        if is_folder(entry):
            if target in done or holds(target, real):
                left_out[READ_ALREADY] += 1
            else:
                _walk(folder / entry.name, target, done, found, left_out)
        elif not _is_file(entry):
            left_out["broken links" if entry.is_symlink() else "files of a special kind"] += 1
        elif not is_image(entry.name):
            left_out[_suffix(entry.name) or "files without an ending"] += 1
        elif target in found:
            left_out[READ_ALREADY] += 1
        else:
            found[target] = folder / entry.name


def is_folder(entry: os.DirEntry) -> bool:
    """Whether it is a folder or a link to one; a link to itself is none, of which `entry.is_dir` complains."""
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()


def _is_file(entry: os.DirEntry) -> bool:
    return os.path.isfile(entry.path) if entry.is_symlink() else entry.is_file()


def holds(outer: str, inner: str) -> bool:
    """Whether a real path is the other one or a folder above it."""
    return Path(inner).is_relative_to(outer)


def listed(left_out: Counter[str]) -> str:
    """.heic (30), .txt (2): what was left out, the most frequent first."""
    return ", ".join(f"{kind} ({count})" for kind, count in left_out.most_common())
