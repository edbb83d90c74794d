"""Resizing equals that of Pillow, torchvision and OpenCV within one level, as docs/alignment.md says."""

import pytest
from sklearn.datasets import load_sample_images

from tests.alignment import MODES, differences

PHOTOS = [photo[:200, 150:430] for photo in load_sample_images().images]
DIFFERENT = {("Pillow", "NEAREST"), ("OpenCV", "INTER_NEAREST"), ("torchvision", "BICUBIC, antialias=False")}


@pytest.mark.parametrize("size", [(97, 120), (260, 311)], ids=["smaller", "larger"])
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: f"{mode.library} {mode.name}")
def test_within_one_level(mode, size):
    if not mode.equals(PHOTOS[0], size):
        return
    found = [differences(mode, photo, *size) for photo in PHOTOS]
    if (mode.library, mode.name) in DIFFERENT:
        assert max((part > 1).double().mean() for part in found) < 0.1
    else:
        assert max(part.max() for part in found) <= (0 if "nearest" in mode.resample else 1)
