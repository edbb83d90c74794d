"""Images in tar files as WebDataset lays them out."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from lightning_modules.data.file_data import FileData
from lightning_modules.data.file_images import FileImages
from lightning_modules.data.image_sets import Splits
from lightning_modules.data.kept_index import kept
from lightning_modules.errors import UserError
from lightning_modules.sources.labels import Label, numbered
from lightning_modules.sources.tar_index import Fields, ShardFiles, indexed, opened


class WebDatasetData(FileData):
    """Images and labels in local tar files: 000.jpg, 000.cls, 001.jpg, 001.cls, ...

    The headers are read once, and an index is kept in the user's cache. Samples are then read by number like files, so
    an epoch shuffles all of them, counts are exact, and a run resumes at its next sample. A list of labels in JSON
    becomes targets (N, classes) of 0 and 1, for loss=multi_label.

    Args:
        root: folder of the shards.
        train, val, test: patterns of their names below root; splits without shards are split off from the training
            images.
        image: ending of a sample's image, such as jpg; None takes the only member that is an image.
        label: ending of its label: cls, txt or another for text; json for a JSON value or object.
        key: of the label in a JSON object.
        options: see FileData.

    Example:
        >>> data = WebDatasetData("shards", train="train-*.tar", label="json", key="class")
    """

    def __init__(
        self,
        root: str,
        train: str = "train*.tar",
        val: str = "val*.tar",
        test: str = "test*.tar",
        image: str | None = None,
        label: str = "cls",
        key: str = "label",
        **options: Any,
    ) -> None:
        super().__init__(root, **options)
        if "://" in root or root.startswith("pipe:"):
            raise UserError(
                f"WebDatasetData: root={root!r} must be a local folder, because shards are read by position; copy or "
                "mount them."
            )
        if not self.root.is_dir():
            raise UserError(f"WebDatasetData: root={root!r} is not a folder; give one with .tar files.")
        self.patterns, self.fields = {"train": train, "val": val, "test": test}, Fields(image, label, key)

    def load(self) -> Splits:
        files: dict[str, ShardFiles] = {}
        labels: list[Label] = []
        for split, shards in self._shards().items():
            index = kept(f"shards, {tuple(self.fields)}", shards, partial(indexed, shards, self.fields))
            files[split], some = opened(shards, index)
            labels += some
        try:
            targets, classes = numbered(labels)
        except UserError as error:
            raise UserError(f"WebDatasetData: {self.root}: {error}") from error
        sizes = [len(part) for part in files.values()]
        parts = {
            split: FileImages(part, some, classes, self.image_channels, self.background)
            for (split, part), some in zip(files.items(), targets.split(sizes), strict=True)
        }
        return self.with_missing(parts)

    def _shards(self) -> dict[str, list[Path]]:
        """Return the shards of each split that has some."""
        found = {split: sorted(self.root.glob(pattern)) for split, pattern in self.patterns.items()}
        if not found["train"]:
            raise UserError(
                f"WebDatasetData: {self.root} has no files {self.patterns['train']}; name the training shards by "
                "data.train."
            )
        owner: dict[Path, str] = {}
        for split, shards in found.items():
            for shard in shards:
                if owner.setdefault(shard, split) != split:
                    raise UserError(
                        f"WebDatasetData: {shard} is a shard of {owner[shard]} and of {split}; change their patterns."
                    )
        return {split: shards for split, shards in found.items() if shards}
