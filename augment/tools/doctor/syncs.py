"""Finds where the host reads tensor values; on a GPU each read waits for all earlier work and breaks compilation."""

from __future__ import annotations

import linecache
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from augment.core.layer import Layer
from augment.data import private_torch
from augment.data import subset as rows

_READS = ("aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::equal", "aten::_unique2")
"""Operators whose result the host must wait for."""

_NOT_THE_CALLER = (str(Path(torch.__file__).parent), __file__, private_torch.__file__, "<")
"""How the names of files start that stand between a layer and the operator that it calls."""


class Reads:
    """Count reads of values on a device, by their place in the code; called after each operator.

    Attributes:
        places: "Layer, file:line: code" -> number of reads.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.places: Counter[str] = Counter()

    def __call__(self, operator: Any, args: tuple, out: Any) -> None:
        source = next((a.device.type for a in args if isinstance(a, torch.Tensor)), None)
        read = source == self.device.type and (operator.name().partition(".")[0] in _READS or self._leaves(out))
        if read and not _of_rows(_frames(sys._getframe(1))):
            self.places[_place(_frames(sys._getframe(1)))] += 1

    def _leaves(self, out: Any) -> bool:
        """Return whether the output was copied from the GPU to the host."""
        return self.device.type != "cpu" and isinstance(out, torch.Tensor) and out.device.type == "cpu"


def reads(call: Callable[[], Any], device: torch.device) -> Counter[str]:
    """The reads of a call in eager mode, on real data."""
    found = Reads(device)
    with torch.no_grad(), private_torch.each_operator(found):
        call()
    return found.places


def fake_read(call: Callable[[], Any]) -> str | None:
    """Return where a call fails on tensors without values; this also finds reads without an operator (`tolist`)."""
    try:
        with torch.no_grad(), private_torch.without_values():
            call()
    except Exception as error:
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        return _place(reversed(frames))
    return None


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _of_rows(frames: Iterator[FrameType]) -> bool:
    """Return whether the read is in `rows_of`, which reads only on a CPU, where no read waits."""
    codes = (frame.f_code for frame in frames)
    return any(code.co_filename == rows.__file__ and code.co_name == rows.rows_of.__name__ for code in codes)


def _place(frames: Iterator[FrameType]) -> str:
    """Return the innermost line outside torch and its observers, and the layer that it belongs to."""
    line, layer = None, None
    for frame in frames:
        file = frame.f_code.co_filename
        if file.startswith(_NOT_THE_CALLER):
            continue
        if line is None:
            code = linecache.getline(file, frame.f_lineno).strip()
            line = f"{file}:{frame.f_lineno}: {code}"
        owner = frame.f_locals.get("self")
        if isinstance(owner, Layer):
            layer = type(owner).__name__
            break
    return f"{layer or 'outside any layer'}, {line}"
