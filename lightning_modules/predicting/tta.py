"""Test-time augmentation: views of each image, over which the probabilities are averaged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

import augment as A
from augment.data.known import dense
from augment.tools.errors import ToolError
from augment.tools.recipe_file import read_recipe
from lightning_modules.errors import UserError
from lightning_modules.model.build import built

if TYPE_CHECKING:
    from lightning_modules.classifier import ImageClassifier

Views = Callable[[A.Batch], Iterator[A.Batch]]
"""Turns a batch of images into batches that the network sees, one after another."""

NAMES = ("none", "flip", "five_crop", "ten_crop")

_MARGIN = 0.875
"""Share of the side that a crop keeps if preprocessing looks at the whole image; the default of A.Preprocess."""

_END = 1 - 2**-24
"""The largest draw: the last position of a crop."""

_CROPS = ((0.5, 0.5), (0.0, 0.0), (0.0, _END), (_END, 0.0), (_END, _END))
"""Draws of A.RandomCrop, (top, left), for the centre and the corners."""


def views_of(model: ImageClassifier, tta: str | A.Pipeline, count: int = 8) -> Views | None:
    """Return the views of a kind of test-time augmentation; None if the network sees each image once.

    Args:
        model: the classifier.
        tta: "none"; "flip", the image and its mirror image; "five_crop", the centre and the corners; "ten_crop", these
            and their mirror images (Krizhevsky et al. 2012, "ImageNet classification with deep convolutional neural
            networks", section 4.1); or a pipeline, or the path of its .yaml file.
        count: how often the pipeline augments each image, at least 1. Its draws depend on its seed and on the number of
            the image only.

    Raises:
        UserError: there is no such kind, or the pipeline does not fit.

    Example:
        >>> views = views_of(model, "flip")
        >>> len(list(views(A.Batch(images))))
        2
    """
    if isinstance(tta, A.Pipeline):
        return _augmented(model, tta, count)
    if tta.endswith((".yaml", ".yml")):
        return _augmented(model, _read(model, Path(tta).expanduser()), count)
    if tta not in NAMES:
        raise UserError(f"tta={tta!r} must be one of {', '.join(NAMES)}, or the path of a .yaml file of a pipeline.")
    if tta == "none":
        return None
    if tta == "flip":
        return _mirrored(lambda batch: iter([model.preprocessed(batch)]))
    crops = _crops(model)
    return _mirrored(crops) if tta == "ten_crop" else crops


def _mirrored(views: Views) -> Views:
    """Add the mirror image of each view."""

    def both(batch: A.Batch) -> Iterator[A.Batch]:
        for view in views(batch):
            yield view
            yield view.replace(image=dense(view.image).flip(-1))

    return both


def _crops(model: ImageClassifier) -> Views:
    resize, *others = model.preprocess.layers
    if not isinstance(resize, A.Resize):
        raise UserError("tta: five_crop and ten_crop need an A.Preprocess, which resizes first.")
    config = resize.config()
    if not any(isinstance(layer, A.CenterCrop) for layer in others):  # it looks at the whole image
        config |= {"size": [round(side / _MARGIN) for side in model.input_size]}
    rest = [built(layer.config()) for layer in others if not isinstance(layer, A.CenterCrop)]
    pipeline = A.Pipeline(built(config), A.RandomCrop(model.input_size), *rest, dtype=model.preprocess.dtype).train()

    def crops(batch: A.Batch) -> Iterator[A.Batch]:
        for crop in _CROPS:
            yield pipeline(batch, noise=torch.tensor(crop, device=batch.device).expand(batch.count, -1))

    return crops


def _augmented(model: ImageClassifier, pipeline: A.Pipeline, count: int) -> Views:
    if count < 1:
        raise UserError(f"tta_views={count} must be at least 1.")
    if any(isinstance(leaf, A.Mix) for leaf in pipeline.leaves()):
        raise UserError("tta: the pipeline mixes images, so no image would have a prediction of its own.")
    pipeline = pipeline.to(model.device).train()

    def draws(batch: A.Batch) -> Iterator[A.Batch]:
        for number in range(count):
            view = pipeline(batch, epoch=number)
            size = tuple(dense(view.image).shape[-2:])
            if size != model.input_size:
                raise UserError(f"tta: the pipeline delivers {size} pixels; the network takes {model.input_size}.")
            yield view

    return draws


def _read(model: ImageClassifier, path: Path) -> A.Pipeline:
    """Return the pipeline of a file, which may refer to ${data.size}, ${data.mean} and ${data.std}."""
    try:
        config = read_recipe(path, trust=False, flag="no file but a pipeline built in Python")
    except ToolError as error:
        raise UserError(f"tta={error}") from error
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    normalize: dict[str, Any] = next((x.config() for x in model.preprocess.layers if isinstance(x, A.Normalize)), {})
    height, width = model.input_size
    data = {"size": height if height == width else [height, width], "num_classes": model.num_classes}
    data |= {name: normalize[name] for name in ("mean", "std") if name in normalize}
    whole = OmegaConf.create({"data": data, "seed": 0, "file": config})
    try:
        made = built(OmegaConf.to_container(whole.file, resolve=True))
    except OmegaConfBaseException as error:
        raise UserError(f"tta={path}: {' '.join(str(error).split())}") from error
    layers: Sequence[A.Layer] = [made] if isinstance(made, A.Layer) else []
    if not layers:
        raise UserError(f"tta={path}: its _target_ creates a {type(made).__name__}, not a layer of augment.")
    return made if isinstance(made, A.Pipeline) else A.Pipeline(*layers)
