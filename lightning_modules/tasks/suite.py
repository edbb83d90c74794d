"""TaskData: one of the ten tasks, or one with a known width, split into training, validation and test images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from lightning_modules.data.datamodule import ImageDataModule
from lightning_modules.data.image_sets import Splits, TensorImages, split
from lightning_modules.errors import UserError
from lightning_modules.tasks.arranged import position, size
from lightning_modules.tasks.patterns import nothing, texture
from lightning_modules.tasks.photographs import photographs
from lightning_modules.tasks.shaded import brightness, colour
from lightning_modules.tasks.turned import mirrored, orientation, rotated
from lightning_modules.tasks.widths import LABELLED, WIDTHS


class Task(NamedTuple):
    """A task of the suite.

    Attributes:
        make: the function from a seed to all images; None for the photographs, which are read from a folder.
        labelled: number of labelled images, so few that augmentation matters; the others are test images.
        breaks: operators that change the label.
    """

    make: Callable[[int], TensorImages] | None
    labelled: int
    breaks: tuple[str, ...]


TASKS = {
    "rotated": Task(rotated, 150, ("horizontal_flip",)),
    "orientation": Task(orientation, 200, ("rotate", "horizontal_flip")),
    "mirrored": Task(mirrored, 100, ("horizontal_flip", "rotate")),
    "position": Task(position, 80, ("translate_x", "horizontal_flip")),
    "size": Task(size, 120, ("scale",)),
    "colour": Task(colour, 100, ("hue",)),
    "brightness": Task(brightness, 120, ("brightness",)),
    "texture": Task(texture, 200, ("scale",)),
    "photographs": Task(None, 400, ()),
    "nothing": Task(nothing, 200, ("rotate", "translate_x", "translate_y", "hue", "horizontal_flip")),
}


EVERY = TASKS | {name: Task(known.make, LABELLED, ()) for name, known in WIDTHS.items()}
"""The ten tasks, and those with a known width."""


class TaskData(ImageDataModule):
    """One of ten tasks with 16x16 colour images; `TASKS` says which operators break its label. `WIDTHS` has more tasks.

    Args:
        task: a name from TASKS or WIDTHS.
        root: folder of photographs with a subfolder for each class, for task="photographs".
        apart: whether to keep the validation images, a fifth of the labelled ones, out of training, which is necessary
            to compare settings. If false, all labelled images are trained on and validation accuracy means nothing.
        batch_size, num_workers, seed, changed: see ImageDataModule; the seed also makes and splits the images.

    Example:
        >>> TaskData("position").example(4).image.shape
        torch.Size([4, 3, 16, 16])
    """

    def __init__(
        self,
        task: str,
        root: str | None = None,
        apart: bool = False,
        batch_size: int = 32,
        num_workers: int = 0,
        seed: int = 0,
        changed: Literal["refuse", "allow"] = "refuse",
    ) -> None:
        if task not in EVERY:
            raise UserError(f"TaskData: task={task!r} must be one of {', '.join(EVERY)}.")
        super().__init__(batch_size, num_workers, seed, changed)
        self.task, self.root, self.apart = task, root, apart

    def load(self) -> Splits:
        task = EVERY[self.task]
        everything = photographs(self.root) if task.make is None else task.make(self.seed)
        share = min(task.labelled / len(everything), 0.5)  # a folder may hold few photographs
        labelled, test = split(everything.labels, (share,), self.seed)
        train = everything.part(labelled)
        held, kept = split(train.labels, (0.2,), self.seed)
        return Splits(train.part(kept) if self.apart else train, train.part(held), everything.part(test))
