"""The steps that operators climb: what is tried next, what has passed, and what is given up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

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


class Trial(NamedTuple):
    """What a test of one operator found.

    Attributes:
        width: share of the largest width; 1 for an operator without a width.
        loss: share of the network's skill that the operator took.
        error: standard error of the loss.
    """

    width: float
    loss: float
    error: float

    @property
    def passed(self) -> bool:
        return self.loss <= TOLERANCE

    @property
    def certain(self) -> bool:
        """Whether the loss lies beyond two standard errors from what is tolerated."""
        return abs(self.loss - TOLERANCE) > 2 * self.error


class Limit(NamedTuple):
    """Between which widths an operator stops being harmless.

    Attributes:
        operator: its name.
        passed: the test of the largest width that passed; None if none did.
        failed: the last test of the next width, which failed; None if it was not tried, or there is none.
        given_up: whether it certainly did harm.
        at_top: whether the largest width of all passed.
    """

    operator: str
    passed: Trial | None
    failed: Trial | None
    given_up: bool
    at_top: bool


class Stairs:
    """Where each operator stands: the number of widths that it has passed, and whether it may go on.

    Attributes:
        levels: number of widths that each operator has passed.
        closed: operators that are given up.
        trials: the tests of each operator, in the order of time.
        skill: the network's skill on unchanged held-out images in the last test, 1 if it makes no mistake; None before.

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
        self.trials: dict[str, list[Trial]] = {name: [] for name in heights}
        self.skill: float | None = None

    @property
    def losses(self) -> dict[str, float]:
        """The loss of each operator in its last test."""
        return {name: trials[-1].loss for name, trials in self.trials.items() if trials}

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
        trial = Trial(self._width(name), loss, error)
        self.trials[name].append(trial)
        if trial.passed:
            self.levels[name] += 1
        elif loss - 2 * error > HARM:
            self.closed.add(name)

    def limits(self) -> list[Limit]:
        """Return what is known of every operator.

        Example:
            >>> stairs = Stairs({"rotate": 4})
            >>> stairs.judge("rotate", loss=0.02, error=0.01)
            >>> stairs.judge("rotate", loss=0.2, error=0.02)
            >>> (limit,) = stairs.limits()
            >>> limit.passed.width, limit.failed.width
            (0.1, 0.2)
        """
        return [self._limit(name) for name in self.heights]

    def _limit(self, name: str) -> Limit:
        passed = [trial for trial in self.trials[name] if trial.passed]
        last = self.trials[name][-1] if self.trials[name] else None
        failed = None if last is None or last.passed else last
        at_top = self.levels[name] == self.heights[name]
        return Limit(name, passed[-1] if passed else None, failed, name in self.closed, at_top)

    def _width(self, name: str) -> float:
        """Return the width of an operator on trial, as a share of the largest."""
        return RUNGS[self.levels[name]] if self.heights[name] > 1 else 1.0

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
        return {"heights": self.heights, "levels": self.levels, "closed": sorted(self.closed)} | {
            "trials": {name: [list(trial) for trial in trials] for name, trials in self.trials.items()},
            "skill": self.skill,
        }

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> Stairs:
        """Return the stairs of a `state_dict`."""
        stairs = cls(state["heights"])
        stairs.levels, stairs.closed, stairs.skill = dict(state["levels"]), set(state["closed"]), state["skill"]
        stairs.trials = {name: [Trial(*trial) for trial in trials] for name, trials in state["trials"].items()}
        return stairs
