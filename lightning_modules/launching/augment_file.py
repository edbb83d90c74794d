"""`augment=PATH.yaml`: an augmentation from a file outside conf/, such as an exported learned policy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from hydra.core.config_store import ConfigStore

from augment.tools.errors import ToolError
from augment.tools.recipe_file import read_recipe
from lightning_modules.errors import UserError

KEY = "augment="
TRUST = "trust_augment_file=true"
_ITEM = re.compile(r"'[^']*'|[^,]+")


def with_augment_files(overrides: Sequence[str]) -> list[str]:
    """Register every file given by `augment=` with Hydra, and return overrides that refer to the registered choices.

    A choice that ends with .yaml is a path. A sweep may mix paths and names, as in `augment=light,mine.yaml`. The
    function is idempotent, because the other processes of a distributed run start with the overrides of the first.

    A file may come from a stranger, so it may name only layers, distributions and presets of augment, unless the
    overrides contain `trust_augment_file=true`.

    Raises:
        UserError: if the file does not exist, does not define one object with a `_target_`, or names something else.
    """
    trust = TRUST in map(str.lower, overrides)
    return [
        KEY + ",".join(_choice(value, trust) for value in _ITEM.findall(given.removeprefix(KEY)))
        if given.startswith(KEY)
        else given
        for given in overrides
    ]


def _choice(value: str, trust: bool) -> str:
    value = value.strip("'")
    if not value.endswith(".yaml"):
        if "/" in value:
            raise UserError(f"augment={value} must be the name of a choice, or a file whose name ends with .yaml.")
        return value
    # Hydra searches conf/ first; an absolute path cannot match a file there by accident
    path = Path(value).expanduser().resolve()
    try:
        config = read_recipe(path, trust, flag=TRUST)
    except ToolError as error:
        raise UserError(f"augment={error}") from error
    ConfigStore.instance().store(path.name, config, group=f"augment{path.parent.as_posix()}")
    return f"'{path.as_posix()}'"  # quoted, because folder names may contain spaces and brackets
