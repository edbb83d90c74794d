"""Two photographs that scikit-learn ships, for pictures of layers without images of one's own.

Both are under CC BY 2.0:
china.jpg by danielbuechele, https://www.flickr.com/photos/danielbuechele/6061409035
flower.jpg by vultilion, https://www.flickr.com/photos/vultilion/6056698931
"""

from __future__ import annotations

import torch

import augment as A
from augment.data.known import dense
from augment.tools.errors import required
from augment.tools.preview.samples import Sample

CREDIT = "Photographs: flower by vultilion, china by danielbuechele, both CC BY 2.0"

_SQUARES = {"flower": ("flower.jpg", 60), "temple": ("china.jpg", 150)}
"""Name -> the file, and the left edge of the largest square in it that is used."""


def photographs(side: int) -> list[Sample]:
    """Return a flower and a temple, squares of `side` pixels.

    Raises:
        ToolError: scikit-learn is not installed.
    """
    datasets = required("sklearn.datasets", "scikit-learn", "a picture without images of your own")
    resize = A.Pipeline(A.Resize((side, side)), dtype=torch.uint8, compile=False).eval()
    found = []
    for name, (file, left) in _SQUARES.items():
        image = torch.from_numpy(datasets.load_sample_image(file).copy()).permute(2, 0, 1)
        square = image[:, :, left : left + image.shape[1]]
        found.append(Sample(dense(resize(square[None]))[0], name, name))
    return found
