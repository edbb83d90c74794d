"""The command `python -m augment preview`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from augment.tools.arguments import add_trust, positive, writable
from augment.tools.decoding import colour, decode
from augment.tools.errors import ToolError, required
from augment.tools.images import image_files
from augment.tools.installation import warn_if_slow
from augment.tools.preview.sheet import drawn, rows_of, within
from augment.tools.recipe import pipeline_of
from augment.tools.recipe_file import PRESETS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "pipeline", help=f"a preset ({', '.join(sorted(PRESETS))}), a YAML file, or layers: 'RandomRotation(30)'"
    )
    parser.add_argument("images", help="an image file, or a folder of image files")
    parser.add_argument("output", help="the picture to write (.png)")
    parser.add_argument("--grid", default="4x6", help="images x draws, e.g. 4x6 (%(default)s)")
    parser.add_argument("--size", type=positive, default=160, help="side of the tiles in pixels (%(default)s)")
    parser.add_argument(
        "--background", default="white", help="colour behind transparent images: black, '#7c7468', ... (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the draws (%(default)s)")
    parser.add_argument("--epoch", type=int, default=0, help="epoch of the first draw (%(default)s)")
    add_trust(parser)


def run(arguments: argparse.Namespace, given: Sequence[str]) -> None:
    required("PIL", "pillow", "the preview")
    warn_if_slow("cpu")
    output = writable(arguments.output)
    if output.suffix.lower() != ".png":
        raise ToolError(f"{output} must end in .png.")
    rows, columns = _grid(arguments.grid)
    try:
        background = colour(arguments.background)
    except ValueError as error:
        raise ToolError(f"--{error}") from error
    pipeline = pipeline_of(arguments.pipeline, arguments.size, arguments.trust)
    pipeline.seed, pipeline.compile_mode, pipeline.dtype = arguments.seed, False, None
    files = image_files(arguments.images, rows)
    images = [decode(file, background=background) for file in files]
    try:
        made = rows_of(pipeline, images, columns, arguments.epoch, arguments.size)
    except ValueError as error:
        raise ToolError(f"{arguments.pipeline}: {error}") from error
    originals = [
        (within(i, arguments.size), [f.stem[: arguments.size // 6]]) for i, f in zip(images, files, strict=True)
    ]
    sheet = [[original, *row] for original, row in zip(originals, made, strict=True)]
    width, height = drawn(sheet, output)
    print(f"{output}: {len(sheet)} images, {columns} draws each, {width} x {height} pixels")


def _grid(text: str) -> tuple[int, int]:
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdigit() and int(part) for part in parts):
        raise ToolError(f"--grid: {text!r} must be images x draws, such as 4x6.")
    return int(parts[0]), int(parts[1])
