"""Images of any size in one folder per class."""

from __future__ import annotations

import json
import os
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning.utilities import rank_zero_warn

from augment.tools.decoding import shown
from augment.tools.errors import ToolError
from augment.tools.scanning import READ_ALREADY, holds, images_below, is_folder, is_image, listed, suffixes, visible
from augment.tools.split_folders import beside, split_folders
from lightning_modules.data.file_data import FileData
from lightning_modules.data.file_images import FileImages
from lightning_modules.data.image_sets import Splits
from lightning_modules.data.kept_index import Index, kept_listing
from lightning_modules.data.paths import Paths
from lightning_modules.errors import UserError

Classes = dict[str, dict[str, str]]
"""Class name -> real path of each file -> path where the file was found."""


class FolderData(FileData):
    """Image files in folders: root/train/cat/1.jpg, root/val/..., root/test/...; or root/cat/1.jpg, split here.

    If root has a folder `train`, a missing `val` or `test` is split off from it; otherwise both are split off from all
    images. docs/files.md lists the accepted names of splits, the files that are read, and how they are read.

    Args:
        root: the folder.
        options: see FileData.
    """

    def __init__(self, root: str, **options: Any) -> None:
        super().__init__(root, **options)
        if not self.root.is_dir():
            raise UserError(f"FolderData: root={str(root)!r} is not a folder; give one with one folder per class.")

    def load(self) -> Splits:
        what = f"folder, format 1\0{sorted(suffixes())}\0{self.root}\0{os.path.abspath(self.root)}"
        index = kept_listing(what, self._listed)
        facts = json.loads(index["facts"].tobytes())
        if facts["told"]:
            rank_zero_warn(facts["told"])
        return self.with_missing(
            {
                name: FileImages(
                    Paths.of(index, name),
                    torch.from_numpy(index[f"{name}.labels"]),
                    facts["classes"],
                    self.image_channels,
                    self.background,
                )
                for name in facts["parts"]
            }
        )

    def _listed(self, listed_folders: set[str]) -> Index:
        """Find the files of each split, and add the folders that were listed to a set."""
        left_out: Counter[str] = Counter()
        try:
            folders = split_folders(self.root)
            if folders and (loose := sum(is_image(entry.name) for entry in visible(self.root))):
                left_out["images beside the folders of the splits"] = loose
            places = folders or {"train": self.root}
            listed_folders |= {os.path.realpath(place) for place in (self.root, *places.values())}
            files = {name: self._classes(place, left_out, listed_folders) for name, place in places.items()}
        except ToolError as error:
            raise UserError(str(error)) from error
        classes = sorted(files["train"])
        index: Index = {}
        for name, found in files.items():
            index |= self._labelled(name, found, classes, folders.get(name))
        facts = {"classes": classes, "parts": list(files), "told": self._told(folders, left_out, files)}
        return index | {"facts": np.frombuffer(json.dumps(facts).encode(), np.uint8)}

    def _classes(self, folder: Path, left_out: Counter[str], listed_folders: set[str]) -> Classes:
        """Find the images below each folder of a split, and count the entries that are left out."""
        real, classes, owner = os.path.realpath(folder), Classes(), dict[str, str]()
        for entry in visible(folder):
            if not is_folder(entry):
                left_out["files beside the class folders"] += 1
            elif entry.is_symlink() and holds(os.path.realpath(entry.path), real):
                left_out[READ_ALREADY] += 1
            else:
                place, other = folder / entry.name, Counter[str]()
                found = images_below(place, other, listed_folders)
                if not found:
                    only = f" that can be read, only {listed(other)}" if other else ""
                    raise UserError(f"FolderData: {shown(place)} holds no images{only}; remove it or add images.")
                for path in sorted(found.keys() & owner.keys()):
                    raise UserError(
                        f"FolderData: {shown(found[path])} and {shown(owner[path])} are the same file, so it would "
                        "have two labels; remove one of the links."
                    )
                owner |= found
                # file systems encode accented letters in one of two ways, so normalise the name
                classes.setdefault(unicodedata.normalize("NFC", entry.name), {}).update(found)
                left_out += other
        if not classes:
            raise UserError(f"FolderData: {shown(folder)} holds no folders; give a root with one folder per class.")
        return classes

    def _labelled(self, name: str, found: Classes, classes: list[str], folder: Path | None) -> Index:
        """Return the paths of a split and their labels, the positions of their classes in `classes`."""
        unknown = sorted(set(found) - set(classes))
        if unknown:
            raise UserError(
                f"FolderData: {shown((folder or self.root) / unknown[0])} is a class without training images; remove "
                "it or add some."
            )
        own = sorted(found)
        labels = np.repeat([classes.index(one) for one in own], [len(found[one]) for one in own])
        return Paths(path for one in own for path in found[one].values()).arrays(name) | {f"{name}.labels": labels}

    def _told(self, folders: dict[str, Path], left_out: Counter[str], files: dict[str, Classes]) -> str:
        """Return a warning about all files and folders that are not used, or are used twice; or nothing."""
        told = [f"ignored {listed(left_out)}"] if left_out else []
        others = beside(self.root, folders) if folders else []
        if others:
            told.append(f"ignored the folders {', '.join(map(shown, others))}, which are not names of splits")
        real = {name: {path for found in classes.values() for path in found} for name, classes in files.items()}
        for name in self.shares:
            both = len(real["train"] & real.get(name, set()))
            if both:
                told.append(f"{both} files of {name} are also training images, through links")
        return f"FolderData: {shown(self.root)}: {'; '.join(told)}." if told else ""
