"""The order of an epoch with balanced classes and repeated samples: keyed, and every copy with draws of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import DictConfig

import augment as A
from lightning_modules.data.epoch_order import class_weights, epoch_order
from lightning_modules.data.folder import FolderData
from lightning_modules.data.image_sets import TensorImages
from lightning_modules.data.sampler import ShardSampler
from lightning_modules.errors import UserError
from tests.trainer.tools import build, write_images


@given(st.integers(1, 60), st.integers(0, 20), st.integers(1, 4), st.integers(0, 3))
def test_a_pass_without_weights_has_every_sample_as_often(size: int, held: int, repeats: int, epoch: int) -> None:
    excluded = list(range(0, size, 3))[: min(held, size - 1)]
    length = size - len(excluded)
    order = epoch_order((7, epoch), size, length, excluded, repeats=repeats)
    assert len(order) == len(set(order.tolist())) == length
    times = Counter((order % size).tolist())
    assert not times.keys() & set(excluded)
    assert sorted(times.values())[1:] == [repeats] * (len(times) - 1)  # the last one may come less often
    assert order.max() < size * repeats


def test_copies_follow_each_other_so_that_processes_share_them() -> None:
    order = epoch_order((0, 0), 10, 9, repeats=3)
    assert (order % 10).reshape(3, 3).std(1).max() == 0
    assert (order // 10).tolist() == [0, 1, 2] * 3


@pytest.mark.parametrize(("balance", "share"), [(1.0, 0.5), (0.5, 3 / (3 + 1))])
def test_classes_come_with_their_share(balance: float, share: float) -> None:
    labels = torch.tensor([0] * 90 + [1] * 10)
    weights = class_weights(labels, balance)
    drawn = np.concatenate([epoch_order((0, epoch), 100, 100, weights=weights) % 100 for epoch in range(200)])
    assert (drawn < 90).mean() == pytest.approx(share, abs=0.02)
    assert len(np.unique(drawn)) == 100


def test_balanced_orders_leave_out_what_is_held_out() -> None:
    weights = class_weights(torch.tensor([0] * 30 + [1] * 10), 1.0)
    order = epoch_order((0, 1), 40, 35, excluded=[0, 1, 2, 30, 31], weights=weights)
    assert not set((order % 40).tolist()) & {0, 1, 2, 30, 31}
    assert len(set(order.tolist())) == 35  # every copy has its own number


def test_processes_and_resumption_deal_one_order() -> None:
    weights = class_weights(torch.tensor([0] * 30 + [1] * 10), 1.0)
    whole = list(ShardSampler(40, True, 3, weights=weights, repeats=2))
    parts = [list(ShardSampler(40, True, 3, 2, rank, weights=weights, repeats=2)) for rank in (0, 1)]
    assert [number for pair in zip(*parts, strict=True) for number in pair] == whole
    assert list(ShardSampler(40, True, 3, skip=lambda: 13, weights=weights, repeats=2)) == whole[13:]


def test_a_copy_is_the_same_image_with_other_draws() -> None:
    images = TensorImages(torch.randint(0, 256, (5, 12, 12, 3), dtype=torch.uint8), torch.arange(5), list("abcde"))
    batch = images.__getitems__([3, 3 + 5, 3 + 10, ~3])
    assert torch.equal(batch.image[0], batch.image[2])
    assert batch.label.tolist() == [3, 3, 3, -100]
    out = A.Pipeline(A.RandomRotation(40.0, p=1.0))(batch, epoch=1).image
    assert not torch.equal(out[0], out[1])
    assert not torch.equal(out[1], out[2])
    assert torch.equal(out[0], out[3])


def test_a_folder_is_balanced(tmp_path: Path) -> None:
    write_images(tmp_path / "photos" / "rare", 10, [(8, 8)])
    write_images(tmp_path / "photos" / "usual", 80, [(8, 8)])
    data = FolderData(str(tmp_path / "photos"), batch_size=8, balance=1.0, repeats=2)
    labels = torch.cat([batch.label for batch in data.train_dataloader()]).double()
    assert 0.3 < labels.mean() < 0.7
    seen = torch.cat([batch.label for batch in data.val_dataloader()])
    assert len(seen) == len(data.splits.val)  # evaluation has every image once


@pytest.mark.parametrize("settings", [{"balance": 1.5}, {"balance": -0.1}, {"repeats": 0}])
def test_wrong_settings_name_what_is_allowed(tmp_path: Path, settings: dict[str, float]) -> None:
    write_images(tmp_path / "photos" / "a", 2, [(8, 8)])
    with pytest.raises(UserError, match=r"balance=.* must lie within \[0, 1\], and repeats=.* be at least 1"):
        FolderData(str(tmp_path / "photos"), **settings)
    with pytest.raises(UserError, match="needs one label per image"):
        class_weights(torch.zeros(4, 3), 1.0)


def test_an_epoch_goes_on_only_in_its_own_order(configure: Callable[..., DictConfig], tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_images(tmp_path / "photos" / name, 20, [(8, 8)])
    given = ["data=folder", f"data.root={tmp_path / 'photos'}", "data.size=16", "model=small_cnn", "data.num_workers=0"]
    given += ["data.batch_size=4", "trainer.max_epochs=2", "data.balance=0.5", "data.repeats=2"]
    path = tmp_path / "within.ckpt"

    class Save(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, *_: object) -> None:
            if trainer.global_step == 3:
                trainer.save_checkpoint(path)

    trainer, model, data = build(configure(*given))
    trainer.callbacks.append(Save())
    trainer.fit(model, data)
    for settings, goes_on in (([], True), (["data.repeats=1"], False), (["data.balance=0"], False)):
        trainer, model, data = build(configure(*given, *settings))
        if goes_on:
            trainer.fit(model, data, ckpt_path=path, weights_only=True)
        else:
            with pytest.raises(UserError, match=r"within an epoch with data.balance=0.5 and data.repeats=2"):
                trainer.fit(model, data, ckpt_path=path, weights_only=True)
