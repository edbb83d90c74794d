"""method=joint learns the policy from the classifier's own forward and backward pass."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import pytest
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from pytorch_lightning.plugins import MixedPrecision

import augment as A
from augment.draws import objectives as learning
from lightning_modules.learning import policy_steps
from lightning_modules.learning.policy import LearnPolicy
from tests.trainer.test_policy import LEARN, Watch
from tests.trainer.tools import build

Configure = Callable[..., DictConfig]
JOINT = [*LEARN, "callbacks.learn.method=joint", "trainer.max_steps=10", "callbacks.learn.report=null"]


class Expect(pl.Callback):
    """Record the gradients that the policy's optimizer receives, and compute the expected ones independently."""

    def __init__(self) -> None:
        self.parts: list[torch.Tensor] = []
        self.wanted: list[torch.Tensor] = []
        self.given: list[torch.Tensor] = []
        self.passes: list[int] = []

    def on_train_epoch_start(self, trainer: pl.Trainer, model: pl.LightningModule) -> None:
        if self.passes:
            return
        (learner,) = (c for c in trainer.callbacks if isinstance(c, LearnPolicy))
        learner.optimizer.register_step_pre_hook(lambda *_: self.compare(learner.policy))
        model.backbone.register_forward_hook(lambda *_: self.passes.append(self.passes.pop() + 1))

    def on_train_batch_start(self, trainer: pl.Trainer, model: pl.LightningModule, batch: A.Batch, _: int) -> None:
        self.passes.append(0)
        with policy_steps.learnable(model.augment):
            noise = model.augment.noise(batch.index, model.current_epoch)
            losses = policy_steps.losses_of(model, model.backbone, model.augmented(batch, noise))
            objective = learning.joint_loss(losses, model.augment.log_prob(noise))
            objective = objective - 0.02 * learning.entropy(model.augment)
            gradient = torch.autograd.grad(objective, list(model.augment.parameters()))
        self.parts.append(torch.cat([g.flatten() for g in gradient]))
        self.passes[-1] = 0

    def compare(self, policy: list[torch.Tensor]) -> None:
        self.wanted.append(torch.stack(self.parts).mean(0))
        self.given.append(torch.cat([p.grad.flatten() for p in policy]))
        self.parts.clear()


def fit(cfg: DictConfig, callback: pl.Callback, **options: object) -> pl.LightningModule:
    """Train with a callback that runs before all others."""
    trainer, model, data = build(cfg, **options)
    trainer.callbacks.insert(0, callback)
    trainer.fit(model, data)
    return model


@pytest.mark.parametrize("batches", [1, 2])
def test_it_is_the_gradient_of_the_training_loss_from_one_pass(configure: Configure, batches: int) -> None:
    """The gradient covers all accumulated batches; the policy learns in 80 % of 10 steps."""
    expect = Expect()
    fit(configure(*JOINT, f"trainer.accumulate_grad_batches={batches}"), expect)
    assert len(expect.given) == 8
    torch.testing.assert_close(torch.stack(expect.given), torch.stack(expect.wanted), rtol=1e-3, atol=1e-6)
    assert set(expect.passes) == {1}, "the backbone runs once a batch"


def test_the_policy_is_recorded_only_where_it_takes_a_step(configure: Configure) -> None:
    class Record(pl.Callback):
        def __init__(self) -> None:
            self.steps: list[int] = []

        def on_train_start(self, trainer: pl.Trainer, model: pl.LightningModule) -> None:
            def look(_: torch.nn.Module, inputs: tuple[torch.Tensor]) -> None:
                if inputs[0].requires_grad:
                    self.steps.append(trainer.global_step + 1)

            model.backbone.register_forward_pre_hook(look)

    record = Record()
    fit(configure(*JOINT, "callbacks.learn.every=3", "trainer.max_steps=15"), record)
    assert record.steps == [3, 6, 9, 12]


class Scaled(MixedPrecision):
    """Scale the loss as for float16, which a CPU cannot train in; everything else stays float32."""

    def __init__(self, scale: float) -> None:
        super().__init__("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=scale))

    def forward_context(self) -> AbstractContextManager[None]:
        return nullcontext()


def test_a_scaled_loss_changes_nothing(configure: Configure) -> None:
    plain, scaled = Watch(), Watch()
    fit(configure(*JOINT), plain)
    fit(configure(*JOINT, "trainer.precision=null"), scaled, plugins=[Scaled(2.0**16)])
    assert torch.equal(plain.policy[-1], scaled.policy[-1])
    assert not torch.equal(plain.policy[0], plain.policy[-1])


def test_a_step_that_overflows_is_left_out(configure: Configure) -> None:
    """A loss above 2 overflows at first; the scale is then halved until it fits."""
    watch = Watch()
    fit(configure(*JOINT, "trainer.precision=null"), watch, plugins=[Scaled(2.0**127)])
    assert torch.equal(watch.policy[0], watch.start)
    assert torch.isfinite(watch.policy[-1]).all()
    assert (watch.policy[-1] != watch.start).all()
