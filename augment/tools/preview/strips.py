"""What a layer does to one image, from its lowest draw to its highest."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

import augment as A
from augment.core.layer import Layer
from augment.draws.noise import uniform
from augment.draws.quantities import columns
from augment.tools.preview.draws import original, tiles
from augment.tools.preview.samples import Sample
from augment.tools.preview.sheet import Tile

_PLACES = ("top", "left", "edge", "corner", "center", "sign", "key", "keys", "pairing", "choice", "op", "points")
"""Quantities with no low and high: where something is, and which of several things it is."""

_TOGETHER = ("scale", "ratio", "hole_height_range", "hole_width_range", "sigma")
"""Quantities with several draws, that vary together."""

_RADIUS = 0.6
"""Of the mask for layers that need one, in halves of the image."""

_EDGE = 1e-4
"""Distance of the lowest and the highest draw from 0 and 1, where unbounded distributions are infinite."""


def strips(layer: Layer, samples: list[Sample], steps: int, side: int, most: int | None = None) -> list[list[Tile]]:
    """Return a row for each quantity of a layer: the first image, unchanged, then with the quantity from low to high.

    The other quantities stay in the middle. A layer without such quantities, such as a policy, gets one row of random
    draws, and one without any draws a single result.

    Args:
        layer: any layer of `augment`.
        samples: images of one size; a layer that mixes images needs two or more.
        steps: number of tiles after the unchanged one.
        side: of the tiles, in pixels.
        most: number of rows.
    """
    pipeline = A.Pipeline(layer, compile=False)
    if any(isinstance(leaf, A.RandomTransplantation) for leaf in layer.leaves()):
        samples = [with_disc(sample) for sample in samples]
    labels = list(dict.fromkeys(sample.label for sample in samples))
    found = _from_low_to_high(layer, len(samples), steps)
    if not found:
        found = {"random draws" if layer.draws else "before and after": _random(layer, len(samples), steps)}
    first = original(samples[0], side).picture
    rows = []
    for name, noises in list(found.items())[:most]:
        made = [tiles(pipeline, samples, labels, noise, side)[0] for noise in noises]
        if not layer.draws and made[0].lines == ["unchanged"]:  # a layer that captions leave out, such as Resize
            made = [Tile(made[0].picture, [type(layer).__name__])]
        rows.append([Tile(first, [name]), *made])
    return rows


def with_disc(sample: Sample) -> Sample:
    """Return a sample with a mask, which is a disc in the middle if it has none."""
    height, width = sample.image.shape[1:]
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    disc = (x.square() + y.square() < _RADIUS**2).to(torch.int32)
    return replace(sample, mask=disc if sample.mask is None else sample.mask)


def _random(layer: Layer, count: int, steps: int) -> list[Tensor]:
    """Return different draws for each tile, (count, draws); one tile if nothing is random."""
    steps = steps if layer.draws else 1
    return list(uniform(0, 0, torch.arange(count * steps), layer.draws).split(count))


def _from_low_to_high(layer: Layer, count: int, steps: int) -> dict[str, list[Tensor]]:
    """Return noise (count, draws) from low to high for each quantity that can vary, by its name."""
    if layer.leaves() != [layer] or "op" in layer._quantities:  # a container, or a policy in one layer
        return {}
    rest = uniform(0, 0, torch.arange(count), layer.draws)
    varied = {}
    for name, _, places in columns(layer, torch.arange(layer.draws).float()[None]):
        place, draws = places.flatten().long(), getattr(layer, name).draws
        moves = draws > 0 and name != "p" and name not in _PLACES
        if draws and name != "pairing" and (place.numel() == 1 or name in _TOGETHER):
            rest[:, place] = 0.0 if name == "p" else 0.5  # the lowest draw opens every gate
        if moves and (place.numel() == 1 or name in _TOGETHER):
            varied[name.replace("_", " ")] = place
    levels = torch.linspace(_EDGE, 1 - _EDGE, steps).tolist()
    return {name: [rest.index_fill(1, place, level) for level in levels] for name, place in varied.items()}
