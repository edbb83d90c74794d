"""What a pipeline makes of one image: a grid of samples, and what each of them got."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

import augment as A
from augment.data.known import dense
from augment.tools.errors import ToolError
from augment.tools.playground.state import Config, layers_of, pipeline
from augment.tools.preview.draws import noise_at, original, rows_of
from augment.tools.preview.photographs import photographs
from augment.tools.preview.samples import Sample, read_samples
from augment.tools.preview.sheet import Tile, figures_of
from augment.tools.preview.strips import with_disc

LONGEST = 512
"""Longest side of an image in pixels; larger ones are shrunk, so that a change shows at once."""

_OUTPUT = 224
"""Side in pixels to which images of different sizes are brought before they are mixed."""


def sample_of(path: str | None) -> Sample:
    """Return the image of a file, at most `LONGEST` pixels on its longer side; a photograph of a flower for None.

    Raises:
        ToolError: the file is no image.
    """
    if path is None:
        return photographs(LONGEST)[0]
    sample = replace(read_samples(path, 1)[0], label="yours", name="")
    if max(sample.image.shape[1:]) <= LONGEST:
        return sample
    shrink = A.Pipeline(A.LongestMaxSize(LONGEST), dtype=torch.uint8, compile=False).eval()
    return replace(sample, image=dense(shrink(sample.image[None]))[0])


def samples_of(config: Config, sample: Sample, count: int, epoch: int, side: int) -> list[Tile]:
    """Return the image, and the image augmented as in consecutive epochs, with what happened below each.

    A pipeline that mixes images mixes this one with a photograph of a temple.

    Args:
        config: of the pipeline.
        sample: the image.
        count: number of augmented tiles.
        epoch: of the first one.
        side: of the tiles, in pixels.

    Raises:
        ToolError: the pipeline cannot be built, or does not fit the image.
    """
    made = pipeline(config)
    first = Tile(original(sample, side).picture, ["original"])
    if not layers_of(config):
        return [first]
    leaves = made.leaves()
    images = [sample]
    if any(isinstance(leaf, A.Mix) for leaf in leaves):
        images.append(photographs(LONGEST)[1])
    if any(isinstance(leaf, A.RandomTransplantation) for leaf in leaves):
        images = [with_disc(image) for image in images]
    try:
        return [first, *rows_of(made, images, count, epoch, side, _OUTPUT)[0]]
    except (TypeError, ValueError, RuntimeError) as error:
        raise ToolError(" ".join(str(error).split())) from error


def explanations(config: Config, sample: Sample, count: int, epoch: int) -> list[dict[str, Any]]:
    """Return what `explain` says about each augmented tile of `samples_of`, without the noise.

    Raises:
        ToolError: the pipeline cannot be built.
    """
    made, size = pipeline(config), (sample.image.shape[1], sample.image.shape[2])
    index = torch.zeros(1, dtype=torch.int64)
    noises = [noise_at(made, index, epoch, number, count)[0] for number in range(count)]
    told = [made.explain(noise, size) for noise in noises]
    return [{"sample": number, "layers": entry["layers"]} for number, entry in enumerate(told, start=1)]


def grid(tiles: list[Tile]) -> str:
    """Return tiles as HTML: side by side, in as many rows as the page needs."""
    return f'<div class="samples">{figures_of(tiles)}</div>'
