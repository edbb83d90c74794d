"""The index of a large folder is that of a new listing, and a change of any folder is noticed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lightning_modules.data import folder as folder_module
from lightning_modules.data import kept_index
from lightning_modules.data.folder import FolderData
from tests.trainer.folders import divided, read
from tests.trainer.tools import write_images


@pytest.fixture
def listings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """Keep an index of every folder, in a cache of the test; the list grows with every folder that is listed anew."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(kept_index, "_WORTH", 0)
    monkeypatch.setattr(kept_index, "_SETTLED", 0)
    listed: list[Path] = []
    split_folders = folder_module.split_folders
    monkeypatch.setattr(folder_module, "split_folders", lambda root: listed.append(root) or split_folders(root))
    return listed


def described(root: Path) -> list[object]:
    """What a run sees of a folder: paths, labels, classes and warnings."""
    splits = FolderData(str(root)).splits
    return [[*part.paths, part.labels.tolist(), part.classes] for part in splits] + [read(root)]


def test_a_kept_index_is_a_new_listing(listings: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = divided(tmp_path / "pets", train="train", val="val", test="test", extra="unlabeled").root
    write_images(root / "train" / os.fsdecode(b"caf\xe9"), 3, [(8, 8)])
    (root / "train" / "cat" / "notes.txt").touch()
    monkeypatch.setattr(kept_index, "_WORTH", 2**40)
    listed = described(root)
    monkeypatch.setattr(kept_index, "_WORTH", 0)
    described(root)
    count = len(listings)
    assert described(root) == listed
    assert len(listings) == count
    assert listed[3][1]  # the warning comes again


def test_every_change_is_noticed(listings: list[Path], tmp_path: Path) -> None:
    root = divided(tmp_path / "pets", train="train", val="val", test="test").root
    (root / "train" / "cat" / "empty").mkdir()
    elsewhere = tmp_path / "elsewhere"
    write_images(elsewhere, 1, [(8, 8)])
    (root / "train" / "cat" / "link.png").symlink_to(elsewhere / "0.png")

    def after(change: str) -> int:
        """Return the number of images, of two starts."""
        count, before = len(FolderData(str(root)).splits.train), len(listings)
        assert len(FolderData(str(root)).splits.train) == count, change
        assert len(listings) == before, change  # the second start has an index
        return count

    first = after("nothing")
    (root / "train" / "cat" / "empty" / "0.png").touch()
    assert after("a new file in a folder without images") == first + 1
    os.rename(root / "train" / "dog" / "0.png", root / "train" / "dog" / "0.txt")
    assert after("another suffix") == first
    (elsewhere / "0.png").unlink()
    assert after("a link that leads nowhere") == first - 1
    write_images(root / "train" / "cow", 5, [(8, 8)])
    assert after("a new class") == first + 4
    (root / "val").rename(root / "validaton")
    assert after("a split is missing") < first + 4


def test_a_folder_that_just_changed_is_not_kept(
    listings: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = divided(tmp_path / "pets", train="train", val="val", test="test").root
    monkeypatch.setattr(kept_index, "_SETTLED", 60 * 10**9)
    for _ in range(2):
        before = len(listings)
        described(root)
        assert len(listings) > before


def test_a_damaged_index_is_built_anew(listings: list[Path], tmp_path: Path) -> None:
    root = divided(tmp_path / "pets", train="train", val="val", test="test").root
    listed = described(root)
    (file,) = (tmp_path / "cache").rglob("*.npz")
    whole = file.read_bytes()
    for damaged in (b"", b"nonsense", whole[: len(whole) // 2]):
        file.write_bytes(damaged)
        assert described(root) == listed
