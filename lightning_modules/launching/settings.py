"""Checks the type and range of every setting before a run starts; each error is one sentence."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Sequence
from pathlib import PurePath
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from lightning_modules.errors import UserError

LARGEST_SEED = 2**32 - 1
"""Largest seed that NumPy's generator accepts."""

_KINDS = {
    "seed": int,
    "train": bool,
    "test": bool,
    "debug": bool,
    "fit_memory": bool,
    "compile": bool,
    "trust_augment_file": bool,
    "trust_checkpoint": bool,
    "ckpt_path": str | None,
    "replay": str | None,
    "predict": str | None,
    "predict_to": str,
    "predict_top": int,
    "tta": str,
    "tta_views": int,
    "data.channels": int | None,
    "data.num_classes": int | None,
}
"""Types of the settings that are not arguments of a class; signatures define the types of the others."""

_LEAST = {
    "data.channels": 1,
    "data.num_classes": 1,
    "trainer.accumulate_grad_batches": 1,
    "trainer.check_val_every_n_epoch": 1,
    "trainer.log_every_n_steps": 0,
    "trainer.gradient_clip_val": 0,
}
"""Minimum of settings that would otherwise fail late or be ignored; the classes check the other settings."""

_GROUPS = "augment|callbacks|data|evaluate|logger|loss|model|optimizer|scheduler|trainer"
_OFF = re.compile(rf"({_GROUPS})=(null|false)")

_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "null"}
_REFERENCE = re.compile(r"\$\{([\w.]+)\}")


def switched_off(overrides: Sequence[str]) -> list[str]:
    """Replace GROUP=null and GROUP=false, which Hydra does not accept, by GROUP=none in the overrides.

    The groups experiment and sweep are null by default, so their null is dropped. evaluate=true means its standard.
    """
    kept = [given for given in overrides if given not in ("experiment=null", "sweep=null")]
    kept = ["evaluate=standard" if given == "evaluate=true" else given for given in kept]
    return [f"{off[1]}=none" if (off := _OFF.fullmatch(given)) else given for given in kept]


def check_settings(cfg: DictConfig) -> None:
    """Check a composed configuration of train.py.

    Raises:
        UserError: if a setting has the wrong type, is out of range, or contradicts another setting.
    """
    for key, kind in _KINDS.items():
        if not fits(OmegaConf.select(cfg, key), kind):
            raise UserError(_complaint(key, OmegaConf.select(cfg, key), kind))
    for key in ("classifier", "trainer", "data.module"):
        if OmegaConf.select(cfg, f"{key}._target_") is None:
            raise UserError(f"{key} must name a class: give {key}._target_=...")
    whole = cfg.copy()
    whole.data.num_classes = cfg.data.get("num_classes") or 1  # the folder defines it later
    resolved: Any = OmegaConf.to_container(whole, resolve=True)
    written: Any = OmegaConf.to_container(whole, resolve=False)
    _check_arguments(resolved, written, "")
    for key, least in _LEAST.items():
        value = OmegaConf.select(cfg, key)
        if value is not None and value < least:
            raise UserError(f"{key}={value} must be at least {least}.")
    if cfg.data.get("root") == "":
        raise UserError("data.root is empty: give the folder of the images.")
    _check_channels(cfg.data)
    _check_purpose(cfg)


def fits(value: Any, hint: Any) -> bool:
    """Return whether a value from a YAML file can match a type hint; True if that is unknown."""
    origin = get_origin(hint)
    if origin is Annotated:
        return fits(value, get_args(hint)[0])
    if origin in (Union, types.UnionType):
        return any(fits(value, part) for part in get_args(hint))
    if origin is Literal:
        return value in get_args(hint)
    if hint is None or hint is type(None):
        return value is None
    kind = origin or hint
    if not isinstance(kind, type):  # Any, a type variable, the name of a type
        return True
    if isinstance(value, (list, dict)):  # a list of numbers, or the description of an object
        return kind not in _WORDS
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if issubclass(kind, PurePath):
        return isinstance(value, str)
    try:
        return isinstance(value, kind) and (kind is not int or not isinstance(value, bool))
    except TypeError:  # a protocol
        return True


