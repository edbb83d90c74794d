"""The rehearsal of faults keeps its own promise: it passes here, and it notices a program that breaks promises."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PIL import Image
from rich.table import Table

from tests.rehearsal.__main__ import rehearse
from tests.rehearsal.faults import FAULTS
from tests.rehearsal.images import CLASSES, EACH, copy_images, write_digits
from tests.rehearsal.stage import TRAIN, Stage
from tests.trainer.tools import write_images


def results(folder: Path, names: list[str], command: list[str]) -> tuple[bool, list[str]]:
    """Return whether all promises were kept, and the last column of the table."""
    table = Table("fault", "what happened", "exit codes", "seconds", "kept")
    kept = rehearse(Stage(folder, write_digits(folder / "images"), command), names, table)
    return kept, list(table.columns[-1].cells)


def test_some_faults(tmp_path: Path) -> None:
    names = ["unreadable image", "augment file that names other code"]
    assert results(tmp_path, names, TRAIN) == (True, ["yes", "yes"])


@pytest.mark.parametrize("code", ["0", "2", "143"])
def test_a_program_that_only_ends_breaks_every_promise(tmp_path: Path, code: str) -> None:
    command = [sys.executable, "-S", "-c", f"raise SystemExit({code})"]
    assert results(tmp_path, list(FAULTS), command) == (False, ["NO"] * len(FAULTS))


def test_images_of_a_user(tmp_path: Path) -> None:
    write_images(tmp_path / "flat", 7, [(8, 8)])
    write_images(tmp_path / "classes" / "train" / "cat", EACH + 2, [(8, 8)])
    write_images(tmp_path / "classes" / "train" / "dog", 20, [(8, 8)])
    flat, classes = (copy_images(tmp_path / name, tmp_path / "copies" / name) for name in ("flat", "classes"))
    for place, labels in ((flat, CLASSES), (classes, 2)):
        assert [len(list(label.iterdir())) for label in place.iterdir()] == [EACH] * labels
    assert Image.open(next((classes / "dog").iterdir())).size == (8, 8)


def test_digits(tmp_path: Path) -> None:
    folders = sorted(write_digits(tmp_path / "digits").iterdir())
    assert [len(list(folder.iterdir())) for folder in folders] == [EACH] * CLASSES
    assert Image.open(next(folders[0].iterdir())).getextrema()[1] > 200
