"""Finding the samples of a folder, with their class and split."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from augment.tools.errors import ToolError
from augment.tools.images import image_files
from augment.tools.scanning import suffixes
from augment.tools.split_folders import NAMES
from lightning_modules.data.folder import FolderData
from lightning_modules.errors import UserError
from tests.trainer.folders import cats_and_dogs, divided, read, refused
from tests.trainer.tools import write_images

# --------------------------------------------------------------------------------------------------------- ignored


def test_hidden_files_and_a_systems_own_are_ignored(tmp_path: Path) -> None:
    root = cats_and_dogs(tmp_path)
    (root / ".ipynb_checkpoints").mkdir()
    (root / "cat" / ".ipynb_checkpoints").mkdir()
    for place in (root / ".cache", root / "__MACOSX" / "cat", root / "cat" / ".hidden", root / "dog" / "@eaDir"):
        write_images(place, 3, [(8, 8)])
    for folder in (root, root / "cat"):
        for name in ("._0.png", ".DS_Store", "Thumbs.db", "thumbs.DB", "desktop.ini"):
            (folder / name).write_bytes(b"junk")
    assert read(root) == ({"cat": 30, "dog": 30}, [])
    assert len(image_files(str(root))) == 60


def test_a_root_below_a_hidden_folder_is_read(tmp_path: Path) -> None:
    assert read(cats_and_dogs(tmp_path / ".cache" / "pets")) == ({"cat": 30, "dog": 30}, [])


def test_an_empty_class_folder_is_one_sentence(tmp_path: Path) -> None:
    root = cats_and_dogs(tmp_path)
    (root / "cow").mkdir()
    assert refused(root) == f"FolderData: {root / 'cow'} holds no images; remove it or add images."
    (root / "cow" / "1.heic").touch()
    assert "holds no images that can be read, only .heic (1); remove" in refused(root)


# ------------------------------------------------------------------------------------------------------ all formats


def test_every_format_that_pillow_reads_is_taken(tmp_path: Path) -> None:
    root = cats_and_dogs(tmp_path, 3)
    image = Image.fromarray(np.zeros((16, 16, 3), dtype=np.uint8))
    endings = [
        "avif",
        "gif",
        "jfif",
        "jpe",
        "jp2",
        "png",
        "jpeg",
        "JPG",
        "Tiff",
        "webp",
        "bmp",
        "ppm",
        "tga",
        "ico",
        "qoi",
    ]
    endings += ["apng", "mpo", "pcx", "sgi", "dds", "icns", "dib", "j2k"]
    for ending in endings:
        image.save(root / "cat" / f"image.{ending}")
    counts, told = read(root)
    assert (counts, told) == ({"cat": 3 + len(endings), "dog": 3}, [])
    for part in FolderData(str(root)).splits:
        assert part.images(range(len(part))) is not None
    assert len(image_files(str(root))) == 6 + len(endings)


def test_what_is_no_raster_image_is_not_taken() -> None:
    assert not suffixes() & {".pdf", ".h5", ".hdf", ".grib", ".mpg", ".mpeg", ".eps", ".ps", ".wmf", ".emf", ".txt"}


def test_what_is_left_out_is_told_once_with_counts(tmp_path: Path) -> None:
    root = cats_and_dogs(tmp_path)
    for i in range(3):
        (root / "cat" / f"{i}.HEIC").touch()
    (root / "dog" / "notes.txt").touch()
    (root / "dog" / "README").touch()
    (root / "lost.png").touch()
    counts, (told,) = read(root)
    assert counts == {"cat": 30, "dog": 30}
    assert told == (
        f"FolderData: {root}: ignored .heic (3), files without an ending (1), .txt (1), "
        "files beside the class folders (1)."
    )


def test_the_preview_says_what_is_there_instead_of_images(tmp_path: Path) -> None:
    (tmp_path / "a.heic").touch()
    with pytest.raises(ToolError, match=r"holds no image files that Pillow reads, only \.heic \(1\)"):
        image_files(str(tmp_path))


# ----------------------------------------------------------------------------------------------------------- splits


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("train", "valid", "test"),
        ("Training", "Validation", "Testing"),
        ("Train", "val", "TEST"),
        ("TRAIN", "dev", "Test"),
        ("training", "eval", "testing"),
    ],
)
def test_splits_are_recognised_by_any_of_their_names(tmp_path: Path, train: str, val: str, test: str) -> None:
    splits = divided(tmp_path, train=train, val=val, test=test).splits
    assert [len(part) for part in splits] == [8, 10, 12]
    assert splits.val.classes == ["cat", "dog"]
    assert {path.parent.parent.name for path in splits.val.paths} == {val}


@pytest.mark.parametrize("split", NAMES)
def test_two_folders_for_one_split_are_refused(tmp_path: Path, split: str) -> None:
    one, other = NAMES[split][:2]
    divided(tmp_path, train="train", val="val", test="test", one=other)
    told = refused(tmp_path)
    assert f"are both names of the {split} split; rename or remove one of them." in told
    assert one in told
    assert other in told


def test_a_split_without_training_is_refused(tmp_path: Path) -> None:
    divided(tmp_path, val="val", test="test")
    assert "has a folder test but none for training" in refused(tmp_path)


def test_splits_without_class_folders_are_refused(tmp_path: Path) -> None:
    write_images(tmp_path / "train", 4, [(8, 8)])
    assert "train holds no folders; put one folder per class into it." in refused(tmp_path)
    write_images(tmp_path / "val", 4, [(8, 8)])
    assert "train holds no folders; put one folder per class into it." in refused(tmp_path)
    cats_and_dogs(tmp_path / "train")
    assert "val holds no folders" in refused(tmp_path)


def test_folders_beside_the_splits_are_told(tmp_path: Path) -> None:
    divided(tmp_path, train="train", val="validaton", extra="unlabeled")
    write_images(tmp_path / "train" / "cow", 4, [(8, 8)])
    (tmp_path / "sheet.png").touch()
    counts, (told,) = read(tmp_path)
    assert counts == {"cat": 4, "cow": 4, "dog": 4}
    assert "ignored images beside the folders of the splits (1)" in told
    assert "ignored the folders unlabeled, validaton, which are not names of splits" in told


def test_a_class_may_be_called_like_a_split(tmp_path: Path) -> None:
    """The class train, next to cars and buses."""
    for name in ("bus", "car", "train"):
        write_images(tmp_path / name, 20, [(8, 8)])
    assert read(tmp_path) == ({"bus": 20, "car": 20, "train": 20}, [])


# ----------------------------------------------------------------------------------------------------- names, order


def test_class_names_of_all_kinds_work(tmp_path: Path) -> None:
    names = [
        "Cat",
        "cat",
        "日本",
        "a b",
        "x=1,y",
        "it's",
        "per%cent",
        "new\nline",
        "{brace}",
        "-dash",
        "com.ma",
        "café",
    ]
    for name in names:
        write_images(tmp_path / name, 10, [(8, 8)])
    undecodable = os.fsdecode(b"caf\xe9")
    write_images(tmp_path / undecodable, 10, [(8, 8)])
    assert read(tmp_path) == (dict.fromkeys(sorted([*names, undecodable]), 10), [])
    (tmp_path / undecodable / "0.png").write_bytes(b"broken")
    with pytest.raises(UserError, match=r"cannot read the image .*caf\\xe9/0\.png"):
        [part.images(range(len(part))) for part in FolderData(str(tmp_path)).splits]


def test_an_accented_name_is_one_class_however_it_is_spelt(tmp_path: Path) -> None:
    for name in ("caf\u00e9", "tea"):
        write_images(tmp_path / "train" / name, 10, [(8, 8)])
    write_images(tmp_path / "val" / "cafe\u0301", 4, [(8, 8)])
    splits = FolderData(str(tmp_path)).splits
    assert splits.val.labels.tolist() == [0] * 4


def test_the_order_is_that_of_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("b", "B", "a", "é"):
        write_images(tmp_path / "train" / name, 3, [(8, 8)])
        write_images(tmp_path / "train" / name / "10", 1, [(8, 8)])
    cats_and_dogs(tmp_path / "val", 1)

    def paths() -> list[str]:
        found = FolderData(str(tmp_path / "train"), val_share=0.25, test_share=0.25).splits.train.paths
        return [path.relative_to(tmp_path / "train").as_posix() for path in found]

    first = paths()
    assert first == sorted(first)
    listing = os.scandir

    class Backwards:
        def __init__(self, folder: str) -> None:
            self.entries = list(listing(folder))[::-1]

        def __enter__(self) -> list[os.DirEntry]:
            return self.entries

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(os, "scandir", Backwards)
    assert paths() == first
    found = [file.relative_to(tmp_path).as_posix() for file in image_files(str(tmp_path / "val"))]
    assert found == ["val/cat/0.png", "val/dog/0.png"]


def test_a_folder_that_cannot_be_opened_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = cats_and_dogs(tmp_path)
    listing = os.scandir

    def denied(folder: str | os.PathLike) -> object:
        if Path(folder).name == "dog":
            raise PermissionError(13, "Permission denied")  # simulated, because root may open everything
        return listing(folder)

    monkeypatch.setattr(os, "scandir", denied)
    assert refused(root) == f"cannot read the folder {root / 'dog'} (Permission denied): make it readable."
