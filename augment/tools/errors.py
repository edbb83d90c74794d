"""Errors that a user of the tools can fix."""

import importlib
from types import ModuleType


class ToolError(Exception):
    """An error whose message says in one sentence what is wrong and how to fix it."""

    def __init__(self, message: str) -> None:
        # torch wraps an error of a loader's worker in ToolError("Caught ToolError ..."), which ends with our sentence
        if message.startswith("Caught ") and "Traceback" in message:
            message = message.strip().splitlines()[-1].removeprefix(f"{type(self).__module__}.{type(self).__name__}: ")
        super().__init__(message)


def required(module: str, package: str, purpose: str, extra: str = "train") -> ModuleType:
    """Import a package that the library itself does not need, or explain how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        command = f'pip install {package}, or pip install "augment-inside[{extra}]"'
        raise ToolError(f"{purpose} needs {package}, which is not installed: {command}.") from error
