"""The callbacks of conf/callbacks: averages of weights, freezing, the end of mixing, and searches before training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from torch import Tensor

from lightning_modules.callbacks.averaging import AverageWeights
from lightning_modules.callbacks.finders import FindBatchSize, FindLearningRate
from lightning_modules.callbacks.freezing import Freeze, stages_of
from lightning_modules.callbacks.mixing_off import MixingOff
from lightning_modules.errors import UserError
from lightning_modules.model.backbones import small_cnn, timm_backbone
from tests.trainer.tools import build
from train import train

SEARCH = ["experiment=smoke", "model=small_cnn", "model.width=8", "data.size=8"]
SMALL = [*SEARCH, "scheduler=none"]
RESNET = ["experiment=smoke", "data.size=16", "scheduler=none"]
Configure = Callable[..., DictConfig]


class Watch(pl.Callback):
    """Record the state dict after every epoch, and after every step the weight that `name` names."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.epochs: list[dict[str, Tensor]] = []
        self.steps: list[Tensor] = []

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: object) -> None:
        if self.name:
            self.steps.append(pl_module.state_dict()[self.name].clone())

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.epochs.append({name: value.clone() for name, value in pl_module.state_dict().items()})


def fitted(cfg: DictConfig, name: str = "", ckpt_path: Path | None = None) -> tuple[Watch, pl.Trainer]:
    trainer, model, data = build(cfg)
    trainer.callbacks.append(watch := Watch(name))
    trainer.fit(model, data, ckpt_path=ckpt_path, weights_only=True)
    return watch, trainer


def test_the_average_is_saved_and_tested_and_a_resumed_run_continues_it(configure: Configure, tmp_path: Path) -> None:
    name = "backbone.0.weight"
    cfg = configure(*SMALL, "callbacks=ema", "callbacks.average.decay=0.3", "optimizer.lr=0.1")
    watch, trainer = fitted(cfg, name)
    average = watch.steps[0]
    for step, value in enumerate(watch.steps[1:], start=1):
        average = torch.lerp(average, value, 1 - min(0.3, (1 + step) / (10 + step)))
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    torch.testing.assert_close(torch.load(last)["state_dict"][name], average)
    torch.testing.assert_close(trainer.lightning_module.state_dict()[name], average)
    cfg.trainer.max_epochs = 1
    fitted(cfg)
    cfg.trainer.max_epochs = 2
    fitted(cfg, ckpt_path=last)
    torch.testing.assert_close(torch.load(last)["state_dict"][name], average)


def test_the_average_keeps_counts(configure: Configure, tmp_path: Path) -> None:
    fitted(configure(*RESNET, "callbacks=ema"))
    saved = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt")
    assert saved["state_dict"]["backbone.bn1.num_batches_tracked"] == 4


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    """Return the first parts of the names of the weights that differ."""
    names = [name for name in before if not torch.equal(before[name], after[name])]
    return {name.split(".")[1] for name in names if name.startswith("backbone.")}


def test_freezing_stage_by_stage_and_its_continuation(configure: Configure, tmp_path: Path) -> None:
    cfg = configure(*RESNET, "callbacks=freeze", "callbacks.freeze.epochs=1", "callbacks.freeze.stage_epochs=1")
    cfg.trainer.max_epochs = 3
    _, model, _ = build(cfg)
    start = model.state_dict()
    watch, trainer = fitted(cfg)
    pairs = zip([start, *watch.epochs], watch.epochs, strict=False)
    assert [changed(before, after) for before, after in pairs] == [{"fc"}, {"fc", "layer4"}, {"fc", "layer4", "layer3"}]
    assert all(parameter.requires_grad for parameter in trainer.lightning_module.backbone.parameters())
    cfg.trainer.max_epochs = 1
    fitted(cfg)
    cfg.trainer.max_epochs = 2
    again, _ = fitted(cfg, ckpt_path=tmp_path / "run" / "checkpoints" / "last.ckpt")
    for name, value in again.epochs[-1].items():
        torch.testing.assert_close(value, watch.epochs[1][name])


def test_after_freezing_everything_trains_but_fixed_statistics(configure: Configure) -> None:
    freeze = ["callbacks=freeze", "callbacks.freeze.epochs=1", "callbacks.freeze.fix_statistics=true"]
    watch, _ = fitted(configure(*RESNET, *freeze))
    before, after = watch.epochs
    assert {"conv1", "bn1", "layer1", "layer4", "fc"} <= changed(before, after)
    statistics = [name for name in before if "running_" in name or "num_batches" in name]
    assert statistics
    assert all(torch.equal(before[name], after[name]) for name in statistics)


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "test_efficientnet"])
def test_the_stages_hold_all_but_the_last_layer(name: str) -> None:
    network = timm_backbone(name, 10, size=32)
    found = stages_of(network)
    head = {id(parameter) for parameter in network.get_classifier().parameters()}
    body = [id(parameter) for parameter in network.parameters() if id(parameter) not in head]
    assert sorted(body) == sorted(id(parameter) for stage in found for parameter in stage.values())
    assert len(found) > 3


