"""Decodes image files; this module alone defines the pixels of a file, see docs/files.md."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from augment.data.types import UInt8
from augment.tools.errors import ToolError, required
from augment.tools.jpeg import decoded_by_simplejpeg, factors_of, orientation

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

_SIXTEEN_BITS = {"I;16": ("PNG", "TIFF", "JPEG2000"), "I": ("PNG", "PPM")}
"""Formats whose 16-bit and 32-bit grey ranges from 0 to 65535 in these modes, by definition or by Pillow's scaling."""
_FOURTH_UNUSED = ("BMP", "DIB", "TGA", "DDS")
"""Formats whose writers often leave the fourth channel 0 without meaning transparency."""
_BITS_PER_SAMPLE, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339  # TIFF's tags
_WHITE_IS_ZERO, _SIGNED = 0, 2  # values of the last two tags
_FIRST_TURNED = 5
"""EXIF's orientations from this one on exchange height and width."""


@runtime_checkable
class Readable(Protocol):
    """An open binary file, or another object that reads the bytes of an image file."""

    def read(self) -> bytes: ...


Source = str | os.PathLike | bytes | Readable
"""A path, the file's bytes, or what reads them."""


class UnreadableError(ToolError):
    """An image file cannot be read.

    Args:
        message: the sentence, alone if torch raises the error of a data loader's worker again.
        why: the reason, for lists that name the file elsewhere.
    """

    def __init__(self, message: str, why: str = "") -> None:
        super().__init__(message)
        self.why = why


