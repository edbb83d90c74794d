"""LearnPolicy: fits a pipeline's learnable widths and probabilities while the classifier trains."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from timm.utils import ModelEmaV3
from torch import Tensor, nn

import augment as A
from augment import learning
from lightning_modules import policy_steps
from lightning_modules.classifier import ImageClassifier
from lightning_modules.datamodule import ImageDataModule
from lightning_modules.errors import UserError
from lightning_modules.policy_report import PolicyReport

METHODS = ("budget", "alignment", "joint")
LOSS_SCALE = 1024.0
"""Keeps small gradients through a half-precision teacher from vanishing; a power of two changes nothing else."""


class LearnPolicy(Callback):
    """Learns `model.augment` beside the classifier, without second-order terms and without touching its optimizer.

    Every few steps, after a warm-up and until the policy is frozen, one step of Adam on the policy's own parameters:

    - budget: as much augmentation as costs a frozen average of the classifier `delta` nats on held-out images.
    - alignment: augmentation whose training gradient lowers the held-out loss, by finite differences.
    - joint: training loss minus a reward for width, without held-out images.

    Between its steps the policy's parameters require no gradient: training records no graph for the augmentation,
    and neither DDP nor the classifier's optimizer know them. On several processes each takes its share of the held-out
    batch and the gradients are averaged, so that the policy stays the same on all of them. What was held out is
    training data like any other from the first epoch after the policy is frozen.

    Args:
        method: "budget", "alignment" or "joint".
        share: of the training images that are held out, in (0, 1); ignored by "joint".
        batch_size: held-out images per step, on all processes together.
        every: optimizer steps of the classifier per step of the policy.
        warmup, freeze: when learning begins and ends, as shares of the training, 0 <= warmup < freeze <= 1.
        lr: learning rate of Adam.
        delta: budget in nats, for "budget".
        beta: the entropy's multiplier, where it starts for "budget"; constant for "joint".
        ema: decay per step of the average of the classifier, in [0, 1), for "budget".
        report: where curves, the picture and the learned pipeline go; None for nowhere.
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
        self.optimizer: torch.optim.Adam | None = None
        self.policy: list[nn.Parameter] = []
        self.taken = 0
        self._seen, self._batches, self._restored = 0, iter(()), None
        self._held_out: list[int] = []

    def setup(self, trainer: pl.Trainer, pl_module: ImageClassifier, stage: str) -> None:
        if stage != "fit":
            return
        if not list(pl_module.augment.parameters()):
            raise UserError("LearnPolicy: augment has nothing to learn; use augment=learned or learnable=True in it.")
        pl_module.augment.requires_grad_(False)
        if self.method != "joint":
            data = trainer.datamodule
            if not isinstance(data, ImageDataModule):
                raise UserError(f"LearnPolicy: method={self.method!r} holds out images of an ImageDataModule.")
            data.hold_out(self.share)
            self._held_out = data.held_out

    def on_train_start(self, trainer: pl.Trainer, pl_module: ImageClassifier) -> None:
        total = trainer.estimated_stepping_batches
        if not math.isfinite(total):
            raise UserError("LearnPolicy: training needs an end: give the trainer max_epochs or max_steps.")
        self.first, self.last = round(self.warmup * total), round(self.freeze * total)
        self.policy = list(pl_module.augment.float().parameters())  # also where precision="bf16-true" has halved them
        self.optimizer = torch.optim.Adam(self.policy, lr=self.lr)
        if self.method == "budget":
            average = ModelEmaV3(pl_module.backbone, decay=self.ema, dtype=torch.float32)  # bfloat16 would lose it
            self.teacher = average.requires_grad_(False)
        if self._restored is not None:
            self._restore(self._restored)
        if self.method != "joint":
            steps = max(trainer.num_training_batches // trainer.accumulate_grad_batches, 1)
            trainer.datamodule.fold_back_epoch = -(-self.last // steps)
            self._batches = iter(trainer.datamodule.held_out_dataloader(self.batch_size, self.taken))
        self._seen = trainer.global_step

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: ImageClassifier, outputs: Any, batch: A.Batch, batch_idx: int
    ) -> None:
        step = trainer.global_step
        if step == self._seen or step > self.last:  # in the midst of an accumulation, or done
            return
        self._seen = step
        if self.teacher is not None:
            self.teacher.update(pl_module.backbone)
        if step > self.first and step % self.every == 0:
            self._learn(trainer, pl_module, batch)

    def on_train_end(self, trainer: pl.Trainer, pl_module: ImageClassifier) -> None:
        if self.report is not None and trainer.is_global_zero:
            self.report.finish(pl_module.augment)

    def _learn(self, trainer: pl.Trainer, model: ImageClassifier, batch: A.Batch) -> None:
        parameters = self.policy
        with learnable(model.augment), trainer.precision_plugin.forward_context():
            surrogate, values = self._surrogate(trainer, model, batch)
            gradient = torch.autograd.grad(surrogate * LOSS_SCALE, parameters, allow_unused=True)
            flat = _flat(gradient, parameters) / LOSS_SCALE
            flat = trainer.strategy.reduce(flat, reduce_op="sum")
            flat = flat - self._reward(model.augment, parameters)
        for parameter, part in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
            parameter.grad = part.view_as(parameter)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.taken += 1
        mean = trainer.strategy.reduce(values.mean(), reduce_op="mean").item()
        if self.method == "budget":
            self.log_beta = learning.next_log_beta(self.log_beta, mean, self.delta)
        self._log(trainer, model, mean)

    def _surrogate(self, trainer: pl.Trainer, model: ImageClassifier, batch: A.Batch) -> tuple[Tensor, Tensor]:
        """The data's part of the objective, to be summed over processes, and what each sample contributes."""

        def gather(values: Tensor) -> Tensor:
            return trainer.strategy.all_gather(values).flatten()

        if self.method == "joint":
            noise = model.augment.noise(batch.index, model.current_epoch, device=model.device)
            return policy_steps.joint_step(model, batch, noise, gather)
        held_out = next(self._batches).to(model.device)
        if self.method == "budget":
            noise = model.augment.noise(held_out.index, self.taken, device=model.device)
            return policy_steps.budget_step(model, self.teacher.module, held_out, noise, gather)
        noise = model.augment.noise(batch.index, model.current_epoch, device=model.device)

        def mean(values: Tensor) -> Tensor:
            return trainer.strategy.reduce(values, reduce_op="mean")

        return policy_steps.aligned_step(model, held_out, batch, noise, gather, mean)

    def _reward(self, pipeline: A.Pipeline, parameters: list[Tensor]) -> Tensor | float:
        """Gradient of the entropy times its multiplier, the same on all processes."""
        if self.method == "alignment":
            return 0.0
        gradient = torch.autograd.grad(learning.entropy(pipeline), parameters, allow_unused=True)
        return math.exp(self.log_beta) * _flat(gradient, parameters)

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
            raise UserError("LearnPolicy: the checkpoint held out other images; use its data, seed and share.")
        self.log_beta, self.taken = state["log_beta"], state["taken"]
        for parameter, value in zip(self.policy, state["policy"], strict=True):
            parameter.data.copy_(value)
        self.optimizer.load_state_dict(state["optimizer"])
        if self.teacher is not None:
            self.teacher.load_state_dict(state["teacher"])
        if self.report is not None:
            self.report.history = state["history"]


@contextmanager
def learnable(pipeline: A.Pipeline) -> Iterator[None]:
    """Its parameters require a gradient for a while."""
    pipeline.requires_grad_(True)
    try:
        yield
    finally:
        pipeline.requires_grad_(False)


def _flat(gradient: Sequence[Tensor | None], parameters: list[Tensor]) -> Tensor:
    """One vector; 0 for parameters that took no part."""
    pairs = zip(gradient, parameters, strict=True)
    return torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for g, p in pairs])
