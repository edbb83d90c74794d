"""Turns the labels of a source into class numbers or targets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from lightning_modules.errors import UserError

Label = str | list[str]
"""The name of a sample's class, or the names of all its classes."""


def numbered(labels: Sequence[Label]) -> tuple[Tensor, list[str]]:
    """Return class numbers (N,), or targets (N, classes) of 0 and 1 if samples have lists of labels; and the classes.

    Classes are ordered by name, or by value if all names are whole numbers.

    Example:
        >>> numbered(["cat", "ant", "cat"])
        (tensor([1, 0, 1]), ['ant', 'cat'])

    Raises:
        UserError: if some samples have a list and others a single label.
    """
    several = [label for label in labels if isinstance(label, list)]
    if several and len(several) < len(labels):
        raise UserError("some samples have a list of labels and others a single label; use one of both for all.")
    if several:
        classes = _ordered(name for names in several for name in names)
        numbers = {name: number for number, name in enumerate(classes)}
        targets = torch.zeros(len(labels), len(classes))
        for row, names in enumerate(several):
            targets[row, [numbers[name] for name in names]] = 1
        return targets, classes
    classes = _ordered(str(label) for label in labels)
    numbers = {name: number for number, name in enumerate(classes)}
    return torch.tensor([numbers[str(label)] for label in labels], dtype=torch.int64), classes


def _ordered(names: Iterable[str]) -> list[str]:
    found = sorted(set(names))
    return sorted(found, key=int) if all(name.isascii() and name.isdigit() for name in found) else found


def name_of(value: object) -> Label:
    """Return the label that a value of a file means: a name, a whole number, or a list of these.

    Raises:
        UserError: if it is something else.
    """
    if isinstance(value, list):
        names = [name_of(one) for one in value]
        if not any(isinstance(name, list) for name in names):
            return [str(name) for name in names]
    if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
        return str(value)
    raise UserError(f"the label {value!r} must be a name, a whole number, or a list of these.")
