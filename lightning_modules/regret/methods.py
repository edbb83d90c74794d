"""The augmentations that are compared, as overrides of train.py."""

from __future__ import annotations

WIDTHS = (0.1, 0.3, 0.6, 1.0)
"""Widths of the fixed policies, as shares of the largest."""

OPERATORS = ("rotate", "translate_x", "translate_y", "scale", "brightness", "hue")
"""The operators of experiment=regret that have a width."""

FLIP = "horizontal_flip"
"""The operator of experiment=regret that has only a probability."""


def rivals() -> dict[str, list[str]]:
    """Return the methods that need no search: nothing, TrivialAugment over the same operators, and what is learned.

    Example:
        >>> rivals()["none"]
        ['augment=none']
    """
    learned = {"learned": ["augment=learned"], "staircase": ["augment=staircase"]}
    return {"none": ["augment=none"], "trivialaugment": ["augment=uniform"], **learned}


def randaugments() -> dict[str, list[str]]:
    """Return RandAugment over the same operators at every width; its search tries all of them.

    Example:
        >>> randaugments()["randaugment 0.3"]
        ['augment=one_magnitude', 'magnitude=0.3']
    """
    return {f"randaugment {width}": ["augment=one_magnitude", f"magnitude={width}"] for width in WIDTHS}


def family() -> dict[str, list[str]]:
    """Return the fixed policies among which the oracle of a task chooses.

    They are none, every operator alone at every width and applied to every image (a flip to half of them), and all
    operators together at every width, each applied to half of the images.

    Example:
        >>> len(family())
        34
    """
    alone = {
        f"{name} {width}": ["augment=uniform", f"operators=[{name}]", f"magnitude={width}"]
        for name in OPERATORS
        for width in WIDTHS
    }
    together = {f"together {width}": ["augment=together", f"magnitude={width}"] for width in WIDTHS}
    flip = {"flip": ["augment=uniform", f"operators=[{FLIP}]"]}
    return {"none": rivals()["none"], **alone, **flip, **together}


def every_method() -> dict[str, list[str]]:
    """Return all methods by name.

    Example:
        >>> "together 0.3" in every_method() and "learned" in every_method()
        True
    """
    return {**rivals(), **randaugments(), **family()}
