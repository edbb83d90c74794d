"""The pipeline of the playground, as plain data: what `Pipeline.config()` returns. Every step returns new data."""

from __future__ import annotations

import pkgutil
from typing import Any

import augment as A
from augment.core.layer import Layer
from augment.tools.errors import ToolError
from augment.tools.preview.examples import example_layer, layer_names
from augment.tools.recipe import pipeline_of
from augment.tools.recipe_file import foreign

Config = dict[str, Any]
"""{"_target_": "augment.Pipeline", "_args_": [a layer, ...], "seed": 0}, where a layer is of the same form."""

_STATISTICS = ("Normalize", "Denormalize")


def names() -> list[str]:
    """Return the names of the layers to choose from."""
    return sorted([*layer_names(), *_STATISTICS])


def opened(text: str, size: int = 224) -> Config:
    """Return the pipeline that a text describes, see `pipeline_of`.

    Raises:
        ToolError: there is no such pipeline, or it cannot be built.

    Example:
        >>> opened("RandomRotation(30, p=1.0)")["_args_"]
        [{'_target_': 'augment.RandomRotation', 'degrees': 30, 'p': 1.0}]
    """
    return pipeline_of(text, size).config()


def built(config: Config) -> Any:
    """Build a layer, a distribution or a list of them from plain data.

    Raises:
        ToolError: the data name something else, or arguments that do not fit; the message says which.

    Example:
        >>> built({"_target_": "augment.Uniform", "low": 0, "high": 1})
        Uniform(0, 1)
    """
    found = foreign(config)
    if found is not None:
        raise ToolError(f"{found}.")
    try:
        return _built(config)
    except (TypeError, ValueError) as error:
        raise ToolError(" ".join(str(error).split())) from error


def _built(config: Any) -> Any:
    if isinstance(config, list):
        return [_built(item) for item in config]
    if not isinstance(config, dict):
        return config
    items = {key: _built(value) for key, value in config.items() if key not in ("_target_", "_args_")}
    if "_target_" not in config:
        return items
    return pkgutil.resolve_name(config["_target_"])(*_built(config.get("_args_", [])), **items)


def pipeline(config: Config) -> A.Pipeline:
    """Build the pipeline, uncompiled, which leaves images as bytes or floats."""
    made = built(config)
    made.compile_mode, made.dtype = False, None
    return made


def layers_of(config: Config) -> list[Config]:
    """Return the layers of a pipeline."""
    return config.get("_args_", [])


def name_of(layer: Config) -> str:
    """Return the name of a layer's class.

    Example:
        >>> name_of({"_target_": "augment.RandomGamma"})
        'RandomGamma'
    """
    return layer["_target_"].rpartition(".")[2]


def typical(name: str) -> Layer:
    """Return a typical layer of a class.

    Example:
        >>> typical("RandomGamma").gamma
        Uniform(0.5, 2)
    """
    if name in _STATISTICS:
        return getattr(A, name)(A.IMAGENET_MEAN, A.IMAGENET_STD)
    return example_layer(name)


def added(config: Config, name: str) -> Config:
    """Return the pipeline with a typical layer of a class at its end."""
    return _with(config, [*layers_of(config), typical(name).config()])


def removed(config: Config, place: int) -> Config:
    """Return the pipeline without the layer at a place, from 0."""
    return _with(config, [layer for number, layer in enumerate(layers_of(config)) if number != place])


def moved(config: Config, place: int, by: int) -> Config:
    """Return the pipeline with the layer at a place moved by -1 or 1; at an end it stays where it is."""
    layers = list(layers_of(config))
    if 0 <= place + by < len(layers):
        layers[place], layers[place + by] = layers[place + by], layers[place]
    return _with(config, layers)


def changed(config: Config, place: int, argument: str, value: Any) -> Config:
    """Return the pipeline with one argument of the layer at a place set to plain data."""
    layers = list(layers_of(config))
    layers[place] = layers[place] | {argument: value}
    return _with(config, layers)


def _with(config: Config, layers: list[Config]) -> Config:
    return config | {"_args_": layers}
