"""Tiles in rows, as one picture or as one HTML file."""

from __future__ import annotations

import base64
import html
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from augment.tools.preview.text import font_of, wrapped

if TYPE_CHECKING:
    from PIL.Image import Image

MARGIN, FONT, LINE = 8, 12, 15
"""In pixels: the space around tiles, the font size, the height of a text line."""

_STYLE = """body { font: 14px system-ui, sans-serif; margin: 2em; color: #222; }
section { display: flex; flex-wrap: wrap; gap: 12px; margin-bottom: 20px; }
figure { margin: 0; } img { display: block; } figcaption { padding-top: 4px; font-size: 13px; line-height: 1.35; }"""


@dataclass(frozen=True)
class Tile:
    """A picture and the lines of text below it."""

    picture: Image
    lines: list[str]


def sheet_of(rows: list[list[Tile]], side: int) -> Image:
    """Draw rows of tiles, each at most `side` pixels wide and high; texts that no font can show are left out."""
    from PIL import Image, ImageDraw

    texts = [[[part for line in tile.lines for part in wrapped(line, side, FONT)] for tile in row] for row in rows]
    tall = [max(tile.picture.height for tile in row) for row in rows]
    heights = [t + LINE * max(map(len, row)) + MARGIN for t, row in zip(tall, texts, strict=True)]
    sheet = Image.new("RGB", ((side + MARGIN) * max(map(len, rows)) + MARGIN, sum(heights) + MARGIN), "white")
    pen, top = ImageDraw.Draw(sheet), MARGIN
    for row, lines_of, tallest, height in zip(rows, texts, tall, heights, strict=True):
        for column, (tile, lines) in enumerate(zip(row, lines_of, strict=True)):
            left = column * (side + MARGIN) + MARGIN
            sheet.paste(tile.picture, (left, top))
            for i, line in enumerate(lines):
                pen.text((left, top + tallest + i * LINE + 1), line, fill="black", font=font_of(line, FONT))
        top += height
    return sheet


def page_of(title: str, rows: list[list[Tile]]) -> str:
    """Return one HTML file that holds its pictures."""
    sections = "\n".join(f"<section>{figures_of(row)}</section>" for row in rows)
    name = html.escape(title)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
        f"<style>{_STYLE}</style></head>\n<body><h1>{name}</h1>\n{sections}\n</body></html>\n"
    )


def figures_of(tiles: list[Tile]) -> str:
    """Return tiles as HTML that holds their pictures."""
    return "".join(map(_figure, tiles))


def written(sheet: Image, path: Path, most_bytes: int | None = None) -> None:
    """Save a picture in the format of the file's ending; JPEG and WebP as finely as `most_bytes` allow."""
    if path.suffix.lower() == ".png":
        sheet.save(path)
        return
    for quality in (80, 70, 60, 50, 40, 30, 20, 10):
        data = io.BytesIO()
        sheet.save(data, "WEBP" if path.suffix.lower() == ".webp" else "JPEG", quality=quality)
        if most_bytes is None or data.tell() <= most_bytes:
            break
    path.write_bytes(data.getvalue())


def inline(picture: Image) -> str:
    """Return a picture as the address of an <img>, which holds the picture itself."""
    data = io.BytesIO()
    picture.save(data, "PNG")
    return f"data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}"


def _figure(tile: Tile) -> str:
    lines = "<br>".join(map(html.escape, tile.lines))
    size = f'width="{tile.picture.width}" height="{tile.picture.height}"'
    return (
        f'<figure style="max-width: {tile.picture.width}px"><img {size} alt="" src="{inline(tile.picture)}">'
        f"<figcaption>{lines}</figcaption></figure>"
    )
