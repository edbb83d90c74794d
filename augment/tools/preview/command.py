"""The command `python -m augment preview`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from augment.tools.arguments import add_trust, positive, writable
from augment.tools.decoding import colour
from augment.tools.errors import ToolError, required
from augment.tools.installation import warn_if_slow
from augment.tools.preview.annotations import annotated
from augment.tools.preview.collation import squares
from augment.tools.preview.draws import original, rows_of
from augment.tools.preview.examples import example_layer
from augment.tools.preview.gallery import draw_gallery
from augment.tools.preview.photographs import CREDIT, photographs
from augment.tools.preview.samples import Sample, read_samples
from augment.tools.preview.sheet import Tile, page_of, sheet_of, written
from augment.tools.preview.strips import strips
from augment.tools.recipe import pipeline_of
from augment.tools.recipe_file import PRESETS

_ENDINGS = (".png", ".jpg", ".webp", ".html")
_USAGE = """python -m augment preview PIPELINE [IMAGES] OUTPUT [options]
       python -m augment preview --layer RandomGamma [IMAGES] OUTPUT [options]
       python -m augment preview --gallery FOLDER [IMAGES] [options]"""
_OWN = 427
"""Side of the photographs of `photographs` in their files."""
_MIXED = 4
"""Number of images in the strip of a layer, because some layers mix four."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = _USAGE
    parser.add_argument(
        "words",
        nargs="*",
        metavar="PIPELINE [IMAGES] OUTPUT",
        help=f"a preset ({', '.join(sorted(PRESETS))}), a choice of conf/augment, a YAML file, or layers such as "
        "'RandomRotation(30)'; an image file, or a folder of image files or of classes; and the file to write "
        f"({', '.join(_ENDINGS)})",
    )
    parser.add_argument("--layer", help="draw a strip for each quantity of a layer, from low to high")
    parser.add_argument("--gallery", metavar="FOLDER", help="write a strip for every layer into a folder")
    parser.add_argument("--grid", default="4x6", help="images x draws, e.g. 4x6 (%(default)s)")
    parser.add_argument(
        "--size", type=positive, default=224, help="side of the pipeline's output in pixels (%(default)s)"
    )
    parser.add_argument("--tile", type=positive, default=160, help="side of the tiles in pixels (%(default)s)")
    parser.add_argument("--annotations", metavar="FILE", help="boxes, keypoints and masks in COCO's format (.json)")
    parser.add_argument("--no-captions", action="store_true", help="draw the images without the text below them")
    parser.add_argument(
        "--background", default="white", help="colour behind transparent images: black, '#7c7468', ... (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the draws (%(default)s)")
    parser.add_argument("--epoch", type=int, default=0, help="epoch of the first draw (%(default)s)")
    add_trust(parser)


def run(arguments: argparse.Namespace, given: Sequence[str]) -> None:
    required("PIL", "pillow", "the preview")
    warn_if_slow("cpu")
    if arguments.gallery:
        _run_gallery(arguments)
    elif arguments.layer:
        _run_layer(arguments)
    else:
        _run_pipeline(arguments)


def _run_pipeline(arguments: argparse.Namespace) -> None:
    recipe, *images, out = _words(arguments, (2, 3), "PIPELINE [IMAGES] OUTPUT")
    output = _picture(out)
    count, columns = _grid(arguments.grid)
    pipeline = pipeline_of(recipe, arguments.size, arguments.trust)
    pipeline.seed, pipeline.compile_mode, pipeline.dtype = arguments.seed, False, None
    samples = _read(arguments, images[0], count) if images else photographs(_OWN)
    try:
        made = rows_of(pipeline, samples, columns, arguments.epoch, arguments.tile, arguments.size)
    except ValueError as error:
        raise ToolError(f"{recipe}: {error}") from error
    sheet = [[original(sample, arguments.tile), *row] for sample, row in zip(samples, made, strict=True)]
    _save(sheet, output, arguments, recipe)
    print(f"{output}: {len(sheet)} images, {columns} draws each" + ("" if images else f". {CREDIT}"))


def _run_layer(arguments: argparse.Namespace) -> None:
    *images, out = _words(arguments, (1, 2), "[IMAGES] OUTPUT")
    output, columns = _picture(out), _grid(arguments.grid)[1]
    name = arguments.layer
    layer = pipeline_of(name).layers[0] if "(" in name else example_layer(name)
    rows = strips(layer, _squares(arguments, images), columns, arguments.tile)
    _save(rows, output, arguments, name)
    print(f"{output}: {name}, {len(rows)} rows from low to high" + ("" if images else f". {CREDIT}"))


def _run_gallery(arguments: argparse.Namespace) -> None:
    images = _words(arguments, (0, 1), "--gallery FOLDER [IMAGES]")
    files = draw_gallery(Path(arguments.gallery), _squares(arguments, images))
    print(f"{arguments.gallery}: {len(files)} layers" + ("" if images else f". {CREDIT}"))


def _words(arguments: argparse.Namespace, counts: tuple[int, int], wanted: str) -> list[str]:
    if len(arguments.words) not in counts:
        raise ToolError(f"preview needs {wanted}, and got {' '.join(arguments.words) or 'nothing'}.")
    return arguments.words


def _picture(text: str) -> Path:
    output = writable(text)
    if output.suffix.lower() not in _ENDINGS:
        raise ToolError(f"{output} must end in {', '.join(_ENDINGS[:-1])} or {_ENDINGS[-1]}.")
    return output


def _read(arguments: argparse.Namespace, images: str, count: int) -> list[Sample]:
    try:
        background = colour(arguments.background)
    except ValueError as error:
        raise ToolError(f"--{error}") from error
    samples = read_samples(images, count, background)
    return annotated(samples, arguments.annotations) if arguments.annotations else samples


def _squares(arguments: argparse.Namespace, images: list[str]) -> list[Sample]:
    """Return the images of a strip, all of one size."""
    if not images:
        return photographs(arguments.size)
    return squares(_read(arguments, images[0], _MIXED), arguments.size)


def _save(rows: list[list[Tile]], output: Path, arguments: argparse.Namespace, title: str) -> None:
    if arguments.no_captions:
        rows = [[Tile(tile.picture, []) for tile in row] for row in rows]
    if output.suffix.lower() == ".html":
        output.write_text(page_of(title, rows), encoding="utf-8")
    else:
        written(sheet_of(rows, arguments.tile), output)


def _grid(text: str) -> tuple[int, int]:
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdigit() and int(part) for part in parts):
        raise ToolError(f"--grid: {text!r} must be images x draws, such as 4x6.")
    return int(parts[0]), int(parts[1])
