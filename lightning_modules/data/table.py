"""Images that a table lists: a CSV or Parquet file with a column of paths and a column of labels."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from augment.tools.decoding import shown
from augment.tools.errors import ToolError, required
from lightning_modules.data.file_data import FileData
from lightning_modules.data.file_images import FileImages
from lightning_modules.data.image_sets import Splits
from lightning_modules.data.paths import Paths
from lightning_modules.errors import UserError

SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
"""What a row of the split column may say, in any case, and the split that it means."""


class TableData(FileData):
    """Images in the rows of a table, in any folders.

    Classes are the labels in the order of their names. An image without a row is not used.

    Args:
        table: path of a .csv file with a header, or of a .parquet file (`pip install pyarrow`).
        root: folder that relative paths start from; None means the folder of the table.
        file, label: names of the columns with the path and the label of an image.
        split: name of a column with train, val or test; without that column, or for what it never says, validation and
            test images are split off from the training images.
        separator: what separates the labels of an image with several; the labels become targets (N, classes) of 0 and
            1, for loss=multi_label, and an empty field means no label. None takes a field as one label.
        options: see FileData.
    """

    def __init__(
        self,
        table: str,
        root: str | None = None,
        file: str = "file",
        label: str = "label",
        split: str = "split",
        separator: str | None = None,
        **options: Any,
    ) -> None:
        self.table = Path(table)
        super().__init__(str(self.table.parent) if root is None else root, **options)
        if not self.table.is_file():
            raise UserError(f"TableData: table={table!r} is not a file; give a .csv or .parquet file.")
        if separator == "":
            raise UserError("TableData: separator must not be empty; give null for one label per image.")
        self.columns, self.separator = (file, label, split), separator

    def load(self) -> Splits:
        file, label, split = self.columns
        columns = read_columns(self.table)
        for name in (file, label):
            if name not in columns:
                raise UserError(
                    f"TableData: {shown(self.table)} has no column {name!r}; its columns are {', '.join(columns)}."
                )
        labels, classes = self._labels(columns[label])
        places = self._places(columns.get(split, ["train"] * len(labels)))
        paths = [Path(os.path.join(self.root, path)) for path in columns[file]]
        self._check(paths)
        parts: dict[str, FileImages] = {
            part: FileImages([], labels[:0], classes, self.image_channels, self.background)
            for part in ("train", "val", "test")
            if part in places
        }
        if "train" not in parts:
            raise UserError(f"TableData: {shown(self.table)} has no row with train in its column {split!r}; add some.")
        for part, images in parts.items():
            rows = [row for row, place in enumerate(places) if place == part]
            images.paths, images.labels = Paths(paths[row] for row in rows), labels[rows]
        return self.with_missing(parts)

    def _labels(self, fields: list[str]) -> tuple[Tensor, list[str]]:
        """Return class numbers (N,) or targets (N, classes), and the names of the classes."""
        if self.separator is None:
            empty = next((row for row, field in enumerate(fields) if not field), None)
            if empty is not None:
                raise UserError(
                    f"TableData: row {empty + 1} of {shown(self.table)} has no label; give one, or a separator for "
                    "images with several labels or none."
                )
            classes = sorted(set(fields))
            numbers = {name: number for number, name in enumerate(classes)}
            return torch.tensor([numbers[field] for field in fields]), classes
        several = [[name.strip() for name in field.split(self.separator) if name.strip()] for field in fields]
        classes = sorted({name for names in several for name in names})
        numbers = {name: number for number, name in enumerate(classes)}
        targets = torch.zeros(len(fields), len(classes))
        for row, names in enumerate(several):
            targets[row, [numbers[name] for name in names]] = 1
        return targets, classes

    def _places(self, fields: list[str]) -> list[str]:
        """Return the split of each row."""
        for row, field in enumerate(fields):
            if field.strip().lower() not in SPLITS:
                raise UserError(
                    f"TableData: row {row + 1} of {shown(self.table)} has the split {field!r}, which must be one of "
                    f"{', '.join(SPLITS)}."
                )
        return [SPLITS[field.strip().lower()] for field in fields]

    def _check(self, paths: list[Path]) -> None:
        """Refuse a table without rows, with a file in two rows, or whose first file is not there."""
        if not paths:
            raise UserError(f"TableData: {shown(self.table)} has no rows.")
        if len(set(paths)) < len(paths):
            double = next(path for row, path in enumerate(paths) if path in paths[:row])
            raise UserError(f"TableData: {shown(double)} is in two rows of {shown(self.table)}; remove one.")
        if not paths[0].is_file():
            raise UserError(f"TableData: {shown(paths[0])} is not a file; set root to the folder of relative paths.")


def read_columns(path: Path) -> dict[str, list[str]]:
    """Return the fields of each column as text."""
    if path.suffix.lower() == ".parquet":
        try:
            parquet = required("pyarrow.parquet", "pyarrow", "a .parquet file")
        except ToolError as error:
            raise UserError(str(error)) from error
        columns = parquet.read_table(path).to_pydict()
        return {name: ["" if value is None else str(value) for value in values] for name, values in columns.items()}
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = list(csv.reader(file))
    if not rows:
        raise UserError(f"TableData: {shown(path)} is empty; its first line names the columns.")
    header, rows = rows[0], [row for row in rows[1:] if row]
    uneven = next((number for number, row in enumerate(rows, start=1) if len(row) != len(header)), None)
    if uneven is not None:
        fields = len(rows[uneven - 1])
        raise UserError(f"TableData: row {uneven} of {shown(path)} has {fields} fields, and the header {len(header)}.")
    return {name: [row[place] for row in rows] for place, name in enumerate(header)}
