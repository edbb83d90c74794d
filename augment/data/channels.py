"""Images whose colours are named: colour operators act on the named channels, and the others stay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from augment.data.pixels import planes, to_float
from augment.data.types import Images, Planes

Channels = tuple[int, ...]


def checked_channels(owner: str, value: Any) -> Channels | None:
    """Checks the numbers of the channels that are red, green and blue, or of the one that is grey.

    Example:
        >>> checked_channels("Pipeline", [2, 1, 0])
        (2, 1, 0)
    """
    if value is None:
        return None
    listed = isinstance(value, Sequence) and not isinstance(value, (str, bytes, range))
    channels = tuple(value) if listed else ()
    whole = all(isinstance(number, int) and not isinstance(number, bool) and number >= 0 for number in channels)
    if len(channels) not in (1, 3) or len(set(channels)) != len(channels) or not whole:
        raise ValueError(
            f"{owner}: color_channels={value!r} must be three different channels (red, green, blue), or one (grey), "
            "counted from 0; or None."
        )
    return channels


def fitting_channels(owner: str, channels: Channels | None, count: int) -> Channels | None:
    """Checks that images of `count` channels have them; None if they are all channels in the usual order."""
    if channels is None or channels == tuple(range(count)):
        return None
    if max(channels) >= count:
        raise ValueError(f"{owner}: color_channels={channels} must be channels of the images, which have {count}.")
    return channels


def on_channels(
    image: Images | Planes, channels: Channels, function: Callable[[Images | Planes], Images | Planes]
) -> Images | Planes:
    """Applies a function to some channels. The others stay, as bytes or floats like what comes out."""
    before = planes(image)
    some = tuple(before[channel] for channel in channels)
    changed = function(some if isinstance(image, tuple) else torch.stack(some, 1))
    after = dict(zip(channels, planes(changed), strict=True))
    dtype = after[channels[0]].dtype
    rest = {c: p if p.dtype == dtype else to_float(p).to(dtype) for c, p in enumerate(before) if c not in after}
    whole = tuple((after | rest)[channel] for channel in range(len(before)))
    return whole if isinstance(changed, tuple) else torch.stack(whole, 1)
