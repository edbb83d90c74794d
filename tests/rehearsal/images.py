"""The images of a rehearsal: a small folder with one folder per class."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from PIL import Image

from augment.tools.scanning import is_image, subfolders, visible
from lightning_modules.folder import FolderData

CLASSES, EACH = 5, 48
"""Number of classes, and largest number of images of each class."""


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


def link_images(folder: Path, target: Path) -> Path:
    """Link some images of a folder; without folders for classes, its images get one of two labels by turns."""
    if subfolders(folder):
        images = FolderData(str(folder)).splits.train
        by_class = {
            name: [Path(images.paths[i]) for i in (images.labels == label).nonzero().flatten().tolist()]
            for label, name in enumerate(images.classes[:CLASSES])
        }
    else:
        paths = [folder / entry.name for entry in visible(folder) if is_image(entry.name)]
        by_class = {"even": paths[::2], "odd": paths[1::2]}
    for name, paths in by_class.items():
        (target / name).mkdir(parents=True)
        for number, path in enumerate(islice(paths, EACH)):
            (target / name / f"{number}{path.suffix}").symlink_to(path.resolve())
    return target
