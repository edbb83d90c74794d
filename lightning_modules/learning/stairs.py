"""The steps that operators climb: what is tried next, what has passed, and what is given up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RUNGS = (0.1, 0.2, 0.4, 0.98)
"""Widths that are tried one after the other, as shares of the largest."""

TRIAL = 0.1
"""Probability of an operator on trial: enough to get used to harmless images, too little to teach broken labels."""

TOLERANCE = 0.1
"""An operator passes if it takes at most this share of the network's skill."""

HARM = 0.3
"""An operator that certainly takes more than this share is never tried again."""

PER_IMAGE = 2.5
"""Operators per image in the end, on average; each of those that passed is applied to half of the images at most."""

OFF = 0.001
"""The smallest probability of a gate."""

Settings = dict[str, tuple[float, float]]
"""For each operator its width, as a share of the largest, and its probability."""


class Stairs:
    """Where each operator stands: the number of widths that it has passed, and whether it may go on.

    Attributes:
        levels: number of widths that each operator has passed.
        closed: operators that are given up.
        losses: the loss of each operator in its last test.

    Args:
        heights: number of widths of each operator; 1 for one that has only a probability.

    Example:
        >>> stairs = Stairs({"rotate": 4, "horizontal_flip": 1})
        >>> stairs.judge("rotate", loss=0.02, error=0.01)
        >>> stairs.judge("horizontal_flip", loss=1.9, error=0.1)
        >>> stairs.open(), stairs.final()["rotate"]
        (['rotate'], (0.1, 0.5))
    """

    def __init__(self, heights: Mapping[str, int]) -> None:
        self.heights = dict(heights)
        self.levels = dict.fromkeys(heights, 0)
        self.closed: set[str] = set()
        self.losses: dict[str, float] = {}

    def open(self) -> list[str]:
        """Return the operators that have a next width to try."""
        return [name for name, top in self.heights.items() if name not in self.closed and self.levels[name] < top]

    def judge(self, name: str, loss: float, error: float) -> None:
        """Let an operator go on, try again, or give up.

        Args:
            name: an operator.
            loss: share of the network's skill that the operator takes at the width on trial.
            error: standard error of the loss.
        """
        self.losses[name] = loss
        if loss <= TOLERANCE:
            self.levels[name] += 1
        elif loss - 2 * error > HARM:
            self.closed.add(name)

    def only(self, name: str) -> Settings:
        """Return settings that apply one operator at the width on trial to every image."""
        return self.nothing() | {name: (RUNGS[self.levels[name]], 1.0)}

    def trial(self) -> Settings:
        """Return settings that try the next width of every operator that has one; the others stay where they are."""
        settings = self.nothing()
        for name, level in self.levels.items():
            if name in self.open():
                settings[name] = RUNGS[level], TRIAL
            elif level > 0:
                settings[name] = RUNGS[level - 1], TRIAL
        return settings

    def final(self) -> Settings:
        """Return settings that use every operator that passed, at the largest width that passed."""
        passed = {name: level for name, level in self.levels.items() if level > 0}
        probability = min(0.5, PER_IMAGE / max(len(passed), 1))
        return self.nothing() | {name: (RUNGS[level - 1], probability) for name, level in passed.items()}

    def nothing(self) -> Settings:
        """Return settings that apply no operator."""
        return dict.fromkeys(self.heights, (RUNGS[0], OFF))

    def state_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {"heights": self.heights, "levels": self.levels, "closed": sorted(self.closed), "losses": self.losses}

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> Stairs:
        """Return the stairs of a `state_dict`."""
        stairs = cls(state["heights"])
        stairs.levels, stairs.closed, stairs.losses = dict(state["levels"]), set(state["closed"]), dict(state["losses"])
        return stairs
