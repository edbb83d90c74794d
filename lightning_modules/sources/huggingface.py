"""Data sets of Hugging Face: in a folder or from the hub."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning.utilities import rank_zero_warn
from torch import Tensor

from augment.tools.errors import ToolError, required
from augment.tools.split_folders import SPLIT_OF
from lightning_modules.data.file_data import FileData
from lightning_modules.data.file_images import FileImages
from lightning_modules.data.image_sets import Splits
from lightning_modules.data.paths import Stored
from lightning_modules.errors import UserError
from lightning_modules.sources.labels import name_of, numbered

_HIDDEN = -1
"""Class number by which the hub's data sets withhold a label."""


class HuggingFaceData(FileData):
    """A data set of Hugging Face with a column of images and a column of labels.

    Its splits are found by their names: train, validation, test and the other names in docs/files.md. A list of labels
    becomes targets (N, classes) of 0 and 1, for loss=multi_label.

    Args:
        root: a folder that `save_to_disk` wrote, another folder that `datasets.load_dataset` reads (Parquet, Arrow,
            images), or a name on the hub, such as uoft-cs/cifar10.
        subset: configuration of the data set, if it has several.
        image, label: names of the columns.
        options: see FileData.

    Example:
        >>> HuggingFaceData("uoft-cs/cifar10", image="img").columns
        ('img', 'label')
    """

    def __init__(
        self, root: str, subset: str | None = None, image: str = "image", label: str = "label", **options: Any
    ) -> None:
        super().__init__(root, **options)
        self.subset, self.columns = subset, (image, label)

    def prepare_data(self) -> None:
        self._opened()

    def load(self) -> Splits:
        parts = self._parts()
        feature = parts["train"].features[self.columns[1]]
        classes = _names(feature)
        sizes = [len(part) for part in parts.values()]
        labels = [value for part in parts.values() for value in _values(part, self.columns[1])]
        if classes is None:
            targets, classes = numbered([self._label(value) for value in labels])
        else:
            targets = _targets(labels, classes)
        files = {
            name: FileImages(
                Rows(part.select_columns(self.columns[0]), np.arange(len(part)), f"{self.root}/{name}"),
                some,
                classes,
                self.image_channels,
                self.background,
            )
            for (name, part), some in zip(parts.items(), targets.split(sizes), strict=True)
        }
        return self.with_missing(files)

    def _label(self, value: object) -> str | list[str]:
        try:
            return name_of(value)
        except UserError as error:
            raise UserError(f"HuggingFaceData: column {self.columns[1]!r} of {self.root}: {error}") from error

    def _parts(self) -> dict[str, Any]:
        """Return the data set of each split, with images as bytes; splits whose labels are withheld are left out."""
        image, label = self.columns
        parts: dict[str, Any] = {}
        for name, found in self._opened().items():
            split = SPLIT_OF.get(name.lower())
            if split is None:
                rank_zero_warn(f"HuggingFaceData: ignored the split {name!r} of {self.root}, which is no known name.")
                continue
            if split in parts:
                raise UserError(f"HuggingFaceData: {self.root} has two {split} splits; {name!r} is the second.")
            for column in self.columns:
                if column not in found.column_names:
                    raise UserError(
                        f"HuggingFaceData: {self.root} has no column {column!r}; its columns are "
                        f"{', '.join(found.column_names)}."
                    )
            datasets = required("datasets", "datasets", "data=huggingface")
            if not isinstance(found.features[image], datasets.Image):
                raise UserError(
                    f"HuggingFaceData: column {image!r} of {self.root} is {found.features[image]}, not Image(); name "
                    "the column of images by data.image."
                )
            if _withheld(found, label):
                rank_zero_warn(f"HuggingFaceData: ignored the split {name!r} of {self.root}, which has no labels.")
                continue
            parts[split] = found.cast_column(image, datasets.Image(decode=False))
        if "train" not in parts:
            raise UserError(f"HuggingFaceData: {self.root} has no training split.")
        return parts

    def _opened(self) -> dict[str, Any]:
        """Return the data sets by name; the first call downloads what is not on this machine."""
        try:
            datasets = required("datasets", "datasets", "data=huggingface")
        except ToolError as error:
            raise UserError(str(error)) from error
        saved = any((self.root / name).is_file() for name in ("dataset_dict.json", "dataset_info.json"))
        root = str(self.root)
        try:
            found = datasets.load_from_disk(root) if saved else datasets.load_dataset(root, self.subset)
        except Exception as error:  # the library raises errors of many kinds
            why = str(error).strip().splitlines() or [type(error).__name__]
            raise UserError(f"HuggingFaceData: cannot open root={root!r}: {why[0]}") from error
        return dict(found) if isinstance(found, dict) else {"train": found}


class Rows:
    """The images of a data set's rows; see `lightning_modules.data.paths.Files`.

    Args:
        dataset: a data set with one column, which holds undecoded images.
        rows: (N,) numbers of its rows.
        name: of the data set, for messages.
    """

    def __init__(self, dataset: Any, rows: np.ndarray, name: str) -> None:
        self.dataset, self.rows, self.name = dataset, rows, name

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int, /) -> Stored:
        row = int(self.rows[number])
        return Stored(f"{self.name}, row {row}", partial(self._read, row))

    def _read(self, row: int) -> bytes:
        (image,) = self.dataset[row].values()
        if image is None:
            raise OSError("the row has no image")
        return Path(image["path"]).read_bytes() if image["bytes"] is None else image["bytes"]

    def taken(self, numbers: Iterable[int]) -> Rows:
        """Return the rows with these numbers."""
        return Rows(self.dataset, self.rows[np.fromiter(numbers, np.int64)], self.name)

    def names(self) -> Iterator[bytes]:
        """Yield the name of each row."""
        return (f"{self.name}, row {row}".encode() for row in self.rows)


def _values(dataset: Any, column: str) -> list[Any]:
    return dataset.select_columns(column)[:][column]


def _names(feature: Any) -> list[str] | None:
    """Return the names of the classes if the data set defines them, for one label or a list of labels."""
    return getattr(getattr(feature, "feature", feature), "names", None)


def _withheld(dataset: Any, label: str) -> bool:
    """Return whether all labels are missing."""
    if getattr(dataset.features[label], "names", None) is None or len(dataset) == 0:
        return False
    return all(value in (_HIDDEN, None) for value in _values(dataset, label))


def _targets(labels: list[Any], classes: list[str]) -> Tensor:
    """Return class numbers (N,), or targets (N, classes) for lists of class numbers."""
    missing = next((row for row, value in enumerate(labels) if value in (_HIDDEN, None)), None)
    if missing is not None:
        raise UserError(f"HuggingFaceData: sample {missing} has no label; remove such rows from the data set.")
    if not isinstance(labels[0], list):
        return torch.tensor(labels)
    targets = torch.zeros(len(labels), len(classes))
    for row, numbers in enumerate(labels):
        targets[row, numbers] = 1
    return targets
