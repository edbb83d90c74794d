"""Files decoded as the model will look at them: the same for every batch, worker, process and resumption."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig, OmegaConf
from PIL import Image
from sklearn.datasets import load_sample_image

import augment as A
from lightning_modules.data.file_images import FileImages
from lightning_modules.data.image_sets import Looked
from lightning_modules.data.sampler import PassBatches, ShardSampler
from tests.trainer.seen import Seen, assert_same
from tests.trainer.test_ddp import Record, recorded
from tests.trainer.tools import ROOT, build

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


def trained(configure: Callable[..., DictConfig], folder: Path, *settings: str, ckpt_path: str | None = None) -> Seen:
    given = ["data=folder", f"data.root={folder}", f"data.size={SIZE}", "model=small_cnn", "data.num_workers=0"]
    given += ["data.batch_size=4", "trainer.max_epochs=2", "augment=imagenet"]
    trainer, model, data = build(configure(*given, *settings))
    seen = Seen()
    trainer.callbacks.append(seen)
    trainer.fit(model, data, ckpt_path=ckpt_path, weights_only=True)
    return seen


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


def test_two_processes_with_workers_that_resume_see_the_same(
    configure: Callable[..., DictConfig], photographs: Path, tmp_path: Path
) -> None:
    """Two processes with two workers each that stop after an epoch and resume, beside one process without workers."""
    given = ["data=folder", f"data.root={photographs}", f"data.size={SIZE}", "model=small_cnn", "augment=imagenet"]
    given += ["trainer.max_epochs=2", "test=false"]
    for reduce in ("true", "false"):
        for name, more in (("one", ["data.batch_size=4"]), ("two", ["data.batch_size=2", "data.num_workers=2"])):
            own = [f"data.reduce={reduce}", f"output_dir={tmp_path / name / reduce}", *more]
            OmegaConf.save(configure(*given, *own), tmp_path / f"{name}_{reduce}.yaml")
    # a process of its own, because one that has computed gradients cannot be forked
    script = "import sys; from tests.trainer import test_reduced_loading as t; t.fit_in_two(sys.argv[1])"
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=600, cwd=ROOT)
    for reduce in ("true", "false"):
        trainer, model, data = build(OmegaConf.load(tmp_path / f"one_{reduce}.yaml"))
        trainer.callbacks.append(Record(str(tmp_path / f"one_{reduce}")))
        trainer.fit(model, data)
        for epoch in (0, 1):
            one, two = (recorded(tmp_path / f"{name}_{reduce}", epoch) for name in ("one", "two"))
            assert len(one.keys() & two.keys()) > 10
            assert all(torch.equal(one[number], two[number]) for number in one.keys() & two.keys())


def fit_in_two(folder: str) -> None:
    """Train in two processes for an epoch, and resume for another one, with and without reduced decoding."""
    for reduce in ("true", "false"):
        for epochs in (1, 2):
            cfg = OmegaConf.load(Path(folder) / f"two_{reduce}.yaml")
            cfg.trainer.update(strategy="ddp_fork", devices=2, max_epochs=epochs)
            trainer, model, data = build(cfg)
            trainer.callbacks.append(Record(str(Path(folder) / f"two_{reduce}")))
            last = Path(cfg.output_dir) / "checkpoints" / "last.ckpt"
            trainer.fit(model, data, ckpt_path=str(last) if epochs == 2 else None, weights_only=True)


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
