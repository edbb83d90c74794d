"""Files decoded as the model will look at them: the same for every batch, worker, process and resumption."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from PIL import Image
from sklearn.datasets import load_sample_image

import augment as A
from lightning_modules.file_images import FileImages
from lightning_modules.image_sets import Looked
from lightning_modules.sampler import PassBatches, ShardSampler
from tests.trainer.tools import build

SIZE = 16


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of twelve JPEG files each, cut from photographs, in three sizes."""
    folder = tmp_path_factory.mktemp("photographs")
    for name in ("china", "flower"):
        pixels = load_sample_image(f"{name}.jpg")
        (folder / name).mkdir()
        for i in range(12):
            height, width = [(120, 160), (96, 131), (201, 99)][i % 3]
            cut = pixels[20 * i : 20 * i + height, 30 * i : 30 * i + width]
            Image.fromarray(cut).save(folder / name / f"{i:02}.jpg", quality=95)
    return folder


class Seen(pl.Callback):
    """The images that the backbone sees in training, by epoch and sample number; the bytes that were loaded."""

    def __init__(self) -> None:
        self.images: dict[tuple[int, int], torch.Tensor] = {}
        self.bytes = 0

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: A.Batch, _: int) -> None:
        assert isinstance(batch.image, A.PackedImages)
        self.bytes += batch.image.data.numel()
        with torch.no_grad():
            images = pl_module.augmented(batch).image
        for number, image in zip(batch.index.tolist(), images, strict=True):
            self.images[trainer.current_epoch, number] = image


def trained(configure: Callable[..., DictConfig], folder: Path, *settings: str, ckpt_path: str | None = None) -> Seen:
    given = ["data=folder", f"data.root={folder}", f"data.size={SIZE}", "model=small_cnn", "data.num_workers=0"]
    given += ["data.batch_size=4", "trainer.max_epochs=2", "augment=imagenet"]
    trainer, model, data = build(configure(*given, *settings))
    seen = Seen()
    trainer.callbacks.append(seen)
    trainer.fit(model, data, ckpt_path=ckpt_path, weights_only=True)
    return seen


def assert_same(first: Seen, second: Seen) -> None:
    common = first.images.keys() & second.images.keys()
    assert len(common) > 10
    for key in common:
        assert torch.equal(first.images[key], second.images[key]), key


def test_neither_batches_nor_workers_matter(configure: Callable[..., DictConfig], photographs: Path) -> None:
    seen = trained(configure, photographs)
    assert_same(seen, trained(configure, photographs, "data.num_workers=2", "data.batch_size=3"))


def test_a_resumed_run_decodes_the_same(
    configure: Callable[..., DictConfig], photographs: Path, tmp_path: Path
) -> None:
    whole = trained(configure, photographs)
    trained(configure, photographs, "trainer.max_epochs=1", f"output_dir={tmp_path / 'first'}")
    last = tmp_path / "first" / "checkpoints" / "last.ckpt"
    assert_same(whole, trained(configure, photographs, ckpt_path=str(last)))


def test_images_are_smaller_and_nearly_the_same(configure: Callable[..., DictConfig], photographs: Path) -> None:
    """Levels of photographs that are normalized: one level is about 0.017."""
    reduced, whole = (trained(configure, photographs, f"data.reduce={value}") for value in ("true", "false"))
    assert reduced.bytes < 0.3 * whole.bytes
    assert reduced.images.keys() == whole.images.keys()
    apart = torch.stack([(reduced.images[key] - whole.images[key]).abs().mean() for key in whole.images])
    assert 0 < apart.mean() < 0.03


def test_every_process_decodes_a_sample_alike(photographs: Path) -> None:
    paths = sorted(photographs.rglob("*.jpg"))
    files = FileImages(paths, torch.zeros(len(paths)), ["one"], 3)
    files.pipeline = A.Pipeline(A.RandomResizedCrop(SIZE), A.RandomHorizontalFlip(), seed=3)
    seen = {}
    for world in (1, 2):
        for rank in range(world):
            sampler = ShardSampler(len(files), True, 0, world, rank)
            sampler.set_epoch(5)
            for numbers in PassBatches(sampler, 4, drop_last=False):
                assert numbers.epoch == 5
                batch = files.__getitems__(pickle.loads(pickle.dumps(numbers)))  # as a worker gets it
                out = files.pipeline(batch, epoch=5).image
                for number, image in zip(batch.index.tolist(), out, strict=True):
                    assert torch.equal(seen.setdefault(number, image), image)
    assert len(seen) == len(files)


def test_numbers_alone_give_whole_images(photographs: Path) -> None:
    """As the checks before training and the callbacks ask for them."""
    paths = sorted(photographs.rglob("*.jpg"))[:3]
    files = FileImages(paths, torch.zeros(3), ["one"], 3)
    files.pipeline = A.Preprocess(SIZE)
    assert files.__getitems__([0, 1, 2]).image.origin is None
    reduced = files.__getitems__(Looked([0, 1, ~2], None))
    assert reduced.image.origin.scale.tolist() == [0.25, 0.5, 0.5]
    assert reduced.label.tolist() == [0, 0, -100]
