"""Signals that end or save a run, delivered where the state of training is complete and on all processes together."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytorch_lightning as pl
import torch

_SIGNALS = [getattr(signal, name) for name in ("SIGUSR1", "SIGUSR2", "SIGTERM", "SIGINT") if hasattr(signal, name)]
"""In the order of delivery. SLURM sends one of the first two before SIGTERM; SIGINT is Ctrl-C."""


class HeldSignals:
    """Hold signals back until `deliver` is called; a second Ctrl-C is delivered at once.

    Lightning's handlers end or save the run at once: in the middle of an accumulation window, whose partial gradient
    would be lost, or on one process while the others wait for it.
    """

    def __init__(self) -> None:
        self._received: set[int] = set()
        self._handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}

    def begin(self) -> None:
        """Replace the handlers of all signals that have one, after Lightning's are set; Lightning restores them."""
        for number in _SIGNALS:
            handler = signal.getsignal(number)
            if not callable(handler) or handler == self._hold:
                continue
            owner = getattr(handler, "__self__", None)
            if isinstance(owner, HeldSignals):  # of a run that ended with an error, which delivers nothing any more
                handler = owner._handlers[number]
            try:
                signal.signal(number, self._hold)
            except ValueError:  # only the main thread may set handlers, and only there Lightning does
                return
            self._handlers[number] = handler

    def received(self) -> list[int]:
        """Return for each signal whether it has arrived, 0 or 1."""
        return [int(number in self._received) for number in _SIGNALS]

    def deliver(self, received: list[int]) -> None:
        """Call the handlers of the signals that arrived here or on another process."""
        for number, arrived in zip(_SIGNALS, received, strict=True):
            if arrived:
                self._received.discard(number)
                self._handlers.get(number, signal.default_int_handler)(number, None)

    def _hold(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and number in self._received:
            self._handlers[number](number, frame)
        self._received.add(number)


def largest(trainer: pl.Trainer, numbers: list[int]) -> list[int]:
    """Return the largest of each number over all processes; with several processes, this waits for the device."""
    if trainer.world_size == 1:
        return numbers
    ours = torch.tensor(numbers, device=trainer.strategy.root_device)
    return trainer.strategy.reduce(ours, reduce_op="max").tolist()
