"""Fonts of the preview: Pillow's own, and for other scripts one of the system."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

_WIDE = (
    *("NotoSansCJK-Regular.ttc", "NotoSansSC-Regular.otf", "SourceHanSansSC-Regular.otf", "wqy-microhei.ttc"),
    *("wqy-zenhei.ttc", "DroidSansFallbackFull.ttf", "DroidSansFallback.ttf", "PingFang.ttc", "Hiragino Sans GB.ttc"),
    *("msyh.ttc", "msgothic.ttc", "malgun.ttf", "simsun.ttc", "Arial Unicode.ttf", "DejaVuSans.ttf"),
)
"""Files of fonts with many scripts, on Linux, macOS and Windows; the first ones have Chinese, Japanese and Korean."""

_NO_CHARACTER = "\U0010fffe"


@cache
def fonts(size: int) -> tuple[Any, ...]:
    """Return Pillow's font and the fonts of many scripts that the system has, all in a size in pixels."""
    from PIL import ImageFont

    found = [ImageFont.load_default(size)]
    for name in _WIDE:
        try:
            found.append(ImageFont.truetype(name, size))
        except OSError:  # the system does not have it
            continue
    return tuple(found)


def font_of(text: str, size: int) -> Any | None:
    """Return the first font that has every character of a text, or None."""
    return next((font for font in fonts(size) if all(_has(font, character) for character in set(text))), None)


@cache
def _has(font: Any, character: str) -> bool:
    """Return whether a font has a character: a missing one is drawn like every other missing one."""
    if character.isspace():
        return True
    drawn, missing = font.getmask(character), font.getmask(_NO_CHARACTER)
    return drawn.size != missing.size or bytes(drawn) != bytes(missing)


def wrapped(text: str, width: int, size: int) -> list[str]:
    """Break a text into lines of at most `width` pixels, at spaces outside of brackets.

    A text that no font can show is left out.
    """
    font = font_of(text, size)
    if font is None:
        return []
    lines: list[str] = []
    for word in re.split(r" (?![^(]*\))", text):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(_cut(word if not lines else f"  {word}", width, font))
    return lines


def _cut(word: str, width: int, font: Any) -> str:
    """Return the beginning of a word that is wider than a line."""
    if font.getlength(word) <= width:
        return word
    while word and font.getlength(word + "…") > width:
        word = word[:-1]
    return word + "…"
