"""FDA: the low frequencies of another image, which make much of its style."""

import math

import torch
from torch import Tensor

from augment.core.mix import Mix
from augment.data.batch import Batch
from augment.data.known import dense
from augment.data.types import Bool, Float, Images, Params
from augment.draws.distributions import Bernoulli, Distribution
from augment.draws.shorthand import Quantity

_ROUNDING = 1e-6
"""Amplitude per pixel up to which a frequency has no phase but that of rounding errors."""

Waves = tuple[Float[Tensor, "_ _"], Float[Tensor, "_ _"]]
"""Cosine and sine of some frequencies (rows) at all places (columns)."""


class FDA(Mix):
    """Takes the amplitudes of low frequencies from another image of the batch, and keeps the phases; clips to [0, 1].

    Yang and Soatto 2020, "FDA: Fourier domain adaptation for semantic segmentation", arXiv 2004.05498, section 3.1,
    with the square of frequencies of the authors' code. Labels and everything else stay.

    Args:
        beta_limit: half the side of the square of frequencies as a fraction of the shorter side of the image, rounded
            down to whole frequencies, within [0, 0.5], without a gradient; the paper takes 0.01, 0.05 and 0.09. With 0
            each channel takes over the mean.
        p: probability of changing a sample.
        same_on_batch: use one draw for all samples of a batch; partners still differ.

    Example:
        >>> batch = A.Batch(torch.stack([torch.full((3, 8, 8), value) for value in (0.25, 0.75)]))
        >>> A.FDA(p=1.0)(batch).image[:, 0, 0, 0]
        tensor([0.7500, 0.2500])
    """

    keeps_labels = True
    beta_limit: Distribution

    def __init__(
        self, beta_limit: Quantity = (0.0, 0.1), p: float | Bernoulli = 0.5, same_on_batch: bool = False
    ) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("beta_limit", beta_limit, legal=(0.0, 0.5))

    def mix(self, batch: Batch, others: Batch, params: Params) -> Batch:
        image, partner = dense(batch.image), dense(others.image).index_select(0, params["partner"])
        height, width = image.shape[-2:]
        shorter = min(height, width)
        most = min(math.floor(shorter * self.beta_limit.support()[1] + 1e-6), (shorter - 1) // 2)
        down = _waves(torch.arange(-most, most + 1, device=image.device), height, image.dtype)
        across = _waves(torch.arange(most + 1, device=image.device), width, image.dtype)
        reach = torch.floor(params["beta_limit"] * shorter + 1e-6)[:, None, None, None]
        inside = (_reach(most, image.device) <= reach) & (reach >= 0)
        return batch.replace(image=_adapted(image, partner, inside, down, across))


def _reach(most: int, device: torch.device) -> Float[Tensor, "n m"]:
    """Returns the larger part of each frequency: of -most to most down, and of 0 to most across."""
    down, across = torch.arange(-most, most + 1, device=device), torch.arange(most + 1, device=device)
    return torch.maximum(down.abs()[:, None], across[None]).to(torch.float32)


def _waves(frequency: Tensor, extent: int, dtype: torch.dtype) -> Waves:
    """Returns waves of whole numbers of periods over an extent."""
    place = torch.arange(extent, device=frequency.device)
    angle = (frequency[:, None] * place % extent).to(torch.float64) * (2 * math.pi / extent)
    return angle.cos().to(dtype), angle.sin().to(dtype)


def _adapted(image: Images, partner: Images, inside: Bool[Tensor, "b 1 n m"], down: Waves, across: Waves) -> Images:
    """Adds to an image what changes the amplitudes of the frequencies inside to those of its partner.

    Up to a tenth of the side, sums over the few frequencies take less time than a transform of all. They also compile,
    because they are real.
    """
    pixels = image.shape[-2] * image.shape[-1]
    real, imaginary = _spectrum(image, down, across)
    own, theirs = (_amplitude(*part) for part in ((real, imaginary), _spectrum(partner, down, across)))
    phased = own > _ROUNDING * pixels
    factor = torch.where(phased, theirs / torch.where(phased, own, 1.0) - 1, 0.0)
    real_change = torch.where(inside, torch.where(phased, factor * real, theirs), 0.0)
    imaginary_change = torch.where(inside, factor * imaginary, 0.0)
    (cos_down, sin_down), (cos_across, sin_across) = down, across
    even = cos_down.mT @ real_change - sin_down.mT @ imaginary_change
    odd = sin_down.mT @ real_change + cos_down.mT @ imaginary_change
    twice = torch.where(torch.arange(even.shape[-1], device=image.device) > 0, 2.0, 1.0)  # and their mirror images
    change = (even * twice) @ cos_across - (odd * twice) @ sin_across
    return (image + change / pixels).clamp(0, 1)


def _spectrum(image: Images, down: Waves, across: Waves) -> tuple[Float[Tensor, "b c n m"], Float[Tensor, "b c n m"]]:
    """Returns the real and the imaginary part of the discrete Fourier transform at some frequencies."""
    (cos_down, sin_down), (cos_across, sin_across) = down, across
    even, odd = image @ cos_across.mT, image @ sin_across.mT
    return cos_down @ even - sin_down @ odd, -(cos_down @ odd + sin_down @ even)


def _amplitude(real: Float[Tensor, "b c n m"], imaginary: Float[Tensor, "b c n m"]) -> Float[Tensor, "b c n m"]:
    square = real.square() + imaginary.square()
    some = square > 0  # the root has no gradient at 0
    return torch.where(some, torch.where(some, square, 1.0).sqrt(), 0.0)
