"""HistogramMatching: the colours of one image with the histogram of another."""

import torch
from torch import Tensor

from augment.core.mix import Mix
from augment.data.batch import Batch
from augment.data.known import dense
from augment.data.types import Float, Integer, Params
from augment.draws.distributions import Bernoulli
from augment.draws.shorthand import Quantity
from augment.kernels.reference.levels import LEVELS, histogram
from augment.layers.filtering.histogram import located, read_curve, with_end


class HistogramMatching(Mix):
    """Gives each channel the histogram of another image of the batch, and blends the result with the image.

    The curve is scikit-image's `match_histograms` for bytes: a level becomes the one of the other image below which as
    many pixels lie. Floats between two levels come out between what those become. Labels and everything else stay.
    Values are cut to [0, 1]. The gradient is the slope of the curve, the histograms held fixed.

    Args:
        blend_ratio: weight of the matched image, within [0, 1]; 0 changes nothing.
        p: probability of changing a sample.
        same_on_batch: use one draw for all samples of a batch; partners still differ.

    Example:
        >>> batch = A.Batch(torch.rand(4, 3, 16, 16), label=torch.arange(4))
        >>> A.HistogramMatching(p=1.0)(batch).label
        tensor([0, 1, 2, 3])
    """

    keeps_labels = True
    identity = {"blend_ratio": 0.0}
    differentiable = frozenset({"blend_ratio"})

    def __init__(
        self, blend_ratio: Quantity = (0.5, 1.0), p: float | Bernoulli = 0.5, same_on_batch: bool = False
    ) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("blend_ratio", blend_ratio, legal=(0.0, 1.0))

    def mix(self, batch: Batch, others: Batch, params: Params) -> Batch:
        image, partner = dense(batch.image), dense(others.image).index_select(0, params["partner"])
        level, share = located(image.flatten(2))
        theirs = histogram(located(partner.detach().flatten(2))[0])
        curves = with_end(_matching(histogram(level), theirs).to(image.dtype))
        matched = (read_curve(level, share, curves) / (LEVELS - 1)).view_as(image)
        weight = params["blend_ratio"].to(image.dtype)[:, None, None, None]
        return batch.replace(image=torch.lerp(image, matched, weight))


def _matching(own: Integer[Tensor, "b c 256"], theirs: Integer[Tensor, "b c 256"]) -> Float[Tensor, "b c 256"]:
    """Returns the level of another histogram below which as many pixels lie, for each level; linear between levels."""
    below, below_theirs = own.cumsum(-1), theirs.cumsum(-1)
    last = torch.searchsorted(below_theirs, below).clamp(max=LEVELS - 1)
    level = torch.arange(LEVELS, device=own.device).expand_as(theirs)
    filled = torch.where(theirs > 0, level, -1).cummax(-1).values  # the last level up to each that has pixels
    before = (last - 1).clamp(min=0)
    start, count = filled.gather(-1, before), below_theirs.gather(-1, before)
    first = (last == 0) | (start < 0)
    size = theirs.gather(-1, last).clamp(min=1)
    share = (below - count).double() / size
    return torch.where(first, last.double(), torch.lerp(start.double(), last.double(), share))
