"""What the pixels of an image file are: the only place that decides it, see docs/files.md."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

import torch
from torch import Tensor

from augment.data.types import UInt8
from augment.tools.errors import ToolError, required

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

_SIXTEEN_BITS = {"I;16": ("PNG", "TIFF", "JPEG2000"), "I": ("PNG", "PPM")}
"""Formats whose deep grey runs from 0 to 65535 in these modes, as they define it or as Pillow scales it."""
_FOURTH_UNUSED = ("BMP", "DIB", "TGA", "DDS")
"""Formats whose writers often leave the fourth channel 0 without meaning transparency."""
_BITS_PER_SAMPLE, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339  # TIFF's tags
_WHITE_IS_ZERO, _SIGNED = 0, 2  # values of the last two


def decode(
    source: str | os.PathLike | bytes | IO[bytes], channels: int = 3, background: str | Sequence[int] = "white"
) -> UInt8[Tensor, "c h w"]:
    """Reads the first image of a file of any format that Pillow reads; channels_last in memory.

    The image is turned upright as its EXIF says, deep grey is scaled to 8 bits by the range of its format, and
    transparency is laid on a ground. Colour profiles are ignored.

    Args:
        source: path, the file's bytes, or an open binary file.
        channels: 1 for grey (ITU-R BT.601), 3 for red, green and blue.
        background: the ground; see `colour`.

    Returns:
        (channels, H, W) uint8.

    Raises:
        ToolError: the file cannot be read, or the range of its values is unknown; names the file and the remedy.
        ValueError: channels or background is not one of the above.
    """
    required("PIL", "pillow", "reading images")
    np = required("numpy", "numpy", "reading images")
    from PIL import Image, UnidentifiedImageError

    if channels not in (1, 3):
        raise ValueError(f"decode: channels={channels!r} must be 1 (grey) or 3 (red, green, blue).")
    ground = colour(background)
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            stored = image.tile[0][3] if image.tile else None  # how samples lie in the file; gone after load()
            image.load()
            pixels = np.array(_opaque(_narrow(_upright(image), stored), ground, "L" if channels == 1 else "RGB"))
    except _UnknownRangeError as error:
        raise ToolError(
            f"cannot read the image {shown(source)} ({error}): save it with 8 or 16 unsigned bits."
        ) from error
    except Exception as error:  # a broken file makes Pillow raise any of OSError, struct.error, KeyError, ...
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        if isinstance(error, UnidentifiedImageError):
            why = "its content is of no format that Pillow reads"
        raise ToolError(f"cannot read the image {shown(source)} ({why}): remove or replace the file.") from error
    return torch.from_numpy(pixels).view(*pixels.shape[:2], channels).permute(2, 0, 1)


def colour(background: str | Sequence[int]) -> tuple[int, int, int]:
    """(red, green, blue), 0 to 255, of a name such as white, of "#rrggbb", or of the three numbers themselves."""
    from PIL import ImageColor

    parsed: Sequence[int] = ()
    if isinstance(background, str):
        with suppress(ValueError):
            parsed = ImageColor.getrgb(background)
    elif isinstance(background, Sequence) and all(type(value) is int and 0 <= value <= 255 for value in background):
        parsed = [int(value) for value in background]
    if len(parsed) != 3:
        raise ValueError(
            f"background={background!r} must be the name of a colour such as white, '#rrggbb', "
            "or three whole numbers from 0 to 255."
        )
    return parsed[0], parsed[1], parsed[2]


def shown(source: object) -> str:
    """A file as errors name it: a path, readable even where its bytes are no text."""
    if isinstance(source, bytes):
        return f"of {len(source)} bytes"
    name = source if isinstance(source, str | os.PathLike) else getattr(source, "name", source)
    return os.fsencode(name).decode(errors="backslashreplace") if isinstance(name, str | os.PathLike) else repr(name)


class _UnknownRangeError(Exception):
    """Nothing says which value is white."""


def _upright(image: Image) -> Image:
    """Turned in place as EXIF says. Pillow has turned a TIFF already, and has removed the entry."""
    from PIL import ImageOps

    with suppress(Exception):  # EXIF that cannot be parsed says nothing about the orientation
        ImageOps.exif_transpose(image, in_place=True)
    return image


def _tag(image: Any, number: int, missing: Any = None) -> Any:
    """An entry of a TIFF, the one kind of image that has them."""
    return image.tag_v2.get(number, missing)


def _narrow(image: Image, stored: object) -> Image:
    """8 bits a channel, and a transparent colour given on the same scale."""
    key = image.info.get("transparency")
    if image.format == "TIFF" and _tag(image, _SAMPLE_FORMAT, (1,))[0] == _SIGNED:
        raise _UnknownRangeError("it holds signed integers, not unsigned ones")
    if image.mode[0] in "IF":
        return _narrow_grey(image, key)
    if image.format == "PNG" and key is not None:  # it is given on the scale of the file, the pixels are not
        if stored == "RGB;16B":
            image.info["transparency"] = tuple(value >> 8 for value in key)
        elif stored in ("L;2", "L;4"):
            image.info["transparency"] = key * (85 if stored == "L;2" else 17)
    return image


def _narrow_grey(image: Image, key: int | None) -> Image:
    """Grey of 16 or 32 bits as L, or as LA where one value is transparent."""
    import numpy as np
    from PIL import Image

    values = np.array(image)
    levels = _levels_of_floats(values) if image.mode == "F" else _levels_of_integers(values, image)
    if image.format == "TIFF" and _tag(image, _PHOTOMETRIC) == _WHITE_IS_ZERO:
        levels = 255 - levels  # Pillow does so where a sample has 8 bits only
    grey = Image.fromarray(levels)
    if key is not None:
        grey.putalpha(Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8)))
    return grey


def _levels_of_integers(values: np.ndarray, image: Image) -> np.ndarray:
    """The upper 8 bits, as Pillow takes them of colour with 16 bits."""
    if image.format not in _SIXTEEN_BITS[image.mode[:4]]:
        raise _UnknownRangeError(f"it holds deep integers (mode {image.mode}), whose range {image.format} does not say")
    bits = _tag(image, _BITS_PER_SAMPLE, (16,))[0] if image.format == "TIFF" else 16
    return (values >> (bits - 8)).astype("uint8")


def _levels_of_floats(values: np.ndarray) -> np.ndarray:
    if not (values.min() >= 0 and values.max() <= 1):  # NaN is neither
        raise _UnknownRangeError(f"it holds floats from {values.min():.4g} to {values.max():.4g}; read are 0 to 1")
    return (values * 255).round().astype("uint8")


def _opaque(image: Image, ground: tuple[int, int, int], mode: str) -> Image:
    """In mode L or RGB, laid on the ground where it is transparent."""
    from PIL import Image

    if image.mode == "La":
        image = image.convert("LA")  # Pillow converts it to nothing else
    if image.has_transparency_data:
        unused = image.format in _FOURTH_UNUSED and image.getextrema()[-1] == (0, 0)
        image = image.convert("RGBA")
        if unused:
            image.putalpha(255)
        image = Image.alpha_composite(Image.new("RGBA", image.size, ground), image)
    if image.mode not in ("1", "L", mode):
        image = image.convert("RGB")  # LAB has no direct way to grey
    return image if image.mode == mode else image.convert(mode)
