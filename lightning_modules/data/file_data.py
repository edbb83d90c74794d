"""What data modules of image files have in common: how files are read, drawn and split."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from augment.tools.decoding import colour
from lightning_modules.data.datamodule import ImageDataModule
from lightning_modules.data.file_images import FileImages
from lightning_modules.data.image_sets import Splits, split
from lightning_modules.errors import UserError


class FileData(ImageDataModule, ABC):
    """Image files of any size.

    Args:
        root: the folder of the files.
        channels: 1 reads the images as grey, 3 as colour.
        val_share, test_share: shares of the training images to split off, in (0, 1), if the data define no such split.
        background: colour behind transparent images: a name, "#rrggbb", or three numbers up to 255.
        batch_size, num_workers, seed, changed: see ImageDataModule.
        reduce: decode JPEG files at 1/2, 1/4 or 1/8 of their size and send only the part of an image that is read,
            where the draw allows it; see docs/files.md. False decodes whole images.
        on_error: "raise" ends the run at a file that cannot be read. "skip" puts the first good image of the batch in
            its place, in evaluation as a row that does not count, and lists it in unreadable.csv in the run's folder.
        unreadable_limit: number of such files, at most, before the run ends after all.
        balance: from 0, every image once in an epoch, to 1, all classes equally often. The share of a class is
            proportional to its number of images to the power of 1 - balance; images are drawn with replacement.
        repeats: how often each image comes in succession, each time augmented differently; an epoch keeps its length.
    """

    def __init__(
        self,
        root: str,
        channels: int = 3,
        val_share: float = 0.1,
        test_share: float = 0.1,
        background: str | Sequence[int] = "white",
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        changed: Literal["refuse", "allow"] = "refuse",
        reduce: bool = True,
        on_error: Literal["raise", "skip"] = "raise",
        unreadable_limit: int = 100,
        balance: float = 0.0,
        repeats: int = 1,
    ) -> None:
        super().__init__(batch_size, num_workers, seed, changed)
        name = type(self).__name__
        if on_error not in ("raise", "skip") or unreadable_limit < 1:
            raise UserError(
                f"{name}: on_error={on_error!r} must be 'raise' or 'skip', and unreadable_limit={unreadable_limit} at "
                "least 1."
            )
        if not 0 <= balance <= 1 or repeats < 1:
            raise UserError(f"{name}: balance={balance} must lie within [0, 1], and repeats={repeats} be at least 1.")
        if channels not in (1, 3):
            raise UserError(f"{name}: channels={channels} must be 1 (grey) or 3 (colour).")
        try:
            self.background = colour(background)
        except ValueError as error:
            raise UserError(f"{name}: {error}") from error
        self.root, self.shares = Path(root), {"val": val_share, "test": test_share}
        self.image_channels = channels
        self.reduce, self.on_error, self.unreadable_limit = reduce, on_error, unreadable_limit
        self.balance, self.repeats = balance, repeats

    def with_missing(self, parts: dict[str, FileImages]) -> Splits:
        """Return all splits; those that the data do not define are split off from the training images."""
        missing = [name for name in self.shares if name not in parts]
        if missing:
            train = parts["train"]
            *numbers, rest = split(train.labels, [self.shares[name] for name in missing], self.seed)
            parts = parts | {name: train.part(n) for name, n in zip(missing, numbers, strict=True)}
            parts["train"] = train.part(rest)
        return Splits(parts["train"], parts["val"], parts["test"])
