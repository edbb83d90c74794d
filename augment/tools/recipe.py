"""Builds a pipeline from user input: a preset, a YAML file, or an expression."""

from __future__ import annotations

import ast
import difflib
import inspect
from pathlib import Path
from typing import Any

import augment as A
from augment.core.layer import Layer
from augment.tools.errors import ToolError
from augment.tools.recipe_file import PRESETS, read_recipe


def pipeline_of(text: str, size: int = 224, trust: bool = False) -> A.Pipeline:
    """Build the pipeline that a text describes.

    Args:
        text: the name of a preset; the path of a YAML file with a `_target_`; or layers as in Python, separated by
            commas, e.g. "RandomRotation(30), ColorJitter(0.4, hue=0.1)".
        size: side of the output in pixels, for presets and configuration files.
        trust: let a YAML file build anything, not only layers, distributions and presets of augment.
    """
    if text in PRESETS:
        return PRESETS[text](size=size)
    if text.endswith((".yaml", ".yml")):
        layer = _from_yaml(Path(text), size, trust)
    elif "(" in text:
        layer = _from_expression(text)
    else:
        near = difflib.get_close_matches(text, PRESETS) or sorted(PRESETS)
        raise ToolError(
            f"{text!r} is neither a preset ({', '.join(near)}), nor a .yaml file, nor layers like RandomRotation(30)."
        )
    return layer if isinstance(layer, A.Pipeline) else A.Pipeline(layer)


def _from_yaml(path: Path, size: int, trust: bool) -> Layer:
    if not path.is_file():
        raise ToolError(f"{path} does not exist.")
    config = read_recipe(path, trust, flag="--trust")
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    # settings that the trainer's files refer to
    data = {"size": size, "mean": list(A.IMAGENET_MEAN), "std": list(A.IMAGENET_STD), "num_classes": 1000}
    whole = OmegaConf.create({"data": data, "seed": 0, "file": config})
    try:
        built = instantiate(whole.file, _convert_="all")
    except (OmegaConfBaseException, InstantiationException) as error:
        cause = error.__cause__ if isinstance(error, InstantiationException) and error.__cause__ else error
        raise ToolError(f"{path}: {' '.join(str(cause).split())}") from error
    if not isinstance(built, Layer):
        raise ToolError(f"{path}: its _target_ creates a {type(built).__name__}, not a layer of augment.")
    return built


def _from_expression(text: str) -> Layer:
    try:
        tree = ast.parse(f"({text},)", mode="eval").body
    except SyntaxError as error:
        raise ToolError(f"{text!r} is not a list of layers in Python syntax: {error.msg}.") from error
    try:
        layers = _value(tree)
        return layers[0] if len(layers) == 1 else A.Pipeline(*layers)
    except (ValueError, TypeError) as error:
        raise ToolError(" ".join(str(error).split())) from error


def _value(node: ast.expr) -> Any:
    """Evaluate numbers, strings, lists and calls of augment's exports, and nothing else."""
    if isinstance(node, (ast.Tuple, ast.List)):
        values = [_value(item) for item in node.elts]
        return tuple(values) if isinstance(node, ast.Tuple) else values
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name not in A.__all__ or not inspect.isclass(getattr(A, name)):
            near = difflib.get_close_matches(name, A.__all__, n=3)
            raise ToolError(f"augment has no {name!r}" + (f"; did you mean {' or '.join(near)}?" if near else "."))
        arguments = [_value(argument) for argument in node.args]
        return getattr(A, name)(*arguments, **{k.arg: _value(k.value) for k in node.keywords if k.arg})
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", None)
    if name in ("IMAGENET_MEAN", "IMAGENET_STD"):
        return getattr(A, name)
    try:
        return ast.literal_eval(node)
    except ValueError as error:
        raise ToolError(f"{ast.unparse(node)!r} must be a number, a string, a list or a layer of augment.") from error
