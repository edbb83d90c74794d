"""A pipeline as text to copy: Python, and YAML for train.py and for the Lightning CLI."""

from __future__ import annotations

import math
from typing import Any

from augment.tools.errors import ToolError, required
from augment.tools.playground.state import Config, layers_of, name_of

_WIDTH = 88
"""Characters of a line of Python before it is broken."""


def as_python(config: Config) -> str:
    """Return the program that builds a pipeline.

    Example:
        >>> print(as_python({"_target_": "augment.Pipeline", "_args_": [{"_target_": "augment.RandomEqualize"}]}))
        import augment as A
        <BLANKLINE>
        pipeline = A.Pipeline(A.RandomEqualize())
        <BLANKLINE>
    """
    return f"import augment as A\n\npipeline = {in_python(config, 'A.', len('pipeline = '))}\n"


def in_python(value: Any, prefix: str = "", used: int = 0) -> str:
    """Return plain data as an expression in Python, with a line for each part if it is long.

    Args:
        value: numbers, texts, lists, dictionaries, and layers and distributions as `config()` returns them.
        prefix: before the names of classes, such as "A.".
        used: characters of the line before the expression.

    Example:
        >>> in_python({"_target_": "augment.Normal", "mean": 0.0, "std": 0.1})
        'Normal(mean=0.0, std=0.1)'
    """
    return _broken(value, prefix, used, "")


def _broken(value: Any, prefix: str, used: int, indent: str) -> str:
    whole = _flat(value, prefix)
    opening, parts, closing = _parts(value, prefix)
    if len(indent) + used + len(whole) <= _WIDTH or not parts:
        return whole
    inner = indent + "    "
    lines = [f"{inner}{name}{_broken(part, prefix, len(name), inner)}," for name, part in parts]
    return "\n".join([opening, *lines, indent + closing])


def _flat(value: Any, prefix: str) -> str:
    opening, parts, closing = _parts(value, prefix)
    return opening + ", ".join(name + _flat(part, prefix) for name, part in parts) + closing


def _parts(value: Any, prefix: str) -> tuple[str, list[tuple[str, Any]], str]:
    """Return how a value begins, its parts with what stands before each, and how it ends."""
    if isinstance(value, list):
        return "[", [("", item) for item in value], "]"
    if isinstance(value, dict) and "_target_" in value:
        named = [(f"{key}=", item) for key, item in value.items() if key not in ("_target_", "_args_")]
        return f"{prefix}{name_of(value)}(", [("", item) for item in value.get("_args_", [])] + named, ")"
    if isinstance(value, dict):
        return "{", [(f"{key!r}: ", item) for key, item in value.items()], "}"
    if isinstance(value, float) and not math.isfinite(value):
        return "-1e999" if value < 0 else "1e999", [], ""  # an infinite number as a literal
    return repr(value), [], ""


def as_hydra(config: Config) -> str:
    """Return a file for `python train.py augment=FILE.yaml`.

    Raises:
        ToolError: PyYAML is not installed.
    """
    head = {"_target_": config["_target_"], "_convert_": "all"}
    return "# python train.py augment=FILE.yaml\n" + _yaml(head | config)


def as_lightning(config: Config) -> str:
    """Return the part of a configuration of the Lightning CLI.

    Raises:
        ToolError: a pipeline lies in the pipeline, whose layers the Lightning CLI cannot name.
    """
    said = {"seed_everything": config.get("seed", 0), "model": {"augment": _class_paths(layers_of(config))}}
    return "# python -m lightning_modules.cli fit --config FILE.yaml\n" + _yaml(said)


def _class_paths(value: Any) -> Any:
    if isinstance(value, list):
        return [_class_paths(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "_args_" in value:
        raise ToolError("the Lightning CLI cannot build a Pipeline inside of a Pipeline.")
    arguments = {key: _class_paths(item) for key, item in value.items() if key != "_target_"}
    if "_target_" not in value:
        return arguments
    return {"class_path": value["_target_"]} | ({"init_args": arguments} if arguments else {})


def _yaml(data: Any) -> str:
    yaml = required("yaml", "pyyaml", "YAML")
    return yaml.safe_dump(data, sort_keys=False, default_flow_style=None, width=100)
