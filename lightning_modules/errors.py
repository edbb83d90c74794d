"""Reports errors that the user can fix in one sentence, without a traceback."""

from __future__ import annotations

import difflib
import errno
import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from pytorch_lightning.utilities.exceptions import MisconfigurationException, SIGTERMException
from pytorch_lightning.utilities.memory import is_oom_error

if TYPE_CHECKING:
    from hydra.errors import InstantiationException
    from omegaconf.errors import OmegaConfBaseException

USER_ERROR_EXIT = 2
"""Exit code after an error that the user can fix."""

_SHOW = "TRAIN_SHOW_TRACEBACK"
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SEVERAL = re.compile(r"Ambiguous value for argument '(.*)'$", re.MULTILINE)


class UserError(Exception):
    """An error whose message says in one line what is wrong and how to fix it."""

    def __init__(self, message: str) -> None:
        # torch replaces an exception in a data loader worker by UserError("Caught UserError in ... worker" ...), whose
        # message contains the traceback and ends with our sentence.
        if message.startswith("Caught ") and "Traceback" in message:
            message = message.strip().splitlines()[-1].removeprefix(f"{__name__}.{type(self).__name__}: ")
        super().__init__(_one_line(message))


@contextmanager
def one_sentence() -> Iterator[None]:
    """End the program with "error: <sentence>" on stderr and exit code 2 if the user can fix the cause.

    Bugs keep their traceback. Once a checkpoint is saved, the exit code is 143 after SIGTERM and 130 after Ctrl-C, as
    shells expect.
    `HYDRA_FULL_ERROR=1`, or `debug=true` on the command line, shows the traceback of every error.
    """
    # With HYDRA_FULL_ERROR set, Hydra raises errors instead of printing them. Other ranks inherit the variable, so the
    # user's own choice is stored in a second one.
    os.environ.setdefault(_SHOW, os.environ.get("HYDRA_FULL_ERROR", "0"))
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    except SIGTERMException:
        sys.exit(128 + signal.SIGTERM)
    except SystemExit as ended:
        if isinstance(ended.__context__, KeyboardInterrupt):  # Lightning ends with 1 after Ctrl-C
            sys.exit(128 + signal.SIGINT)
        raise
    except Exception as error:
        text = sentence(error)
        if text is None or os.environ[_SHOW] == "1" or "debug=true" in sys.argv:
            raise
        sys.stdout.flush()
        print(f"error: {text}", file=sys.stderr, flush=True)
        sys.exit(USER_ERROR_EXIT)


def sentence(error: BaseException) -> str | None:
    """Return a one-line message for the user about an error; None for a bug."""
    if "omegaconf" in sys.modules and (text := _configuration_sentence(error)):
        return text
    if isinstance(error, (UserError, MisconfigurationException)):
        return _one_line(str(error))
    if out_of_memory(error):
        return (
            "memory ran out: set fit_memory=true, which divides the batch, lower data.batch_size or data.size, or set "
            "trainer.precision=bf16-mixed."
        )
    if isinstance(error, RuntimeError) and str(error).startswith("DataLoader worker (pid"):
        return _worker_sentence(str(error))
    if isinstance(error, OSError) and error.errno in _FULL:
        return f"cannot write to {error.filename or 'the disk'} ({error.strerror}): free some disk space."
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}; give a path that exists and is accessible."
    if cannot_write(error):
        return f"a file cannot be written: {_one_line(str(error))}; free some disk space."
    if isinstance(error, (ValueError, RuntimeError)) and _raised_by_lightning(error):
        return _one_line(str(error))
    return None


def _configuration_sentence(error: BaseException) -> str | None:
    """Return the message for an error of Hydra or OmegaConf, which a loaded model does not import; None for others."""
    from hydra.errors import (
        ConfigCompositionException,
        HydraException,
        InstantiationException,
        MissingConfigException,
        OverrideParseException,
    )
    from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

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
    if isinstance(error, (HydraException, OmegaConfBaseException)):
        return _one_line(str(error))
    return None


