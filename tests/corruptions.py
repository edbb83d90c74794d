"""Compares our corruptions with the published code of ImageNet-C, on photographs.

    pip install imagecorruptions-imaug          # Apache 2.0; not a dependency
    python -m tests.corruptions photos.tar --count 12

Prints a row per corruption for docs/corruptions.md: PSNR against the clean photograph and mean level, theirs and ours.
"""

from __future__ import annotations

import argparse
import io
import tarfile
from pathlib import Path

import numpy as np
import torch
from imagecorruptions import corrupt
from PIL import Image, ImageOps

import augment as A
from augment.recipes.corruptions import SEVERITIES

SIZE = 224


def photographs(archive: Path, count: int) -> np.ndarray:
    """Return (count, 224, 224, 3) bytes: the shorter side resized to 256, then the centre."""
    found = []
    with tarfile.open(archive) as tar:
        members = [member for member in tar.getmembers() if member.name.lower().endswith((".jpg", ".jpeg"))]
        for member in members[:: max(len(members) // count, 1)][:count]:
            file = tar.extractfile(member)
            image = Image.open(io.BytesIO(file.read())).convert("RGB")
            scale = 256 / min(image.size)
            image = image.resize([max(round(side * scale), SIZE) for side in image.size], Image.Resampling.BILINEAR)
            found.append(np.asarray(ImageOps.fit(image, (SIZE, SIZE), centering=(0.5, 0.5))))
    return np.stack(found)


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    """Return the mean over images of the peak signal to noise ratio in dB."""
    error = np.square(one.astype(float) - other.astype(float)).mean((1, 2, 3))
    return float((10 * np.log10(255**2 / np.maximum(error, 1e-3))).mean())


def compared(name: str, images: np.ndarray) -> str:
    """Return the row of a corruption: each number at severities 1 to 5."""
    rows: list[list[float]] = []
    tensor, index = torch.from_numpy(images).permute(0, 3, 1, 2), torch.arange(len(images))
    for severity in SEVERITIES:
        theirs = np.stack([corrupt(image, severity=severity, corruption_name=name) for image in images])
        ours = A.presets.imagenet_c(name, severity, compile=False)(tensor, index=index).permute(0, 2, 3, 1).numpy()
        measures = psnr(images, theirs), psnr(images, ours), theirs.mean(), ours.mean(), psnr(theirs, ours)
        rows.append([float(value) for value in measures])
    cells = (" ".join(f"{value:.1f}" for value in column) for column in zip(*rows, strict=True))
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path, help="a tar file of JPEG photographs")
    parser.add_argument("--count", type=int, default=12, help="number of photographs")
    arguments = parser.parse_args()
    np.random.seed(0)  # noqa: NPY002  (what the published code draws from)
    images = photographs(arguments.archive, arguments.count)
    print(
        "| corruption | PSNR, theirs | PSNR, ours | mean level, theirs | mean level, ours | PSNR of theirs and ours |"
    )
    print("|---|---|---|---|---|---|")
    for name in (*A.presets.IMAGENET_C, *A.presets.IMAGENET_C_EXTRA):
        print(compared(name, images), flush=True)


if __name__ == "__main__":
    main()