def test_several_processes_drop_the_gradients_of_what_is_frozen(configure: Configure) -> None:
    """DDP waits for the gradients of all parameters, so they must still be computed."""
    trainer: Any = SimpleNamespace(current_epoch=0, world_size=2)
    _, model, _ = build(configure(*RESNET))
    freeze = Freeze(epochs=1)
    freeze.setup(trainer, model, "fit")
    freeze.on_train_epoch_start(trainer, model)
    assert all(parameter.requires_grad for parameter in model.parameters())
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    freeze.on_before_optimizer_step(trainer, model, torch.optim.SGD(model.parameters(), lr=1.0))
    assert {name for name, p in model.named_parameters() if p.grad is not None} == {
        "backbone.fc.weight",
        "backbone.fc.bias",
    }


def test_what_cannot_be_frozen() -> None:
    with pytest.raises(UserError, match=r"Freeze needs a network of timm, .* a Sequential does not"):
        stages_of(small_cnn(10))
    with pytest.raises(UserError, match="epochs=-1 must be at least 0"):
        Freeze(-1)
    with pytest.raises(UserError, match="stage_epochs=0 must be at least 1, or null"):
        Freeze(1, stage_epochs=0)


def test_the_last_epochs_do_not_mix(configure: Configure) -> None:
    class Labels(pl.Callback):
        mixed: list[float] = []

        def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch, _: int) -> None:
            seen = pl_module.augmented(batch)
            self.mixed.append(((seen.label > 0) & (seen.label < 1)).any(1).float().mean().item())

    cfg = configure(*SMALL, "augment=mixing", "callbacks=mixing_off", "callbacks.mixing_off.epochs=1")
    trainer, model, data = build(cfg)
    trainer.callbacks.append(labels := Labels())
    names = set(model.state_dict())
    trainer.fit(model, data)
    assert min(labels.mixed[:2]) > 0.2
    assert labels.mixed[2:] == [0.0, 0.0]
    assert set(model.state_dict()) == names


def test_what_cannot_be_unmixed(configure: Configure) -> None:
    with pytest.raises(UserError, match="augment has no layer that mixes images"):
        train(configure(*SMALL, "callbacks=mixing_off"))
    with pytest.raises(UserError, match=r"MixingOff needs the number of epochs: give trainer\.max_epochs"):
        train(
            configure(*SMALL, "augment=mixing", "callbacks=mixing_off", "trainer.max_epochs=-1", "trainer.max_steps=2")
        )
    with pytest.raises(UserError, match="MixingOff: epochs=0 must be at least 1"):
        MixingOff(0)


def test_the_learning_rate_that_was_found_is_used(configure: Configure, tmp_path: Path) -> None:
    find = ["callbacks=find_lr", "callbacks.find_lr.steps=40", "optimizer.lr=12345", "scheduler=warmup_cosine"]
    cfg = configure(*SEARCH, *find, "data.batch_size=32")
    trainer, model, data = build(cfg)
    before = {name: value.clone() for name, value in model.state_dict().items()}

    class Start(pl.Callback):
        def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            self.weights = {name: value.clone() for name, value in pl_module.state_dict().items()}
            self.rates = {group["initial_lr"] for group in trainer.optimizers[0].param_groups}

    trainer.callbacks.append(start := Start())
    trainer.fit(model, data)
    (rate,) = start.rates
    assert 1e-6 < rate < 1
    assert all(torch.equal(before[name], value) for name, value in start.weights.items())
    assert trainer.global_step == 4
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(0.0, abs=1e-9)  # the schedule has its length
    cfg.trainer.max_epochs = 3
    trainer, model, data = build(cfg)
    trainer.callbacks.append(start)
    trainer.fit(model, data, ckpt_path=tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert trainer.optimizers[0].param_groups[0]["initial_lr"] == pytest.approx(rate)


@pytest.mark.filterwarnings("ignore:.*lr_scheduler.step.*")  # raised by the trial steps
def test_the_batch_size_that_was_found_is_used(configure: Configure) -> None:
    find = ["callbacks=find_batch", "callbacks.find_batch.init_val=64", "callbacks.find_batch.max_val=256"]
    cfg = configure(*SEARCH, *find, "scheduler=cosine", "trainer.limit_train_batches=null")
    trainer, model, data = build(cfg)
    trainer.fit(model, data)
    assert data.batch_size == 256
    assert trainer.global_step == 2 * (len(data.splits.train) // 256)
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(0.0, abs=1e-9)
    trainer.test(model, data, verbose=False)
    assert data.batch_size == 256


def test_a_search_that_cannot_be() -> None:
    with pytest.raises(UserError, match=r"lowest=1 must be positive and below highest=0\.1"):
        FindLearningRate(1, 0.1)
    with pytest.raises(UserError, match="steps=5 must be at least 20"):
        FindLearningRate(steps=5)
    with pytest.raises(UserError, match="init_val=64 must be at least 1 and at most max_val=32"):
        FindBatchSize(64, 32)
    with pytest.raises(UserError, match="decay=1 must lie within"):
        AverageWeights(1)


def test_several_callbacks_in_one_line(configure: Configure) -> None:
    several = ["callbacks=[ema,freeze,mixing_off]", "callbacks.mixing_off.epochs=1", "callbacks.freeze.epochs=1"]
    assert train(configure(*RESNET, *several, "augment=mixing")) is not None
