"""Labelled image files, decoded when a batch needs them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from torch import Tensor

from augment import Batch, PackedImages, Pipeline
from augment.data.known import known
from augment.tools.decoding import ImageFile, UnreadableError, shown
from augment.tools.errors import ToolError
from augment.tools.reading import images_of, looked_at
from lightning_modules.data.image_sets import ImageSet, Looked
from lightning_modules.data.paths import Files, Paths
from lightning_modules.data.size_of_epoch import SizeOfEpoch
from lightning_modules.data.unreadable import UnreadableFiles
from lightning_modules.errors import UserError


class FileImages(ImageSet):
    """Image files, decoded on access.

    Args:
        paths: N files of any format that Pillow reads, on their own or inside of others.
        labels: (N,) integers.
        classes: names of the classes.
        channels: 1 for grey, 3 for colour; other images are converted.
        background: colour behind transparent images, see augment.tools.decoding.

    Attributes:
        pipeline: decides what is decoded of the samples in `Looked` numbers; None decodes whole images.
        size_of_epoch: what the pipeline's size depends on; None if it is the same in all epochs.
        unreadable: list of the files that cannot be read, which other images of their batch replace; None makes the
            first such file an error.
        bad: numbers of the samples whose files could not be read in this process.
    """

    def __init__(
        self,
        paths: Files | Sequence[Path],
        labels: Tensor,
        classes: Sequence[str],
        channels: int,
        background: str | Sequence[int] = "white",
    ) -> None:
        super().__init__(labels, classes, channels)
        self.paths: Files = paths if isinstance(paths, Files) else Paths(paths)
        self.background = background
        self.pipeline: Pipeline | None = None
        self.size_of_epoch: SizeOfEpoch | None = None
        self.unreadable: UnreadableFiles | None = None
        self.bad: set[int] = set()

    def images(self, numbers: Sequence[int]) -> Tensor | PackedImages:
        with _user_errors():
            return images_of(self._files(numbers))

    def __getitems__(self, numbers: Sequence[int]) -> Batch:
        numbers = self._without_bad(numbers)
        try:
            return super().__getitems__(numbers)
        except UserError:
            if self.unreadable is None:
                raise
        self._find_bad(numbers)
        return super().__getitems__(self._without_bad(numbers))

    def _find_bad(self, numbers: Sequence[int]) -> None:
        """Decode each image of a batch, and add those that cannot be to the list."""
        for number in sorted(set(self._samples(numbers))):
            try:
                ImageFile(self.paths[number], self.channels, self.background).pixels()
            except UnreadableError as error:
                self.bad.add(number)
                known(self.unreadable).add(shown(self.paths[number]), error.why)

    def _without_bad(self, numbers: Sequence[int]) -> Sequence[int]:
        """Replace bad samples by the first good one of the batch, in evaluation as a row that does not count."""
        samples = self._samples(numbers)
        if self.bad.isdisjoint(samples):
            return numbers
        good = [number for number, sample in zip(numbers, samples, strict=True) if sample not in self.bad]
        if not good:
            raise UserError(
                f"none of the {len(numbers)} images of a batch can be read, such as {shown(self.paths[samples[0]])}; "
                f"{known(self.unreadable).path} lists them: replace or remove them, or take larger batches."
            )
        evaluated = isinstance(numbers, Looked) and numbers.epoch is None
        other = min(good[0], ~good[0]) if evaluated else good[0]  # negative: padding
        kept = [other if sample in self.bad else number for number, sample in zip(numbers, samples, strict=True)]
        return Looked(kept, numbers.epoch) if isinstance(numbers, Looked) else kept

    def _samples(self, numbers: Sequence[int]) -> list[int]:
        """Return the samples that numbers of a batch stand for, see `ImageSet.__getitems__`."""
        return [max(number, ~number) % len(self) for number in numbers]

    def _image(self, index: Tensor, numbers: Sequence[int]) -> Tensor | PackedImages:
        if self.pipeline is None or not isinstance(numbers, Looked):
            return super()._image(index, numbers)
        if self.size_of_epoch is not None and numbers.epoch is not None:
            self.size_of_epoch.apply(self.pipeline, numbers.epoch)
        noise = None if numbers.epoch is None else self.pipeline.noise(index, numbers.epoch)
        with _user_errors():
            return looked_at(self._files((index % len(self)).tolist()), self.pipeline, noise)

    def _files(self, numbers: Sequence[int]) -> list[ImageFile]:
        return [ImageFile(self.paths[number], self.channels, self.background) for number in numbers]

    def part(self, numbers: Tensor) -> FileImages:
        """Return the samples with these numbers, renumbered from 0."""
        return FileImages(
            self.paths.taken(numbers.tolist()), self.labels[numbers], self.classes, self.channels, self.background
        )


@contextmanager
def _user_errors() -> Iterator[None]:
    try:
        yield
    except ToolError as error:
        raise UserError(str(error)) from error
