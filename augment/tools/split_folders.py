"""Finds the folders of the splits by their names."""

from __future__ import annotations

from pathlib import Path

from augment.tools.decoding import shown
from augment.tools.errors import ToolError
from augment.tools.scanning import subfolders

NAMES = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "eval", "evaluation", "dev"),
    "test": ("test", "testing"),
}
"""Accepted names for the folder of each split, in upper or lower case."""

SPLIT_OF = {name: split for split, names in NAMES.items() for name in names}
"""Name, in lower case, -> split."""


def split_folders(root: Path) -> dict[str, Path]:
    """Return the folders of the splits; empty if root itself holds one folder per class.

    A split contains one folder per class. A folder without subfolders that is named like a split, next to folders that
    are not, is a class: a train among cars and buses.
    """
    folders = subfolders(root)
    named = [folder for folder in folders if folder.name.lower() in SPLIT_OF]
    if not any(subfolders(folder) for folder in named):
        if len(named) > 1 or (named and named == folders):
            raise ToolError(f"{shown(named[0])} holds no folders; put one folder per class into it.")
        return {}
    found: dict[str, Path] = {}
    for folder in named:
        split = SPLIT_OF[folder.name.lower()]
        if split in found:
            raise ToolError(
                f"{shown(found[split])} and {folder.name} are both names of the {split} split; "
                "rename or remove one of them."
            )
        found[split] = folder
    if "train" not in found:
        raise ToolError(f"{shown(root)} has a folder {named[0].name} but none for training; name that one train.")
    return found


def beside(root: Path, splits: dict[str, Path]) -> list[str]:
    """Return the names of the other folders, which are ignored."""
    return [folder.name for folder in subfolders(root) if folder not in splits.values()]
