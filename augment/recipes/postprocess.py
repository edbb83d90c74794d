"""What follows a network when it is served: modules that run on its device and can be exported with it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from augment.core import checks
from augment.core.layer import Layer
from augment.data.batch import Batch
from augment.data.known import dense
from augment.data.types import Float, Num
from augment.draws.arguments import whole

ACTIVATIONS = ("softmax", "sigmoid", "none")

_COVERED = 0.24
"""Share of a pixel that maps cover at least: a quarter in the corner of an image, half along its border."""


class TopClasses(nn.Module):
    """The classes with the highest scores: (B, classes) -> values (B, k) and numbers of the classes (B, k).

    Both are sorted from the highest score down.

    Args:
        k: how many classes, at most as many as there are.
        activation: "softmax" or "sigmoid" makes probabilities of logits; "none" leaves scores as they are.

    Example:
        >>> A.TopClasses(2)(torch.tensor([[0.0, 3.0, 1.0]]))
        (tensor([[0.8438, 0.1142]]), tensor([[1, 2]]))
    """

    def __init__(self, k: int = 5, activation: str = "softmax") -> None:
        super().__init__()
        self.k = whole(self, "k", k, 1, 2**20)
        self.activation = checks.one_of(self, "activation", activation, ACTIVATIONS)

    def forward(self, scores: Float[Tensor, "b classes"]) -> tuple[Tensor, Tensor]:
        if scores.shape[1] < self.k:
            raise ValueError(f"TopClasses: k={self.k} must be at most the number of classes, {scores.shape[1]}.")
        scores = scores.float()
        if self.activation != "none":
            scores = scores.softmax(1) if self.activation == "softmax" else scores.sigmoid()
        values, classes = scores.topk(self.k, dim=1)
        return values, classes


class MaskToImage(nn.Module):
    """Colours a map of classes: scores (B, classes, H, W) or numbers of classes (B, H, W) -> uint8 (B, 3, H, W).

    Args:
        colors: (red, green, blue) in [0, 255] of each class. Numbers outside of the list get the nearest class in it.

    Example:
        >>> A.MaskToImage([(0, 0, 0), (255, 0, 0)])(torch.tensor([[[0, 1]]]))[0, 0]
        tensor([[  0, 255]], dtype=torch.uint8)
    """

    table: Tensor

    def __init__(self, colors: Sequence[Sequence[int]]) -> None:
        super().__init__()
        rows = [[whole(self, "colors", level, 0, 255) for level in color] for color in colors]
        if not rows or any(len(row) != 3 for row in rows):
            raise ValueError("MaskToImage: colors must be a list of (red, green, blue), one for each class.")
        self.register_buffer("table", torch.tensor(rows, dtype=torch.uint8))

    def forward(self, mask: Tensor) -> Tensor:
        numbers = mask.argmax(1) if mask.ndim == 4 else mask.long()
        return self.table[numbers.clamp(0, self.table.shape[0] - 1)].permute(0, 3, 1, 2)


class ResizeBack(nn.Module):
    """Takes maps of preprocessed images back to the original ones: (B, K, h, w) -> (B, K, H, W).

    It undoes the geometry of the preprocessing, a crop included. What the crop has cut off is 0. `torch.export` makes a
    program for originals of any size if the preprocessing has crop=None, and otherwise for one size.

    Args:
        preprocess: what made the images of the network, such as `Preprocess`.

    Example:
        >>> preprocess = A.Preprocess(32, crop=None)
        >>> A.ResizeBack(preprocess)(torch.rand(1, 2, 32, 32), torch.zeros(1, 3, 48, 64)).shape
        torch.Size([1, 2, 48, 64])
    """

    def __init__(self, preprocess: Layer) -> None:
        super().__init__()
        if not isinstance(preprocess, Layer):
            raise TypeError(f"ResizeBack: preprocess is {checks.kind_of(preprocess)}; it must be a layer of augment.")
        self.preprocess = preprocess

    def forward(
        self, maps: Float[Tensor, "b k h w"], images: Num[Tensor, "b c height width"]
    ) -> Float[Tensor, "b k height width"]:
        """Takes maps, and the original images (B, C, H, W), of which only the size counts."""
        height, width = images.shape[-2:]
        with_cover = torch.cat([maps, torch.ones_like(maps[:, :1])], 1)
        back = dense(self.preprocess.inverse(Batch(with_cover), size=(height, width)).image)
        values, covered = back[:, :-1], back[:, -1:]  # interpolation fades to 0 over the border, which this undoes
        return torch.where(covered > _COVERED, values / covered.clamp(min=_COVERED), 0.0)
