"""Many paths in little memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import overload

import numpy as np


class Paths(Sequence[Path]):
    """Paths in two arrays, about 60 bytes for each, which worker processes share with the process that starts them.

    ImageNet's 1.3 million paths take 78 MB. A list of `Path` objects took 800 MB, and each worker that read it 146 MB
    more, because Python counts references in the objects themselves.
    """

    def __init__(self, paths: Iterable[str | bytes | os.PathLike]) -> None:
        encoded = [os.fsencode(path) for path in paths]
        self._text = np.frombuffer(b"".join(encoded), np.uint8)
        self._ends = np.cumsum([0, *map(len, encoded)])

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, number: int) -> Path: ...
    @overload
    def __getitem__(self, number: slice) -> Paths: ...
    def __getitem__(self, number: int | slice) -> Path | Paths:
        if isinstance(number, slice):
            return self.taken(range(*number.indices(len(self))))
        return Path(os.fsdecode(self._encoded(range(len(self))[number])))

    def taken(self, numbers: Iterable[int]) -> Paths:
        """Return the paths with these numbers."""
        return Paths(self._encoded(number) for number in numbers)

    def _encoded(self, number: int) -> bytes:
        return self._text[self._ends[number] : self._ends[number + 1]].tobytes()
