"""The median of a window, by a fixed network of comparisons that a compiler turns into one kernel."""

from collections.abc import Sequence

import torch
from torch import Tensor

from augment.core import checks
from augment.core.kinds import ImageOp
from augment.data.types import Images, Params
from augment.draws.distributions import Bernoulli
from augment.kernels.reference.filtering import pad

Comparison = tuple[int, int]
"""Two places of a list: the smaller of their values is put in the first, the larger in the second."""

Step = tuple[int, int, bool, bool]
"""A comparison, and whether the smaller and the larger value are needed afterwards."""


class RandomMedianBlur(ImageOp):
    """Replaces every value by the median of the window around it; the border is reflected.

    The gradient goes to the value that is the median; equal values share it.

    Args:
        kernel_size: odd height and width of the window in pixels, at most 31, or one number for both. The work grows
            faster than the window: 20 passes over the image for 3x3, 158 for 5x5, 474 for 7x7; compiled they are one.
        p: probability that an image is blurred.
        same_on_batch: one draw for all samples of a batch.
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
        # a window's columns are sorted once for all the windows that contain them
        columns = _run([padded[:, :, y : y + height] for y in range(tall)], self.columns)
        return _run([row[..., x : x + width] for row in columns for x in range(wide)], self.rest)[self.middle]


def sorting_network(places: list[int] | range) -> list[Comparison]:
    """Comparisons that sort the values at these places (Batcher's merge exchange; Knuth, TAOCP 3, algorithm 5.2.2M)."""
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
    """What is left to compare for the median of a window whose columns are sorted, and the place it ends up in.

    Place y * wide + x holds rank y of column x. With the rows sorted too, whatever has more than half of the window
    above and left of it, or below and right of it, is not the median; the rest is sorted.
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
