"""JPEG files, which libjpeg can decode at a fraction of their size: by simplejpeg if it is installed, or by Pillow.

Both return the same pixels, because both contain libjpeg-turbo.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

FACTORS = (8, 4, 2, 1)
"""Factors by which both decoders can reduce an image while they decode it."""

FORMATS = ("JPEG", "MPO")
"""Pillow's names; a MPO holds several JPEG images, of which the first is read."""

_ORIENTATION = 274  # EXIF's tag
UPRIGHT = 1
"""EXIF's orientation of an image that need not be rotated."""


def factors_of(image: Image, turned: int) -> tuple[int, ...]:
    """Returns the factors by which an opened image of an orientation can be decoded smaller, the largest first.

    The last pixel of a reduced row covers less than the others if the factor does not divide the width. Once rotated it
    would come first, so images that are rotated are reduced by divisors only.
    """
    if image.format not in FORMATS or image.mode not in ("L", "RGB"):
        return (1,)
    width, height = image.size
    possible = [factor for factor in FACTORS if factor <= min(width, height)]
    if turned != UPRIGHT:
        possible = [factor for factor in possible if width % factor == 0 and height % factor == 0]
    return tuple(possible)


def orientation(image: Image) -> int:
    """Returns EXIF's orientation of a JPEG; 1, upright, if there are no such data or they cannot be parsed.

    Of other formats it is not asked: Pillow would decode a PNG to find it.
    """
    if image.format not in FORMATS:
        return UPRIGHT
    try:
        return int(image.getexif().get(_ORIENTATION, UPRIGHT))
    except Exception:
        return UPRIGHT


def decoded_by_simplejpeg(data: bytes, image: Image, mode: str, factor: int, turned: int) -> np.ndarray | None:
    """Returns (H, W, C) uint8, or None if Pillow has to decode, which also tells what is wrong with a broken file."""
    if image.format not in FORMATS or image.mode != mode or turned != UPRIGHT:
        return None
    try:
        import simplejpeg
    except ImportError:
        return None
    width, height = (-(-side // factor) for side in image.size)
    colours = "RGB" if mode == "RGB" else "GRAY"
    try:
        return simplejpeg.decode_jpeg(data, colours, min_height=height, min_width=width)
    except ValueError:
        return None
