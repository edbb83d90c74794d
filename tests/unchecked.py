"""A second copy of `augment` without run-time type checks, which the compiler cannot trace."""

import importlib
import itertools
import sys
from types import ModuleType
from unittest import mock

import torch

_COPIES = itertools.count(1)


def import_unchecked(name: str) -> ModuleType:
    """Import a module again, on top of a fresh copy of `augment` without type checks, as users run it."""

    def copied() -> list[str]:
        return [module for module in sys.modules if module.split(".")[0] == "augment" or module == name]

    kept, finders = {module: sys.modules.pop(module) for module in copied()}, list(sys.meta_path)
    sys.meta_path[:] = [finder for finder in finders if "jaxtyping" not in type(finder).__module__]
    define, namespace = torch.library.custom_op, f"augment_copy{next(_COPIES)}::"

    def renamed(operator: str, **options):
        """Rename operators, because torch keeps only one per name and frees the one that other copies still call."""
        return define(operator.replace("augment::", namespace), **options)

    try:
        with mock.patch.object(torch.library, "custom_op", renamed):
            return importlib.import_module(name)
    finally:
        sys.meta_path[:] = finders
        for module in copied():
            del sys.modules[module]
        sys.modules.update(kept)
