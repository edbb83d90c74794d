"""The colour outside an image: one number for all channels, or one for each, in [0, 1]."""

from __future__ import annotations

Fill = float | tuple[float, ...]


def by_channel(fill: Fill, channels: int) -> tuple[float, ...]:
    """Returns one number per channel."""
    return fill if isinstance(fill, tuple) else (fill,) * channels


def in_bytes(fill: Fill) -> Fill:
    """Returns the nearest levels of 255."""
    return tuple(round(value * 255) for value in fill) if isinstance(fill, tuple) else round(fill * 255)
