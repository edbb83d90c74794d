"""A run that resumes notices that its data have changed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from omegaconf import DictConfig

from lightning_modules.errors import UserError
from tests.trainer.tools import build, write_images

SMALL = ["data=folder", "experiment=smoke", "model=small_cnn", "model.width=8", "data.size=32", "data.num_workers=0"]
SMALL += ["data.batch_size=2", "trainer.limit_train_batches=2"]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for split, count in (("train", 4), ("val", 2), ("test", 2)):
        for seed, name in enumerate(("ant", "bee", "cow")):
            write_images(tmp_path / "photos" / split / name, count, [(8, 8)], seed)
    return tmp_path / "photos"


def fit(configure: Callable[..., DictConfig], root: Path, ckpt_path: Path | None, *more: str) -> None:
    trainer, model, data = build(configure(*SMALL, f"data.root={root}", *more))
    trainer.fit(model, data, ckpt_path=ckpt_path, weights_only=True)


def rename_class(photos: Path) -> None:
    for split in ("train", "val", "test"):
        (photos / split / "bee").rename(photos / split / "bumblebee")


def add_class(photos: Path) -> None:
    write_images(photos / "train" / "dog", 4, [(8, 8)])


def add_files(photos: Path) -> None:
    write_images(photos / "new", 2, [(8, 8)])
    for number in range(2):
        shutil.move(photos / "new" / f"{number}.png", photos / "train" / "cow" / f"9{number}.png")
    (photos / "new").rmdir()


def remove_a_file(photos: Path) -> None:
    (photos / "val" / "ant" / "1.png").unlink()


def rename_a_file(photos: Path) -> None:
    (photos / "train" / "ant" / "3.png").rename(photos / "train" / "ant" / "5.png")


def relabel(photos: Path) -> None:
    """Exchange two files of different names between two classes."""
    (photos / "train" / "ant" / "3.png").rename(photos / "train" / "bee" / "7.png")
    (photos / "train" / "bee" / "0.png").rename(photos / "train" / "ant" / "8.png")


CHANGES = [
    (rename_class, "it seems that classes were renamed: bee to bumblebee"),
    (add_class, "added classes: dog"),
    (add_files, "the train split has 2 more images of cow"),
    (remove_a_file, "the val split has 1 fewer images of ant"),
    (rename_a_file, "the train split has as many files of each class, but with other names"),
    (relabel, "the train split has as many files of each class, but with other names"),
]


@pytest.mark.parametrize(("change", "said"), CHANGES, ids=[change.__name__ for change, _ in CHANGES])
def test_a_change_is_refused_or_allowed(
    configure: Callable[..., DictConfig], photos: Path, tmp_path: Path, change: Callable[[Path], None], said: str
) -> None:
    fit(configure, photos, None, "trainer.max_epochs=1")
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    change(photos)
    before = last.read_bytes()
    with pytest.raises(UserError, match=f"{said}; restore the data .* or set data.changed=allow"):
        fit(configure, photos, last)
    assert last.read_bytes() == before
    with pytest.warns(UserWarning, match=said), nullcontext() if change is not add_class else pytest.raises(UserError):
        fit(configure, photos, last, "data.changed=allow")


def test_a_folder_may_move_and_a_test_may_use_other_data(
    configure: Callable[..., DictConfig], photos: Path, tmp_path: Path
) -> None:
    fit(configure, photos, None, "trainer.max_epochs=1")
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    (tmp_path / "elsewhere").mkdir()
    moved = photos.rename(tmp_path / "elsewhere" / "photos")
    fit(configure, moved, last)
    add_files(moved)
    trainer, model, data = build(configure(*SMALL, f"data.root={moved}"))
    trainer.test(model, data, ckpt_path=last, weights_only=True, verbose=False)


def test_labels_of_images_in_memory(configure: Callable[..., DictConfig], tmp_path: Path) -> None:
    small = ["data=digits", "experiment=smoke", "model=small_cnn", "model.width=8"]
    trainer, model, data = build(configure(*small, "trainer.max_epochs=1"))
    trainer.fit(model, data)
    trainer, model, data = build(configure(*small))
    labels = data.splits.train.labels
    one, other = int(labels[0]), int((labels != labels[0]).nonzero()[0])
    labels[0], labels[other] = labels[other].item(), one
    with pytest.raises(UserError, match="the train split has as many images of each class, but other labels"):
        trainer.fit(model, data, ckpt_path=tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)


def test_what_changed_must_be(configure: Callable[..., DictConfig]) -> None:
    with pytest.raises(Exception, match="changed='ignore' must be 'refuse' or 'allow'"):
        build(configure("data.changed=ignore"))
