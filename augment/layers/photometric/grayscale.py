"""Conversion to grayscale."""

from collections.abc import Sequence

from torch import Tensor

from augment.core.kinds import PixelOp
from augment.data.color import gray, weighted
from augment.data.types import Params, Planes
from augment.draws.arguments import numbers
from augment.draws.distributions import Bernoulli


class RandomGrayscale(PixelOp):
    """Converts the image to grayscale and keeps the number of channels.

    Args:
        rgb_weights: one weight per colour channel, without alpha; by default BT.601 luma for three colour channels and
            equal weights otherwise.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> gray = A.RandomGrayscale(p=1.0)(images)
        >>> gray[:, 0].equal(gray[:, 2])
        True
    """

    def __init__(
        self,
        rgb_weights: Sequence[float | Tensor] | Tensor | None = None,
        p: float | Bernoulli = 0.1,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.rgb_weights = None if rgb_weights is None else numbers(self, "rgb_weights", rgb_weights)

    def pixel(self, planes: Planes, params: Params) -> Planes:
        if self.rgb_weights is None and len(planes) in (1, 3):
            level = gray(planes)
        else:
            weights = self.rgb_weights or [1 / len(planes)] * len(planes)
            if len(weights) != len(planes):
                raise ValueError(
                    f"RandomGrayscale: rgb_weights has {len(weights)} weights for images of {len(planes)} channels "
                    "(alpha not counted)."
                )
            level = weighted(planes, weights)
        return (level,) * len(planes)
