"""Files that cannot be read: listed and replaced under data.on_error=skip, without a change to other samples."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig

from lightning_modules.errors import UserError
from tests.trainer.seen import Seen
from tests.trainer.tools import build, write_images


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes with twelve training and six validation images each."""
    for number, (part, count) in enumerate((("train", 12), ("val", 6), ("test", 3))):
        for name in ("ant", "bee"):
            write_images(tmp_path / "photos" / part / name, count, [(20, 24), (18, 30)], seed=number)
    return tmp_path / "photos"


def trained(configure: Callable[..., DictConfig], folder: Path, *settings: str) -> Seen:
    given = ["data=folder", f"data.root={folder}", "data.size=16", "model=small_cnn", "data.num_workers=0"]
    given += ["data.batch_size=6", "trainer.max_epochs=2", "augment=imagenet", "data.on_error=skip"]
    trainer, model, data = build(configure(*given, *settings))
    seen = Seen()
    trainer.callbacks.append(seen)
    trainer.fit(model, data)
    return seen


def listed(place: Path) -> dict[str, str]:
    with open(place, newline="") as file:
        return {Path(row[0]).relative_to(Path(row[0]).parents[2]).as_posix(): row[1] for row in csv.reader(file)}


@pytest.mark.parametrize("workers", [0, 2])
def test_bad_files_are_listed_and_others_stay_as_they_are(
    configure: Callable[..., DictConfig], folder: Path, tmp_path: Path, workers: int
) -> None:
    whole = trained(configure, folder)
    (folder / "train" / "ant" / "3.png").write_bytes(b"no image")
    data = (folder / "train" / "bee" / "7.png").read_bytes()
    (folder / "train" / "bee" / "7.png").write_bytes(data[: len(data) // 2])
    (folder / "val" / "ant" / "2.png").write_bytes(b"")
    output = tmp_path / "bad"
    with pytest.warns(UserWarning, match=r"image files cannot be read.*ant/3\.png"):
        seen = trained(configure, folder, f"data.num_workers={workers}", f"output_dir={output}")
    reasons = listed(output / "unreadable.csv")
    assert reasons.keys() == {"train/ant/3.png", "train/bee/7.png", "val/ant/2.png"}
    assert reasons["train/ant/3.png"] == "its content is not in a format that Pillow reads"
    bad = {number for _, number in whole.images} - {number for _, number in seen.images}
    assert len(bad) == 2
    assert len(seen.images) == len(whole.images) - 4
    for key, image in seen.images.items():
        assert torch.equal(image, whole.images[key]), key
    assert sorted(whole.labels) == [0] * 12 + [1] * 12
    assert sorted(seen.labels) == [-100] * 2 + [0] * 10 + [1] * 12  # two epochs


def test_a_file_that_vanishes_in_a_run_is_skipped(
    configure: Callable[..., DictConfig], folder: Path, tmp_path: Path
) -> None:
    class Remove(pl.Callback):
        def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            if trainer.current_epoch == 1:
                (folder / "train" / "ant" / "5.png").unlink()

    given = ["data=folder", f"data.root={folder}", "data.size=16", "model=small_cnn", "data.num_workers=0"]
    trainer, model, data = build(configure(*given, "trainer.max_epochs=2", "data.on_error=skip", "data.batch_size=6"))
    trainer.callbacks.append(Remove())
    trainer.fit(model, data)
    assert listed(tmp_path / "run" / "unreadable.csv") == {"train/ant/5.png": "No such file or directory"}


def test_too_many_bad_files_end_the_run(configure: Callable[..., DictConfig], folder: Path) -> None:
    for number in range(3):
        (folder / "train" / "ant" / f"{number}.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"3 image files cannot be read, more than data.unreadable_limit=2; .*csv"):
        trained(configure, folder, "data.unreadable_limit=2")


def test_a_batch_without_a_readable_image_ends_the_run(configure: Callable[..., DictConfig], folder: Path) -> None:
    for path in (folder / "train").rglob("*.png"):
        path.write_bytes(b"no image")
    with pytest.raises(UserError, match=r"none of the \d+ images of a batch can be read, such as .*\.png"):
        trained(configure, folder)


def test_the_first_bad_file_ends_a_run_that_does_not_skip(configure: Callable[..., DictConfig], folder: Path) -> None:
    (folder / "train" / "ant" / "1.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"cannot read the image .*1\.png"):
        trained(configure, folder, "data.on_error=raise")


@pytest.mark.parametrize("setting", ["data.on_error=ignore", "data.unreadable_limit=0"])
def test_wrong_settings_name_what_is_allowed(configure: Callable[..., DictConfig], folder: Path, setting: str) -> None:
    with pytest.raises(Exception, match=r"must be 'raise' or 'skip', and unreadable_limit=\d+ at least 1"):
        trained(configure, folder, setting)
