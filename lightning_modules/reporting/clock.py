"""Where the time of training goes: waiting for data, augmentation, and the network."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import torch

Moment = float | torch.cuda.Event


@dataclass
class Clock:
    """Adds up seconds by what they were spent on, with no wait for the device before `seconds` is asked.

    Args:
        device: of the training; on CUDA, its time is measured with events, which the device records.

    Example:
        >>> clock = Clock(torch.device("cpu"))
        >>> begun = clock.now()
        >>> clock.add("network", begun, clock.now())
        >>> list(clock.seconds())
        ['network']
    """

    device: torch.device
    _done: dict[str, float] = field(default_factory=dict)
    _pending: list[tuple[str, Moment, Moment]] = field(default_factory=list)

    def now(self) -> Moment:
        """Return this moment in the work of the device."""
        if self.device.type != "cuda":
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def add(self, what: str, begun: Moment, ended: Moment) -> None:
        """Count the time between two moments."""
        self._pending.append((what, begun, ended))

    def add_seconds(self, what: str, seconds: float) -> None:
        """Count time that was measured elsewhere."""
        self._done[what] = self._done.get(what, 0.0) + seconds

    def seconds(self) -> dict[str, float]:
        """Return the sums so far; waits for the device."""
        for what, begun, ended in self._pending:
            self.add_seconds(what, _between(begun, ended))
        self._pending.clear()
        return dict(self._done)


def _between(begun: Moment, ended: Moment) -> float:
    if isinstance(begun, float) or isinstance(ended, float):
        assert isinstance(begun, float)
        assert isinstance(ended, float)
        return ended - begun
    ended.synchronize()
    return begun.elapsed_time(ended) / 1000
