"""Transparent images are blended with a background, for every way in which a format stores transparency."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.trainer import image_files as raw
from tests.trainer.image_files import pixels, saved
from tests.unchecked import import_unchecked

BLACK, WHITE, RED = (0, 0, 0), (255, 255, 255), (255, 0, 0)


def palette(entries: list[tuple[int, int, int]], *values: int) -> Image.Image:
    image = Image.new("P", (len(values), 1))
    image.putpalette([level for entry in entries for level in entry])
    image.putdata(values)
    return image


def rgba(*values: tuple[int, int, int, int]) -> Image.Image:
    return Image.fromarray(np.array([values], dtype=np.uint8))


INK = [(0, 0, 0), (90, 200, 10)]  # the visible colour, and the colour of transparent pixels
HIDDEN = rgba((*INK[0], 255), (*INK[1], 0))
CLEAR = {
    "png": lambda: saved(HIDDEN, "PNG"),
    "webp": lambda: saved(HIDDEN, "WEBP", lossless=True, exact=True),
    "tiff": lambda: saved(HIDDEN, "TIFF"),
    "tiff, premultiplied grey": lambda: raw.tiff(2, 8, bytes([0, 255, 0, 0]), ExtraSamples=1),
    "tga": lambda: saved(HIDDEN, "TGA"),
    "png, grey": lambda: saved(HIDDEN.convert("LA"), "PNG"),
    "png, palette": lambda: saved(palette(INK, 0, 1), "PNG", transparency=1),
    "png, palette of alphas": lambda: saved(palette(INK, 0, 1), "PNG", transparency=bytes([255, 0])),
    "gif": lambda: saved(palette(INK, 0, 1), "GIF", transparency=1),
    "tiff, palette": lambda: saved(_with_alpha(palette(INK, 0, 1), 255, 0), "TIFF"),
    "png, one grey of 1 bit": lambda: raw.png(2, 1, 0, bytes([0b01000000]), transparent=struct.pack(">H", 1)),
    "png, one grey of 2 bits": lambda: raw.png(2, 2, 0, bytes([0b00100000]), transparent=struct.pack(">H", 2)),
    "png, one grey of 4 bits": lambda: raw.png(2, 4, 0, bytes([0x07]), transparent=struct.pack(">H", 7)),
    "png, one grey of 8 bits": lambda: raw.png(2, 8, 0, bytes([0, 7]), transparent=struct.pack(">H", 7)),
    "png, one grey of 16 bits": lambda: raw.png(
        2, 16, 0, struct.pack(">HH", 0, 0x1234), transparent=struct.pack(">H", 0x1234)
    ),
    "png, one colour": lambda: raw.png(2, 8, 2, bytes([0, 0, 0, 1, 2, 3]), transparent=struct.pack(">3H", 1, 2, 3)),
    "png, one colour of 16 bits": lambda: raw.png(
        2,
        16,
        2,
        struct.pack(">6H", 0, 0, 0, 0x1234, 0x3456, 0x5678),
        transparent=struct.pack(">3H", 0x1234, 0x3456, 0x5678),
    ),
    "png, grey of 16 bits": lambda: raw.png(2, 16, 4, struct.pack(">4H", 0, 65535, 0x8000, 0)),
}


def _with_alpha(image: Image.Image, *alphas: int) -> Image.Image:
    image = image.convert("PA")
    alpha = Image.new("L", image.size)
    alpha.putdata(alphas)
    image.putalpha(alpha)
    return image


@pytest.mark.parametrize("name", CLEAR)
def test_transparency_is_laid_on_the_ground(name: str) -> None:
    data = CLEAR[name]()
    assert pixels(data).tolist() == [[list(BLACK), list(WHITE)]]
    assert pixels(data, background="red").tolist() == [[list(BLACK), list(RED)]]
    assert pixels(data, channels=1, background=[10, 10, 10]).tolist() == [[0, 10]]


def test_half_transparent_is_mixed() -> None:
    half = saved(rgba((200, 100, 0, 128)), "PNG")
    assert pixels(half, background=(0, 100, 255)).tolist() == [[[100, 100, 127]]]
    premultiplied = raw.tiff(1, 8, bytes([50, 128]), ExtraSamples=1)
    assert np.abs(pixels(premultiplied, background="black") - 50).max() <= 1
    assert np.abs(pixels(premultiplied, background="white") - (50 + 127)).max() <= 1


def test_an_unused_fourth_channel_is_no_transparency() -> None:
    assert pixels(raw.tga(0, (3, 2, 1, 0), (30, 20, 10, 0))).tolist() == [[[1, 2, 3], [10, 20, 30]]]
    assert pixels(raw.tga(8, (3, 2, 1, 255), (30, 20, 10, 0))).tolist() == [[[1, 2, 3], list(WHITE)]]


@pytest.mark.parametrize("given", ["whyte", "#12", [1, 2], [1, 2, 300], [1.5, 2, 3], 255, None, "#ff000080"])
def test_a_ground_that_is_no_colour_is_refused(given: Any) -> None:
    with pytest.raises(ValueError, match=r"background=.* must be the name of a colour"):
        import_unchecked("augment.tools.decoding").colour(given)
