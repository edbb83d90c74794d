"""Files of results: one JSON object per line, and a line is added as soon as its run has ended."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from lightning_modules.errors import UserError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

R = TypeVar("R")


def read(path: Path, kind: type[R]) -> list[R]:
    """Return the results of a file, dataclasses of one kind; none if it does not exist.

    Raises:
        UserError: if a line is no result.
    """
    lines = path.read_text().splitlines() if path.exists() else []
    try:
        return [kind(**json.loads(line)) for line in lines]
    except (json.JSONDecodeError, TypeError) as error:
        raise UserError(f"results={str(path)!r} has a line that is no result: {error}; delete the line.") from None


def append(path: Path, result: DataclassInstance) -> None:
    """Add a result to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(asdict(result)) + "\n")
