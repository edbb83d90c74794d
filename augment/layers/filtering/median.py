"""Median filter, computed with a fixed network of comparisons that the compiler turns into one kernel."""

from collections.abc import Sequence

import torch
from torch import Tensor

from augment.core import checks
from augment.core.kinds import ImageOp
from augment.data.types import Images, Params
from augment.draws.distributions import Bernoulli
from augment.kernels.reference.filtering import pad

Comparison = tuple[int, int]
"""Two positions of a list; the comparison puts the smaller value into the first and the larger into the second."""

Step = tuple[int, int, bool, bool]
"""A comparison, and whether later steps need its smaller and its larger value."""


class RandomMedianBlur(ImageOp):
    """Replaces every value with the median of the window around it; the border is reflected.

    The gradient flows to the value that is the median; equal values share it.

    Args:
        kernel_size: odd height and width of the window in pixels, at most 31, or one number for both. The cost grows
            faster than the window: 20 passes over the image for 3x3, 158 for 5x5, 474 for 7x7. Compiled code needs one
            pass.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomMedianBlur((3, 3))(images).shape
        torch.Size([2, 3, 16, 16])
    """

    identity = {"kernel_size": 1}

    def __init__(
        self,
        kernel_size: int | Sequence[int] = (3, 3),
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.kernel_size = checks.odd_size(self, "kernel_size", kernel_size, most=31)
        self.columns = [(*c, True, True) for c in sorting_network(range(self.kernel_size[0]))]
        self.rest, self.middle = median_network(*self.kernel_size)

    def image(self, image: Images, params: Params) -> Images:
        (tall, wide), (height, width) = self.kernel_size, image.shape[-2:]
        padded = pad(image, tall // 2, wide // 2, "reflect")
        # each window column is sorted once for all windows that contain it
        columns = _run([padded[:, :, y : y + height] for y in range(tall)], self.columns)
        return _run([row[..., x : x + width] for row in columns for x in range(wide)], self.rest)[self.middle]


def sorting_network(places: list[int] | range) -> list[Comparison]:
    """Returns comparisons that sort the values at `places` (Batcher's merge exchange; Knuth, TAOCP 3, 5.2.2M)."""
    count, comparisons = len(places), []
    top = 1 << max(count - 1, 0).bit_length() >> 1
    p = top
    while p:
        q, r, d = top, 0, p
        while d:
            comparisons += [(places[i], places[i + d]) for i in range(count - d) if i & p == r]
            d, q, r = (q - p, q >> 1, p) if q != p else (0, q, r)
        p >>= 1
    return comparisons


def median_network(tall: int, wide: int) -> tuple[list[Step], int]:
    """Returns the remaining comparisons for the median of a window with sorted columns, and the median's position.

    Position y * wide + x holds rank y of column x. The network sorts the rows too. Then a value with more than half of
    the window above and to the left of it, or below and to the right of it, cannot be the median. The remaining
    candidates are sorted.
    """
    rows = [c for y in range(tall) for c in sorting_network(range(y * wide, (y + 1) * wide))]
    half = (tall * wide + 1) // 2
    candidates = [
        y * wide + x
        for y in range(tall)
        for x in range(wide)
        if (y + 1) * (x + 1) <= half and (tall - y) * (wide - x) <= half
    ]
    middle = candidates[len(candidates) // 2]
    needed, kept = {middle}, []
    for a, b in reversed(rows + sorting_network(candidates)):
        if a in needed or b in needed:
            kept.append((a, b, a in needed, b in needed))
            needed |= {a, b}
    return kept[::-1], middle


def _run(values: list[Tensor], steps: list[Step]) -> list[Tensor]:
    for a, b, smaller, larger in steps:
        first, second = values[a], values[b]
        if smaller:
            values[a] = torch.minimum(first, second)
        if larger:
            values[b] = torch.maximum(first, second)
    return values
