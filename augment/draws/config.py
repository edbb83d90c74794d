"""Layers as plain data for Hydra to instantiate, with learned values as fixed numbers."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, TypeVar

import torch

from augment.draws.arguments import checked, plain

C = TypeVar("C", bound="Configured")


class Configured:
    """Base class that checks and stores its constructor arguments.

    Constructors of classes outside augment are not checked; arguments that they pass to augment are.
    """

    _arguments: tuple[tuple[Any, ...], dict[str, Any]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__module__.partition(".")[0] == __name__.partition(".")[0] and "__init__" in vars(cls):
            built: Any = cls  # Any, so that type checkers keep the signature of the constructor
            built.__init__ = checked(built.__init__)

    def __new__(cls: type[C], *args: Any, **kwargs: Any) -> C:
        instance = super().__new__(cls)
        instance.__dict__["_arguments"] = (args, kwargs)  # nn.Module is not initialised yet
        return instance

    def config(self) -> dict[str, Any]:
        """Returns {"_target_": "augment.Name", argument: plain data, ...}, with variadic arguments as `_args_`.

        Raises:
            TypeError: an argument is neither plain data nor a layer or distribution of augment.
        """
        args, kwargs = self._arguments
        signature = inspect.signature(type(self))
        given = signature.bind(*args, **kwargs).arguments
        config: dict[str, Any] = {"_target_": f"augment.{type(self).__name__}"}
        for name, value in given.items():
            kind = signature.parameters[name].kind
            owner = f"{type(self).__name__}: {name}"
            if kind is inspect.Parameter.VAR_POSITIONAL:
                config["_args_"] = [plain_data(v, owner) for v in value]
            elif kind is inspect.Parameter.VAR_KEYWORD:
                config |= {key: plain_data(v, owner) for key, v in value.items()}
            else:
                config[name] = plain_data(value, owner)
        return config


def plain_data(value: Any, owner: str) -> Any:
    """Returns a value as plain data: layers and distributions by `config`, types of torch by their names.

    Raises:
        TypeError: the value is something else; the message begins with `owner`.

    Example:
        >>> plain_data((0, A.Constant(1.0)), "Layer: argument")
        [0, {'_target_': 'augment.Constant', 'value': 1.0}]
    """
    value = plain(value, owner)
    if isinstance(value, Configured):
        return value.config()
    if isinstance(value, torch.dtype):
        return str(value).removeprefix("torch.")
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple, range)):
        return [plain_data(v, owner) for v in value]
    if isinstance(value, dict):
        return {key: plain_data(v, owner) for key, v in value.items()}
    raise TypeError(f"{owner}={value!r} cannot be written as plain data.")


def write_yaml(config: dict[str, Any], path: str | Path) -> None:
    """Writes plain data as YAML and creates the folder if it is missing.

    Raises:
        ImportError: PyYAML is missing; Hydra installs it.
    """
    import yaml  # an optional dependency, needed only here

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    head = "# A fixed augmentation: python train.py augment=PATH, or hydra.utils.instantiate.\n"
    path.write_text(head + yaml.safe_dump(config, sort_keys=False))
