"""Builds a pipeline from user input: a preset, a choice of conf/augment, a YAML file, or an expression."""

from __future__ import annotations

import ast
import difflib
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

import augment as A
from augment.core.layer import Layer
from augment.tools.errors import ToolError
from augment.tools.recipe_file import PRESETS, read_whole
from augment.tools.trainer_choices import choices, read_choice

if TYPE_CHECKING:
    from omegaconf import DictConfig


def pipeline_of(text: str, size: int = 224, trust: bool = False) -> A.Pipeline:
    """Build the pipeline that a text describes.

    Args:
        text: the name of a preset, or of a file in conf/augment; the path of a YAML file with a `_target_`, or with an
            `augment` that has one, such as .hydra/config.yaml of a run; or layers as in Python, separated by commas,
            e.g. "RandomRotation(30), ColorJitter(0.4, hue=0.1)".
        size: side of the output in pixels, for presets and configuration files.
        trust: let a YAML file build anything, not only layers, distributions and presets of augment.
    """
    if text in PRESETS:
        return PRESETS[text](size=size)
    if text.endswith((".yaml", ".yml")):
        layer = _from_yaml(Path(text), size, trust)
    elif "(" in text:
        layer = _from_expression(text)
    elif text in choices():
        layer = _built(Path(text), read_choice(text), size)
    else:
        known = sorted({*PRESETS, *choices()})
        near = difflib.get_close_matches(text, known) or known
        raise ToolError(
            f"{text!r} is neither a preset ({', '.join(near)}), nor a .yaml file, nor layers like RandomRotation(30)."
        )
    return layer if isinstance(layer, A.Pipeline) else A.Pipeline(layer)


def _from_yaml(path: Path, size: int, trust: bool) -> Layer:
    if not path.is_file():
        raise ToolError(f"{path} does not exist.")
    return _built(path, read_whole(path, trust, flag="--trust"), size)


def _built(path: Path, config: DictConfig, size: int) -> Layer:
    """Build the `augment` of a configuration, with the settings that it refers to."""
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    # settings that the trainer's files refer to, where the file does not set them
    data = {"size": size, "mean": list(A.IMAGENET_MEAN), "std": list(A.IMAGENET_STD), "num_classes": 1000}
    data |= {"framing": "crop"}
    try:
        whole: Any = OmegaConf.merge({"data": data, "seed": 0}, config)
        built = instantiate(whole.augment, _convert_="all")
    except (OmegaConfBaseException, InstantiationException) as error:
        cause = error.__cause__ if isinstance(error, InstantiationException) and error.__cause__ else error
        raise ToolError(f"{path}: {' '.join(str(cause).split())}") from error
    if not isinstance(built, Layer):
        raise ToolError(f"{path}: its _target_ creates a {type(built).__name__}, not a layer of augment.")
    return built


def _from_expression(text: str) -> Layer:
    layers = value_of(f"({text},)", "a list of layers")
    try:
        return layers[0] if len(layers) == 1 else A.Pipeline(*layers)
    except (ValueError, TypeError) as error:
        raise ToolError(" ".join(str(error).split())) from error


def value_of(text: str, what: str = "a value") -> Any:
    """Evaluate a text in Python syntax that holds numbers, strings, lists and calls of augment's exports.

    Args:
        text: such as "(0.5, 1.5)" or "Normal(0, 0.1)".
        what: it should be, for the message.

    Raises:
        ToolError: the text is something else.

    Example:
        >>> value_of("Uniform(0, 1)")
        Uniform(0, 1)
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        said = error.msg if isinstance(error, SyntaxError) else error
        raise ToolError(f"{text!r} is not {what} in Python syntax: {said}.") from error
    try:
        return _value(tree)
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
