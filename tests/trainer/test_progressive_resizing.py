"""ProgressiveResizing: the size of training images is a function of the epoch, in the model and in the workers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from PIL import Image
from sklearn.datasets import load_sample_image

import augment as A
from lightning_modules.curriculum.progressive_resizing import ProgressiveResizing
from lightning_modules.data.size_of_epoch import SizeOfEpoch
from lightning_modules.errors import UserError
from tests.trainer.tools import build

Configure = Callable[..., DictConfig]
RESIZING = ["callbacks=progressive_resizing", "callbacks.progressive_resizing.multiple=4", "data.size=24"]
SMALL = ["experiment=smoke", "model=small_cnn", "model.width=8", "trainer.max_epochs=5", "augment=light", *RESIZING]


class Seen(pl.Callback):
    """Record the size of the images that the network sees in training and validation, and what was loaded."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.train: list[tuple[int, int]] = []
        self.other: list[tuple[int, int]] = []
        self.loaded = 0
        self.stop_at = stop_at

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        pl_module.backbone.register_forward_pre_hook(self.see)
        self.trainer = trainer

    def see(self, module: torch.nn.Module, arguments: tuple[torch.Tensor]) -> None:
        if torch.is_grad_enabled():
            self.train.append((self.trainer.current_epoch, arguments[0].shape[-1]))
        elif self.trainer.validating or self.trainer.fit_loop.epoch_loop.val_loop.restarting is False:
            self.other.append((self.trainer.current_epoch, arguments[0].shape[-1]))

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module, outputs, batch: A.Batch, batch_idx: int) -> None:
        image = batch.image
        self.loaded += image.data.numel() if isinstance(image, A.PackedImages) else image.numel()
        if trainer.global_step == self.stop_at:
            trainer.should_stop = True
            trainer.save_checkpoint(Path(trainer.default_root_dir) / "within.ckpt")


def fit(cfg: DictConfig, ckpt_path: Path | None = None, stop_at: int | None = None) -> tuple[Seen, pl.LightningModule]:
    trainer, model, data = build(cfg)
    trainer.callbacks.insert(0, seen := Seen(stop_at))
    trainer.fit(model, data, ckpt_path=ckpt_path, weights_only=True)
    return seen, model


def test_the_size_grows_from_stage_to_stage_and_evaluation_has_the_full_one(configure: Configure) -> None:
    seen, model = fit(configure(*SMALL))
    by_epoch = [{size for at, size in seen.train if at == epoch} for epoch in range(5)]
    assert by_epoch == [{12}, {12}, {16}, {20}, {24}]
    assert {size for _, size in seen.other} >= {24}
    assert model.augment.out_size((8, 8)) == (24, 24), "restored at the end"


def test_a_run_that_continues_within_an_epoch_is_the_same(configure: Configure, tmp_path: Path) -> None:
    whole, model = fit(configure(*SMALL))
    fit(configure(*SMALL), stop_at=5)  # in the middle of the third epoch
    rest, again = fit(configure(*SMALL), ckpt_path=tmp_path / "run" / "within.ckpt")
    assert rest.train == whole.train[5:]
    for name, value in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name


def test_workers_that_decode_what_is_needed_follow(configure: Configure, tmp_path: Path) -> None:
    pixels = load_sample_image("china.jpg")
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(8):
            Image.fromarray(pixels[20 * i : 20 * i + 240, 30 * i : 30 * i + 240]).save(
                tmp_path / "photos" / name / f"{i}.jpg"
            )
    folder = ["data=folder", f"data.root={tmp_path / 'photos'}", "data.size=64", "model=small_cnn", "model.width=8"]
    folder += ["data.batch_size=4", "trainer.max_epochs=2", "augment=none", "data.num_workers=0"]
    resizing = ["callbacks=progressive_resizing", "callbacks.progressive_resizing.start=0.5"]
    plain, _ = fit(configure(*folder))
    alone, model = fit(configure(*folder, *resizing, "callbacks.progressive_resizing.stages=2"))
    with_workers, other = fit(
        configure(*folder, *resizing, "callbacks.progressive_resizing.stages=2", "data.num_workers=2")
    )
    assert [size for _, size in alone.train] == [size for _, size in with_workers.train] == [32] * 3 + [64] * 3
    assert alone.loaded == with_workers.loaded < 0.8 * plain.loaded, "fewer pixels are decoded for smaller images"
    for name, value in model.state_dict().items():
        assert torch.equal(other.state_dict()[name], value), name


def test_sizes_are_multiples_and_the_last_one_is_full() -> None:
    stages = ProgressiveResizing(start=0.43, stages=4, multiple=32)._stages((300, 224))
    assert stages == ((128, 96), (192, 128), (256, 192), (300, 224))
    assert ProgressiveResizing(stages=1)._stages((32, 32)) == ((32, 32),)
    assert ProgressiveResizing(start=0.1, stages=2)._stages((64, 20)) == ((32, 20), (64, 20))
    sizes = SizeOfEpoch(stages, 10, ())
    assert [sizes(epoch)[0] for epoch in (0, 2, 3, 4, 5, 7, 8, 9, 10, 99)] == [
        *(128, 128, 192, 192, 256, 256, 300, 300, 300, 300)
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"start": 0.0}, r"start=0.0 must lie within \(0, 1\]"),
        ({"start": 1.5}, r"start=1.5 must lie within \(0, 1\]"),
        ({"stages": 0}, "stages=0"),
        ({"multiple": 0}, "multiple=0"),
    ],
)
def test_what_it_refuses(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        ProgressiveResizing(**arguments)


def test_what_cannot_change_its_size_is_refused_before_training(configure: Configure) -> None:
    with pytest.raises(UserError, match=r"give trainer\.max_epochs"):
        fit(configure(*SMALL, "trainer.max_epochs=-1", "trainer.max_steps=2"))
    trainer, model, data = build(configure(*SMALL))
    model.augment = A.Pipeline(A.SmallestMaxSize(24), A.Normalize(0.5, 0.5))
    with pytest.raises(UserError, match=r"no layer with size=\(24, 24\)"):
        trainer.fit(model, data)
    with pytest.raises(UserError, match="does not take images of shape"):
        fit(configure("experiment=smoke", "trainer.max_epochs=5", *RESIZING, "data.size=32", "model.name=test_vit"))
