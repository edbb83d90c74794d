"""The images of a preview, with the labels that their folders give them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from pathlib import Path

from torch import Tensor

from augment.tools.decoding import decode, shown
from augment.tools.images import image_files

_SPLITS = ("train", "training", "val", "valid", "validation", "eval", "evaluation", "dev", "test", "testing")
"""Names of folders that hold folders of classes, in lower case."""


@dataclass(frozen=True)
class Sample:
    """An image and what is known about it.

    Attributes:
        image: (3, H, W) uint8.
        name: of the file.
        label: its class, or the name of the file where folders name no classes.
        boxes: (N, 4) x1 y1 x2 y2 in pixels.
        keypoints: (N, 3) x y in pixels, and COCO's visibility.
        mask: (H, W) integers, 0 for the background.
        box_names: the class of each box.
    """

    image: Tensor
    name: str
    label: str
    boxes: Tensor | None = None
    keypoints: Tensor | None = None
    mask: Tensor | None = None
    box_names: Sequence[str] = field(default_factory=tuple)


def class_of(file: Path, root: Path) -> str | None:
    """Return the folder of a file that names its class, below root or below the folder of a split; None if none does.

    Example:
        >>> class_of(Path("photos/train/cat/1.jpg"), Path("photos"))
        'cat'
    """
    folders = file.relative_to(root).parts[:-1] if file.is_relative_to(root) else ()
    if folders and folders[0].lower() in _SPLITS:
        folders = folders[1:]
    return folders[0] if folders else None


def spread(files: Sequence[Path], root: Path, count: int) -> list[Path]:
    """Choose files in turn from every class, so that a small number shows as many classes as possible."""
    classes: dict[str | None, list[Path]] = {}
    for file in files:
        classes.setdefault(class_of(file, root), []).append(file)
    turns = chain.from_iterable(zip_longest(*classes.values()))
    return [file for file in turns if file is not None][:count]


def read_samples(path: str, count: int, background: str | Sequence[int] = "white") -> list[Sample]:
    """Read up to `count` images of a file or a folder.

    Raises:
        ToolError: there are no images, or one cannot be read.
    """
    root = Path(path)
    files = spread(image_files(path), root, count)
    classes = [class_of(file, root) for file in files]
    if len(set(classes)) == 1:  # one folder of images is no class
        classes = [None] * len(files)
    return [
        Sample(decode(file, background=background), shown(file.name), name or shown(file.stem))
        for file, name in zip(files, classes, strict=True)
    ]
