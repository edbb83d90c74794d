"""Which files to predict: an image, a folder, a list or a table."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from augment.tools.errors import ToolError
from augment.tools.images import image_files
from augment.tools.scanning import is_image
from lightning_modules.data.table import read_columns
from lightning_modules.errors import UserError

_COLUMN = "file"


class Found(NamedTuple):
    """Files in the order of the result.

    Attributes:
        names: what the result calls them: as the list has them, or their paths from the given folder on.
        paths: where they are.
    """

    names: list[str]
    paths: list[Path]


def found_in(source: str) -> Found:
    """Return the files that a source names.

    Args:
        source: an image file; a folder, with all images below it; a .txt file with a path in each line; or a .csv or
            .parquet file with a column `file`. Relative paths in a list start from its folder.

    Raises:
        UserError: there is no such source, or it names no files. Files that do not exist are not noticed here.

    Example:
        >>> found_in("photos").names
        ['photos/1.jpg', 'photos/more/2.png']
    """
    place = Path(source).expanduser()
    if place.suffix.lower() in (".txt", ".csv", ".parquet") and place.is_file():
        names = _listed(place)
        if not names:
            raise UserError(f"predict={source} names no files.")
        return Found(names, [Path(os.path.join(place.parent, name)) for name in names])
    if place.is_file() and not is_image(place.name):
        raise UserError(f"predict={source} must be an image, a folder, or a .txt, .csv or .parquet file.")
    try:
        paths = image_files(str(place))
    except ToolError as error:
        raise UserError(f"predict={error}") from error
    return Found([str(path) for path in paths], paths)


def _listed(place: Path) -> list[str]:
    if place.suffix.lower() == ".txt":
        lines = place.read_bytes().removeprefix(b"\xef\xbb\xbf").splitlines()
        return [os.fsdecode(line.strip()) for line in lines if line.strip()]
    columns = read_columns(place)
    if _COLUMN not in columns:
        raise UserError(f"predict={place} has no column {_COLUMN!r}; its columns are {', '.join(columns)}.")
    return columns[_COLUMN]
