"""How far resized photographs are from what Pillow, torchvision and OpenCV make of them.

python -m tests.alignment [FOLDER]     # prints the table of docs/alignment.md; default: scikit-learn's photographs
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import resize

import augment as A
from augment.tools.decoding import decode
from augment.tools.scanning import suffixes

SIZES = ((224, 224), (97, 311), (700, 900))
"""Heights and widths: smaller, much smaller along one axis, larger than scikit-learn's photographs."""


@dataclass(frozen=True)
class Mode:
    """A mode of another library, and the arguments of `Preprocess` and `Resize` that equal it."""

    library: str
    name: str
    resize: Callable[[np.ndarray, int, int], np.ndarray]
    resample: str
    antialias: bool

    def equals(self, photo: np.ndarray, size: tuple[int, int]) -> bool:
        """Whether the mode is compared at a size: INTER_AREA enlarges in a way of its own."""
        return self.resample != "area" or (size[0] <= photo.shape[0] and size[1] <= photo.shape[1])


def _pillow(name: str, resample: str) -> Mode:
    filter = getattr(Image.Resampling, name)

    def resized(photo: np.ndarray, height: int, width: int) -> np.ndarray:
        return np.array(Image.fromarray(photo).resize((width, height), filter))

    return Mode("Pillow", name, resized, resample, True)


def _torchvision(name: str, resample: str, antialias: bool) -> Mode:
    def resized(photo: np.ndarray, height: int, width: int) -> np.ndarray:
        image = torch.tensor(photo).permute(2, 0, 1)
        return resize(image, [height, width], InterpolationMode[name], antialias=antialias).permute(1, 2, 0).numpy()

    return Mode("torchvision", f"{name}, antialias={antialias}", resized, resample, antialias)


def _opencv(name: str, resample: str, antialias: bool = False) -> Mode:
    def resized(photo: np.ndarray, height: int, width: int) -> np.ndarray:
        return cv2.resize(photo, (width, height), interpolation=getattr(cv2, name))

    return Mode("OpenCV", name, resized, resample, antialias)


MODES = (
    _pillow("BILINEAR", "bilinear"),
    _pillow("BICUBIC", "bicubic"),
    _pillow("NEAREST", "nearest-exact"),
    _torchvision("BILINEAR", "bilinear", True),
    _torchvision("BICUBIC", "bicubic", True),
    _torchvision("BILINEAR", "bilinear", False),
    _torchvision("BICUBIC", "bicubic", False),
    _torchvision("NEAREST", "nearest", True),
    _torchvision("NEAREST_EXACT", "nearest-exact", True),
    _opencv("INTER_LINEAR", "bilinear"),
    _opencv("INTER_CUBIC", "bicubic"),
    _opencv("INTER_NEAREST", "nearest"),
    _opencv("INTER_AREA", "area", True),
)


def differences(mode: Mode, photo: np.ndarray, height: int, width: int) -> Tensor:
    """Returns the differences of all values, in levels of 255, after ours are rounded to bytes as theirs are."""
    layer = A.Preprocess((height, width), crop=None, resample=mode.resample, antialias=mode.antialias, dtype="uint8")
    ours = layer(torch.tensor(photo).permute(2, 0, 1)[None])[0].permute(1, 2, 0)
    return (ours.int() - torch.tensor(mode.resize(photo, height, width)).int()).abs()


def photographs(folder: str | None) -> Iterator[np.ndarray]:
    if folder is None:
        yield from load_sample_images().images
        return
    for file in sorted(Path(folder).rglob("*")):
        if file.suffix.lower() in suffixes():
            yield np.ascontiguousarray(decode(file).permute(1, 2, 0).numpy())


def table(photos: list[np.ndarray]) -> Iterator[str]:
    yield "| library | its mode | `resample` | `antialias` | largest | mean | above one level |"
    yield "|---|---|---|---|---|---|---|"
    for mode in MODES:
        found = torch.cat(
            [
                differences(mode, photo, *size).flatten()
                for photo in photos
                for size in SIZES
                if mode.equals(photo, size)
            ]
        )
        share = (found > 1).double().mean().item()
        yield (
            f"| {mode.library} | {mode.name} | {mode.resample} | {mode.antialias} | {found.max().item()} "
            f"| {found.double().mean().item():.3f} | {share:.4%} |"
        )


if __name__ == "__main__":
    print("\n".join(table(list(photographs(sys.argv[1] if len(sys.argv) > 1 else None)))))