def _check_arguments(value: dict[str, Any], given: dict[str, Any], place: str) -> None:
    """Check the arguments of every class below a node; `given` is `value` with unresolved references."""
    hints = _hints(value["_target_"]) if "_target_" in value else {}
    for name, argument in value.items():
        here = f"{place}.{name}" if place else str(name)
        reference = _REFERENCE.fullmatch(given[name]) if isinstance(given[name], str) else None
        if name in hints and not fits(argument, hints[name]):
            raise UserError(_complaint(reference[1] if reference else here, argument, hints[name]))
        if name == "seed" and name in hints and not 0 <= argument <= LARGEST_SEED:
            key = reference[1] if reference else here
            raise UserError(f"{key}={argument} must be at least 0 and at most {LARGEST_SEED}.")
        if isinstance(argument, dict) and isinstance(given[name], dict):
            _check_arguments(argument, given[name], here)


def _hints(target: str) -> dict[str, Any]:
    """Return the type hints of a class's or function's arguments; empty for augment, which checks its arguments."""
    if not isinstance(target, str) or target.startswith("augment."):
        return {}
    try:
        called = get_object(target)
        functions = _constructors(called) if inspect.isclass(called) else [called]
        parameters = {n: p for function in functions for n, p in inspect.signature(function).parameters.items()}
        hints = {name: hint for function in functions for name, hint in get_type_hints(function).items()}
    except Exception:  # Hydra reports classes that cannot be imported; some hints cannot be evaluated
        return {}
    optional = {name for name, parameter in parameters.items() if parameter.default is None}
    return {name: hint | None if name in optional else hint for name, hint in hints.items() if name in parameters}


def _constructors(called: type) -> list[Any]:
    """Return a class's constructor, after those of base classes that get its further arguments by name."""
    found = [vars(kind)["__init__"] for kind in called.__mro__ if "__init__" in vars(kind)]
    last = next(
        (place for place, function in enumerate(found) if not inspect.getfullargspec(function).varkw), len(found) - 1
    )
    return found[last::-1]


def _complaint(key: str, value: Any, hint: Any) -> str:
    shown = "null" if value is None else str(value).lower() if isinstance(value, bool) else value
    wanted = dict.fromkeys(_words(hint)) or {f"of type {getattr(hint, '__name__', hint)}": None}
    return f"{key}={shown} must be {' or '.join(wanted)}."


def _words(hint: Any) -> list[str]:
    """Describe a type hint in terms of YAML; empty for objects."""
    kind = get_origin(hint) or hint
    if kind in (Union, types.UnionType):
        return [word for part in get_args(hint) for word in _words(part)]
    if kind is Literal:
        return [str(value) for value in get_args(hint)]
    if kind in _WORDS:
        return [_WORDS[kind]]
    return ["a list"] if isinstance(kind, type) and issubclass(kind, Sequence) else []


def _check_channels(data: DictConfig) -> None:
    for name in ("mean", "std"):
        values, channels = data.get(name), data.get("channels")
        if OmegaConf.is_list(values) and channels and len(values) not in (1, channels):
            raise UserError(
                f"data.{name} has {len(values)} values but data.channels={channels}: "
                f"give data.mean and data.std one value for each channel, such as data.mean={[0.5] * channels}."
            )


def _check_purpose(cfg: DictConfig) -> None:
    """Check that the run trains, tests or predicts something."""
    if cfg.predict is not None:
        return
    if not cfg.train and not cfg.test:
        raise UserError("train=false and test=false leave nothing to do; set one of them to true.")
    if cfg.get("evaluate") and not cfg.test:
        raise UserError("evaluate needs the test: set test=true, or evaluate=none.")
    if cfg.test and cfg.trainer.get("limit_test_batches") == 0:
        raise UserError("trainer.limit_test_batches=0 tests nothing; set test=false.")
    if cfg.train:
        for name in ("max_epochs", "max_steps", "limit_train_batches"):
            if cfg.trainer.get(name) == 0:
                raise UserError(f"trainer.{name}=0 trains nothing; give more, or test only: train=false ckpt_path=...")
