"""Two gloo processes: identical augmentation of every sample, exact counts, and a common end after an error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig

from tests.trainer.tools import ROOT, build, run_train, write_images


class Record(pl.Callback):
    """Save the backbone's input for every training sample, and the metrics of the test."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        pl_module.backbone.register_forward_pre_hook(lambda _, inputs: self.images.append(inputs[0].detach().clone()))

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: object, _: int) -> None:
        self.images: list[torch.Tensor] = []
        self.index = batch.index

    def on_train_batch_end(self, trainer: pl.Trainer, *_: object) -> None:
        (images,) = self.images
        name = f"{trainer.current_epoch}-{trainer.fit_loop.batch_idx}-{trainer.global_rank}.pt"
        torch.save({"index": self.index, "images": images}, self.folder / name)

    def on_test_end(self, trainer: pl.Trainer, *_: object) -> None:
        torch.save(dict(trainer.callback_metrics), self.folder / f"metrics-{trainer.global_rank}.pt")


def recorded(folder: Path, epoch: int) -> dict[int, torch.Tensor]:
    """Return the images of an epoch by sample number."""
    seen: dict[int, torch.Tensor] = {}
    for path in folder.glob(f"{epoch}-*.pt"):
        saved = torch.load(path)
        fresh = dict(zip(saved["index"].tolist(), saved["images"], strict=True))
        assert not fresh.keys() & seen.keys(), "a sample was seen twice in an epoch"
        seen |= fresh
    return seen


def test_two_processes_see_and_count_what_one_does(configure: Callable[..., DictConfig], tmp_path: Path) -> None:
    settings = ["model=small_cnn", "model.width=8", "trainer.max_epochs=2", "data.batch_size=30"]
    ended = run_train(
        tmp_path,
        *settings,
        "trainer=ddp_cpu",
        "trainer.use_distributed_sampler=true",  # must not replace our sampler
        f"output_dir={tmp_path / 'both'}",
        "+callbacks.record._target_=tests.trainer.test_ddp.Record",
        f"+callbacks.record.folder={tmp_path / 'two'}",
        PYTHONPATH=str(ROOT),
    )
    assert ended.returncode == 0, ended.stderr

    trainer, model, data = build(configure(*settings))
    trainer.callbacks.append(Record(str(tmp_path / "one")))
    trainer.fit(model, data)
    for epoch in (0, 1):
        one, two = recorded(tmp_path / "one", epoch), recorded(tmp_path / "two", epoch)
        common = one.keys() & two.keys()
        assert len(common) > 1000
        for number in common:
            assert torch.equal(one[number], two[number]), number
    first, second = recorded(tmp_path / "two", 0), recorded(tmp_path / "two", 1)
    assert not any(torch.equal(first[number], second[number]) for number in first.keys() & second.keys())

    assert len(data.splits.test) % 2 == 1  # one rank runs out before the other
    best = tmp_path / "both" / "checkpoints" / "best.ckpt"
    (metrics,) = trainer.test(model, data, ckpt_path=best, weights_only=True, verbose=False)
    for rank in (0, 1):
        counted = torch.load(tmp_path / "two" / f"metrics-{rank}.pt")
        assert counted["test/acc"] == metrics["test/acc"]
        assert counted["test/loss"] == pytest.approx(metrics["test/loss"], rel=1e-5)


def test_an_error_of_one_process_ends_both(tmp_path: Path) -> None:
    """The images checked before training are intact; in training, either rank may hit a broken one first."""
    for name in ("a", "b"):
        write_images(tmp_path / "photos" / name, 40, [(8, 8)])
    for i in range(3, 40, 5):
        (tmp_path / "photos" / "b" / f"{i}.png").write_bytes(b"no image")
    folder = [f"data.root={tmp_path / 'photos'}", "data.size=32", "data.num_workers=0", "data.batch_size=2"]
    ended = run_train(tmp_path, "data=folder", "trainer=ddp_cpu", *folder)
    assert ended.returncode == 2
    assert "error: cannot read the image" in ended.stderr
    assert "Traceback" not in ended.stderr
