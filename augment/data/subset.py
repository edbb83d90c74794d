"""Work on some of the samples only, where that saves time.

On a CPU in eager mode the chosen samples are taken out and put back: what a policy does to one sample in ten costs a
tenth. Everywhere else, on a GPU and in a compiled graph, sizes must not depend on what was drawn: everything is
computed for every sample, and the result kept where it was chosen.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from augment.data.memory import has_memory
from augment.data.pixels import stacked, to_float
from augment.data.types import Bool, Images, Integer, Params, Planes

Parts = tuple[Tensor, ...]
"""Tensors (B, ...) that belong together, such as the planes of an image."""

Drawn = list[Params]
"""The raw draws of neighbouring layers, by a name that compiled code can look up."""


_SMALL = 2048
"""Elements of a sample up to which one call for all rows takes less time than a call for each."""


def on_chosen(
    chosen: Bool[Tensor, " b"] | None,
    function: Callable[[Parts, Drawn], Parts],
    parts: Parts,
    params: Drawn,
) -> Parts:
    """`function` of the chosen samples, the others as they are.

    Args:
        chosen: which samples; None for all.
        function: maps parts and parameters of any number of samples to parts of the same shapes and types, each sample
            by itself.
        parts, params: of the whole batch.
    """
    if chosen is None:
        return function(parts, params)
    rows = rows_of(chosen)
    if rows is None:
        return tuple(where(chosen, new, old) for new, old in zip(function(parts, params), parts, strict=True))
    if len(rows) in (0, len(chosen)):
        return function(parts, params) if len(rows) else parts
    some = function(tuple(part.index_select(0, rows) for part in parts), taken(params, rows))
    return tuple(put_back(part, rows, new) for part, new in zip(parts, some, strict=True))


def on_images(
    image: Images | Planes, chosen: Bool[Tensor, " b"] | None, function: Callable[..., Images], *arguments: Tensor
) -> Images:
    """`function(images, *arguments)` of the chosen images (B, C, H, W), the others as they are, all as floats.

    Args:
        image: the whole batch, uint8 or float.
        chosen: which samples; None for all.
        function: maps float images and their rows of the arguments to images of the same shape.
        arguments: (B, ...).
    """

    def applied(some: Parts, rows: Drawn) -> Parts:
        return (function(some[0], *rows[0].values()),)

    named = {str(number): argument for number, argument in enumerate(arguments)}
    return on_chosen(chosen, applied, (to_float(stacked(image)),), [named])[0]


def where(chosen: Bool[Tensor, " b"], new: Tensor, old: Tensor) -> Tensor:
    """What is new (B, ...) for the chosen samples, what is old for the others."""
    return torch.where(chosen.view(-1, *[1] * (old.ndim - 1)), new, old)


def taken(params: Drawn, rows: Integer[Tensor, " n"]) -> list[dict[str, Tensor]]:
    """The parameters of some samples."""
    return [{name: value[rows] for name, value in drawn.items()} for drawn in params]


def put_back(whole: Tensor, rows: Integer[Tensor, " n"], some: Tensor) -> Tensor:
    """A copy of the whole batch with new values (n, ...) for some samples."""
    small = whole[:1].numel() <= _SMALL
    if small or whole.requires_grad or some.requires_grad:
        return whole.index_copy(0, rows, some)
    out = whole.clone()
    for row, new in zip(rows.tolist(), some, strict=True):  # index_copy copies byte by byte, eight times as slow
        out[row] = new
    return out


def rows_of(chosen: Bool[Tensor, " b"]) -> Integer[Tensor, " n"] | None:
    """Where the chosen samples are, if it pays to take them out; None otherwise."""
    return chosen.nonzero().squeeze(1) if takes_rows(chosen) else None


def takes_rows(drawn: Tensor) -> bool:
    """Whether it pays to take samples out by what they drew: on a CPU in eager mode."""
    return has_memory(drawn)
