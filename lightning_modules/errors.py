"""What a user can mend ends in one sentence, not in a traceback."""

from __future__ import annotations

import difflib
import errno
import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException
from pytorch_lightning.utilities.exceptions import MisconfigurationException, SIGTERMException

USER_ERROR_EXIT = 2
"""Exit code after an error that the user can mend."""

_SHOW = "TRAIN_SHOW_TRACEBACK"
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)
_SEVERAL = re.compile(r"Ambiguous value for argument '(.*)'$", re.MULTILINE)


class UserError(Exception):
    """An error whose message says in one line what is wrong and how to mend it."""

    def __init__(self, message: str) -> None:
        # A data loader's worker cannot send its exception: torch raises UserError("Caught UserError in ... worker",
        # the traceback, and our sentence as the last line) in its place.
        if message.startswith("Caught ") and "Traceback" in message:
            message = message.strip().splitlines()[-1].removeprefix(f"{__name__}.{type(self).__name__}: ")
        super().__init__(_one_line(message))


@contextmanager
def one_sentence() -> Iterator[None]:
    """Ends the program with "error: <sentence>" on stderr and exit code 2 where the user can mend the cause.

    Bugs keep their traceback. After SIGTERM, which has saved a checkpoint, the exit code is 143 as a shell expects.
    `HYDRA_FULL_ERROR=1` or `debug=true` on the command line show it for everything.
    """
    # Hydra raises what it would print by itself if HYDRA_FULL_ERROR is set, and other ranks inherit it: the user's
    # own wish is kept beside it.
    os.environ.setdefault(_SHOW, os.environ.get("HYDRA_FULL_ERROR", "0"))
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    except SIGTERMException:
        sys.exit(128 + signal.SIGTERM)
    except Exception as error:
        text = sentence(error)
        if text is None or os.environ[_SHOW] == "1" or "debug=true" in sys.argv:
            raise
        sys.stdout.flush()
        print(f"error: {text}", file=sys.stderr, flush=True)
        sys.exit(USER_ERROR_EXIT)


def sentence(error: BaseException) -> str | None:
    """What to tell the user about an error, in one line; None for a bug."""
    if isinstance(error, InstantiationException):
        return _constructor_sentence(error)
    if isinstance(error, MissingConfigException) and error.options:
        group, _, choice = (error.missing_cfg_file or "").rpartition("/")
        return f"{group}={choice} is unknown: choose one of {', '.join(error.options)}."
    if isinstance(error, ConfigCompositionException) and isinstance(error.__cause__, OmegaConfBaseException):
        return _setting_sentence(error.__cause__)
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key} is missing: pass {error.full_key}=..."
    if isinstance(error, OverrideParseException):
        return f"{_one_line(str(error)).partition(' See https')[0]}; {_how_to_quote(error.override)}"
    if isinstance(error, ConfigCompositionException) and (several := _SEVERAL.match(str(error))):
        return f"{several[1]} is a list of values, for --multirun only; {_how_to_quote(several[1])}"
    if isinstance(error, (UserError, HydraException, OmegaConfBaseException, MisconfigurationException)):
        return _one_line(str(error))
    if isinstance(error, torch.OutOfMemoryError):
        return (
            "the memory of the device is full: lower data.batch_size or data.size, or set trainer.precision=bf16-mixed."
        )
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}; give a path that exists and may be used."
    if cannot_write(error):
        return f"a file cannot be written: {_one_line(str(error))}; make room on the disk."
    if isinstance(error, (ValueError, RuntimeError)) and _raised_by_lightning(error):
        return _one_line(str(error))
    return None


def cannot_write(error: BaseException) -> bool:
    """Whether the disk was full, or may not be written to; torch says so in an error of its own."""
    return (isinstance(error, OSError) and error.errno in _UNWRITABLE) or "PytorchStreamWriter failed" in str(error)


def _how_to_quote(override: str | None) -> str:
    key, equals, value = (override or "").partition("=")
    if not equals:
        return "a setting is given as NAME=VALUE."
    inner = value.replace("'", "\\'")
    return f"quote a text with special characters for Hydra, and all of it for the shell: \"{key}='{inner}'\"."


def _raised_by_lightning(error: BaseException) -> bool:
    """Whether it was raised in Lightning's own code, which complains there of settings, not in what that called."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    module = "" if trace is None else trace.tb_frame.f_globals.get("__name__", "")
    return module.partition(".")[0] in ("pytorch_lightning", "lightning_fabric")


def _constructor_sentence(error: InstantiationException) -> str | None:
    """The complaint of a constructor that Hydra called, after its place; None if it failed for another reason."""
    cause: BaseException = error
    while isinstance(cause, InstantiationException) and cause.__cause__ is not None:
        place, cause = str(cause).rpartition("full_key: ")[2], cause.__cause__
    if isinstance(cause, InstantiationException):  # of Hydra itself, which blocks some targets
        return _one_line(str(cause))
    if isinstance(cause, ImportError) and not isinstance(cause.__cause__, (ImportError, AttributeError, type(None))):
        return None  # the module is there, and fails
    expected = (UserError, ValueError, TypeError, ImportError, MisconfigurationException)
    return f"{place}: {_one_line(str(cause))}" if isinstance(cause, expected) else sentence(cause)


def _setting_sentence(error: OmegaConfBaseException) -> str:
    """An override that names no setting."""
    known = sorted(map(str, error.parent_node.keys())) if hasattr(error.parent_node, "keys") else []
    if not error.full_key or not known:
        return _one_line(str(error))
    places = _places(error.parent_node)
    near = difflib.get_close_matches(str(error.key), places, n=3)  # also in a group: optimizer.lr for lr
    choices = [place for name in near for place in places[name]] or known
    return (
        f"unknown setting {error.full_key}: choose from {', '.join(choices)}; or add a new one as +{error.full_key}=..."
    )


def _places(node: Any, above: str = "") -> dict[str, list[str]]:
    """The names of all settings below a node -> where they are."""
    found: dict[str, list[str]] = {}
    for key in node:
        found.setdefault(str(key), []).append(f"{above}{key}")
        child: Any = node._get_node(key)  # as it is: looking it up would resolve references
        here = isinstance(child, Mapping)
        if here and not (child._is_none() or child._is_missing() or child._is_interpolation()):
            for name, places in _places(child, f"{above}{key}.").items():
                found.setdefault(name, []).extend(places)
    return found


def _one_line(text: str) -> str:
    return " ".join(text.split())
