"""Image files that cannot be read: a list that all workers and processes of a run share."""

from __future__ import annotations

import csv
import os
from pathlib import Path

from pytorch_lightning.utilities import rank_zero_warn

from lightning_modules.errors import UserError

_TOLD = 5
"""Number of files that a warning names; the list has all."""


class UnreadableFiles:
    """A CSV file with a row (path, reason) for each file that could not be read.

    Args:
        path: the list; older rows, as of an interrupted run, count too.
        limit: number of files from which on a run ends with an error.
    """

    def __init__(self, path: str | Path, limit: int) -> None:
        self.path, self.limit = Path(path), limit
        self.told = len(self.rows())

    def rows(self) -> dict[str, str]:
        """Return the reason of each file."""
        if not self.path.is_file():
            return {}
        with open(self.path, newline="") as file:
            return {row[0]: row[1] for row in csv.reader(file) if len(row) == 2}

    def add(self, file: str, why: str) -> None:
        """Add a file that is not yet listed.

        Raises:
            UserError: if there are too many.
        """
        rows = self.rows()
        if file in rows:
            return
        os.makedirs(self.path.parent, exist_ok=True)
        with open(self.path, "a", newline="") as out:  # other processes append to it
            csv.writer(out).writerow([file, why])
        if len(rows) + 1 > self.limit:
            raise UserError(
                f"{len(rows) + 1} image files cannot be read, more than data.unreadable_limit={self.limit}; "
                f"{self.path} lists them: replace or remove them, or raise the limit."
            )

    def tell(self) -> None:
        """Warn about files that were added since the last call."""
        rows = self.rows()
        fresh = list(rows)[self.told :]
        if fresh:
            names = ", ".join(f"{file} ({rows[file]})" for file in fresh[:_TOLD]) + ", ..." * (len(fresh) > _TOLD)
            rank_zero_warn(
                f"{len(fresh)} image files cannot be read, and others take their place: {names}; see {self.path}."
            )
        self.told = len(rows)
