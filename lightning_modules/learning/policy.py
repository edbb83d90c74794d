"""LearnPolicy: a callback that fits a pipeline's learnable widths and probabilities while the classifier trains."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, GradientAccumulationScheduler
from timm.utils import ModelEmaV3
from torch import Tensor, nn

import augment as A
from augment.data.known import known
from augment.draws import objectives as learning
from augment.layers.policies.learned import policies_in
from lightning_modules.classifier import ImageClassifier, model_of
from lightning_modules.data.datamodule import data_of
from lightning_modules.errors import UserError
from lightning_modules.learning import policy_steps
from lightning_modules.learning.policy_report import PolicyReport
from lightning_modules.learning.policy_shared import SharedPass
from lightning_modules.learning.words import Findings, found_by_gradient
from lightning_modules.model.resumed_schedule import place_in_schedule
from lightning_modules.model.schedules import callbacks_of

METHODS = ("budget", "alignment", "joint")
LOSS_SCALE = 1024.0
"""Keeps small gradients from vanishing in a half-precision teacher; a power of two changes nothing else."""


class LearnPolicy(Callback):
    """Learn `model.augment` alongside the classifier, without second-order terms and without touching its optimizer.

    Every few steps, after a warm-up and until the policy is frozen, Adam takes one step on the policy's own parameters:

    - budget: as much augmentation as costs a frozen average of the classifier `delta` nats on held-out images.
    - alignment: augmentation whose training gradient lowers the held-out loss, by finite differences.
    - joint: training loss minus a reward for width, from the classifier's own backward pass, without held-out images.

    Between its steps the policy's parameters require no gradient. Training therefore records no graph for the
    augmentation, and neither DDP nor the classifier's optimizer sees the parameters. With several processes, each one
    takes its share of the held-out batch and the gradients are averaged, so that the policy is the same on all of them.
    From the first epoch after the policy is frozen, held-out images are used as training images.

    Args:
        method: "budget", "alignment" or "joint".
        share: share of the training images to hold out, in (0, 1); ignored by "joint".
        batch_size: held-out images per step, summed over all processes.
        every: optimizer steps of the classifier per step of the policy.
        warmup, freeze: start and end of learning as shares of the training, 0 <= warmup < freeze <= 1.
        lr: learning rate of Adam.
        delta: budget in nats, for "budget".
        beta: multiplier of the entropy: the initial value for "budget", constant for "joint".
        ema: decay per step of the average of the classifier, in [0, 1), for "budget".
        report: writes the curves, the picture and the learned pipeline; None writes nothing.
    """

    def __init__(
        self,
        method: str = "budget",
        share: float = 0.2,
        batch_size: int = 64,
        every: int = 5,
        warmup: float = 0.1,
        freeze: float = 0.75,
        lr: float = 0.05,
        delta: float = 0.1,
        beta: float = 0.02,
        ema: float = 0.99,
        report: PolicyReport | None = None,
    ) -> None:
        if method not in METHODS:
            raise UserError(f"LearnPolicy: method={method!r} must be one of {', '.join(METHODS)}.")
        if not 0 <= warmup < freeze <= 1:
            raise UserError(f"LearnPolicy: warmup={warmup} and freeze={freeze} must satisfy 0 <= warmup < freeze <= 1.")
        for name, value in (("delta", delta), ("beta", beta), ("lr", lr), ("every", every), ("batch_size", batch_size)):
            if value <= 0:
                raise UserError(f"LearnPolicy: {name}={value} must be positive.")
        if not 0 <= ema < 1:
            raise UserError(f"LearnPolicy: ema={ema} must lie within [0, 1).")
        self.method, self.share, self.batch_size, self.every = method, share, batch_size, every
        self.warmup, self.freeze, self.delta = warmup, freeze, delta
        self.log_beta = math.log(beta)
        self.lr, self.ema, self.report = lr, ema, report
        self.teacher: ModelEmaV3 | None = None
        self.shared: SharedPass | None = None
        self.optimizer: torch.optim.Adam | None = None
        self.policy: list[nn.Parameter] = []
        self.learned: list[A.LearnedPolicy] = []
        self.taken, self.drawn = 0, 0  # steps of the policy, and held-out samples used by them
        self._seen = 0
        self._batches: Iterator[A.Batch] = iter(())
        self._restored: dict[str, Any] | None = None
        self._held_out: list[int] = []

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        pipeline = model_of(pl_module).augment
        if not list(pipeline.parameters()):
            raise UserError("LearnPolicy: augment has nothing to learn; use augment=learned or learnable=True in it.")
        if any(isinstance(callback, GradientAccumulationScheduler) for callback in callbacks_of(trainer)):
            raise UserError(
                "LearnPolicy: GradientAccumulationScheduler changes the number of steps per epoch, which must be "
                "constant; use trainer.accumulate_grad_batches."
            )
        if model_of(pl_module).loss.num_splits > 1:
            raise UserError("LearnPolicy: it needs one view of each sample; use a loss that does not compare views.")
        pipeline.requires_grad_(False)
        if self.method != "joint":
            data = data_of(trainer)
            if data is None:
                raise UserError(f"LearnPolicy: method={self.method!r} holds out images of an ImageDataModule.")
            data.hold_out(self.share)
            self._held_out = data.held_out

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        model, total = model_of(pl_module), trainer.estimated_stepping_batches
        if not math.isfinite(total):
            raise UserError("LearnPolicy: training must have an end: give the trainer max_epochs or max_steps.")
        data = data_of(trainer)
        if data is not None:
            data.resume()  # before the model does it, because the place in training depends on it
        earlier = trainer.global_step - place_in_schedule(trainer)  # not 0 if the length of a step has changed
        self.first, self.last = (round(share * total) + earlier for share in (self.warmup, self.freeze))
        self.policy = list(model.augment.float().parameters())  # undoes precision="bf16-true"
        self.learned = policies_in(model.augment)
        self.optimizer = torch.optim.Adam(self.policy, lr=self.lr)
        if self.method == "budget":
            average = ModelEmaV3(model.backbone, decay=self.ema, dtype=torch.float32)  # bfloat16 is too coarse
            self.teacher = average.requires_grad_(False)
        if self.method == "joint":
            self.shared = SharedPass(model.augment)
        if self._restored is not None:
            self._restore(self._restored)
        if self.method != "joint":
            steps = -(-trainer.num_training_batches // trainer.accumulate_grad_batches)  # the last may be smaller
            known(data).fold_back_epoch = int(-(-(self.last - earlier) // steps))
            self._batches = iter(known(data).held_out_dataloader(self.batch_size, self.drawn))
        self._seen = trainer.global_step

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: A.Batch, batch_idx: int
    ) -> None:
        if self.shared is not None and self._due(trainer.global_step + 1):
            self.shared.begin()

    def on_after_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.shared is not None:
            self.shared.after_backward(trainer)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: A.Batch, batch_idx: int
    ) -> None:
        model = model_of(pl_module)
        if self.shared is not None:
            self.shared.after_batch(trainer, model, batch, outputs["losses"], gatherer(trainer))
        step = trainer.global_step
        if step == self._seen or step > self.last:  # gradients still accumulate, or learning is over
            return
        self._seen = step
        if self.teacher is not None:
            self.teacher.update(model.backbone)
            average_buffers(trainer, self.teacher)
        if self._due(step):
            if self.shared is None:
                self._learn(trainer, model, *self._own_pass(trainer, model, batch))
            else:
                self._learn(trainer, model, self.shared.take(), outputs["losses"])

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.report is not None and trainer.is_global_zero:
            self.report.finish(model_of(pl_module).augment, self.findings())

    def findings(self) -> Findings | None:
        """Return what was learned, in words; None before training, or without a LearnedPolicy."""
        return found_by_gradient(self.learned[0].state()) if self.learned else None

    def _due(self, step: int) -> bool:
        """Return whether the policy takes a step after this step of the classifier."""
        return self.first < step <= self.last and step % self.every == 0

    def _own_pass(self, trainer: pl.Trainer, model: ImageClassifier, batch: A.Batch) -> tuple[Tensor, Tensor]:
        """Return this process's term of the data's gradient, and the value of each sample (B,)."""
        held_out, gather = next(self._batches).to(model.device), gatherer(trainer)
        self.drawn += self.batch_size

        def mean(values: Tensor) -> Tensor:
            return trainer.strategy.reduce(values, reduce_op="mean")

        with policy_steps.learnable(model.augment), trainer.precision_plugin.forward_context():
            if self.method == "budget":
                noise = model.augment.noise(held_out.index, self.taken, device=model.device)
                surrogate, values = policy_steps.budget_step(model, known(self.teacher).module, held_out, noise, gather)
            else:
                noise = model.augment.noise(batch.index, model.current_epoch, device=model.device)
                surrogate, values = policy_steps.aligned_step(model, held_out, batch, noise, gather, mean)
            gradient = torch.autograd.grad(surrogate * LOSS_SCALE, self.policy, allow_unused=True)
        return policy_steps.flat(gradient, self.policy) / LOSS_SCALE, values

    def _learn(self, trainer: pl.Trainer, model: ImageClassifier, gradient: Tensor, values: Tensor) -> None:
        """Take one Adam step, identical on all processes; `gradient` is this process's term of the data's gradient."""
        gradient = trainer.strategy.reduce(gradient, reduce_op="sum") - self._reward(model.augment)
        mean = trainer.strategy.reduce(values.mean(), reduce_op="mean").item()
        self.taken += 1
        if not gradient.isfinite().all():  # half precision overflowed; the classifier skips such a step too
            return
        for parameter, part in zip(self.policy, gradient.split([p.numel() for p in self.policy]), strict=True):
            parameter.grad = part.view_as(parameter)
        optimizer = known(self.optimizer)
        optimizer.step()
        optimizer.zero_grad()
        if self.method == "budget":
            self.log_beta = learning.next_log_beta(self.log_beta, mean, self.delta)
        self._log(trainer, model, mean)

    def _reward(self, pipeline: A.Pipeline) -> Tensor | float:
        """Return the gradient of the entropy times its multiplier, identical on all processes."""
        if self.method == "alignment":
            return 0.0
        with policy_steps.learnable(pipeline):
            gradient = torch.autograd.grad(learning.entropy(pipeline), self.policy, allow_unused=True)
        return math.exp(self.log_beta) * policy_steps.flat(gradient, self.policy)

    def _log(self, trainer: pl.Trainer, model: ImageClassifier, mean: float) -> None:
        name = {"budget": "gap", "alignment": "slope", "joint": "loss"}[self.method]
        values = {f"policy/{name}": mean, "policy/beta": math.exp(self.log_beta)}
        if self.report is not None:
            values |= self.report.curves(model.augment, trainer.global_step)
        model.log_dict(values)

    def state_dict(self) -> dict[str, Any]:
        if self.optimizer is None:
            return self._restored or {}
        return {
            "log_beta": self.log_beta,
            "taken": self.taken,
            "drawn": self.drawn,
            "policy": [parameter.detach() for parameter in self.policy],
            "optimizer": self.optimizer.state_dict(),
            "teacher": None if self.teacher is None else self.teacher.state_dict(),
            "held_out": self._held_out,
            "history": None if self.report is None else self.report.history,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._restored = state_dict or None

    def _restore(self, state: dict[str, Any]) -> None:
        if state["held_out"] != self._held_out:
            raise UserError("LearnPolicy: the checkpoint held out different images; use its data, seed and share.")
        self.log_beta, self.taken, self.drawn = state["log_beta"], state["taken"], state["drawn"]
        for parameter, value in zip(self.policy, state["policy"], strict=True):
            parameter.data.copy_(value)
        known(self.optimizer).load_state_dict(state["optimizer"])
        if self.teacher is not None:
            self.teacher.load_state_dict(state["teacher"])
        if self.report is not None:
            self.report.history = state["history"]


def gatherer(trainer: pl.Trainer) -> policy_steps.Gather:
    """Return a function that concatenates the (B,) values of all processes."""
    return lambda values: trainer.strategy.all_gather(values).flatten()


@torch.no_grad()
def average_buffers(trainer: pl.Trainer, network: nn.Module) -> None:
    """Average the batch-norm statistics, which every process takes from its own images, over the processes."""
    buffers = [buffer for buffer in network.buffers() if buffer.is_floating_point()]
    if trainer.world_size == 1 or not buffers:
        return
    mean = trainer.strategy.reduce(torch.cat([buffer.flatten() for buffer in buffers]), reduce_op="mean")
    for buffer, part in zip(buffers, mean.split([buffer.numel() for buffer in buffers]), strict=True):
        buffer.copy_(part.view_as(buffer))
