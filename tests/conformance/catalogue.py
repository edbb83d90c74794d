"""The layers under test: every layer that `augment` exports, found automatically."""

import inspect

import torch

import augment as A
from augment.core.layer import Layer

ABSTRACT = (Layer, A.Warp, A.DenseWarp, A.PixelOp, A.ImageOp, A.Mix)
PIPELINES = (A.Pipeline, A.Preprocess)  # lists of layers, tested in test_pipeline.py

LAYERS: dict[str, type[Layer]] = {
    name: value
    for name, value in sorted(vars(A).items())
    if inspect.isclass(value) and issubclass(value, Layer) and value not in (*ABSTRACT, *PIPELINES)
}
RANDOM = {name: cls for name, cls in LAYERS.items() if not cls.deterministic}
MIXES = {name: cls for name, cls in LAYERS.items() if issubclass(cls, A.Mix)}
WARPS = {name: cls for name, cls in LAYERS.items() if issubclass(cls, (A.Warp, A.DenseWarp))}
ALONE = {name: cls for name, cls in LAYERS.items() if name not in MIXES}
"""Layers whose result for a sample does not depend on other samples."""


def make(name: str, **changes: object) -> Layer:
    """Build a typical instance; random layers act on every sample unless p is given."""
    cls = LAYERS[name]
    arguments = dict(cls.example)
    if name == "RandomMix":
        arguments["layers"] = [A.RandomMixUp(), A.RandomCutMix(), A.ResizeMix()]
    elif "layers" in inspect.signature(cls).parameters:  # a container of layers
        arguments["layers"] = [A.RandomRotation(20.0, p=1.0), A.RandomGamma((0.5, 2.0)), A.RandomErasing(p=1.0)]
    if "p" in inspect.signature(cls).parameters:
        arguments["p"] = 1.0
    return cls(**(arguments | changes))


def same_size(layer: Layer, size: tuple[int, int] = (29, 37)) -> bool:
    return tuple(layer.out_size(size)) == size


def draw(layer: Layer, batch: int = 8, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Draw noise away from the ends of its interval, where quantities may have a kink."""
    return layer.noise(torch.arange(batch), epoch=seed).to(dtype) * 0.98 + 0.01


def as_batch(images: torch.Tensor, classes: int = 8) -> A.Batch:
    """Add labels, and masks with four labels that differ between samples."""
    sample = torch.arange(len(images))
    labels = torch.eye(classes, dtype=torch.float32)[sample % classes]
    rows, columns = (torch.arange(extent) for extent in images.shape[-2:])
    mask = (rows[:, None] // 5 + columns // 7 + sample[:, None, None]) % 4
    return A.Batch(images, label=labels, mask=mask)


def run(layer: Layer, images: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Return the output image of a layer of any kind."""
    if isinstance(layer, A.Mix):
        return layer(as_batch(images), noise).image
    return layer(images, noise)