class ImageFile:
    """An image file whose header is read; see `decode` for the arguments and errors.

    Attributes:
        factors: by which the image can be decoded smaller, the largest first; see `augment.tools.jpeg.factors_of`.
    """

    def __init__(
        self,
        source: Source,
        channels: int = 3,
        background: str | Sequence[int] = "white",
    ) -> None:
        required("PIL", "pillow", "reading images")
        from PIL import Image

        if channels not in (1, 3):
            raise ValueError(f"decode: channels={channels!r} must be 1 (grey) or 3 (red, green, blue).")
        self.name, self._mode, self._ground = shown(source), "L" if channels == 1 else "RGB", colour(background)
        self._pixels: UInt8[Tensor, "c h w"] | None = None
        with _errors_of(self.name):
            self._data = _bytes_of(source)
            self._image = Image.open(io.BytesIO(self._data))
            self._turned = orientation(self._image)
            self.factors = factors_of(self._image, self._turned)
            width, height = self._image.size
        self._size = (width, height) if self._turned >= _FIRST_TURNED else (height, width)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the upright image; some formats have to be decoded to know it."""
        return self._size if self.factors != (1,) else (self.pixels().shape[1], self.pixels().shape[2])

    def pixels(self, factor: int = 1) -> UInt8[Tensor, "c h w"]:
        """Read the image, smaller by one of `factors`; the file is decoded once."""
        if factor not in self.factors:
            raise ValueError(f"decode: factor={factor!r} must be one of {sorted(self.factors)} for {self.name}.")
        if self._pixels is None:
            with _errors_of(self.name), self._image as image:
                found = decoded_by_simplejpeg(self._data, image, self._mode, factor, self._turned)
                found = self._by_pillow(image, factor) if found is None else found
            channels = len(self._mode)
            self._pixels = torch.from_numpy(found).view(*found.shape[:2], channels).permute(2, 0, 1)
        return self._pixels

    def _by_pillow(self, image: Any, factor: int) -> np.ndarray:
        np = required("numpy", "numpy", "reading images")
        stored = image.tile[0][3] if image.tile else None  # how the file stores samples; lost after load()
        if factor > 1:
            image.draft(None, (image.width // factor, image.height // factor))
        image.load()
        return np.array(_opaque(_narrow(_upright(image), stored), self._ground, self._mode))


def decode(source: Source, channels: int = 3, background: str | Sequence[int] = "white") -> UInt8[Tensor, "c h w"]:
    """Read the first image of a file in any format that Pillow reads; channels_last in memory.

    The image is rotated upright according to its EXIF data, 16-bit and 32-bit grey is scaled to 8 bits by the range of
    its format, and transparent pixels are blended with a background. Colour profiles are ignored.

    Args:
        source: path, the file's bytes, or an open binary file.
        channels: 1 for grey (ITU-R BT.601), 3 for red, green and blue.
        background: colour behind transparent pixels; see `colour`.

    Returns:
        (channels, H, W) uint8.

    Raises:
        UnreadableError: if the file cannot be read, or the range of its values is unknown; names the file and the
            remedy.
        ValueError: if channels or background is none of the above.
    """
    return ImageFile(source, channels, background).pixels()


@contextmanager
def _errors_of(name: str) -> Iterator[None]:
    """Turn whatever a broken file raises into one sentence; Pillow raises OSError, struct.error, KeyError, ..."""
    from PIL import UnidentifiedImageError

    try:
        yield
    except _UnknownRangeError as error:
        message = f"cannot read the image {name} ({error}): save it with 8 or 16 unsigned bits."
        raise UnreadableError(message, str(error)) from error
    except Exception as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        if isinstance(error, UnidentifiedImageError):
            why = "its content is not in a format that Pillow reads"
        raise UnreadableError(f"cannot read the image {name} ({why}): remove or replace the file.", why) from error


def _bytes_of(source: Source) -> bytes:
    if isinstance(source, bytes):
        return source
    if isinstance(source, str | os.PathLike):
        return Path(source).read_bytes()
    return source.read()


def colour(background: str | Sequence[int]) -> tuple[int, int, int]:
    """Return (red, green, blue), 0 to 255, for a name such as white, for "#rrggbb", or for three numbers."""
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
    """Return the name of a file for error messages, printable even if the path is not valid text."""
    if isinstance(source, bytes):
        return f"of {len(source)} bytes"
    name = source if isinstance(source, str | os.PathLike) else getattr(source, "name", source)
    return os.fsencode(name).decode(errors="backslashreplace") if isinstance(name, str | os.PathLike) else repr(name)


class _UnknownRangeError(Exception):
    """Raised if the file does not define which value is white."""


def _upright(image: Image) -> Image:
    """Rotate in place according to EXIF; Pillow has already rotated a TIFF and removed the entry."""
    from PIL import ImageOps

    with suppress(Exception):  # ignore EXIF data that cannot be parsed
        ImageOps.exif_transpose(image, in_place=True)
    return image


def _tag(image: Any, number: int, missing: Any = None) -> Any:
    """Return a tag of a TIFF image; other formats have no tags."""
    return image.tag_v2.get(number, missing)


def _narrow(image: Image, stored: object) -> Image:
    """Reduce to 8 bits per channel, and bring a transparent colour to the same scale."""
    key = image.info.get("transparency")
    if image.format == "TIFF" and _tag(image, _SAMPLE_FORMAT, (1,))[0] == _SIGNED:
        raise _UnknownRangeError("it holds signed integers, not unsigned ones")
    if image.mode[0] in "IF":
        return _narrow_grey(image, key)
    if image.format == "PNG" and key is not None:  # the key has the scale of the file, the pixels do not
        if stored == "RGB;16B":
            image.info["transparency"] = tuple(value >> 8 for value in key)
        elif stored in ("L;2", "L;4"):
            image.info["transparency"] = key * (85 if stored == "L;2" else 17)
    return image


def _narrow_grey(image: Image, key: int | None) -> Image:
    """Convert grey of 16 or 32 bits to L, or to LA if one value is transparent."""
    import numpy as np
    from PIL import Image

    values = np.array(image)
    levels = _levels_of_floats(values) if image.mode == "F" else _levels_of_integers(values, image)
    if image.format == "TIFF" and _tag(image, _PHOTOMETRIC) == _WHITE_IS_ZERO:
        levels = 255 - levels  # Pillow inverts only samples of 8 bits
    grey = Image.fromarray(levels)
    if key is not None:
        grey.putalpha(Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8)))
    return grey


def _levels_of_integers(values: np.ndarray, image: Image) -> np.ndarray:
    """Return the upper 8 bits, as Pillow does for 16-bit colour."""
    if image.format not in _SIXTEEN_BITS[image.mode[:4]]:
        raise _UnknownRangeError(
            f"it holds deep integers (mode {image.mode}), whose range {image.format} does not define"
        )
    bits = _tag(image, _BITS_PER_SAMPLE, (16,))[0] if image.format == "TIFF" else 16
    return (values >> (bits - 8)).astype("uint8")


def _levels_of_floats(values: np.ndarray) -> np.ndarray:
    if not (values.min() >= 0 and values.max() <= 1):  # false for NaN
        raise _UnknownRangeError(f"it holds floats from {values.min():.4g} to {values.max():.4g} instead of 0 to 1")
    return (values * 255).round().astype("uint8")


def _opaque(image: Image, ground: tuple[int, int, int], mode: str) -> Image:
    """Convert to mode L or RGB, and blend transparent pixels with the background."""
    from PIL import Image

    if image.mode == "La":
        image = image.convert("LA")  # the only conversion that Pillow supports
    if image.has_transparency_data:
        unused = image.format in _FOURTH_UNUSED and image.getextrema()[-1] == (0, 0)
        image = image.convert("RGBA")
        if unused:
            image.putalpha(255)
        image = Image.alpha_composite(Image.new("RGBA", image.size, ground), image)
    if image.mode not in ("1", "L", mode):
        image = image.convert("RGB")  # LAB has no direct conversion to grey
    return image if image.mode == mode else image.convert(mode)
