"""SampleStrength: each sample is augmented as strongly as the network's last prediction for it says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf

import augment as A
from lightning_modules.curriculum.sample_strength import SampleStrength, similarity, sureness
from lightning_modules.errors import UserError
from tests.trainer.tools import ROOT, build

Configure = Callable[..., DictConfig]
ADAPTIVE = ["augment=sample_adaptive", "callbacks.sample_strength.warmup=1"]
SMALL = ["experiment=smoke", "model=small_cnn", "model.width=8", "data.size=8", "trainer.max_epochs=3", *ADAPTIVE]
SMALL += ["trainer.limit_train_batches=6", "scheduler=none"]


class Levels(pl.Callback):
    """Record the level of the operator of every sample, by epoch and number, and the score of its prediction."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.levels: dict[tuple[int, int], float] = {}
        self.scores: dict[tuple[int, int], float] = {}
        self.stop_at = stop_at

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: A.Batch, _: int) -> None:
        given = {name: table[batch.index] for name, table in pl_module.given.items()}
        noise = pl_module.augment.noise(batch.index, trainer.current_epoch, given=given)
        for number, row in zip(batch.index.tolist(), noise, strict=True):
            column = pl_module.augment.inputs()[0][0]
            self.levels[trainer.current_epoch, number] = row[column].item()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module, outputs, batch: A.Batch, batch_idx: int) -> None:
        for number, score in zip(batch.index.tolist(), sureness(outputs["logits"], batch.label), strict=True):
            self.scores[trainer.current_epoch, number] = score.item()
        if trainer.global_step == self.stop_at:
            trainer.should_stop = True
            trainer.save_checkpoint(Path(trainer.default_root_dir) / "within.ckpt")

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.sanity_checking and trainer.current_epoch == 1:
            trainer.save_checkpoint(Path(trainer.default_root_dir) / "checkpoints" / "validated.ckpt")


def fit(cfg: DictConfig, ckpt_path: Path | None = None, stop_at: int | None = None) -> tuple[Levels, pl.Trainer]:
    trainer, model, data = build(cfg)
    trainer.callbacks.append(levels := Levels(stop_at))
    trainer.fit(model, data, ckpt_path=ckpt_path, weights_only=True)
    return levels, trainer


def table_of(trainer: pl.Trainer) -> torch.Tensor:
    (callback,) = (c for c in trainer.callbacks if isinstance(c, SampleStrength))
    return callback.last


def test_the_scores_of_the_papers() -> None:
    logits = torch.tensor([[9e3, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], [0.0, 9e3, 0.0, 0.0]])
    label = torch.tensor([0, 0, 0])
    torch.testing.assert_close(sureness(logits, label), torch.tensor([1.0, 0.0, 1.0]))
    torch.testing.assert_close(similarity(logits, label), torch.tensor([1.0, 0.5, 0.0]))
    p = torch.tensor([0.7, 0.2, 0.1])
    expected = 1 - torch.special.entr(p).sum() / torch.log(torch.tensor(3.0))
    torch.testing.assert_close(sureness(p.log()[None], label[:1]), expected[None])


def test_a_sample_has_the_strength_of_its_last_prediction(configure: Configure) -> None:
    levels, trainer = fit(configure(*SMALL))
    assert {level for (epoch, _), level in levels.levels.items() if epoch == 0} == {0.0}
    seen = 0
    for (epoch, number), level in levels.levels.items():
        earlier = [at for at, other in levels.scores if other == number and at < epoch]
        expected = levels.scores[max(earlier), number] if earlier else 0.0
        assert level == pytest.approx(expected, abs=1e-6)
        seen += bool(earlier)
    assert seen > 3
    table = table_of(trainer)
    newest = {number: score for (epoch, number), score in sorted(levels.scores.items()) if epoch < 2}
    assert {number: table[number].item() for number in newest} == pytest.approx(newest, abs=1e-6)
    assert (table > 0).sum() == len(newest)


def test_the_warmup_has_no_strength(configure: Configure) -> None:
    levels, _ = fit(configure(*SMALL, "callbacks.sample_strength.warmup=2"))
    assert {level for (epoch, _), level in levels.levels.items() if epoch < 2} == {0.0}
    assert max(level for (epoch, _), level in levels.levels.items() if epoch == 2) > 0


@pytest.mark.parametrize("saved", ["within an epoch", "after validation", "after an epoch"])
def test_a_run_that_continues_is_the_same(configure: Configure, tmp_path: Path, saved: str) -> None:
    _, whole = fit(configure(*SMALL))
    point = tmp_path / "run" / "within.ckpt"
    if saved == "within an epoch":
        fit(configure(*SMALL), stop_at=9)
    else:
        fit(configure(*SMALL, "trainer.max_epochs=2"))
        point = tmp_path / "run" / "checkpoints" / ("last.ckpt" if saved == "after an epoch" else "validated.ckpt")
    _, rest = fit(configure(*SMALL), ckpt_path=point)
    assert torch.equal(table_of(rest), table_of(whole))
    for name, value in whole.lightning_module.state_dict().items():
        assert torch.equal(rest.lightning_module.state_dict()[name], value), name


def test_two_processes_have_the_strengths_of_one(configure: Configure, tmp_path: Path) -> None:
    cfg = configure(*SMALL, "data.batch_size=4", "test=false")
    cfg.trainer.update(strategy="ddp_fork", devices=2)
    OmegaConf.save(cfg, tmp_path / "config.yaml")
    # a process of its own, because one that has computed gradients cannot be forked
    script = "import sys; from tests.trainer import test_sample_strength as t; t.fit_in_two(sys.argv[1])"
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=600, cwd=ROOT)
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    assert torch.equal(first, second)
    _, trainer = fit(configure(*SMALL, "data.batch_size=8"))
    torch.testing.assert_close(first, table_of(trainer), rtol=1e-3, atol=1e-3)
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    assert torch.load(last)["sample_strength"]["last"].shape == first.shape


class Written(pl.Callback):
    """Write the strengths of every process to a file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        torch.save(table_of(trainer), self.folder / f"{trainer.global_rank}.pt")


def fit_in_two(folder: str) -> None:
    trainer, model, data = build(OmegaConf.load(Path(folder) / "config.yaml"))
    trainer.callbacks.append(Written(Path(folder)))
    trainer.fit(model, data)


def test_what_it_refuses(configure: Configure) -> None:
    with pytest.raises(UserError, match="score='loss' must be one of entropy, cosine"):
        SampleStrength(score="loss")
    with pytest.raises(UserError, match="warmup=-1"):
        SampleStrength(warmup=-1)
    cfg = configure(*SMALL)
    cfg.augment = configure("augment=light").augment
    with pytest.raises(UserError, match="no layer of augment follows 'strength'"):
        fit(cfg)
    with pytest.raises(UserError, match="a schedule follows 'strength', which must be given"):
        fit(configure(*SMALL, "callbacks.sample_strength=null"))
