"""The images of a rehearsal: a small folder with one folder per class."""

from __future__ import annotations

import shutil
from itertools import cycle, islice
from pathlib import Path

from PIL import Image

from augment.tools.scanning import is_image, subfolders, visible
from lightning_modules.data.folder import FolderData

CLASSES, EACH = 5, 48
"""Number of classes, and number of images of each class: an epoch of two processes has four steps."""


def write_digits(target: Path) -> Path:
    """Write some of scikit-learn's handwritten digits as PNG files."""
    from sklearn.datasets import load_digits

    bundled = load_digits()
    for label in range(CLASSES):
        (target / str(label)).mkdir(parents=True)
        for number in (bundled.target == label).nonzero()[0][:EACH]:
            pixels = (bundled.images[number] * 15.9375).astype("uint8")  # 0..16 -> 0..255
            Image.fromarray(pixels).save(target / str(label) / f"{number}.png")
    return target


def copy_images(folder: Path, target: Path) -> Path:
    """Copy images of a folder, several times if it has few; without folders for classes, labels go by turns."""
    if subfolders(folder):
        images = FolderData(str(folder)).splits.train
        by_class = {
            name: [Path(images.paths[i]) for i in (images.labels == label).nonzero().flatten().tolist()]
            for label, name in enumerate(images.classes[:CLASSES])
        }
    else:
        paths = [folder / entry.name for entry in visible(folder) if is_image(entry.name)]
        by_class = {f"class{label}": paths[label::CLASSES] for label in range(CLASSES)}
    for name, paths in by_class.items():
        (target / name).mkdir(parents=True)
        for number, path in enumerate(islice(cycle(paths), EACH)):
            shutil.copy(path, target / name / f"{number}{path.suffix}")  # of several links, the trainer takes one
    return target