def out_of_memory(error: BaseException) -> bool:
    """Return whether the memory of the machine or of a device is full."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or is_oom_error(error)


def _worker_sentence(text: str) -> str:
    """Return the message for a data loader's worker that has ended without an error of its own."""
    if "shared memory" in text:
        return "the shared memory of the data loader's workers is full: enlarge /dev/shm, or set data.num_workers=0."
    return (
        f"{_one_line(text.partition(' Details')[0]).rstrip('.')}, usually because memory ran out: lower "
        "data.num_workers or data.batch_size; data.num_workers=0 shows an error that the worker could not report."
    )


def cannot_write(error: BaseException) -> bool:
    """Return whether the disk is full or read-only, including torch's own error for that."""
    return (isinstance(error, OSError) and error.errno in _UNWRITABLE) or "PytorchStreamWriter failed" in str(error)


def _how_to_quote(override: str | None) -> str:
    key, equals, value = (override or "").partition("=")
    if not equals:
        return "write a setting as NAME=VALUE."
    inner = value.replace("'", "\\'")
    return f"quote special characters for Hydra, and the whole override for the shell: \"{key}='{inner}'\"."


def _raised_by_lightning(error: BaseException) -> bool:
    """Return whether Lightning's own code raised the error, which it does for wrong settings."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    module = "" if trace is None else trace.tb_frame.f_globals.get("__name__", "")
    return module.partition(".")[0] in ("pytorch_lightning", "lightning_fabric")


def _constructor_sentence(error: InstantiationException) -> str | None:
    """Return the location and message of a failed constructor that Hydra called; None if it failed otherwise."""
    from hydra.errors import InstantiationException

    cause: BaseException = error
    while isinstance(cause, InstantiationException) and cause.__cause__ is not None:
        place, cause = str(cause).rpartition("full_key: ")[2], cause.__cause__
    if isinstance(cause, InstantiationException):  # raised by Hydra itself, which blocks some targets
        return _one_line(str(cause))
    if isinstance(cause, ImportError) and not isinstance(cause.__cause__, (ImportError, AttributeError, type(None))):
        return None  # the module exists, but importing it fails
    expected = (UserError, ValueError, TypeError, ImportError, MisconfigurationException)
    own = isinstance(cause, expected) or place.startswith("logger.")  # each logger's package has errors of its own
    return f"{place}: {_one_line(str(cause))}" if own else sentence(cause)


def _setting_sentence(error: OmegaConfBaseException) -> str:
    """Return the message for an override of an unknown setting."""
    known = sorted(map(str, error.parent_node.keys())) if hasattr(error.parent_node, "keys") else []
    if not error.full_key or not known:
        return _one_line(str(error))
    places = _places(error.parent_node)
    near = difflib.get_close_matches(str(error.key), places, n=3, cutoff=0.7)  # lr also finds optimizer.lr
    above = error.full_key.removesuffix(str(error.key))
    meant = [f"{above}{place}" for name in near for place in places[name]]
    hint = f"did you mean {' or '.join(meant)}?" if meant else f"choose from {', '.join(known)};"
    return f"unknown setting {error.full_key}: {hint} Or add a new one as +{error.full_key}=..."


def _places(node: Any, above: str = "") -> dict[str, list[str]]:
    """Map the names of all settings below a node to their full keys."""
    found: dict[str, list[str]] = {}
    for key in node:
        found.setdefault(str(key), []).append(f"{above}{key}")
        child: Any = node._get_node(key)  # the raw node, because a lookup would resolve references
        here = isinstance(child, Mapping)
        if here and not (child._is_none() or child._is_missing() or child._is_interpolation()):
            for name, places in _places(child, f"{above}{key}.").items():
                found.setdefault(name, []).extend(places)
    return found


def _one_line(text: str) -> str:
    return " ".join(text.split())
